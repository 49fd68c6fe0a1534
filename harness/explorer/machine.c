/* What libattn asks of a machine, where there is none: the page knows no CPU. It plans for kernels that it cannot run, and tells
 * cycles of theirs. */
#include "harness/explorer/machine.h"

#include <string.h>

#include "base/cpu.h"
#include "base/cpu_speed.h"
#include "harness/analyze.h"
#include "harness/terminal.h"
#include "kernels/kernel.h"

extern const kernel kernel_avx2, kernel_avx512;

const char *const machine_kernels[MACHINE_KERNELS] = {"avx2", "avx512"};
static const kernel *const modelled[MACHINE_KERNELS] = {&kernel_avx2, &kernel_avx512};
static kernel chosen;
const kernel *const kernels[] = {&chosen, NULL};

static void *no_scratch(arena *a, const shape *s)
{
    (void)s;
    return arena_take(a, 1, 1);
}

bool machine_choose(const char *name)
{
    for (size_t k = 0; k < MACHINE_KERNELS; k++)
        if (strcmp(machine_kernels[k], name) == 0) {
            memcpy(&chosen, modelled[k], sizeof chosen);
            chosen.unbuilt = NULL;
            chosen.scratch = no_scratch;
            return true;
        }
    return false;
}

attn_status kernel_unavailable(const kernel *k, const char **out, attn_error *err)
{
    (void)k;
    (void)err;
    *out = NULL;
    return ATTN_OK;
}

attn_status kernel_passed_over(const kernel *k, const char **out, attn_error *err)
{
    return kernel_unavailable(k, out, err);
}

size_t attn_kernel_count(void)
{
    return 1;
}

const char *cpu_model(void)
{
    return "unknown";
}

/* Nothing here is a terminal. */
size_t terminal_columns(FILE *stream)
{
    (void)stream;
    return 0;
}

/* Nanoseconds are cycles here. */
double cpu_cycle_ns(void)
{
    return 1;
}

void cpu_available(size_t *cores, size_t *cpus)
{
    *cores = *cpus = 1;
}

/* A page has no operands. */
attn_status analyze_on_data(analyze_data *out, const analyze_subject *s, const analyze_request *q, attn_error *err)
{
    (void)out;
    (void)s;
    (void)q;
    return attn_fail(err, ATTN_EUNAVAILABLE, "this page has no operands to analyze patterns on");
}

/* Debian builds the compiler's 128-bit arithmetic with a stack protector, and its C library for WebAssembly without. */
uintptr_t __stack_chk_guard = 0x595e9fbd;
_Noreturn void __stack_chk_fail(void);
_Noreturn void __stack_chk_fail(void)
{
    __builtin_trap();
}
