/* attnlab doctor: what this machine can measure, what is noisy, and what to do about it. */
#include <stdlib.h>
#include <string.h>

#include "base/text_width.h"
#include "harness/cli.h"
#include "harness/doctor.h"
#include "harness/emit.h"

static const char *const words[] = {
    [DOCTOR_OK] = "ok", [DOCTOR_NOTE] = "note", [DOCTOR_WARNING] = "warning", [DOCTOR_MISSING] = "missing",
};

static const emit_column columns[] = {
    {"topic", "topic", EMIT_PLAIN},   {"name", "what", EMIT_PLAIN},     {"value", "found", EMIT_PLAIN},
    {"status", "status", EMIT_PLAIN}, {"advice", "advice", EMIT_PLAIN},
};

static bool print_rows(const doctor_report *d, emit_format format)
{
    emitter *e = emit_open(stdout, format, columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; e && i < d->count; i++) {
        const doctor_row *r = &d->rows[i];
        const emit_value values[] = {emit_text(r->topic), emit_text(r->name), emit_text(r->value),
                                     emit_text(words[r->status]), emit_text(r->advice)};
        emit_row(e, values);
    }
    return e && emit_close(e);
}

static size_t count(const doctor_report *d, doctor_status status)
{
    size_t n = 0;
    for (size_t i = 0; i < d->count; i++)
        n += d->rows[i].status == status;
    return n;
}

/* For people: a heading per topic, advice below what it is about. The same advice is given once in a row. */
static void print_report(const doctor_report *d)
{
    static const char *const colours[] = {
        [DOCTOR_OK] = "",
        [DOCTOR_NOTE] = "\033[36m",
        [DOCTOR_WARNING] = "\033[33m",
        [DOCTOR_MISSING] = "\033[35m",
    };
    bool colour = cli_colour(stdout);
    size_t widest = 0;
    for (size_t i = 0; i < d->count; i++)
        widest = text_width(d->rows[i].name) > widest ? text_width(d->rows[i].name) : widest;
    const char *topic = "";
    for (size_t i = 0; i < d->count; i++) {
        const doctor_row *r = &d->rows[i];
        if (strcmp(topic, r->topic) != 0)
            printf("%s%s\n", i ? "\n" : "", r->topic);
        printf("  %s%-7s%s  %s%*s  %s\n", colour ? colours[r->status] : "", words[r->status],
               colour && *colours[r->status] ? "\033[0m" : "", r->name, (int)(widest - text_width(r->name)),
               "", r->value);
        bool last_of_advice = i + 1 == d->count || d->rows[i + 1].advice != r->advice;
        if (r->advice && last_of_advice)
            printf("           %*s  -> %s\n", (int)widest, "", r->advice);
        topic = r->topic;
    }
    printf("\n%zu ok, %zu to note, %zu warnings, %zu missing\n", count(d, DOCTOR_OK), count(d, DOCTOR_NOTE),
           count(d, DOCTOR_WARNING), count(d, DOCTOR_MISSING));
}

static const option options[] = {
    {"peaks", OPTION_FLAG, NULL, "measure what the machine can do at most, and print that instead", NULL, 0, 0, NULL,
     false},
    {"threads", OPTION_SIZE, "T", "with --peaks: threads beside one (default: all this process may use)", NULL, 1, 4096,
     NULL, false},
    {"max-time", OPTION_SECONDS, "S", "with --peaks: seconds for all of it, about (default 5)", NULL, 0, 0, NULL, false},
    {"db", OPTION_TEXT, "FILE", "with --peaks: keep every sample in this database", NULL, 0, 0, NULL, false},
    {"events", OPTION_TEXT, "FILE", "try the counter events of this file too", NULL, 0, 0, NULL, false},
    CLI_OPTION_FORMAT,
    {0},
};

static int run(const args *a)
{
    static const char *const with_peaks[] = {"threads", "max-time", "db"};
    if (cli_flag(a, "peaks"))
        return cli_given(a, "events") ? cli_complain(EXIT_INPUT, "doctor: --events does not go with --peaks") : doctor_peaks(a);
    for (size_t i = 0; i < sizeof with_peaks / sizeof with_peaks[0]; i++)
        if (cli_given(a, with_peaks[i]))
            return cli_complain(EXIT_INPUT, "doctor: --%s goes with --peaks", with_peaks[i]);
    host h;
    environment e;
    attn_error err;
    perf_events *events = NULL;
    attn_status status = perf_events_choose(&events, perf_core_pmu(), cli_text(a, "events"), &err);
    if (status)
        return cli_fail(status, &err);
    doctor_report d = {0};
    clock_gaps gaps = clock_watch(0.25);
    host_read(&h, "");
    environment_read(&e, "");
    doctor_build(&d);
    doctor_machine(&d, &h);
    doctor_kernels(&d);
    doctor_clock(&d, clock_measure());
    doctor_counters(&d, &perf_system, events, perf_paranoid());
    free(events);
    doctor_tools(&d, getenv("PATH"));
    doctor_noise(&d, &h, &e, gaps);
    (void)doctor_score(&d);
    int code = EXIT_FINE;
    emit_format format = (emit_format)cli_choice(a, "o");
    if (d.failed)
        code = cli_complain(EXIT_MACHINE, "doctor: out of memory");
    else if (format == EMIT_TABLE)
        print_report(&d);
    else if (!print_rows(&d, format))
        code = cli_complain(EXIT_MACHINE, "the report could not be written: disk full or out of memory");
    doctor_free(&d);
    return code;
}

const command cmd_doctor = {
    .name = "doctor",
    .operands = "",
    .summary = "what this machine can measure, what is noisy, and what to do about it",
    .details =
        "Status: 'ok'; 'note', to know when reading results; 'warning', makes results worse, and the advice "
        "says what helps; 'missing', cannot be measured or used here. Takes under a second; the exit code "
        "is 0 whatever is found.\n"
        "\n"
        "Under counters: which files of events were chosen for this CPU, their sets (each a group counted in one pass) and "
        "what is derived; then each event tried. --events FILE adds a file of your own, as for 'attnlab run'.\n"
        "\n"
        "--peaks measures the machine's limits instead, on one thread and on all: multiply-adds of each "
        "instruction set from registers, tile products, 2^x as the kernels compute it, bandwidth of "
        "caches and memory. Each is the best of several samples; the spread is what their median lacks to "
        "it. With --db the roofline plot has its ceilings. `run` takes a peak of its own beside each "
        "timing.",
    .options = options,
    .run = run,
};
