# Criterion suites mirroring the folders, command-line tests included, in one program.

TEST_SOURCES := $(sort $(wildcard tests/*/test_*.c tests/support/*.c))
TEST_OBJECTS := $(call objects,$(TEST_SOURCES))
TEST_ARGS ?=

# What the tests need besides the program: plugins and external kernels, good and bad.
TEST_PLUGINS := $(patsubst tests/plugins/%.c,$(B)/tests/plugins/%.so,$(wildcard tests/plugins/*.c))
EXAMPLE_PLUGINS := $(patsubst examples/plugin/%.c,$(B)/examples/plugin/%.so,$(wildcard examples/plugin/*.c))
EXTERNALS := $(patsubst %.c,$(B)/%.so,$(wildcard examples/external/*.c tests/external/*.c))

test: ## install packages if missing, build, run all tests
	@DEPS=$(DEPS) mk/deps.sh build test
	@$(MAKE) --no-print-directory check

check: $(B)/attn-tests $(B)/attnlab $(B)/libattn.so $(TEST_PLUGINS) $(EXAMPLE_PLUGINS) $(EXTERNALS) ## run all tests; installs nothing
	$(Q)LSAN_OPTIONS=suppressions=$(abspath mk/lsan.supp):print_suppressions=0 \
	  ATTNLAB=$(abspath $(B)/attnlab) ATTN_BUILD=$(abspath $(B)) $(B)/attn-tests -j$(shell nproc) $(TEST_ARGS)

$(B)/tests/%.o: CPPFLAGS_ALL += -Itests
# Vectors wider than the machine's, passed between static functions only.
$(B)/tests/support/avx512_emulated.o $(B)/tests/support/avx512bf16_emulated.o $(B)/tests/support/peaks_emulated.o $(B)/tests/support/amx_emulated.o $(B)/tests/support/amx_f32_emulated.o \
  $(B)/tests/support/amx_trapped.o: CFLAGS_ALL += -Wno-psabi
# For the assembler: the file itself is for any x86-64.
$(B)/tests/support/amx_trapped.o: CFLAGS_ALL += $(if $(ISA_amx),$(call known,-mamx-tile -mamx-bf16))

$(B)/attn-tests: $(TEST_OBJECTS) $(filter-out $(B)/harness/main.o,$(PROGRAM_OBJECTS)) $(LIB_OBJECTS)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) $^ $(PROGRAM_LIBS) -lcriterion -o $@

$(B)/tests/plugins/%.so $(B)/examples/plugin/%.so: $(STAMP)
$(EXTERNALS): $(B)/%.so: %.c $(HEADERS) $(STAMP)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(FLAGS) -Wall -Wextra -shared $< -lm -o $@
$(B)/tests/plugins/%.so: tests/plugins/%.c $(wildcard tests/plugins/*.h) $(HEADERS)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(FLAGS) -Wall -Wextra -shared $< -o $@
$(B)/examples/plugin/%.so: examples/plugin/%.c $(HEADERS)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(FLAGS) -Wall -Wextra -shared $< -o $@

-include $(patsubst %.o,%.d,$(TEST_OBJECTS))

.PHONY: test check
