/* attnlab run, when it ends badly: killed, interrupted, cells that fail, several writers. What was finished stays, and --resume goes on. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
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

enum { SWEEP = 12 };
#define SWEEP_ARGUMENTS "run -p dense -n 8:96:8 " QUICK " -o jsonl"

/* Starts the sweep with its own process group and stdout in FILE; SIGINT and SIGTERM at their defaults. */
static pid_t start(const char *db, const char *rows, const char *messages, const char *arguments)
{
    char command[4096];
    snprintf(command, sizeof command, "exec \"$ATTNLAB\" %s --db '%s' >'%s' 2>'%s'", arguments, db, rows,
             messages);
    pid_t child = fork();
    if (child == 0) {
        setpgid(0, 0);
        signal(SIGINT, SIG_DFL);
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    return child;
}

static void wait_for_rows(const char *path, size_t count)
{
    for (int i = 0; i < 2000; i++) {
        if (file_exists(path)) {
            char *text = read_whole_file(path, NULL);
            size_t got = lines(text);
            free(text);
            if (got >= count)
                return;
        }
        usleep(5000);
    }
    cr_assert(false, "%zu rows did not come within 10 s", count);
}

/* Every row printed is in the database. */
static void check_rows(const char *db, const char *rows)
{
    char *text = read_whole_file(rows, NULL);
    for (char *at = text; (at = strstr(at, "\"measurement_id\": \"")); at++) {
        char id[33] = "";
        memcpy(id, at + 19, 32);
        cr_assert(strcmp(ask(db, "SELECT count(*) FROM results WHERE measurement_id = ?", id), "1") == 0,
                  "printed but lost: %s", id);
    }
    free(text);
}

static void resume_and_compare(const char *db)
{
    outcome o = attnlab(SWEEP_ARGUMENTS " --resume --db '%s'", db);
    cr_assert(o.exit_code == 0 && lines(o.out) == SWEEP, "resume: exit %d, %zu rows: %s", o.exit_code,
              lines(o.out), o.err);
    outcome_free(&o);
    check_database(db);
    const char *set =
        ask(db, "SELECT group_concat(n) FROM (SELECT DISTINCT n FROM results ORDER BY n)", NULL);
    cr_assert(strcmp(set, "8,16,24,32,40,48,56,64,72,80,88,96") == 0, "cells: %s", set);
    cr_assert(strcmp(ask(db, "SELECT count(*) FROM results", NULL), "12") == 0, "measured twice");
}

Test(cli_run_ends, killed_at_any_moment_loses_no_finished_cell)
{
    static const unsigned delays_us[] = {0, 300, 3000, 9000, 15000, 23000};
    int killed = 0, status;
    for (size_t i = 0; i < sizeof delays_us / sizeof delays_us[0]; i++) {
        char name[32];
        snprintf(name, sizeof name, "kill-%zu.db", i);
        const char *db = place(name);
        const char *rows = place("rows"), *messages = place("messages");
        unlink(rows);
        pid_t child = start(db, rows, messages, SWEEP_ARGUMENTS);
        wait_for_rows(rows, 1 + i % 3);
        usleep(delays_us[i]);
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
        killed += WIFSIGNALED(status);
        check_database(db);
        check_rows(db, rows);
        resume_and_compare(db);
    }
    cr_assert(killed > 0, "every sweep was over before it could be killed");
}

Test(cli_run_ends, killed_before_the_first_cell_leaves_a_database_or_none)
{
    for (unsigned delay = 500; delay < 40000; delay = delay * 3 / 2) {
        const char *db = place("early.db");
        const char *rows = place("rows"), *messages = place("messages");
        pid_t child = start(db, rows, messages, SWEEP_ARGUMENTS);
        usleep(delay);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        outcome o = attnlab("run -p dense -n 8 --heads 2 -d 16 --metrics flops --db '%s'", db);
        cr_assert(o.exit_code == 0, "killed after %u us, then exit %d: %s", delay, o.exit_code, o.err);
        outcome_free(&o);
        check_database(db);
        outcome gone = shell("rm -f '%s'*", db);
        outcome_free(&gone);
    }
}

static void interrupt(int number)
{
    const char *db = place("x.db");
    int status;
    const char *rows = place("rows"), *messages = place("messages");
    pid_t child = start(db, rows, messages, SWEEP_ARGUMENTS);
    wait_for_rows(rows, 2);
    kill(-child, number); /* a terminal tells the whole group */
    waitpid(child, &status, 0);
    char *said = read_whole_file(messages, NULL);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 130, "signal %d: status %#x: %s", number,
              (unsigned)status, said);
    cr_assert(lines(said) == 1 && strstr(said, "--resume") && strstr(said, db), "signal %d: %s", number,
              said);
    free(said);
    cr_assert(strcmp(ask(db, "SELECT outcome FROM runs", NULL), "interrupted") == 0, "outcome not kept");
    cr_assert(strcmp(ask(db, "SELECT count(*) FROM failures", NULL), "0") == 0,
              "an interrupted cell counts as failed");
    check_rows(db, rows);
    resume_and_compare(db);
}

