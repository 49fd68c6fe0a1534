/* attnlab doctor: the command, and its judgements on invented machines. */
#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/doctor.h"
#include "support/fake_perf.h"
#include "support/program.h"

Test(cli_doctor, looks_at_every_topic)
{
    static const char *const topics[] = {"build",    "machine", "kernels", "clock",
                                         "counters", "tools",   "noise"};
    outcome o = attnlab("doctor -o jsonl");
    cr_assert(o.exit_code == 0 && *o.err == '\0', "exit %d, stderr '%s'", o.exit_code, o.err);
    for (size_t t = 0; t < sizeof topics / sizeof *topics; t++) {
        char row[64];
        snprintf(row, sizeof row, "{\"topic\": \"%s\", \"name\": ", topics[t]);
        cr_assert(strstr(o.out, row), "no row about %s", topics[t]);
    }
    size_t rows = 0;
    for (char *rest = o.out, *line; (line = strsep(&rest, "\n")) && *line; rows++)
        cr_assert(strstr(line, "\"status\": \"ok\"") || strstr(line, "\"status\": \"note\"") ||
                      strstr(line, "\"status\": \"warning\"") || strstr(line, "\"status\": \"missing\""),
                  "%s", line);
    cr_assert(rows > 25, "%zu rows", rows);
    outcome_free(&o);
}

Test(cli_doctor, report_for_people)
{
    outcome o = attnlab("doctor");
    cr_assert(o.exit_code == 0 && strstr(o.out, "\nnoise\n") && strstr(o.out, "perf_event_paranoid") &&
              strstr(o.out, " warnings, "), "exit %d: '%s'", o.exit_code, o.out);
    cr_assert(!strchr(o.out, '\033'), "colour into a pipe");
    outcome_free(&o);
    o = attnlab("doctor -o md");
    cr_assert(o.exit_code == 0 && strncmp(o.out, "| topic", 7) == 0, "exit %d: '%.40s'", o.exit_code, o.out);
    outcome_free(&o);
}

Test(cli_doctor, exit_code_is_0_whatever_is_missing)
{
    outcome o = shell("ulimit -n 8; ATTN_DISABLE_CPU=avx2 \"$ATTNLAB\" doctor -o json");
    cr_assert(o.exit_code == 0, "exit %d: %s", o.exit_code, o.err);
    outcome_free(&o);
}

Test(cli_doctor, a_file_of_events)
{
    static const char text[] = "for any\nset mine\nevent minor_faults count perf::MINOR-FAULTS\n";
    write_whole_file(scratch_path("mine.txt"), text, strlen(text));
    outcome o = attnlab("doctor --events '%s' -o jsonl", scratch_path("mine.txt"));
    cr_assert(o.exit_code == 0 && strstr(o.out, "mine (1)") && strstr(o.out, "\"name\": \"minor_faults\""), "exit %d: %s %s",
              o.exit_code, o.err, o.out);
    outcome_free(&o);
    o = attnlab("doctor --events /nowhere/mine.txt");
    cr_assert(o.exit_code == 2 && one_complaint(&o, "/nowhere/mine.txt", NULL), "exit %d: %s", o.exit_code, o.err);
    outcome_free(&o);
    o = attnlab("doctor --peaks --events '%s'", scratch_path("mine.txt"));
    cr_assert(o.exit_code == 2 && one_complaint(&o, "--events", "--peaks", NULL), "exit %d: %s", o.exit_code, o.err);
    outcome_free(&o);
}

Test(cli_doctor, takes_no_operands)
{
    outcome o = attnlab("doctor now");
    cr_assert(o.exit_code == 2 && one_complaint(&o, "now", NULL), "exit %d: %s", o.exit_code, o.err);
    outcome_free(&o);
}

/* ---- judgements ---- */

static const doctor_row *find(const doctor_report *d, const char *name)
{
    for (size_t i = 0; i < d->count; i++)
        if (strcmp(d->rows[i].name, name) == 0)
            return &d->rows[i];
    cr_assert(false, "no row %s", name);
    return NULL;
}

