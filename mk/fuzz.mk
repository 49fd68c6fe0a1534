# libFuzzer targets: tests/fuzz/fuzz_NAME.c, each linked with the library and FUZZ_MORE_NAME compiled for it. Needs clang.

FUZZ_CC ?= clang-14
FUZZ_SECONDS ?= 60
FUZZ_TARGETS := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_SOURCES := $(sort $(wildcard base/*.c patterns/*.c))
FUZZ_MORE_events := harness/perf_events_read.c harness/perf_formula.c
FUZZ_FLAGS = -std=c17 -g -O1 -D_GNU_SOURCE -Iinclude -I. -fopenmp -fsanitize=fuzzer,address,undefined \
  -fno-sanitize-recover=all

build/fuzz/%: tests/fuzz/fuzz_%.c $(FUZZ_SOURCES) $(wildcard base/*.h patterns/*.h patterns/*.inc) $(HEADERS)
	@mkdir -p $(@D)
	$(call say,FUZZ,$@)
	$(Q)$(FUZZ_CC) $(FUZZ_FLAGS) $< $(FUZZ_SOURCES) $(FUZZ_MORE_$*) -lm -ldl -o $@

build/fuzz/events: $(FUZZ_MORE_events) harness/perf_events.h harness/perf_formula.h

fuzz: $(addprefix build/fuzz/,$(FUZZ_TARGETS)) ## run every fuzz target for FUZZ_SECONDS (60) each
	@for target in $(FUZZ_TARGETS); do \
	  mkdir -p build/fuzz/corpus-$$target; \
	  build/fuzz/$$target -max_total_time=$(FUZZ_SECONDS) -max_len=512 -timeout=20 -verbosity=0 -print_final_stats=1 \
	    -artifact_prefix=build/fuzz/$$target- build/fuzz/corpus-$$target || exit 1; \
	done; echo "fuzz: $(words $(FUZZ_TARGETS)) targets, nothing found"

.PHONY: fuzz
