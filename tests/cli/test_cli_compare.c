/* attnlab compare, from stores of made-up runs and measured; attnlab run --processes. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/lane_callgrind.h"
#include "support/program.h"
#include "support/synthetic.h"

enum { BLOCKS = 8 };

static void one(synthetic *s, const char *spec, size_t n, double time_ns, double peak)
{
    synthetic_begin(s, spec, n);
    record_real(&s->to, "time_ns", "ns", time_ns);
    record_real(&s->to, "peak_gflops", "GFLOP/s", peak);
    synthetic_end(s);
}

/* BLOCKS runs "before" and "after" in turn; dense takes `ratio` times as long after, local as long as before. In the
 * first `disturbed` blocks dense takes three times as long, and the multiply-adds beside it ran at half their rate. */
static const char *filled(double ratio, size_t disturbed, const char *other_model)
{
    static int stores;
    char name[32];
    snprintf(name, sizeof name, "compare%d.db", ++stores);
    const char *path = scratch_path(name);
    synthetic s = {0};
    synthetic_open(&s, path, "made-up CPU", "before");
    for (size_t b = 0; b < BLOCKS; b++) {
        const double wobble = 1 + 0.001 * (double)(b % 3), drift = 1 + 0.2 * (double)b;
        if (b)
            synthetic_run(&s, "made-up CPU", "before");
        one(&s, "dense", 1024, 1e6 * drift, 50);
        one(&s, "local:k=128", 1024, 2e5 * drift, 50);
        synthetic_run(&s, other_model, "after");
        one(&s, "dense", 1024, 1e6 * drift * ratio * wobble * (b < disturbed ? 3 : 1), b < disturbed ? 25 : 50);
        one(&s, "local:k=128", 1024, 2e5 * drift * wobble, 50);
    }
    one(&s, "dense", 2048, 4e6, 50); /* after only */
    synthetic_close(&s);
    return path;
}

/* The text of a key in the row of a pattern; "" when there is none. In a static buffer. */
static const char *value(const outcome *o, const char *spec, const char *key)
{
    static char found[256];
    char is[300], quoted[64];
    snprintf(is, sizeof is, "\"spec\": \"%s\"", spec);
    snprintf(quoted, sizeof quoted, "\"%s\": ", key);
    const char *row = strstr(o->out, is), *at = row ? strstr(row, quoted) : NULL;
    at = at ? at + strlen(quoted) : "";
    const bool text = *at == '"';
    snprintf(found, sizeof found, "%.*s", (int)strcspn(at + text, text ? "\"" : ",}"), at + text);
    return found;
}

static void expect(double ratio, const char *dense)
{
    outcome o = attnlab("compare before after -o jsonl --db %s", filled(ratio, 0, "made-up CPU"));
    cr_assert(o.exit_code == 0, "exit %d: %s", o.exit_code, o.err);
    cr_assert(strcmp(value(&o, "dense", "verdict"), dense) == 0, "ratio %g: dense %s", ratio, value(&o, "dense", "verdict"));
    cr_assert(strcmp(value(&o, "local:k=128", "verdict"), "pass") == 0, "local %s", value(&o, "local:k=128", "verdict"));
    cr_assert(strcmp(value(&o, "dense", "blocks"), "8") == 0, "%s blocks", value(&o, "dense", "blocks"));
    const double found = atof(value(&o, "dense", "ratio"));
    cr_assert(found > 0.999 * ratio && found < 1.003 * ratio, "ratio %g for %g, drift or not", found, ratio);
    cr_assert(strstr(o.err, "1 that only after has"), "what only one arm has: %s", o.err);
    outcome_free(&o);
}

Test(cli_compare, slower_faster_and_same)
{
    expect(1.05, "regressed");
    expect(0.95, "improved");
    expect(1, "pass");
}

Test(cli_compare, threshold_decides)
{
    const char *db = filled(1.05, 0, "made-up CPU");
    outcome o = attnlab("compare before after -o jsonl --threshold 10 --db %s", db);
    cr_assert(strcmp(value(&o, "dense", "verdict"), "pass") == 0, "5%% within 10%%: %s", value(&o, "dense", "verdict"));
    outcome_free(&o);
}

