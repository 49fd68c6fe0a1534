/* memory: what a run needs.
 *
 *   workspace_bytes  everything the plan allocated for running, exact
 *   bytes_model      the least traffic with main memory: q, k, v, o and lse once each
 *   tensors_bytes    q, k, v, o and lse as this process holds them
 *   peak_rss_bytes   the most memory this process had resident at once, from just before the plan runs to
 *                    just after: tensors, workspace, plan and layout, and the program itself with its
 *                    libraries and threads' stacks. Not what preparing the input took before: the kernel's
 *                    high-water mark is reset first, where /proc/self/clear_refs allows it
 *
 * Of an external kernel's memory nothing is known but the tensors.
 *
 * Pages of the program that no run touches do not count, pages shared with other processes do. */
#include "harness/metric.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>

static bool reset_peak(void)
{
    FILE *file = fopen("/proc/self/clear_refs", "w");
    if (!file)
        return false;
    bool written = fputs("5\n", file) >= 0;
    return fclose(file) == 0 && written;
}

/* VmHWM, not getrusage: ru_maxrss also remembers what the process was before exec. */
static bool read_peak(uint64_t *bytes)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    unsigned long long kib;
    bool found = false;
    while (file && !found && fgets(line, sizeof line, file))
        found = sscanf(line, "VmHWM: %llu kB", &kib) == 1;
    if (file)
        fclose(file);
    if (found)
        *bytes = (uint64_t)kib * 1024;
    return found;
}

static uint64_t tensors(const bench *b)
{
    const cell *c = b->cell;
    uint64_t nq = attn_layout_nq(b->layout), nk = attn_layout_nk(b->layout);
    uint64_t rows = 2 * c->heads * nq + 2 * c->kv_heads * nk; /* q and o; k and v */
    return c->batch * (rows * c->dim * attn_dtype_size(c->dtype) + c->heads * nq * sizeof(float));
}

static attn_status measure(bench *b, recorder *r, attn_error *err)
{
    (void)err;
    if (b->ext) {
        static const char *const unknown[] = {"workspace_bytes", "bytes_model", "peak_rss_bytes"};
        for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
            record_absent(r, unknown[i], "bytes", "an external kernel's memory is its own process's");
        record_count(r, "tensors_bytes", "bytes", tensors(b));
        return ATTN_OK;
    }
    const attn_cost *cost = attn_plan_cost(b->plan);
    record_count(r, "workspace_bytes", "bytes", cost->workspace_bytes);
    record_count(r, "bytes_model", "bytes", cost->bytes_model);
    record_count(r, "tensors_bytes", "bytes", tensors(b));

    malloc_trim(0);
    bool from_here = reset_peak();
    attn_plan_run(b->plan, b->q, b->k, b->v, b->o, b->lse);
    uint64_t peak;
    if (!read_peak(&peak))
        record_absent(r, "peak_rss_bytes", "bytes", "/proc/self/status has no VmHWM");
    else
        record_count(r, "peak_rss_bytes", "bytes", peak);
    record_text(r, "peak_rss_scope",
                from_here ? "running the plan" : "whole process, input generation included");
    return ATTN_OK;
}

const metric metric_memory = {
    .name = "memory",
    .summary = "workspace (exact), least traffic, and peak resident memory of a process of its own",
    .alone = true,
    .measure = measure,
};
