# Installation: program, libattn (static and shared), headers, pkg-config file, plots, external kernels, man page.

BINDIR ?= $(PREFIX)/bin
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
DATADIR ?= $(PREFIX)/share
INSTALL := install
PEERS_ARMS := $(addprefix harness/peers/,adapter.py arms.py patterns.py torch_tensors.py) $(wildcard harness/peers/arm_*.py)

$(B)/attn.pc: $(STAMP) mk/install.mk include/attn/version.h
	@printf '%s\n' 'prefix=$(PREFIX)' 'libdir=$(LIBDIR)' 'includedir=$(INCLUDEDIR)' '' 'Name: attn' \
	  'Description: attention over sparsity patterns: layouts, plans, kernels' 'Version: $(VERSION)' \
	  'Libs: -L$${libdir} -lattn' 'Libs.private: -fopenmp -lm -ldl' 'Cflags: -I$${includedir}' >$@

$(B)/attnlab.1: $(B)/attnlab
	@$< help --man >$@

install: all $(B)/attn.pc $(B)/attnlab.1 ## install under $(DESTDIR)$(PREFIX)
	$(INSTALL) -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(INCLUDEDIR)/attn \
	  $(DESTDIR)$(DATADIR)/attnlab/plots $(DESTDIR)$(DATADIR)/attnlab/peers $(DESTDIR)$(DATADIR)/man/man1
	$(INSTALL) -m 755 $(B)/attnlab $(DESTDIR)$(BINDIR)/attnlab
	$(INSTALL) -m 644 $(B)/libattn.a $(DESTDIR)$(LIBDIR)/libattn.a
	$(INSTALL) -m 755 $(B)/libattn.so $(DESTDIR)$(LIBDIR)/libattn.so.$(VERSION)
	ln -sf libattn.so.$(VERSION) $(DESTDIR)$(LIBDIR)/libattn.so.$(SOVERSION)
	ln -sf libattn.so.$(SOVERSION) $(DESTDIR)$(LIBDIR)/libattn.so
	$(INSTALL) -m 644 $(HEADERS) $(DESTDIR)$(INCLUDEDIR)/attn/
	$(INSTALL) -m 644 $(wildcard plots/*.sql plots/*.gp) $(DESTDIR)$(DATADIR)/attnlab/plots/
	$(INSTALL) -m 644 $(PEERS_ARMS) $(DESTDIR)$(DATADIR)/attnlab/peers/
	$(INSTALL) -m 644 $(B)/attn.pc $(DESTDIR)$(LIBDIR)/pkgconfig/attn.pc
	$(INSTALL) -m 644 $(B)/attnlab.1 $(DESTDIR)$(DATADIR)/man/man1/attnlab.1

uninstall: ## remove what install put there
	rm -rf $(DESTDIR)$(INCLUDEDIR)/attn $(DESTDIR)$(DATADIR)/attnlab
	rm -f $(DESTDIR)$(BINDIR)/attnlab $(DESTDIR)$(LIBDIR)/libattn.* $(DESTDIR)$(LIBDIR)/pkgconfig/attn.pc \
	  $(DESTDIR)$(DATADIR)/man/man1/attnlab.1

.PHONY: install uninstall $(B)/attn.pc
