/* Counting instructions with valgrind. See lane_callgrind.h. */
#include "harness/lane_callgrind.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "harness/host_files.h"

/* What valgrind does not execute, by the beginning of the instruction sets of kernels that need it. */
static const struct { const char *isa, *name; } unknown[] = {{"avx512", "AVX-512"}, {"amx", "AMX"}};
#define SWITCHED_OFF "avx512,avx512bf16,avx512fp16,amx"

const char *callgrind_unavailable(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return "this program is built with a sanitizer, which valgrind cannot run";
#else
    return host_has_program(getenv("PATH"), "valgrind") ? NULL : "valgrind is not installed (apt-get install valgrind)";
#endif
}

/* ---- requests ---- */

attn_status callgrind_check_kernel(const char *name, attn_error *err)
{
    if (ext_is_name(name))
        return attn_fail(err, ATTN_EINVAL, "--kernel %s: --lane callgrind counts attnlab's own kernels; an external one runs in "
                                           "a process of its own", name);
    for (size_t i = 0; i < attn_kernel_count(); i++) {
        const attn_kernel_info k = attn_kernel_at(i);
        for (size_t u = 0; strcmp(k.name, name) == 0 && u < sizeof unknown / sizeof unknown[0]; u++)
            if (strncmp(k.isa, unknown[u].isa, strlen(unknown[u].isa)) == 0)
                return attn_fail(err, ATTN_EINVAL, "--kernel %s: valgrind knows no %s; --lane callgrind counts avx2 and portable",
                                 name, unknown[u].name);
    }
    return ATTN_OK;
}

attn_status callgrind_adapt(run_request *r, attn_error *err)
{
    const char *why = callgrind_unavailable();
    if (why)
        return attn_fail(err, ATTN_EINVAL, "--lane callgrind: %s", why);
    if (r->threads > 1)
        return attn_fail(err, ATTN_EINVAL, "--threads %d: --lane callgrind counts one thread; how threads wait for each other "
                                           "differs from run to run", r->threads);
    attn_status status = callgrind_check_kernel(r->kernel, err);
    if (status)
        return status;
    r->threads = 1;
    const char *before = getenv("ATTN_DISABLE_CPU");
    char off[256];
    const int length = snprintf(off, sizeof off, "%s%s" SWITCHED_OFF, before ? before : "", before && *before ? "," : "");
    if (length >= (int)sizeof off || setenv("ATTN_DISABLE_CPU", off, 1) != 0)
        return attn_fail(err, ATTN_EINVAL, "ATTN_DISABLE_CPU is too long: %zu characters", strlen(before));
    return ATTN_OK;
}

/* ---- what callgrind writes ---- */

/* Lines "events: Ir Dr Dw ..." and "totals: 12 3 4 ...": the n-th number is of the n-th event. */
static bool find_total(const char *events, const char *totals, const char *event, uint64_t *out)
{
    const char *name = events, *number = totals;
    for (;;) {
        name += strspn(name, " \n");
        number += strspn(number, " \n");
        const size_t name_length = strcspn(name, " \n"), number_length = strcspn(number, " \n");
        if (!name_length || !number_length)
            return false;
        if (name_length == strlen(event) && strncmp(name, event, name_length) == 0) {
            char *end;
            errno = 0;
            *out = strtoull(number, &end, 10);
            return errno == 0 && end == number + number_length && *number != '-';
        }
        name += name_length;
        number += number_length;
    }
}

/* Keeps what follows "key" of a line that begins so. */
static void keep(char *out, size_t size, const char *line, const char *key)
{
    const size_t length = strlen(key);
    if (strncmp(line, key, length) != 0)
        return;
    line += length;
    line += strspn(line, " ");
    snprintf(out, size, "%.*s", (int)strcspn(line, "\n"), line);
}

attn_status callgrind_parse(callgrind_counts *out, FILE *file, attn_error *err)
{
    char *line = NULL, events[256] = "", totals[256] = "";
    size_t capacity = 0;
    callgrind_counts c = {.tool = ""};
    while (getline(&line, &capacity, file) >= 0) {
        keep(events, sizeof events, line, "events:");
        keep(totals, sizeof totals, line, "totals:");
        keep(c.tool, sizeof c.tool, line, "creator:");
    }
    free(line);
    if (!find_total(events, totals, "Ir", &c.instructions) || !find_total(events, totals, "Dr", &c.data_reads) ||
        !find_total(events, totals, "Dw", &c.data_writes))
        return attn_fail(err, ATTN_EINTERNAL, "valgrind left no counts: events \"%.60s\", totals \"%.60s\"", events, totals);
    if (c.instructions == 0)
        return attn_fail(err, ATTN_EINTERNAL, "valgrind counted no instruction: it did not find attn_plan_run in the program");
    *out = c;
    return ATTN_OK;
}

/* ---- the process ---- */

/* No file system is needed, nothing can be left behind, and a program that was replaced while it runs still finds itself. */
attn_status callgrind_open(callgrind_start *c, const char *program, attn_error *err)
{
    const int self = (int)getpid();
    *c = (callgrind_start){.file = memfd_create("callgrind", MFD_CLOEXEC)};
    if (c->file < 0)
        return attn_fail(err, ATTN_EIO, "no file in memory for valgrind's counts: %s", strerror(errno));
    snprintf(c->out, sizeof c->out, "--callgrind-out-file=/proc/%d/fd/%d", self, c->file);
    snprintf(c->program, sizeof c->program, "/proc/%d/exe", self);
    const char *const words[] = {
        "valgrind", "--tool=callgrind", "--command-line-only=yes", /* not what $VALGRIND_OPTS and .valgrindrc say */
        "--log-file=/dev/null", "--collect-atstart=no", "--toggle-collect=attn_plan_run",
        "--cache-sim=yes", /* the only way to data references */
        c->out, program ? program : c->program};
    c->count = sizeof words / sizeof words[0];
    memcpy(c->words, words, sizeof words);
    return ATTN_OK;
}

void callgrind_close(callgrind_start *c)
{
    if (c->file >= 0)
        close(c->file);
    c->file = -1;
}

void callgrind_become(char *const *arguments)
{
    setenv("LD_BIND_NOW", "1", 1); /* or the first call of memset would count the dynamic linker */
    execvp("valgrind", arguments);
}

attn_status callgrind_take(const callgrind_start *c, samples *out, attn_error *err)
{
    callgrind_counts counts;
    const int copy = fcntl(c->file, F_DUPFD_CLOEXEC, 0);
    FILE *file = copy >= 0 && lseek(copy, 0, SEEK_SET) == 0 ? fdopen(copy, "r") : NULL;
    if (!file) {
        if (copy >= 0)
            close(copy);
        return attn_fail(err, ATTN_EIO, "valgrind's counts cannot be read: %s", strerror(errno));
    }
    attn_status status = callgrind_parse(&counts, file, err);
    fclose(file);
    if (status)
        return status;
    recorder r = samples_recorder(out);
    record_count(&r, "instructions", "count", counts.instructions);
    record_count(&r, "data_reads", "count", counts.data_reads);
    record_count(&r, "data_writes", "count", counts.data_writes);
    record_text(&r, "counted_by", counts.tool);
    return ATTN_OK;
}
