# libattn (base, patterns, kernels) and the program (harness).

LIB_SOURCES := $(sort $(wildcard base/*.c patterns/*.c kernels/*.c kernels/*/*.c))
PROGRAM_SOURCES := $(sort $(wildcard harness/*.c harness/metrics/*.c harness/peaks/*.c))
objects = $(patsubst %.c,$(B)/%.o,$1)
LIB_OBJECTS := $(call objects,$(LIB_SOURCES))
PROGRAM_OBJECTS := $(call objects,$(PROGRAM_SOURCES))
HEADERS := $(sort $(wildcard include/attn/*.h))
VERSION := $(shell sed -n 's/.*ATTN_VERSION "\(.*\)"/\1/p' include/attn/version.h)
SOVERSION := $(firstword $(subst ., ,$(VERSION)))

all: build/attnlab $(B)/libattn.a $(B)/libattn.so ## the optimised program build/attnlab, and libattn

$(B)/%.o: %.c $(STAMP)
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(call isa_flags,$<) -MMD -MP -c $< -o $@

$(B)/libattn.a: $(LIB_OBJECTS)
	@rm -f $@
	$(AR) rcs $@ $^

$(B)/libattn.so: $(LIB_OBJECTS)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -shared -Wl,-soname,libattn.so.$(SOVERSION) $^ $(LIB_LIBS) -o $@

# All of the library's objects are linked, so that plugins find every attn_ function in the program.
$(B)/attnlab: $(PROGRAM_OBJECTS) $(LIB_OBJECTS)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) $^ $(PROGRAM_LIBS) -o $@

build/attnlab: $(B)/attnlab
	@ln -f $< $@

# What the program says of its own build. commit.h is written when its text changes, so that a commit
# recompiles one file.
GIT := $(if $(wildcard .git),git -c safe.directory='$(CURDIR)')
COMMIT := $(if $(GIT),$(shell $(GIT) rev-parse HEAD 2>/dev/null))
DIRTY := $(if $(COMMIT),$(shell $(GIT) status --porcelain -- Makefile mk include base patterns kernels harness | head -1))
define COMMIT_TEXT :=
#define BUILD_COMMIT "$(COMMIT)"
#define BUILD_DIRTY $(if $(DIRTY),1,0)
endef
COMMIT_FILE := $(B)/harness/commit.h
ifneq ($(COMMIT_TEXT),$(file <$(COMMIT_FILE)))
$(shell mkdir -p $(B)/harness)
$(file >$(COMMIT_FILE),$(COMMIT_TEXT))
endif
$(B)/harness/build_info.o: $(COMMIT_FILE)
$(B)/harness/build_info.o: CPPFLAGS_ALL += -I$(B) -DBUILD_COMPILER='"$(shell $(CC) --version 2>/dev/null | head -1)"' \
  -DBUILD_FLAGS='"$(strip $(FLAGS) $(CFLAGS))"' -DBUILD_MODE='"$(MODE)"'

# Files embedded in objects (harness/embed.h).
$(B)/harness/store_schema.o: $(wildcard harness/*.sql)
$(B)/harness/perf_events.o: $(wildcard harness/metrics/events/*.txt)
$(B)/harness/report.o: $(wildcard harness/report/*)

-include $(patsubst %.o,%.d,$(LIB_OBJECTS) $(PROGRAM_OBJECTS))

.PHONY: all
