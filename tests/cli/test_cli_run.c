/* attnlab run: rows and refusals. How it ends badly: test_cli_run_ends.c. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/program.h"

/* Quick cells: a few milliseconds each. */
#define QUICK "--heads 2 -d 16 --max-time 0.01 --metrics time,flops"

static size_t lines(const char *text)
{
    size_t count = 0;
    for (; *text; text++)
        count += *text == '\n';
    return count;
}

static void check_database(const char *db)
{
    outcome o = attnlab("db check --db '%s' -o jsonl", db);
    cr_assert(o.exit_code == 0, "db check: exit %d: %s", o.exit_code, o.err);
    outcome_free(&o);
}

/* ---- rows ---- */

Test(cli_run, row_has_what_it_promises)
{
    static const struct {
        const char *path, *type; /* as json_type() says; "number" is integer or real */
    } keys[] = {
        {"run_id", "text"},
        {"pattern", "text"},
        {"spec", "text"},
        {"spec_resolved", "text"},
        {"n", "integer"},
        {"heads", "integer"},
        {"kv_heads", "integer"},
        {"dim", "integer"},
        {"batch", "integer"},
        {"dtype", "text"},
        {"direction", "text"},
        {"kernel", "text"},
        {"isa", "text"},
        {"threads", "integer"},
        {"input", "text"},
        {"seed", "integer"},
        {"time_ns.median", "number"},
        {"time_ns.min", "number"},
        {"time_ns.ci_lo", "number"},
        {"time_ns.ci_hi", "number"},
        {"time_ns.samples", "integer"},
        {"pairs", "integer"},
        {"pairs_total", "integer"},
        {"flops_useful", "integer"},
        {"flops_executed", "integer"},
        {"gflops", "number"},
        {"tile_utilisation", "number"},
        {"workspace_bytes", "integer"},
        {"peak_rss_bytes", "integer"},
        {"bytes_model", "integer"},
        {"max_abs_err", "number"},
        {"rel_err", "number"},
        {"pattern_rel_err", "number"},
        {"pattern_mass", "number"},
        {"pattern_kl", "number"},
        {"counters", "object"},
        {"counters_status", "text"},
        {"counters_scaled", "text"},
        {"counters_events", "text"},
        {"derived", "object"},
        {"stop_reason", "text"},
        {"reasons", "object"},
    };
    const char *db = place("x.db");
    outcome o = attnlab("run -p fixed:l=8,c=2 -n 64 -d 16 --heads 4 --kv-heads 2 --max-time 0.02 --seed "
                        "18446744073709551615 --label 'a b' --db '%s' -o jsonl",
                        db);
    cr_assert(o.exit_code == 0 && !*o.err && lines(o.out) == 1, "exit %d: %s", o.exit_code, o.err);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        char sql[128];
        snprintf(sql, sizeof sql, "SELECT json_type(?, '$.%s')", keys[i].path);
        const char *type = ask(db, sql, o.out);
        const bool number =
            strcmp(keys[i].type, "number") == 0 && (!strcmp(type, "integer") || !strcmp(type, "real"));
        cr_assert(number || strcmp(type, keys[i].type) == 0, "%s is %s, not %s", keys[i].path, type,
                  keys[i].type);
    }
    /* fixed, n = 64 = 8 blocks of 8: 8 * 36 pairs in blocks; each summary column j is seen by the n - j
     * queries from itself on, less those of its own block, which are counted there */
    const size_t pairs = 8 * 36 + 2 * 8 * (7 + 6 + 5 + 4 + 3 + 2 + 1);
    char wanted[64];
    snprintf(wanted, sizeof wanted, "%zu %zu %zu", pairs, 4 * pairs, 4 * 16 * 4 * pairs);
    const char *got =
        ask(db,
            "SELECT json_extract(?1, '$.pairs') || ' ' || json_extract(?1, '$.pairs_total') || ' ' || "
            "json_extract(?1, '$.flops_useful')",
            o.out);
    cr_assert(strcmp(got, wanted) == 0, "pairs, pairs_total, flops: %s, not %s", got, wanted);
    cr_assert(strstr(o.out, "\"seed\": 18446744073709551615,"), "seed: %s", o.out);
    cr_assert(strstr(o.out, "\"flops_measured\": null") == NULL ||
                  strlen(ask(db, "SELECT json_extract(?, '$.reasons.flops_measured')", o.out)) > 5,
              "no reason: %s", o.out);
    cr_assert(strcmp(ask(db, "SELECT label FROM results WHERE host_cpus > 0", NULL), "a b") == 0,
              "label is lost");
    outcome_free(&o);
}