static environment quiet(void)
{
    return (environment){.governor = "performance",
                         .turbo = "off",
                         .smt = "off",
                         .aslr = "on",
                         .nmi_watchdog = "off",
                         .thp = "madvise",
                         .load = 0.1,
                         .steal = 0,
                         .pressure = 0,
                         .quota = (double)NAN,
                         .allowed = 4};
}

Test(doctor, a_quiet_machine_has_nothing_to_say)
{
    doctor_report d = {0};
    host h = {.cpus = 4, .cores = 4};
    environment e = quiet();
    doctor_noise(&d, &h, &e, (clock_gaps){0});
    for (size_t i = 0; i < d.count; i++)
        cr_assert(d.rows[i].status == DOCTOR_OK && !d.rows[i].advice, "%s: %s", d.rows[i].name,
                  d.rows[i].value);
    doctor_free(&d);
}

Test(doctor, each_disturbance_is_named_with_advice)
{
    host h = {.cpus = 4, .cores = 2};
    environment e[11];
    for (int i = 0; i < 11; i++)
        e[i] = quiet();
    e[0].steal = 0.05;
    e[1].load = 3;
    e[2].pressure = 20;
    e[3].quota = 1.5;
    strcpy(e[4].governor, "powersave");
    strcpy(e[5].turbo, "on");
    strcpy(e[6].smt, "on");
    strcpy(e[7].thp, "never");
    strcpy(e[8].aslr, "off");
    strcpy(e[9].nmi_watchdog, "on");
    e[10].is_virtual = true;
    static const struct {
        const char *name;
        doctor_status status;
    } want[] = {
        {"steal", DOCTOR_WARNING},
        {"load", DOCTOR_WARNING},
        {"pressure", DOCTOR_WARNING},
        {"cpu quota", DOCTOR_WARNING},
        {"governor", DOCTOR_WARNING},
        {"turbo", DOCTOR_NOTE},
        {"smt", DOCTOR_NOTE},
        {"huge pages", DOCTOR_NOTE},
        {"address randomisation", DOCTOR_NOTE},
        {"nmi watchdog", DOCTOR_NOTE},
        {"virtual machine", DOCTOR_NOTE},
    };
    for (int i = 0; i < 11; i++) {
        doctor_report d = {0};
        doctor_noise(&d, &h, &e[i], (clock_gaps){0});
        for (size_t r = 0; r < d.count; r++) {
            bool named = strcmp(d.rows[r].name, want[i].name) == 0;
            cr_assert(d.rows[r].status == (named ? want[i].status : DOCTOR_OK), "disturbing %s: %s is %d",
                      want[i].name, d.rows[r].name, (int)d.rows[r].status);
            cr_assert(!named || d.rows[r].advice, "%s: no advice", want[i].name);
        }
        doctor_free(&d);
    }
    doctor_report d = {0};
    e[0] = quiet();
    doctor_noise(&d, &h, &e[0], (clock_gaps){.count = 9, .longest_ns = 4e6, .share = 0.1});
    cr_assert(find(&d, "interruptions")->status == DOCTOR_WARNING &&
                  strstr(find(&d, "interruptions")->value, "10.00%"),
              "interruptions: %s", find(&d, "interruptions")->value);
    doctor_free(&d);
}

Test(doctor, clocks)
{
    doctor_report d = {0};
    doctor_clock(&d, (clock_quality){.read_ns = 25, .step_ns = 20});
    cr_assert(d.rows[0].status == DOCTOR_OK && d.rows[1].status == DOCTOR_OK, "a good clock");
    doctor_clock(&d, (clock_quality){.read_ns = 900, .step_ns = 4e6});
    cr_assert(d.rows[2].status == DOCTOR_WARNING && d.rows[3].status == DOCTOR_WARNING, "a bad clock");
    doctor_free(&d);
}

static uint64_t seven(const struct perf_event_attr *attr, pid_t thread)
{
    (void)attr;
    (void)thread;
    return 7;
}

static void quarter(pid_t thread, uint64_t *enabled, uint64_t *running)
{
    (void)thread;
    *enabled = 400;
    *running = 100;
}

