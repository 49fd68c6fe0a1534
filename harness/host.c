/* What the machine is. Sources: /proc/cpuinfo, /proc/meminfo, and sysfs as in the kernel's
 * Documentation/ABI/testing/sysfs-devices-system-cpu. */
#include "harness/host.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/hash.h"
#include "harness/emit.h"
#include "harness/host_files.h"

static const char *const extensions[] = { /* as /proc/cpuinfo spells them; x86, then Arm */
    "sse2", "ssse3", "sse4_1", "sse4_2", "avx", "f16c", "fma", "avx2", "bmi2", "avx_vnni", "avx512f",
    "avx512cd", "avx512bw", "avx512dq", "avx512vl", "avx512_vnni", "avx512_bf16", "avx512_fp16",
    "amx_tile", "amx_int8", "amx_bf16", "asimd", "asimdhp", "asimddp", "bf16", "i8mm", "sve", "sve2",
};

static bool has_word(const char *words, const char *word)
{
    size_t n = strlen(word);
    for (const char *at = words; (at = strstr(at, word)); at += n)
        if ((at == words || at[-1] == ' ') && (at[n] == ' ' || at[n] == '\0'))
            return true;
    return false;
}

static void read_cpu(host *h, const char *root)
{
    static const char info[] = "/proc/cpuinfo";
    char vendor[32], family[16], model[16], stepping[16], words[8192];
    if (!host_field(h->model, sizeof h->model, root, info, "model name") &&
        host_field(vendor, sizeof vendor, root, info, "CPU implementer") &&
        host_field(model, sizeof model, root, info, "CPU part"))
        snprintf(h->model, sizeof h->model, "implementer %s part %s", vendor, model);
    if (!*h->model) {
        struct utsname u;
        if (uname(&u) == 0)
            snprintf(h->model, sizeof h->model, "%.60s", u.machine);
    }
    if (host_field(vendor, sizeof vendor, root, info, "vendor_id") &&
        host_field(family, sizeof family, root, info, "cpu family") &&
        host_field(model, sizeof model, root, info, "model") &&
        host_field(stepping, sizeof stepping, root, info, "stepping"))
        snprintf(h->stepping, sizeof h->stepping, "%s %s/%s/%s", vendor, family, model, stepping);

    if (!host_field(words, sizeof words, root, info, "flags"))
        host_field(words, sizeof words, root, info, "Features");
    size_t length = 0;
    for (size_t i = 0; i < sizeof extensions / sizeof *extensions; i++)
        if (has_word(words, extensions[i]) && length + strlen(extensions[i]) + 2 < sizeof h->isa)
            length += (size_t)snprintf(h->isa + length, sizeof h->isa - length, "%s%s", length ? " " : "",
                                       extensions[i]);
}

static void read_caches(host *h, const char *root)
{
    uint64_t *levels[] = {NULL, &h->l1d_bytes, &h->l2_bytes, &h->l3_bytes};
    for (int index = 0; index < 8; index++) {
        char level[8], type[16], size[32], *unit;
        static const char folder[] = "/sys/devices/system/cpu/cpu0/cache";
        if (!host_line(level, sizeof level, root, "%s/index%d/level", folder, index) ||
            !host_line(type, sizeof type, root, "%s/index%d/type", folder, index) ||
            !host_line(size, sizeof size, root, "%s/index%d/size", folder, index))
            continue;
        int at = atoi(level);
        if (at < 1 || at > 3 || strcmp(type, "Instruction") == 0)
            continue;
        uint64_t bytes = strtoull(size, &unit, 10);
        *levels[at] = bytes << (*unit == 'K' ? 10 : *unit == 'M' ? 20 : 0);
    }
}

/* Some hypervisors leave the kernel without its table of caches, and CPUID still tells L1 and L2. Of L3 it then tells what
 * all of the package has, which may be sixteen times what a core can use: better unknown. */
static void ask_for_caches(host *h)
{
#ifdef _SC_LEVEL1_DCACHE_SIZE
    const long l1d = sysconf(_SC_LEVEL1_DCACHE_SIZE), l2 = sysconf(_SC_LEVEL2_CACHE_SIZE);
    h->l1d_bytes = l1d > 0 ? (uint64_t)l1d : 0;
    h->l2_bytes = l2 > 0 ? (uint64_t)l2 : 0;
#else
    (void)h;
#endif
}

static void read_topology(host *h, const char *root)
{
    char list[256];
    if (host_line(list, sizeof list, root, "/sys/devices/system/cpu/present"))
        h->cpus = host_list_count(list);
    for (size_t cpu = 0; cpu < h->cpus; cpu++) /* a core is counted at the first of its threads */
        if (host_line(list, sizeof list, root, "/sys/devices/system/cpu/cpu%zu/topology/thread_siblings_list",
                      cpu))
            h->cores += strtoul(list, NULL, 10) == cpu;
    if (h->cores == 0)
        h->cores = h->cpus;
}

void host_read(host *out, const char *root)
{
    host h = {0};
    char kib[64];
    read_cpu(&h, root);
    read_caches(&h, root);
    if (!*root && h.l1d_bytes == 0)
        ask_for_caches(&h);
    read_topology(&h, root);
    if (host_field(kib, sizeof kib, root, "/proc/meminfo", "MemTotal"))
        h.memory_gib = (strtoull(kib, NULL, 10) + (1 << 19)) >> 20;

    char text[1024];
    int n = snprintf(text, sizeof text,
                     "%s\n%s\n%s\n%" PRIu64 " %" PRIu64 " %" PRIu64 "\n%zu %zu\n%" PRIu64 "\n", h.model,
                     h.stepping, h.isa, h.l1d_bytes, h.l2_bytes, h.l3_bytes, h.cpus, h.cores, h.memory_gib);
    snprintf(h.fingerprint, sizeof h.fingerprint, "%016" PRIx64,
             hash_bytes(HASH_START, text, n > 0 ? (size_t)n : 0));
    *out = h;
}

void host_json(FILE *out, const host *h)
{
    fputs("{\"fingerprint\": ", out);
    emit_json_string(out, h->fingerprint);
    fputs(", \"model\": ", out);
    emit_json_string(out, h->model);
    fputs(", \"stepping\": ", out);
    emit_json_string(out, h->stepping);
    fputs(", \"isa\": ", out);
    emit_json_string(out, h->isa);
    fprintf(out, ", \"l1d_bytes\": %" PRIu64 ", \"l2_bytes\": %" PRIu64 ", \"l3_bytes\": %" PRIu64,
            h->l1d_bytes, h->l2_bytes, h->l3_bytes);
    fprintf(out, ", \"cpus\": %zu, \"cores\": %zu, \"memory_gib\": %" PRIu64 "}", h->cpus, h->cores,
            h->memory_gib);
}
