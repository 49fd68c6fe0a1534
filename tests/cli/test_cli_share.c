/* Sweeps in parts, databases merged, and runs that are killed or write side by side: nothing is lost, nothing twice. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/program.h"

#define SWEEP "-p dense -p local:k=5 -p strided:l=4 -n 16,24,32 --heads 1 -d 16 --metrics flops"
enum { CELLS = 9 };

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static __attribute__((format(printf, 1, 0))) char *run_text(const char *format, const char *a, const char *b)
{
    outcome o = attnlab(format, a, b);
    cr_assert(o.exit_code == 0, "%s: exit %d: %s", format, o.exit_code, o.err);
    char *text = strdup(o.out);
    outcome_free(&o);
    return text;
}
#pragma GCC diagnostic pop

static size_t lines(const char *text)
{
    size_t count = 0;
    for (; *text; text++)
        count += *text == '\n';
    return count;
}

static const char *part_path(int part)
{
    static char paths[8][300];
    char name[40];
    snprintf(name, sizeof name, "part%d.db", part);
    snprintf(paths[part], sizeof paths[part], "%s", scratch_path(name));
    return paths[part];
}

/* Three parts of a sweep in databases of their own. */
static void measure_parts(void)
{
    for (int part = 1; part <= 3; part++) {
        outcome o = attnlab("run " SWEEP " --shard %d/3 --db %s -o jsonl", part, part_path(part));
        cr_assert(o.exit_code == 0 && lines(o.out) == CELLS / 3, "part %d: exit %d, %zu rows: %s", part, o.exit_code, lines(o.out), o.err);
        outcome_free(&o);
    }
}

Test(cli_share, parts_are_the_whole, .timeout = 60)
{
    measure_parts();
    outcome o = attnlab("db merge %s %s %s --db %s", part_path(1), part_path(2), part_path(3), scratch_path("all.db"));
    cr_assert(o.exit_code == 0, "%s", o.err);
    outcome_free(&o);
    char *all = run_text("db sql 'SELECT DISTINCT spec, n FROM results' -o csv --db %s%s", scratch_path("all.db"), "");
    cr_assert(lines(all) == 1 + CELLS, "%s", all);
    free(all);
    o = attnlab("run " SWEEP " --resume --db %s -o jsonl", scratch_path("all.db"));
    cr_assert(o.exit_code == 0 && lines(o.out) == CELLS, "%s", o.err);
    outcome_free(&o);
    o = attnlab("run " SWEEP " --shard 17/20 --db %s", scratch_path("unneeded.db"));
    cr_assert(o.exit_code == 0 && strstr(o.err, "part 17 of 20") && !file_exists(scratch_path("unneeded.db")), "%d %s", o.exit_code, o.err);
    outcome_free(&o);
    all = run_text("db sql 'SELECT count(*) FROM measurements' -o csv --db %s%s", scratch_path("all.db"), "");
    cr_assert(strstr(all, "\n9"), "resuming measured merged cells again: %s", all);
    free(all);
}

/* Any order, any grouping, any number of times: the same bytes. */
Test(cli_share, merging_is_a_union, .timeout = 120)
{
    static const char *const orders[] = {"1 2 3", "1 3 2", "2 1 3", "2 3 1", "3 1 2", "3 2 1", "1 1 2 3 3", "3,12", "12,3", "2,3,1,2", "13,2,13"};
    char *first = NULL;
    measure_parts();
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        char db[300], name[40], files[1200] = "";
        snprintf(name, sizeof name, "order%zu.db", i);
        snprintf(db, sizeof db, "%s", scratch_path(name));
        for (const char *c = orders[i];; c++) { /* a comma: a merge of its own */
            if (*c >= '1' && *c <= '3') {
                strcat(files, " ");
                strcat(files, part_path(*c - '0'));
            } else if ((*c == ',' || !*c) && *files) {
                free(run_text("db merge %s --db %s", files, db));
                *files = '\0';
            }
            if (!*c)
                break;
        }
        char *text = run_text("db export --db %s%s", db, "");
        if (first)
            cr_assert(strcmp(first, text) == 0, "order %s gives other bytes", orders[i]);
        else
            first = strdup(text);
        free(text);
    }
    cr_assert(lines(first) > 3 * CELLS, "the export is empty");
    free(first);
    outcome o = attnlab("db merge %s --db %s", scratch_path("order0.db"), scratch_path("order0.db"));
    cr_assert(o.exit_code == 0 && strstr(o.err, "0 measurements and 0 samples"), "into itself: %d %s", o.exit_code, o.err);
    outcome_free(&o);
}