/* Disturbed blocks are dropped and counted, unless they are most of them or asked for. */
Test(cli_compare, disturbed_blocks)
{
    const char *db = filled(1, 2, "made-up CPU");
    outcome o = attnlab("compare before after -o jsonl --db %s", db);
    cr_assert(strcmp(value(&o, "dense", "dropped"), "2") == 0, "dropped %s", value(&o, "dense", "dropped"));
    cr_assert(strcmp(value(&o, "dense", "verdict"), "pass") == 0, "%s", value(&o, "dense", "verdict"));
    outcome_free(&o);
    o = attnlab("compare before after -o jsonl --keep-noisy --db %s", db);
    cr_assert(strcmp(value(&o, "dense", "dropped"), "0") == 0 && strcmp(value(&o, "dense", "verdict"), "inconclusive") == 0,
              "kept: %s", value(&o, "dense", "verdict"));
    outcome_free(&o);
    o = attnlab("compare before after -o jsonl --db %s", filled(1, 6, "made-up CPU"));
    cr_assert(strcmp(value(&o, "dense", "dropped"), "0") == 0, "most blocks alike: dropped %s", value(&o, "dense", "dropped"));
    outcome_free(&o);
}

/* A process tells the lower quartile of its runs: a third that was disturbed changes nothing, and rows have the same figure. */
Test(cli_compare, processes_tell_lower_quartiles)
{
    const char *path = scratch_path("quartiles.db");
    synthetic s = {0};
    synthetic_open(&s, path, "made-up CPU", "before");
    for (size_t b = 0; b < BLOCKS; b++)
        for (int after = 0; after < 2; after++) {
            if (b || after)
                synthetic_run(&s, "made-up CPU", after ? "after" : "before");
            synthetic_begin(&s, "dense", 1024);
            for (size_t i = 0; i < 6; i++) /* 100 110 120 130, less 5% before; quartile 112.5 */
                record_real(&s.to, "time_ns", "ns", (i < 4 ? 100 + 10 * (double)i : 900) / (after ? 1 : 1.05) * (i > 3 && after ? 3 : 1));
            synthetic_end(&s);
        }
    synthetic_close(&s);
    outcome o = attnlab("compare before after -o jsonl --db %s", path);
    cr_assert(o.exit_code == 0 && strcmp(value(&o, "dense", "verdict"), "regressed") == 0, "exit %d: %s%s", o.exit_code, o.out, o.err);
    cr_assert(fabs(atof(value(&o, "dense", "time_ns_b")) - 112.5) < 1e-6, "quartile %s", value(&o, "dense", "time_ns_b"));
    cr_assert(fabs(atof(value(&o, "dense", "ratio")) - 1.05) < 1e-6, "ratio %s", value(&o, "dense", "ratio"));
    outcome_free(&o);
}

Test(cli_compare, refuses_other_hosts)
{
    const char *db = filled(1, 0, "another CPU, made up");
    outcome o = attnlab("compare before after --db %s", db);
    cr_assert(o.exit_code == 12, "exit %d", o.exit_code);
    cr_assert(strstr(o.out, "incomparable") && strstr(o.out, "different host"), "%s", o.out);
    outcome_free(&o);
    o = attnlab("compare before after --anyway -o jsonl --db %s", db);
    cr_assert(o.exit_code == 0 && strcmp(value(&o, "dense", "verdict"), "pass") == 0, "anyway: exit %d", o.exit_code);
    outcome_free(&o);
}

Test(cli_compare, complaints)
{
    const char *db = filled(1, 0, "made-up CPU");
    outcome o = attnlab("compare before nowhere --db %s", db);
    cr_assert(o.exit_code == 2 && one_complaint(&o, "nowhere", "label", NULL), "unknown arm: %s", o.err);
    outcome_free(&o);
    o = attnlab("compare before --db %s", db);
    cr_assert(o.exit_code == 2 && one_complaint(&o, "two arms", NULL), "one arm: %s", o.err);
    outcome_free(&o);
    o = attnlab("compare --kernel portable --db %s", db);
    cr_assert(o.exit_code == 2 && one_complaint(&o, "two arms", NULL), "one kernel: %s", o.err);
    outcome_free(&o);
    o = attnlab("compare before after -p dense --db %s", db);
    cr_assert(o.exit_code == 2 && one_complaint(&o, "before", "--kernel", NULL), "both: %s", o.err);
    outcome_free(&o);
    o = attnlab("compare --kernel portable --kernel no-such --db %s", db);
    cr_assert(o.exit_code == 2 && one_complaint(&o, "no-such", NULL), "unknown kernel: %s", o.err);
    outcome_free(&o);
}

/* The value of a key in the first row that has `which`. */
static double value_of(const char *rows, const char *which, const char *key)
{
    const char *row = strstr(rows, which), *at = row ? strstr(row, key) : NULL;
    cr_assert(at, "no %s of %s in %s", key, which, rows);
    return strtod(at + strlen(key), NULL);
}