Test(doctor, counters_with_their_causes)
{
    static fake_perf f;
    static const fake_rule rules[] = {
        {PERF_TYPE_RAW, -1, -1, ENOENT, 0, -1},
        {PERF_TYPE_SOFTWARE, -1, -1, EACCES, 0, -1},
        {-1, -1, -1, -1, 0, -1},
    };
    f = (fake_perf){.rules = rules, .count = seven, .times = quarter};
    perf_calls calls = fake_calls(&f);
    doctor_report d = {0};
    perf_events *events = NULL;
    attn_error err;
    cr_assert(perf_events_choose(&events, "skx", NULL, &err) == ATTN_OK, "%s", err.message);
    doctor_counters(&d, &calls, events, 3);
    cr_assert(strcmp(find(&d, "event files")->value, "any intel-skylake-server") == 0 &&
                  strstr(find(&d, "event sets")->value, "flops (4)") && strstr(find(&d, "derived")->value, "ipc, ") &&
                  strstr(find(&d, "derived")->value, "bytes_per_flop"), "files '%s', sets '%s', derived '%s'",
              find(&d, "event files")->value, find(&d, "event sets")->value, find(&d, "derived")->value);
    free(events);
    cr_assert(find(&d, "cycles")->status == DOCTOR_NOTE && strstr(find(&d, "cycles")->advice, "scaled"),
              "cycles: %s", find(&d, "cycles")->value);
    cr_assert(find(&d, "fp32_512")->status == DOCTOR_MISSING && strstr(find(&d, "fp32_512")->value, "no PMU"),
              "fp32_512: %s", find(&d, "fp32_512")->value);
    cr_assert(find(&d, "page_faults")->status == DOCTOR_MISSING &&
              strstr(find(&d, "page_faults")->value, "perf_event_paranoid is 3"), "page_faults: %s",
              find(&d, "page_faults")->value);
    cr_assert(f.now_open == 0, "%zu files left open", f.now_open);
    doctor_free(&d);
    cr_assert(perf_events_choose(&events, NULL, NULL, &err) == ATTN_OK, "%s", err.message);
    doctor_counters(&d, &calls, events, PERF_PARANOID_UNKNOWN);
    free(events);
    cr_assert(!strstr(find(&d, "derived")->value, "bytes_per_flop"), "bytes without a counter");
    cr_assert(find(&d, "core PMU")->status == DOCTOR_MISSING && find(&d, "flops")->status == DOCTOR_MISSING,
              "no PMU");
    doctor_free(&d);
}

Test(doctor, tools_that_are_missing)
{
    char path[600];
    snprintf(path, sizeof path, "::/nowhere:%s", scratch_folder());
    outcome o = shell("touch '%s' && chmod +x '%s'", scratch_path("gnuplot"), scratch_path("gnuplot"));
    cr_assert(o.exit_code == 0, "chmod");
    outcome_free(&o);
    doctor_report d = {0};
    doctor_tools(&d, path);
    cr_assert(find(&d, "gnuplot")->status == DOCTOR_OK, "gnuplot: %s", find(&d, "gnuplot")->value);
    cr_assert(find(&d, "valgrind")->status == DOCTOR_MISSING && find(&d, "valgrind")->advice, "valgrind: %s",
              find(&d, "valgrind")->value);
    doctor_free(&d);
    doctor_tools(&d, NULL);
    cr_assert(find(&d, "gnuplot")->status == DOCTOR_MISSING, "gnuplot without PATH");
    doctor_free(&d);
}

/* The score follows from the rows above it. */
Test(cli_doctor, score)
{
    outcome o = attnlab("doctor -o csv");
    cr_assert(o.exit_code == 0, "%s", o.err);
    int expected = 100;
    char *line = strtok(o.out, "\n"), *last = NULL;
    for (; line; line = strtok(NULL, "\n")) {
        const bool counts = strncmp(line, "clock,", 6) == 0 || strncmp(line, "noise,", 6) == 0;
        expected -= counts && strstr(line, ",warning,") ? 15 : counts && strstr(line, ",note,") ? 5 : 0;
        last = line;
    }
    char text[40];
    snprintf(text, sizeof text, "%d of 100", expected > 0 ? expected : 0);
    cr_assert(last && strncmp(last, "score,", 6) == 0 && strstr(last, text), "expected %s: %s", text, last ? last : "nothing");
    outcome_free(&o);
}