Test(cli_run_ends, interrupt_keeps_what_is_finished)
{
    interrupt(SIGINT);
}

/* SIGTERM to the parent alone: the child, which default handling would leave, must go too. */
Test(cli_run_ends, termination_stops_a_cell_that_hangs)
{
    char arguments[1024], survivors[64];
    const char *db = place("x.db");
    int status;
    const char *rows = place("rows"), *messages = place("messages");
    snprintf(arguments, sizeof arguments,
             "run --plugin '%s/tests/plugins/fragile.so' -p fragile -p fragile:end=hang -n 16 "
             "-d 4 --heads 1 --max-time 0.01 -o jsonl",
             getenv("ATTN_BUILD"));
    pid_t child = start(db, rows, messages, arguments);
    wait_for_rows(rows, 1);
    usleep(100000);
    kill(child, SIGTERM);
    waitpid(child, &status, 0);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 130, "status %#x", (unsigned)status);
    snprintf(survivors, sizeof survivors, "pgrep -g %d", (int)child);
    outcome o = shell("%s", survivors);
    cr_assert(!*o.out, "left running: %s", o.out);
    outcome_free(&o);
    cr_assert(strcmp(ask(db, "SELECT count(*) FROM results", NULL), "1") == 0, "the finished cell is lost");
}

Test(cli_run_ends, failed_cells_are_told_kept_apart_and_passed_over)
{
    static const struct {
        const char *end, *says;
        int exit_code;
    } ends[] = {{"segfault", "crashed", 70},
                {"abort", "giving up", 70},
                {"exit", "code 3", 70},
                {"kill", "memory", 74}};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        char name[32];
        snprintf(name, sizeof name, "%s.db", ends[i].end);
        const char *db = place(name);
        outcome o = {0};
        for (int resumed = 0; resumed < 2; resumed++) {
            o = shell("ulimit -c 0; ASAN_OPTIONS=handle_abort=0:handle_segv=0 exec \"$ATTNLAB\" run --plugin "
                      "\"$ATTN_BUILD/tests/plugins/fragile.so\" -p dense -p fragile:end=%s -p fragile -n 16 "
                      "-d 4 --heads 1 "
                      "--max-time 0.01 --metrics flops,accuracy --resume --db '%s' -o jsonl",
                      ends[i].end, db);
            cr_assert(o.exit_code == ends[i].exit_code && lines(o.out) == 2, "%s: exit %d: %s", ends[i].end,
                      o.exit_code, o.err);
            cr_assert(strstr(o.err, "fragile:end=") && strstr(o.err, ends[i].says) && lines(o.err) == 2,
                      "%s: %s", ends[i].end, o.err);
            outcome_free(&o);
        }
        cr_assert(strcmp(ask(db, "SELECT count(*) FROM results", NULL), "2") == 0, "%s: results",
                  ends[i].end);
        cr_assert(strcmp(ask(db, "SELECT count(*) FROM failures WHERE length(reason) > 5", NULL), "2") == 0,
                  "%s: failures", ends[i].end);
        cr_assert(strcmp(ask(db, "SELECT group_concat(outcome) FROM runs", NULL), "incomplete,incomplete") ==
                      0,
                  "%s: outcome", ends[i].end);
        check_database(db);
    }
}

Test(cli_run_ends, two_writers_at_once_lose_nothing)
{
    const char *rows[2], *messages[2];
    const char *db = place("x.db");
    pid_t children[2];
    for (int i = 0; i < 2; i++) {
        rows[i] = place(i ? "rows1" : "rows0");
        messages[i] = place(i ? "messages1" : "messages0");
        children[i] = start(db, rows[i], messages[i], SWEEP_ARGUMENTS);
    }
    for (int i = 0; i < 2; i++) {
        int status;
        waitpid(children[i], &status, 0);
        char *said = read_whole_file(messages[i], NULL);
        cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "writer %d: status %#x: %s", i,
                  (unsigned)status, said);
        free(said);
        check_rows(db, rows[i]);
    }
    cr_assert(
        strcmp(
            ask(db,
                "SELECT count(*) || ' ' || count(DISTINCT n) || ' ' || count(DISTINCT run_id) FROM results",
                NULL),
            "24 12 2") == 0,
        "lost");
    check_database(db);
}