/* The user's file reaches the process that measures, and the command that is kept. Each derived value is there, or a
 * reason. */
Test(cli_run, events_of_the_users)
{
    static const char text[] = "for any\nset software\nevent page_faults count perf::PAGE-FAULTS\n"
                               "event minor_faults count perf::MINOR-FAULTS\n"
                               "derive pairs_again count = pairs_total + 0\n"
                               "derive minor_share 1 = minor_faults / (page_faults + 1)\n";
    const char *db = place("x.db"), *again = place("again.db");
    write_whole_file(place("mine.txt"), text, strlen(text));
    outcome o = attnlab("run -p dense -n 16 --heads 1 --max-time 0.5 --metrics counters --events '%s' --db '%s' -o jsonl",
                        place("mine.txt"), db);
    cr_assert(o.exit_code == 0 && !*o.err, "exit %d: %s", o.exit_code, o.err);
    cr_assert(atoi(ask(db, "SELECT json_extract(?, '$.derived.pairs_again')", o.out)) == 136, "%s", o.out);
    cr_assert(strstr(ask(db, "SELECT json_extract(?, '$.counters_events')", o.out), "mine.txt:"), "%s", o.out);
    static const char *const names[] = {"ipc", "cache_miss_rate", "branch_miss_rate", "bytes_per_flop",
                                        "flops_measured_over_model", "minor_share"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char sql[200];
        snprintf(sql, sizeof sql, "SELECT json_extract(?1, '$.derived.%s') IS NOT NULL OR "
                                  "length(json_extract(?1, '$.reasons.\"derived.%s\"')) > 5", names[i], names[i]);
        cr_assert(strcmp(ask(db, sql, o.out), "1") == 0, "%s has neither value nor reason: %s", names[i], o.out);
    }
    outcome_free(&o);
    const char *command = ask(db, "SELECT command FROM runs", NULL);
    o = attnlab("%s --db '%s'", command + 8, again);
    cr_assert(o.exit_code == 0 && strstr(ask(again, "SELECT counters_events FROM results", NULL), "mine.txt:"), "%s: %s", command,
              o.err);
    outcome_free(&o);
}

/* Columns of counters are in tables where a row has a value: here put into the database, and printed by --resume. */
Test(cli_run, tables_show_what_counters_tell)
{
    const char *db = place("x.db");
    static const char set[] = "UPDATE samples SET value = 2.5, reason = NULL WHERE series IN "
                              "(SELECT id FROM series WHERE name IN ('derived.ipc', 'derived.bytes_per_flop'))";
    for (int pass = 0; pass < 2; pass++) {
        outcome o = attnlab("run -p dense -n 16 --heads 1 --max-time 0.1 --metrics flops,counters --resume --db '%s'", db);
        cr_assert(o.exit_code == 0 && lines(o.out) == 2, "exit %d: %s%s", o.exit_code, o.out, o.err);
        if (pass)
            cr_assert(strstr(o.out, "IPC") && strstr(o.out, "B/FLOP") && strstr(o.out, " 2.50 "), "%s", o.out);
        else
            cr_assert(!strstr(o.out, "IPC") == !atoi(ask(db, "SELECT ipc IS NOT NULL FROM results", NULL)), "%s", o.out);
        outcome_free(&o);
        sqlite3 *raw;
        cr_assert(sqlite3_open(db, &raw) == SQLITE_OK && sqlite3_exec(raw, set, NULL, NULL, NULL) == SQLITE_OK, "no update");
        sqlite3_close(raw);
    }
    cr_assert(strcmp(ask(db, "SELECT json_extract(derived, '$.ipc') FROM results", NULL), "2.5") == 0, "derived");
}

