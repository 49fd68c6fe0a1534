/* attnlab doctor --peaks: the limits of this machine, measured, printed, and kept where the roofline plot finds
 * them. */
#include <stdlib.h>
#include <string.h>

#include <omp.h>

#include "harness/doctor.h"
#include "harness/emit.h"
#include "harness/peaks/peak.h"
#include "harness/store.h"

static const double SECONDS = 5;

static const emit_column peak_columns[] = {
    {"name", NULL, EMIT_PLAIN},
    {"title", "limit", EMIT_PLAIN},
    {"isa", "instructions", EMIT_PLAIN},
    {"threads", "threads", EMIT_PLAIN},
    {"bytes", "each on", EMIT_BYTES},
    {"value", "at most", EMIT_FIXED1},
    {"unit", "", EMIT_PLAIN},
    {"spread", "spread", EMIT_PERCENT},
    {"samples", NULL, EMIT_PLAIN},
    {"clock_ghz", NULL, EMIT_FIXED3},
    {"per_cycle", "per cycle", EMIT_FIXED1},
    {"cycles_per_element", "cycles/element", EMIT_FIXED2},
    {"reason", "not measured because", EMIT_PLAIN},
};

static bool print_peaks(const peak_report *p, emit_format format)
{
    emitter *e = emit_open(stdout, format, peak_columns, sizeof peak_columns / sizeof *peak_columns);
    for (size_t i = 0; e && i < p->count; i++) {
        const peak_result *r = &p->at[i];
        const bool measured = r->count > 0, ticked = measured && r->clock_ghz > 0;
        const double per_cycle = ticked ? r->best / r->clock_ghz / r->threads : 0;
        const bool elements = strcmp(r->unit, "Gelem/s") == 0, ticks = strcmp(r->unit, "GHz") == 0;
        const emit_value values[] = {
            emit_text(r->name),
            emit_text(r->title),
            emit_text(r->isa),
            emit_int(r->threads),
            r->bytes ? emit_int((int64_t)r->bytes) : emit_null(),
            measured ? emit_real(r->best) : emit_null(),
            emit_text(r->unit),
            measured ? emit_real(r->spread) : emit_null(),
            emit_int((int64_t)r->count),
            ticked ? emit_real(r->clock_ghz) : emit_null(),
            ticked && !ticks ? emit_real(per_cycle) : emit_null(),
            ticked && elements && per_cycle > 0 ? emit_real(1 / per_cycle) : emit_null(),
            emit_text(*r->reason ? r->reason : NULL),
        };
        emit_row(e, values);
    }
    return e && emit_close(e);
}

/* The line that repeats it, quoted for a shell as far as it needs to be. */
static void command_line(char *out, size_t size, int threads, double seconds)
{
    snprintf(out, size, "attnlab doctor --peaks --threads %d --max-time %g", threads, seconds);
}

static attn_status keep(const char *path, const host *h, const peak_report *report, const char *line,
                        attn_error *err)
{
    store *s = NULL;
    char *environment_text = environment_describe();
    const store_run about = {
        .host = h, .build = build_info_get(), .environment = environment_text, .command = line};
    run_ticket ticket;
    attn_status status = environment_text ? store_open(&s, path, STORE_WRITE, err)
                                          : attn_fail(err, ATTN_ENOMEM, "out of memory");
    if (!status)
        status = store_run_begin(s, &about, &ticket, err);
    if (!status)
        status = store_put_peaks(s, &ticket, report, err);
    if (!status)
        status = store_run_end(s, &ticket, "complete", err);
    store_close(s);
    free(environment_text);
    return status;
}

int doctor_peaks(const args *a)
{
    static peak_report report; /* large: not on the stack */
    attn_error err;
    host here;
    char line[128];
    store *s = NULL;
    const int threads = cli_given(a, "threads") ? (int)cli_size(a, "threads") : omp_get_max_threads();
    const double seconds = cli_given(a, "max-time") ? cli_seconds(a, "max-time") : SECONDS;
    const char *path = cli_text(a, "db");
    attn_status status = path ? store_open(&s, path, STORE_WRITE, &err) : ATTN_OK; /* before the work, not after */
    store_close(s);
    if (status)
        return cli_fail(status, &err);
    host_read(&here, "");
    status = peaks_measure(&report, &here, threads, seconds, &err);
    command_line(line, sizeof line, threads, seconds);
    if (!status && path)
        status = keep(path, &here, &report, line, &err);
    if (status)
        return cli_fail(status, &err);
    if (!print_peaks(&report, (emit_format)cli_choice(a, "o")))
        return cli_complain(EXIT_MACHINE, "the peaks could not be written: disk full or out of memory");
    return EXIT_FINE;
}