Test(cli_share, complaints, .timeout = 60)
{
    static const char *const shards[] = {"0/3", "4/3", "1", "/", "1/", "-1/3", "1/0", "x/3", "1/3/5"};
    for (size_t i = 0; i < sizeof shards / sizeof *shards; i++) {
        outcome o = attnlab("run -p dense -n 8 --shard %s --db %s", shards[i], scratch_path("none.db"));
        cr_assert(o.exit_code == 2 && one_complaint(&o, shards[i], "2/8", NULL), "%s: %d %s", shards[i], o.exit_code, o.err);
        outcome_free(&o);
    }
    cr_assert(!file_exists(scratch_path("none.db")), "a refused run makes a database");
    outcome o = shell("echo text >%s; : >%s", scratch_path("text"), scratch_path("empty"));
    outcome_free(&o);
    static const char *const files[] = {"missing", "text", "empty"};
    for (size_t i = 0; i < 3; i++) {
        o = attnlab("db merge %s --db %s", scratch_path(files[i]), scratch_path("target.db"));
        cr_assert(o.exit_code == 2 && one_complaint(&o, files[i], NULL), "%s: %d %s", files[i], o.exit_code, o.err);
        cr_assert(!file_exists(scratch_path("target.db")), "%s leaves a database", files[i]);
        outcome_free(&o);
    }
    o = attnlab("db merge");
    cr_assert(o.exit_code == 2 && one_complaint(&o, "usage: attnlab db merge FILE...", NULL), "%d %s", o.exit_code, o.err);
    outcome_free(&o);
}

/* kill -9 at moments spread over a sweep: what was finished stays, and resuming ends with the cells of an undisturbed run.
 * ATTNLAB_KILLS=50 kills that often. */
Test(cli_share, killed_runs_resume, .timeout = 300)
{
    const char *often = getenv("ATTNLAB_KILLS");
    const int kills = often ? atoi(often) : 8;
    char db[300], whole[300];
    snprintf(db, sizeof db, "%s", scratch_path("killed.db"));
    snprintf(whole, sizeof whole, "%s", scratch_path("whole.db"));
    free(run_text("run " SWEEP " --db %s%s", whole, ""));
    char *expected = run_text("db sql 'SELECT spec, n, flops_executed FROM results ORDER BY spec, n' -o csv --db %s%s", whole, "");
    long finished = 0;
    for (int k = 0; k < kills; k++) {
        outcome o = shell("\"$ATTNLAB\" run " SWEEP " --resume --db %s >/dev/null 2>&1 & p=$!; sleep 0.%03d; kill -9 $p 2>/dev/null; wait $p 2>/dev/null; true", db,
                          5 + k * 61 % 180);
        outcome_free(&o);
        if (!file_exists(db))
            continue;
        o = attnlab("db sql \"SELECT count(*) FROM measurements WHERE status = 'finished'\" -o csv --db %s", db);
        if (o.exit_code == 0) { /* killed before it was a database: there is nothing yet */
            const long now = strtol(strchr(o.out, '\n') + 1, NULL, 10);
            cr_assert(now >= finished && now <= CELLS, "%ld cells were finished, now %ld", finished, now);
            finished = now;
        } else {
            cr_assert(finished == 0, "after a kill: %s", o.err);
        }
        outcome_free(&o);
        if (finished == CELLS) { /* from the beginning */
            o = shell("rm -f %s*", db);
            outcome_free(&o);
            finished = 0;
        }
    }
    free(run_text("run " SWEEP " --resume --db %s%s", db, ""));
    char *got = run_text("db sql 'SELECT spec, n, flops_executed FROM results ORDER BY spec, n' -o csv --db %s%s", db, "");
    cr_assert(strcmp(got, expected) == 0, "resumed: %s", got);
    free(got);
    got = run_text("db check --db %s%s", db, "");
    cr_assert(strstr(got, "ok"), "%s", got);
    free(got);
    free(expected);
}

/* Eight at once, from an empty folder on. */
Test(cli_share, writers_side_by_side, .timeout = 300)
{
    char db[300];
    snprintf(db, sizeof db, "%s", scratch_path("eight.db"));
    outcome o = shell("for i in 1 2 3 4 5 6 7 8; do (\"$ATTNLAB\" run " SWEEP " --seed $i --db %s >/dev/null 2>%s.$i || echo failed $i) & done; wait; cat %s.?", db, db, db);
    cr_assert(!strstr(o.out, "failed") && !strstr(o.out, "busy") && !strstr(o.out, "locked"), "%s", o.out);
    outcome_free(&o);
    char *got = run_text("db sql \"SELECT count(*), count(DISTINCT seed) FROM results\" -o csv --db %s%s", db, "");
    cr_assert(strstr(got, "\n72,8"), "%s", got);
    free(got);
}