Test(cli_run, what_was_not_asked_for_is_null)
{
    const char *db = place("x.db");
    outcome o = attnlab("run -p dense -n 16 " QUICK " --db '%s' -o jsonl", db);
    cr_assert(o.exit_code == 0, "exit %d: %s", o.exit_code, o.err);
    cr_assert(strstr(o.out, "\"rel_err\": null") && strstr(o.out, "\"peak_rss_bytes\": null") &&
                  strstr(o.out, "\"metrics\": \"time,flops\""),
              "%s", o.out);
    outcome_free(&o);
}

Test(cli_run, sweeps_go_by_spec_then_n_then_d_and_repeat_nothing)
{
    const char *db = place("x.db");
    outcome o = attnlab(
        "run -p dense -p local:k=2 -p dense -n 8,16,8 -d 4,8 --heads 1 --max-time 0.01 --metrics flops "
        "--db '%s' -o csv",
        db);
    cr_assert(o.exit_code == 0 && lines(o.out) == 9, "exit %d, %zu lines: %s", o.exit_code, lines(o.out),
              o.err);
    const char *order =
        ask(db,
            "SELECT group_concat(substr(spec, 1, 1) || n || '/' || dim) FROM (SELECT spec, n, dim "
            "FROM measurements m JOIN cells c ON c.id = m.cell ORDER BY m.id)",
            NULL);
    cr_assert(strcmp(order, "d8/4,d8/8,d16/4,d16/8,l8/4,l8/8,l16/4,l16/8") == 0, "%s", order);
    outcome_free(&o);
}

Test(cli_run, command_kept_repeats_the_run)
{
    const char *db = place("x.db"), *again = place("again.db");
    outcome o =
        attnlab("run -p 'strided:l=sqrt(n)' -p fixed -n 8:16*2 " QUICK " --label \"it's\" --db '%s'", db);
    cr_assert(o.exit_code == 0, "exit %d: %s", o.exit_code, o.err);
    outcome_free(&o);
    const char *command = ask(db, "SELECT command FROM runs", NULL);
    cr_assert(strncmp(command, "attnlab run ", 12) == 0, "%s", command);
    o = attnlab("%s --db '%s'", command + 8, again);
    cr_assert(o.exit_code == 0, "%s: exit %d: %s", command, o.exit_code, o.err);
    outcome_free(&o);
    static const char cells[] = "SELECT group_concat(spec || n || kernel || threads || label) FROM results";
    cr_assert(strcmp(ask(db, cells, NULL), ask(again, cells, NULL)) == 0, "%s", ask(again, cells, NULL));
    cr_assert(strcmp(ask(again, "SELECT command FROM runs", NULL), command) == 0, "the command changed");
}

/* ---- refusals ---- */