/* Two programs, here the same one twice: times, or counts that are the same, and what they were built from. What the store has of them
 * says the same when it is compared. */
Test(cli_compare, two_programs, .timeout = 240)
{
    const char *db = scratch_path("programs.db");
    outcome o = shell("\"$ATTNLAB\" compare --binary \"$ATTNLAB\" --binary \"$ATTNLAB\" -p local:k=3 -p 'dense' -n 32,48 --heads 1 --threads 1 --kernel portable "
                      "--blocks 7 --max-time 0.002 --label t -o jsonl --db %s", db);
    cr_assert(o.exit_code == 0, "exit %d: %s", o.exit_code, o.err);
    cr_assert(strstr(o.out, "\"cell\": \"local:k=3 n=32 d=64 heads=1 f32 threads=1\"") && strstr(o.out, "\"cell\": \"dense n=48 d=64"), "%s", o.out);
    cr_assert(strstr(o.out, "\"build_b\": \"0.") && strstr(o.out, "\"instructions_a\": null") && !strstr(o.out, "\"time_ns_b\": null"), "%s", o.out);
    cr_assert(strstr(o.err, "A: ") && strstr(o.err, ", binary "), "built from: %s", o.err);
    outcome again = shell("\"$ATTNLAB\" compare \"t $ATTNLAB\" \"t $ATTNLAB (2)\" -o jsonl --db %s", db);
    cr_assert(again.exit_code == 0, "stored: exit %d: %s", again.exit_code, again.err);
    const double ratio = value_of(o.out, "\"dense n=48", "\"ratio\": "), stored = value_of(again.out, "\"n\": 48", "\"ratio\": ");
    cr_assert(fabs(ratio - stored) < 1e-5, "ratio %g when measured, %g from the store: %s%s", ratio, stored, o.out, again.out);
    outcome_free(&again);
    again = shell("\"$ATTNLAB\" db sql \"SELECT r.label, count(*) FROM measurements m JOIN runs r ON r.id = m.run GROUP BY 1\" -o csv --db %s", db);
    cr_assert(strstr(again.out, " again,28\r\n"), "A again: %s%s", again.out, again.err);
    outcome_free(&again);
    outcome_free(&o);
    if (callgrind_unavailable())
        cr_skip_test("%s", callgrind_unavailable());
    o = shell("\"$ATTNLAB\" compare --binary \"$ATTNLAB\" --binary \"$ATTNLAB\" -n 32 --heads 1 --lane callgrind --blocks 1 -o jsonl --db %s", db);
    cr_assert(o.exit_code == 0 && strstr(o.out, "\"ratio\": 1,") && strstr(o.out, "\"verdict\": \"pass\""), "exit %d: %s%s", o.exit_code, o.out, o.err);
    outcome_free(&o);
}

/* A program that cannot do it is refused before anything is measured, and so is what means nothing then. */
Test(cli_compare, programs_refused, .timeout = 60)
{
    static const char script[] = "#!/bin/sh\necho '{\"time_ns\": {\"median\": 1}}'\n";
    static const struct { const char *options, *why, *also; } wrong[] = {
        {"--binary /nowhere/attnlab", "/nowhere/attnlab", "no program"},
        {"--binary /bin/true", "/bin/true", "not an attnlab"},
        {"", "two programs", "not 1"},
        {"--binary \"$ATTNLAB\" --binary \"$ATTNLAB\"", "two programs", "not 3"},
        {"--binary \"$ATTNLAB\" --inject 2:5", "--inject", "--binary"},
        {"--binary \"$ATTNLAB\" --db /nowhere/x.db", "/nowhere", "folder"},
        {"--binary \"$ATTNLAB\" before after", "before", "stored runs"},
        {"--binary \"$ATTNLAB\" --kernel auto --kernel portable", "--kernel portable", "one kernel"},
    };
    write_whole_file(scratch_path("rows-alone"), script, sizeof script - 1);
    outcome made = shell("chmod +x %s", scratch_path("rows-alone"));
    outcome_free(&made);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        outcome o = shell("\"$ATTNLAB\" compare --binary \"$ATTNLAB\" %s", wrong[i].options);
        cr_assert(o.exit_code == 2 && one_complaint(&o, wrong[i].why, wrong[i].also, NULL), "%s: exit %d: %s", wrong[i].options, o.exit_code, o.err);
        outcome_free(&o);
    }
    outcome o = shell("\"$ATTNLAB\" compare --binary \"$ATTNLAB\" --binary %s", scratch_path("rows-alone"));
    cr_assert(o.exit_code == 2 && one_complaint(&o, "rows-alone", "not an attnlab", NULL), "rows without a database: exit %d: %s", o.exit_code, o.err);
    outcome_free(&o);
    o = shell("\"$ATTNLAB\" compare --binary \"$ATTNLAB\" --binary \"$ATTNLAB\" -p nonsense -n 16");
    cr_assert(o.exit_code == 2 && strstr(o.err, "nonsense"), "a cell that is none: exit %d: %s", o.exit_code, o.err);
    outcome_free(&o);
}

