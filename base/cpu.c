/* CPU detection: CPUID for the instructions, XCR0 for the register state the system saves. AMX goes by
 * CPUID.7 and XCR0 alone, since some virtual machines run it with leaves 0x1D and 0x1E empty.
 *
 * Source: Intel SDM volume 1, chapter 13 (XSAVE) and volume 2A (CPUID). */
#include "base/cpu.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    uint32_t bit;
    uint32_t takes; /* everything from here up the ladder */
} features[] = {
    {"avx2", CPU_AVX2, CPU_ALL},
    {"avx512", CPU_AVX512, CPU_ALL & ~(uint32_t)CPU_AVX2},
    {"avx512bf16", CPU_AVX512_BF16, CPU_AVX512_BF16 | CPU_BF16_TWICE},
    {"avx512fp16", CPU_AVX512_FP16, CPU_AVX512_FP16},
    {"amx", CPU_AMX, CPU_AMX},
};
enum { FEATURES = sizeof features / sizeof features[0] };

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

static uint64_t read_xcr0(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static bool has(uint32_t word, uint32_t bits) { return (word & bits) == bits; }

/* Zen 4 starts a dot product of 512 bits as often as a multiply-add, Emerald Rapids half as often (`attnlab doctor --peaks`). No
 * instruction tells, so the vendor does, for cores that were not measured too. */
static bool is_amd(void)
{
    uint32_t a, b = 0, c = 0, d = 0;
    return __get_cpuid(0, &a, &b, &c, &d) && b == signature_AMD_ebx && c == signature_AMD_ecx && d == signature_AMD_edx;
}

static uint32_t detect(void)
{
    uint32_t a, b, c, d, a1, b1, c1, d1;
    if (!__get_cpuid(1, &a1, &b1, &c1, &d1) || !has(c1, bit_OSXSAVE) || !__get_cpuid_count(7, 0, &a, &b, &c, &d))
        return 0;
    uint64_t saved = read_xcr0();
    enum { YMM = 0x6, ZMM = 0xe6, TILES = 0x60000 };
    uint32_t found = 0;
    if ((saved & YMM) == YMM && has(c1, bit_AVX | bit_FMA | bit_F16C) && has(b, bit_AVX2 | bit_BMI2))
        found |= CPU_AVX2;
    if (found && (saved & ZMM) == ZMM && has(b, bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL))
        found |= CPU_AVX512;
    if ((found & CPU_AVX512) && (saved & TILES) == TILES && has(d, 1u << 24 | 1u << 22))
        found |= CPU_AMX;
    if ((found & CPU_AVX512) && has(d, 1u << 23))
        found |= CPU_AVX512_FP16;
    if ((found & CPU_AVX512) && a >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d) && has(a, 1u << 5))
        found |= CPU_AVX512_BF16;
    if ((found & CPU_AVX512_BF16) && is_amd())
        found |= CPU_BF16_TWICE;
    return found;
}

/* Linux saves the 8 KiB of tiles only for processes that asked for them. */
static bool ask_for_tiles(void)
{
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, TILE_DATA = 18 };
    return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, TILE_DATA) == 0;
}
#else
static uint32_t detect(void) { return 0; }
static bool ask_for_tiles(void) { return false; }
#endif

uint32_t cpu_detect(void)
{
    /* CPUID traps in virtual machines (tens of microseconds), so it is asked once. Two threads may both ask:
     * they find the same. */
    static _Atomic uint32_t known; /* 0: not asked yet */
    uint32_t found = known;
    if (!found)
        known = found = detect() | 1u << 31;
    return found & CPU_ALL;
}

bool cpu_ask_for_tiles(void)
{
    static _Atomic int known; /* 0: not asked yet; 1: no; 2: yes. Asking twice does no harm. */
    int answer = known;
    if (!answer)
        known = answer = ask_for_tiles() ? 2 : 1;
    return answer == 2;
}

attn_status cpu_disabled(uint32_t *out, attn_error *err)
{
    uint32_t off = 0;
    const char *list = getenv("ATTN_DISABLE_CPU");
    for (const char *word = list ? list : ""; *word;) {
        size_t length = strcspn(word, ",");
        size_t f = 0;
        while (f < FEATURES && (strlen(features[f].name) != length || strncmp(word, features[f].name, length) != 0))
            f++;
        if (f == FEATURES && length > 0)
            return attn_fail(err, ATTN_EINVAL, "ATTN_DISABLE_CPU=%s: \"%.*s\" is not a feature; known are " CPU_NAMES,
                             list, (int)(length < 64 ? length : 64), word);
        if (length > 0)
            off |= features[f].takes;
        word += length + (word[length] == ',');
    }
    *out = off;
    return ATTN_OK;
}

attn_status cpu_lacks(uint32_t need, const char **why, attn_error *err)
{
    /* One text for each set of features, so that it outlives the call; what is missing most comes first. */
    static const struct { uint32_t bits; const char *missing, *disabled; } texts[] = {
        {CPU_AMX, "this CPU has no AMX with bf16", "amx is switched off by ATTN_DISABLE_CPU"},
        {CPU_AVX2, "this CPU has no AVX2 with FMA, F16C and BMI2", "avx2 is switched off by ATTN_DISABLE_CPU"},
        {CPU_AVX512, "this CPU has no AVX-512 with F, BW, DQ and VL", "avx512 is switched off by ATTN_DISABLE_CPU"},
        {CPU_AVX512_BF16, "this CPU has no AVX512-BF16", "avx512bf16 is switched off by ATTN_DISABLE_CPU"},
        {CPU_BF16_TWICE, "dot products of bf16 are slower on this CPU than multiply-adds of floats",
         "avx512bf16 is switched off by ATTN_DISABLE_CPU"},
        {CPU_AVX512_FP16, "this CPU has no AVX512-FP16", "avx512fp16 is switched off by ATTN_DISABLE_CPU"},
    };
    uint32_t off = 0;
    const uint32_t have = cpu_detect();
    attn_status status = cpu_disabled(&off, err);
    *why = NULL;
    for (size_t t = 0; t < sizeof texts / sizeof texts[0] && !*why && status == ATTN_OK; t++)
        if (need & texts[t].bits)
            *why = !(have & texts[t].bits) ? texts[t].missing : off & texts[t].bits ? texts[t].disabled : NULL;
    return status;
}