Test(cli_run, refusals_write_nothing)
{
    static const char *const bad[][2] = {
        {"-n 0", "0"},
        {"-n -1", "-1"},
        {"-n 99999999999999999999", "99999999999999999999"},
        {"-n nan", "nan"},
        {"-n 1e3", "1e3"},
        {"-n 17m", "17825792"},
        {"-n 4k:1k*2", "backwards"},
        {"-n ''", "empty"},
        {"-n 8,", "8,"},
        {"-n 1:8*1", "factor"},
        {"-n 1:8*0", "factor"},
        {"-n 8:64:0", "step"},
        {"-d 0", "0"},
        {"-d 257", "257"},
        {"-p nonesuch", "nonesuch"},
        {"-p ''", "empty"},
        {"-p local:k=-1", "-1"},
        {"-p dense -p fixed:l=8,c=9", "c=9"},
        {"-p local:k=1,k=2", "twice"},
        {"-p local:q=1", "q"},
        {"--heads 0", "0"},
        {"--heads 8 --kv-heads 3", "3"},
        {"--batch 0", "0"},
        {"--threads 0", "0"},
        {"--dtype f64", "f64"},
        {"--direction bwd", "bwd"},
        {"--direction decode", "decode"},
        {"--direction up", "up"},
        {"--kernel nonesuch", "nonesuch"},
        {"--metrics tiem", "'time'"},
        {"--metrics time,", "metrics"},
        {"--metrics ''", "empty"},
        {"--max-time 0", "0"},
        {"--max-time -1", "-1"},
        {"--max-time nan", "nan"},
        {"--max-time inf", "inf"},
        {"--seed -1", "-1"},
        {"--seed 18446744073709551616", "18446744073709551616"},
        {"--seed x", "x"},
        {"--input nonesuch", "nonesuch"},
        {"--input text:/nonexistent", "/nonexistent"},
        {"--input npy:/nonexistent", "/nonexistent"},
        {"-o xml", "xml"},
        {"--events /nonexistent.txt", "/nonexistent.txt"},
        {"--events LICENSE", "LICENSE:2:"},
        {"--events LICENSE --metrics time", "counters"},
        {"--events LICENSE --cache cold", "counters"},
        {"--resme", "--resume"},
        {"extra", "extra"},
        {"--plugin /nonexistent.so", "/nonexistent.so"},
        {"-n 16m --batch 64", "memory"},
        {"-n 8,16 -p local:k=1 -p dense:k=1", "k"},
    };
    const char *db = place("x.db");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        outcome o = attnlab("run %s --db '%s'", bad[i][0], db);
        cr_assert(o.exit_code == 2 && one_complaint(&o, bad[i][1], NULL), "%s: exit %d: %s%s", bad[i][0],
                  o.exit_code, o.out, o.err);
        cr_assert(!file_exists(db), "%s made the database", bad[i][0]);
        outcome_free(&o);
    }
}

Test(cli_run, refuses_databases_it_cannot_use)
{
    write_whole_file(place("text.db"), "hello, this is no database at all, is it?\n", 42);
    const char *const paths[] = {place("none/x.db"), scratch_folder(), place("text.db"), "/proc/x.db", ""};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        outcome o = attnlab("run -p dense -n 8 " QUICK " --db '%s'", paths[i]);
        cr_assert(o.exit_code == 2 && one_complaint(&o, paths[i], NULL), "'%s': exit %d: %s", paths[i],
                  o.exit_code, o.err);
        outcome_free(&o);
    }
    cr_assert(!file_exists(place("none")), "made a folder");
}

/* Root writes where others may not, so as root only the message for others goes untested. */
Test(cli_run, refuses_read_only_files)
{
    const char *db = place("x.db");
    outcome o = attnlab("run -p dense -n 8 " QUICK " --db '%s'", db);
    cr_assert(o.exit_code == 0, "exit %d: %s", o.exit_code, o.err);
    outcome_free(&o);
    if (geteuid() == 0)
        cr_skip_test("root may write to read-only files");
    o = shell("chmod 400 '%s'; \"$ATTNLAB\" run -p dense -n 8 " QUICK " --db '%s'", db, db);
    cr_assert(o.exit_code == 2 && one_complaint(&o, "read-only", NULL), "exit %d: %s", o.exit_code, o.err);
    outcome_free(&o);
    o = shell("chmod 500 '%s'; \"$ATTNLAB\" db check --db '%s' >&2; code=$?; chmod 700 '%s'; exit $code", scratch_folder(),
              db, scratch_folder());
    cr_assert(o.exit_code == 0, "reading where nothing may be written: exit %d: %s", o.exit_code, o.err);
    outcome_free(&o);
}