/* Cut off, it has stored what was finished, and says how to read it. */
Test(cli_compare, programs_interrupted, .timeout = 60)
{
    const char *db = scratch_path("cut.db");
    outcome o = shell("timeout -s INT 4 \"$ATTNLAB\" compare --binary \"$ATTNLAB\" --binary \"$ATTNLAB\" -n 32 --heads 1 --threads 1 --kernel portable "
                      "--blocks 10000 --max-time 0.001 --label cut --db %s", db);
    cr_assert(strstr(o.err, "interrupted; finished blocks are in") && strstr(o.err, "compare 'cut "), "exit %d: %s", o.exit_code, o.err);
    outcome_free(&o);
    o = shell("\"$ATTNLAB\" db sql 'SELECT count(*) > 3 FROM measurements' -o csv --db %s", db);
    cr_assert(strstr(o.out, "\n1"), "stored: %s%s", o.out, o.err);
    outcome_free(&o);
}

/* Measured now: as many blocks as asked for, the same number of runs in both arms, kept under labels that can be compared
 * again, and more blocks can be added. */
Test(cli_compare, measures_in_turn, .timeout = 120)
{
    const char *db = scratch_path("live.db");
    for (int more = 1; more <= 2; more++) {
        outcome o = attnlab("compare --kernel portable --kernel oracle -p local:k=3 -n 32 --heads 1 --threads 1 --blocks 3 "
                            "--max-time 0.002 --label try --keep-noisy -o jsonl --db %s", db);
        cr_assert(o.exit_code == 0, "exit %d: %s", o.exit_code, o.err);
        cr_assert(atoi(value(&o, "local:k=3", "blocks")) == 3 * more, "%s blocks", value(&o, "local:k=3", "blocks"));
        cr_assert(strcmp(value(&o, "local:k=3", "kernel_b"), "oracle") == 0, "%s", value(&o, "local:k=3", "kernel_b"));
        outcome_free(&o);
        if (more > 1)
            continue;
        o = attnlab("db sql \"SELECT count(DISTINCT count) FROM (SELECT count(*) AS count FROM observations WHERE series = "
                    "'time_ns' GROUP BY measurement_id)\" -o csv --db %s", db);
        cr_assert(strstr(o.out, "\n1"), "numbers of runs differ: %s%s", o.out, o.err);
        outcome_free(&o);
    }
    outcome o = attnlab("compare 'try portable' 'try oracle' --keep-noisy -o jsonl --db %s", db);
    cr_assert(atoi(value(&o, "local:k=3", "blocks")) == 6, "stored: %s blocks; %s", value(&o, "local:k=3", "blocks"), o.err);
    outcome_free(&o);
}

Test(cli_compare, run_in_processes, .timeout = 120)
{
    const char *db = scratch_path("processes.db");
    outcome o = attnlab("run -p dense -p local:k=3 -n 32 --heads 1 --threads 1 --metrics time --max-time 0.002 --processes 3 "
                        "--label many -o jsonl --db %s", db);
    cr_assert(o.exit_code == 0, "exit %d: %s", o.exit_code, o.err);
    size_t rows = 0;
    for (const char *at = o.out; (at = strchr(at, '\n')); at++)
        rows++;
    cr_assert(rows == 6, "%zu rows of 2 cells in 3 processes", rows);
    outcome_free(&o);
    o = attnlab("db sql \"SELECT count(DISTINCT run_id) FROM results WHERE label = 'many'\" -o csv --db %s", db);
    cr_assert(strstr(o.out, "\n3"), "runs: %s%s", o.out, o.err);
    outcome_free(&o);
    o = attnlab("run -n 32 --processes 2 --resume --db %s", db);
    cr_assert(o.exit_code == 2 && one_complaint(&o, "--processes", "--resume", NULL), "both: %s", o.err);
    outcome_free(&o);
}
