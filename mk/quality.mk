# Heavier checks: sanitizers, analysers, headers, the CPU ladder.

asan: ## all tests under AddressSanitizer and UBSan
	$(MAKE) --no-print-directory MODE=asan check

ubsan: ## all tests under UBSan
	$(MAKE) --no-print-directory MODE=ubsan check

# ThreadSanitizer does not know gcc's libgomp and would report its barriers as races: clang, libomp and
# its Archer tool, which tells the sanitizer what OpenMP synchronises. The program runs, not the tests: what
# Criterion does to start a test, the sanitizer does not survive.
TSAN_RUN := OMP_TOOL_LIBRARIES=libarcher.so TSAN_OPTIONS="ignore_noninstrumented_modules=1" build/clang-14-tsan/attnlab
tsan: ## everything threaded under ThreadSanitizer (clang, libomp, Archer)
	$(MAKE) --no-print-directory CC=clang-14 MODE=tsan build/clang-14-tsan/attnlab
	$(TSAN_RUN) check --quick
	$(TSAN_RUN) show strided -n 3k >/dev/null
	rm -f build/clang-14-tsan/tsan.db*
	for input in gauss text:LICENSE; do \
	  $(TSAN_RUN) run -p strided -p fixed -n 1k --heads 2 --threads 3 --input $$input --metrics time,accuracy \
	    --max-time 0.1 --db build/clang-14-tsan/tsan.db >/dev/null || exit 1; \
	done; echo "tsan: clean"

# valgrind knows neither AVX-512 nor AMX: the ladder is walked down to what it can run.
valgrind: $(B)/attnlab ## the kernels valgrind can run, on small problems under memcheck
	for kernel in portable avx2; do \
	  ATTN_DISABLE_CPU=avx512 valgrind --quiet --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite \
	    --show-leak-kinds=definite --trace-children=yes \
	    $(B)/attnlab check --quick --kernel $$kernel -n 33 -d 20 || exit 1; \
	done; echo "valgrind: clean"

cov: ## line coverage of the tests, as text and HTML in build/coverage/
	@DEPS=$(DEPS) mk/deps.sh build test cov
	$(MAKE) --no-print-directory MODE=cov check
	@mkdir -p build/coverage
	gcovr --root . --object-directory build/$(notdir $(firstword $(CC)))-cov --exclude 'tests/' --exclude 'build/' \
	  --html-details build/coverage/index.html --print-summary | tail -4

# base/status.c defines what mk/tidy.h explains. Sources of one instruction set are read for it.
ISA_SOURCES = $(foreach isa,$(ISAS),$(filter %_$(isa).c,$(LIB_SOURCES) $(PROGRAM_SOURCES)))
TIDY_FLAGS = -std=c17 $(CPPFLAGS_ALL) -I$(B) -fopenmp -DBUILD_COMPILER='""' -DBUILD_FLAGS='""' -DBUILD_MODE='""'
tidy: ## clang-tidy over the sources
	@DEPS=$(DEPS) mk/deps.sh tidy
	clang-tidy --quiet base/status.c -- $(TIDY_FLAGS)
	clang-tidy --quiet $(filter-out base/status.c $(ISA_SOURCES),$(LIB_SOURCES) $(PROGRAM_SOURCES)) -- $(TIDY_FLAGS) -include mk/tidy.h
	$(foreach isa,$(ISAS),clang-tidy --quiet $(filter %_$(isa).c,$(ISA_SOURCES)) -- $(TIDY_FLAGS) -include mk/tidy.h $(ISA_$(isa)) &&) true

format: ## rewrite the sources with clang-format
	clang-format -i $(LIB_SOURCES) $(PROGRAM_SOURCES) $(TEST_SOURCES) $(HEADERS) $(wildcard */*.h */*/*.h)

headers: ## every public header compiles alone, as C and as C++
	@for header in $(HEADERS); do \
	  $(CC) -std=c17 -Iinclude -Wall -Wextra -Wpedantic -Werror -fsyntax-only -x c $$header || exit 1; \
	  $(CXX) -std=c++17 -Iinclude -Wall -Wextra -Wpedantic -Werror -fsyntax-only -x c++ $$header || exit 1; \
	done; echo "headers: $(words $(HEADERS)) compile alone, as C and as C++"
CXX := $(if $(findstring clang,$(CC)),clang++,g++)

includes: ## includes point one way: base <- patterns <- kernels <- harness
	@mk/check-includes.sh

# Each step of the ladder really runs: the features above it are masked.
ladder: $(B)/attnlab ## the kernels at every level of CPU features
	$(B)/attnlab check --quick

# Every instruction of the AVX-512 kernels, run by an emulated CPU.
emulate: $(B)/attnlab ## check the AVX-512 kernels in an emulator, where the CPU has none
	mk/emulate.sh $(B)/attnlab check --quick --kernel avx512
	mk/emulate.sh $(B)/attnlab doctor --peaks --max-time 0.02 --threads 1

.PHONY: emulate asan ubsan tsan valgrind cov tidy format headers includes ladder