Test(cli_run, locked_past_the_timeout_is_74)
{
    const char *db = place("x.db");
    sqlite3 *other;
    outcome o = attnlab("run -p dense -n 8 " QUICK " --db '%s'", db);
    cr_assert(o.exit_code == 0, "exit %d: %s", o.exit_code, o.err);
    outcome_free(&o);
    cr_assert(sqlite3_open(db, &other) == SQLITE_OK &&
                  sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK,
              "cannot lock");
    o = shell("ATTNLAB_DB_WAIT=0.1 \"$ATTNLAB\" run -p dense -n 8 " QUICK " --db '%s' -o jsonl", db);
    cr_assert(o.exit_code == 74 && one_complaint(&o, "locked", NULL), "exit %d: %s", o.exit_code, o.err);
    sqlite3_close(other);
    outcome_free(&o);
}

Test(cli_run, full_disk_is_74_and_keeps_what_was_finished)
{
    const char *db = place("x.db");
    outcome o = shell(
        "trap '' XFSZ; ulimit -f 300; exec \"$ATTNLAB\" run -p dense -n 8:4000:8 -d 4 --heads 1 --max-time "
        "0.001 --metrics time --db '%s' -o jsonl",
        db);
    cr_assert(o.exit_code == 74 && lines(o.err) == 1 && strstr(o.err, db), "exit %d: %s", o.exit_code, o.err);
    check_database(db);
    char printed[32];
    snprintf(printed, sizeof printed, "%zu", lines(o.out));
    cr_assert(strcmp(ask(db, "SELECT count(*) FROM results", NULL), printed) == 0, "%s rows printed, %s kept",
              printed, ask(db, "SELECT count(*) FROM results", NULL));
    outcome_free(&o);
    o = shell("\"$ATTNLAB\" run -p dense -n 8 " QUICK " --db '%s' >/dev/full", place("y.db"));
    cr_assert(o.exit_code == 74 && lines(o.err) == 1, "full stdout: exit %d: %s", o.exit_code, o.err);
    outcome_free(&o);
}

/* ---- resuming ---- */

Test(cli_run, resume_measures_only_what_is_missing_and_prints_all)
{
    const char *db = place("x.db");
    static const struct {
        const char *arguments;
        size_t rows;
        const char *measured; /* in the database by then */
    } steps[] = {
        {"-p dense -n 8,16", 2, "2"},
        {"-p dense -n 8,16 --resume", 2, "2"},
        {"-p dense -n 8,12,16 --resume", 3, "3"},
        {"-p dense -p local:k=4 -n 16 --resume", 2, "4"},
        {"-p dense -n 8 --seed 2 --resume", 1, "5"},
        {"-p dense -n 8 --threads 1 --kernel portable --resume", 1, NULL},
        {"-p dense -n 8", 1, NULL}, /* without --resume all are measured again */
    };
    size_t before = 0;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        outcome o = attnlab("run %s " QUICK " --db '%s' -o jsonl", steps[i].arguments, db);
        cr_assert(o.exit_code == 0 && lines(o.out) == steps[i].rows, "%s: exit %d, %zu rows: %s",
                  steps[i].arguments, o.exit_code, lines(o.out), o.err);
        const char *count = ask(db, "SELECT count(*) FROM measurements", NULL);
        cr_assert(!steps[i].measured || strcmp(count, steps[i].measured) == 0, "%s: %s measured",
                  steps[i].arguments, count);
        before = strtoul(count, NULL, 10);
        outcome_free(&o);
    }
    outcome o =
        attnlab("run -p dense -n 8 --heads 2 -d 16 --max-time 0.01 --metrics time --resume --db '%s'", db);
    cr_assert(strtoul(ask(db, "SELECT count(*) FROM measurements", NULL), NULL, 10) == before,
              "fewer metrics: measured");
    outcome_free(&o);
    o = attnlab("run -p dense -n 8 --heads 2 -d 16 --max-time 0.01 --metrics time,memory --resume --db '%s'",
                db);
    cr_assert(strtoul(ask(db, "SELECT count(*) FROM measurements", NULL), NULL, 10) == before + 1,
              "more metrics: not");
    outcome_free(&o);
}
