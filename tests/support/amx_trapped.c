/* The AMX kernel with its real tile instructions. A CPU that has them executes them. On others each is illegal,
 * which a signal handler decodes, carries out on emulated tiles and steps over. So the assembler in
 * kernels/amx_tiles.h is tested too: operands, addresses, and that stores come before the loads that need them.
 *
 * Source of the encodings: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2. */
#include "support/kernel_list.h"

#include "base/cpu.h"

#if defined(__x86_64__) && defined(__linux__) && defined(__has_include)
#if __has_include(<simde/x86/avx512.h>)
#define TRAPPED 1
#endif
#endif

#ifdef TRAPPED
#include <signal.h>
#include <ucontext.h>

#define INLINE static inline
#define UNROLL
#define TILES "support/amx_trapped.h"
#define KERNEL_SYMBOL kernel_amx_trapped
#define KERNEL_FIELDS .name = "amx (trapped)", .isa = "amx", .summary = "emulated", .cpu = 0, .weight_bits = 8
#include "kernels/amx_body.h"

/* A VEX instruction of map 0F38 with three bytes of prefix. */
typedef struct instruction {
    unsigned prefix;        /* none, 66, F3, F2 */
    unsigned opcode;
    unsigned mod, reg, rm, vvvv;
    char *address;          /* of a memory operand */
    size_t length;
} instruction;

static uint64_t general(const ucontext_t *at, unsigned number)
{
    static const int names[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                  REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
    return (uint64_t)at->uc_mcontext.gregs[names[number]];
}

static bool decode(const ucontext_t *at, instruction *out)
{
    const uint8_t *code = (const uint8_t *)(uintptr_t)at->uc_mcontext.gregs[REG_RIP], *next = code + 5;
    if (code[0] != 0xc4 || (code[1] & 0x1f) != 2)
        return false;
    const unsigned x = ~(code[1] >> 6u) & 1u, b = ~(code[1] >> 5u) & 1u;
    *out = (instruction){.prefix = code[2] & 3u, .opcode = code[3], .mod = code[4] >> 6u, .reg = code[4] >> 3u & 7u,
                         .rm = code[4] & 7u, .vvvv = ~(code[2] >> 3u) & 15u};
    if (out->mod != 3) {
        uint64_t address = 0;
        bool relative = false, wide = out->mod == 2;
        if (out->rm == 4) {
            const unsigned scale = *next >> 6u, index = (*next >> 3u & 7u) | x << 3, base = (*next & 7u) | b << 3;
            next++;
            if (index != 4)
                address += general(at, index) << scale;
            if ((base & 7u) == 5 && out->mod == 0)
                wide = true;
            else
                address += general(at, base);
        } else if (out->rm == 5 && out->mod == 0) {
            relative = wide = true;
        } else {
            address += general(at, out->rm | b << 3);
        }
        int32_t far = 0;
        int8_t near = 0;
        if (wide) {
            memcpy(&far, next, sizeof far);
            next += sizeof far;
        } else if (out->mod == 1) {
            memcpy(&near, next, sizeof near);
            next++;
        }
        address += (uint64_t)(int64_t)(far + near) + (relative ? (uint64_t)(uintptr_t)next : 0);
        out->address = (char *)(uintptr_t)address;
    }
    out->length = (size_t)(next - code);
    return true;
}

static bool carry_out(const instruction *i)
{
    enum { NONE, P66, PF3, PF2 };
    if (i->opcode == 0x49 && i->prefix == NONE && i->mod == 3) {
        emulated_close(); /* TILERELEASE */
    } else if (i->opcode == 0x49 && i->prefix == NONE) { /* LDTILECFG */
        for (int t = 0; t < 8; t++)
            if (i->address[0] != 1 || i->address[16 + 2 * t] != 64 || i->address[48 + t] != 16)
                return false;
        emulated_open();
    } else if (i->opcode == 0x49 && i->prefix == PF2 && i->mod == 3) {
        emulated_zero(i->reg); /* TILEZERO */
    } else if (i->opcode == 0x4b && i->prefix == PF2) {
        emulated_load(i->reg, i->address - 64, 64); /* TILELOADD; the address holds the distance of rows once */
    } else if (i->opcode == 0x4b && i->prefix == PF3) {
        emulated_store(i->reg, i->address - 64, 64); /* TILESTORED */
    } else if (i->opcode == 0x5c && i->prefix == PF3 && i->mod == 3) {
        emulated_dp(i->reg, i->rm, i->vvvv); /* TDPBF16PS */
    } else {
        return false;
    }
    return true;
}

static void trap(int number, siginfo_t *info, void *context)
{
    ucontext_t *at = context;
    instruction i;
    (void)info;
    if (decode(at, &i) && carry_out(&i))
        at->uc_mcontext.gregs[REG_RIP] += (greg_t)i.length;
    else
        signal(number, SIG_DFL); /* and again */
}

const kernel *amx_trapped(void)
{
    if ((cpu_detect() & CPU_AMX) && cpu_ask_for_tiles())
        return &kernel_amx_trapped;
    struct sigaction action = {.sa_sigaction = trap, .sa_flags = SA_SIGINFO};
    return sigaction(SIGILL, &action, NULL) == 0 ? &kernel_amx_trapped : NULL;
}
#else
const kernel *amx_trapped(void)
{
    return NULL;
}
#endif
