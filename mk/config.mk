# Compiler, mode, flags. Objects live in build/COMPILER-MODE/, so compilers and modes never mix.

ifeq ($(origin CC),default)
CC := gcc
endif
MODE ?= release
WERROR ?=
DEPS ?= auto
PREFIX ?= /usr/local

# Commands are shown in short; V=1 shows them whole.
Q := $(if $(V),,@)
say = @$(if $(V),:,echo "  $1	$(patsubst $(B)/%,%,$2)")

B := build/$(notdir $(firstword $(CC)))-$(MODE)
MACHINE := $(shell $(CC) -dumpmachine 2>/dev/null)

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes \
  -Wmissing-prototypes -Wold-style-definition -Wpointer-arith -Wcast-qual -Wwrite-strings -Wundef \
  -Wvla -Wdouble-promotion -Wformat=2 -Wnull-dereference -Wunused-macros $(if $(WERROR),-Werror)

MODE_release := -O3
MODE_debug := -O1 -DATTN_DEBUG
MODE_asan := -O1 -DATTN_DEBUG -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
MODE_ubsan := -O1 -DATTN_DEBUG -fsanitize=undefined -fno-sanitize-recover=all
MODE_tsan := -O1 -DATTN_DEBUG -fsanitize=thread
MODE_cov := -O0 --coverage
ifndef MODE_$(MODE)
$(error MODE=$(MODE): not a mode; release, debug, asan, ubsan, tsan or cov)
endif

# valgrind 3.19 (Debian 12) reads gcc's DWARF 5 but stops at clang's, even to count instructions.
DEBUG_INFO := $(if $(findstring clang,$(shell $(CC) --version 2>/dev/null | head -1)),-gdwarf-4,-g)

# Sums must not be contracted or reordered behind our back: results are compared bit for bit.
FLAGS := -std=c17 $(DEBUG_INFO) $(MODE_$(MODE)) -ffp-contract=off -fno-math-errno -fPIC -fvisibility=hidden -fopenmp -pthread
CPPFLAGS_ALL := -D_GNU_SOURCE -Iinclude -I. $(CPPFLAGS)
CFLAGS_ALL := $(FLAGS) $(WARNINGS) $(CFLAGS)
LDFLAGS_ALL := $(MODE_$(MODE)) -fopenmp -pthread -Wl,--export-dynamic $(LDFLAGS)
LIB_LIBS := -lm -ldl
PROGRAM_LIBS := -lsqlite3 -lpfm -lpng -lncursesw -ltinfo $(LIB_LIBS)

# A file named *_avx2.c is compiled for AVX2, *_avx512.c for AVX-512 and so on; nothing else is.
# Flags that the compiler does not know are left out, and the file then says so in its descriptor.
ISAS := avx2 avx512 avx512bf16 avx512fp16 amx
known = $(if $(shell $(CC) $1 -E -x c /dev/null >/dev/null 2>&1 && echo yes),$1)
ifneq (,$(filter x86_64-%,$(MACHINE)))
ISA_avx2 := -mavx2 -mfma -mf16c -mbmi2
ISA_avx512 := $(ISA_avx2) -mavx512f -mavx512bw -mavx512dq -mavx512vl -mprefer-vector-width=512
ISA_avx512bf16 := $(ISA_avx512) $(call known,-mavx512bf16)
ISA_avx512fp16 := $(ISA_avx512) $(call known,-mavx512fp16)
# gcc otherwise keeps integers in vector registers rather than on the stack.
ISA_amx := $(ISA_avx512bf16) $(call known,-mamx-tile -mamx-bf16) -mtune=icelake-server
endif
isa_flags = $(foreach isa,$(ISAS),$(if $(filter %_$(isa).c,$1),$(ISA_$(isa))))

# A change of compiler or flags rebuilds: every object depends on this file.
STAMP := $(B)/flags
STAMP_TEXT := $(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(LDFLAGS_ALL) $(PROGRAM_LIBS) $(foreach isa,$(ISAS),$(ISA_$(isa)))
ifneq ($(STAMP_TEXT),$(file <$(STAMP)))
$(shell mkdir -p $(B))
$(file >$(STAMP),$(STAMP_TEXT))
endif
