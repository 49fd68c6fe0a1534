/* attnlab db: path, check, sql, export, import. */
#include <criterion/criterion.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/program.h"
#include "support/store_fill.h"

static char db[512];

/* A database with two runs, made once for each test. */
static void fill(void)
{
    snprintf(db, sizeof db, "%s", scratch_path("results.db"));
    store *s = fill_open(db);
    fill_run(s, fill_about(0, 0), "one", 8, 2);
    fill_run(s, fill_about(1, 1), "two", 8, 1);
    store_close(s);
}

Test(cli_db, path_follows_the_option_then_the_environment)
{
    outcome o = shell("unset ATTNLAB_DB; \"$ATTNLAB\" db path; ATTNLAB_DB=a.db \"$ATTNLAB\" db path; "
                      "ATTNLAB_DB=a.db \"$ATTNLAB\" db path --db b.db");
    cr_assert(o.exit_code == 0 && strcmp(o.out, "results/attnlab.db\na.db\nb.db\n") == 0, "%s%s", o.out,
              o.err);
    outcome_free(&o);
}

Test(cli_db, check_counts, .init = fill)
{
    outcome o = attnlab("db check --db '%s' -o csv", db);
    cr_assert(o.exit_code == 0 && !*o.err, "exit %d: %s", o.exit_code, o.err);
    static const char *const lines[] = {"integrity,ok", "foreign_keys,ok", "runs,2",     "cells,2",
                                        "finished,3",   "failed,0",        "samples,48"};
    char version[32];
    snprintf(version, sizeof version, "version,%d\r\n", store_version());
    cr_assert(strstr(o.out, version) != NULL, "no '%s' in %s", version, o.out);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        cr_assert(strstr(o.out, lines[i]) != NULL, "no '%s' in %s", lines[i], o.out);
    outcome_free(&o);
}

Test(cli_db, check_finds_orphans_and_damage, .init = fill)
{
    sqlite3 *raw;
    cr_assert(sqlite3_open(db, &raw) == SQLITE_OK, "open");
    sqlite3_exec(raw, "PRAGMA foreign_keys = OFF; DELETE FROM runs WHERE id = 1", NULL, NULL, NULL);
    sqlite3_close(raw);
    outcome o = attnlab("db check --db '%s'", db);
    cr_assert(o.exit_code == 2 && strstr(o.err, "runs"), "orphans: exit %d: %s", o.exit_code, o.err);
    outcome_free(&o);

    size_t size;
    char *bytes = read_whole_file(db, &size);
    memset(bytes + size / 2, 0x5a, size / 4);
    write_whole_file(db, bytes, size);
    free(bytes);
    o = attnlab("db check --db '%s'", db);
    cr_assert(o.exit_code == 2 && strncmp(o.err, "attnlab: ", 9) == 0, "damage: exit %d: %s", o.exit_code,
              o.err);
    outcome_free(&o);
}

Test(cli_db, sql_prints_in_every_format, .init = fill)
{
    static const struct {
        const char *format, *right;
    } formats[] = {
        {"csv", "n,x\r\n8,a\r\n9,\r\n"},
        {"jsonl", "{\"n\": 8, \"x\": \"a\"}\n{\"n\": 9, \"x\": null}\n"},
        {"json", "[\n {\"n\": 8, \"x\": \"a\"},\n {\"n\": 9, \"x\": null}\n]\n"},
        {"table", "n  x\n8  a\n9  -\n"},
    };
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        outcome o = attnlab(
            "db sql \"SELECT n, CASE n WHEN 8 THEN 'a' END AS x FROM cells ORDER BY n; \" -o %s --db '%s'",
            formats[i].format, db);
        cr_assert(o.exit_code == 0 && strcmp(o.out, formats[i].right) == 0, "%s: exit %d: %s%s",
                  formats[i].format, o.exit_code, o.out, o.err);
        outcome_free(&o);
    }
    outcome o = attnlab("db sql 'SELECT * FROM latest' -o jsonl --db '%s'", db);
    cr_assert(o.exit_code == 0 && strstr(o.out, "\"time_ns_median\": 8000.3"), "exit %d: %s", o.exit_code,
              o.out);
    outcome_free(&o);
}

Test(cli_db, sql_only_reads, .init = fill)
{
    static const char *const queries[] = {
        "",
        " ",
        ";",
        "/* nothing */",
        "DELETE FROM runs",
        "UPDATE runs SET label = 1",
        "DROP TABLE runs",
        "CREATE TABLE t (x)",
        "CREATE TEMP TABLE t (x)",
        "INSERT INTO series VALUES (99, 'a', 'b')",
        "ATTACH 'other.db' AS o",
        "VACUUM INTO 'copy.db'",
        "VACUUM",
        "PRAGMA user_version = 9",
        "PRAGMA journal_mode = delete",
        "SELECT 1; DELETE FROM runs",
        "SELECT 1; SELECT 2",
        "BEGIN",
        "REINDEX",
        "SELECT",
        "SELECT nonesuch FROM runs",
        "SELECT * FROM nonesuch",
        "SELECT load_extension('x')",
        "\x01",
    };
    size_t size, after_size;
    char *before = read_whole_file(db, &size);
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
        outcome o = shell("cd '%s' && $ATTNLAB db sql \"%s\" --db results.db", scratch_folder(), queries[i]);
        cr_assert(o.exit_code == 2 && one_complaint(&o, "sql", NULL), "%s: exit %d: %s%s", queries[i],
                  o.exit_code, o.out, o.err);
        outcome_free(&o);
    }
    char *after = read_whole_file(db, &after_size);
    cr_assert(size == after_size && memcmp(before, after, size) == 0, "the file changed");
    cr_assert(!file_exists(scratch_path("other.db")) && !file_exists(scratch_path("copy.db")), "a file");
    free(before);
    free(after);
}

Test(cli_db, export_and_import_round_trip, .init = fill)
{
    static const char *const formats[] = {"jsonl", "csv"};
    for (int i = 0; i < 2; i++) {
        outcome o = shell("cd '%s' && a=\"$ATTNLAB\" && $a db export --db results.db -o %s > 1 && $a db "
                          "import 1 --db copy.db "
                          "&& $a db export --db copy.db -o %s > 2 && cmp 1 2 && $a db import 2 --db copy.db "
                          "&& $a db export "
                          "--db copy.db -o %s > 3 && cmp 1 3 && $a db check --db copy.db && rm copy.db*",
                          scratch_folder(), formats[i], formats[i], formats[i]);
        cr_assert(o.exit_code == 0, "%s: exit %d: %s%s", formats[i], o.exit_code, o.out, o.err);
        cr_assert(strstr(o.err, "2 runs, 3 measurements, 48 samples, 0 peaks and 0 entries of wisdom added") &&
                      strstr(o.err, "3 measurements known"),
                  "%s", o.err);
        outcome_free(&o);
    }
    outcome o = shell(
        "cd '%s' && $ATTNLAB db export --db results.db > 1 && $ATTNLAB db export --db results.db -o jsonl | "
        "cmp - 1 && $ATTNLAB db export --db results.db >/dev/full",
        scratch_folder());
    cr_assert(o.exit_code == 74, "full: exit %d: %s", o.exit_code, o.err);
    outcome_free(&o);
}

Test(cli_db, bad_imports_make_no_database, .init = fill)
{
    outcome o =
        shell("cd '%s' && $ATTNLAB db export --db results.db > good && head -c 3000 good > cut && sed 5d "
              "good > short "
              "&& head -c 3000 /dev/urandom > noise && : > empty && mkdir folder && cp results.db binary",
              scratch_folder());
    cr_assert(o.exit_code == 0, "%s", o.err);
    outcome_free(&o);
    static const char *const files[] = {"cut", "short", "noise", "empty", "folder", "binary", "missing"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        o = shell("cd '%s' && $ATTNLAB db import %s --db new.db", scratch_folder(), files[i]);
        cr_assert(o.exit_code == 2 && one_complaint(&o, files[i], NULL), "%s: exit %d: %s", files[i],
                  o.exit_code, o.err);
        cr_assert(!file_exists(scratch_path("new.db")), "%s made a database", files[i]);
        outcome_free(&o);
    }
}

Test(cli_db, complains_in_one_line, .init = fill)
{
    static const char *const bad[][2] = {
        {"db", "needs"},
        {"db nonesuch", "nonesuch"},
        {"db sql", "sql"},
        {"db import", "import"},
        {"db path x", "path"},
        {"db check x", "check"},
        {"db sql 'SELECT 1' x", "takes 1 argument, not 2"},
        {"db path -o csv", "-o"},
        {"db import x -o csv", "-o"},
        {"db export -o table", "jsonl"},
        {"db export -o json", "jsonl"},
        {"db check -o xml", "xml"},
        {"db check --db /nonexistent/x.db", "/nonexistent"},
        {"db sql 'SELECT 1' --db /nonexistent.db", "/nonexistent.db"},
        {"db export --db /", "folder"},
        {"db check --db /dev/null", "/dev/null"},
        {"db check --db /etc/passwd", "not a database"},
        {"db check --frobnicate", "frobnicate"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        outcome o = strstr(bad[i][0], "--db") ? attnlab("%s", bad[i][0])
                                              : shell("ATTNLAB_DB='%s' $ATTNLAB %s", db, bad[i][0]);
        cr_assert(o.exit_code == 2 && one_complaint(&o, bad[i][1], NULL), "%s: exit %d: %s%s", bad[i][0],
                  o.exit_code, o.out, o.err);
        outcome_free(&o);
    }
}

/* What other programs measured comes in behind a stamp. */
Test(cli_db, a_stamp_begins_an_import)
{
    snprintf(db, sizeof db, "%s", scratch_path("stamped.db"));
    outcome o = shell("cd %s && { echo '{\"record\": \"attnlab\", \"format\": 1, \"schema\": 1, \"runs\": 1, "
                      "\"measurements\": 0, \"samples\": 0}'; \"$ATTNLAB\" db stamp outside \"their 'line'\"; } >in.jsonl "
                      "&& \"$ATTNLAB\" db import in.jsonl --db %s && \"$ATTNLAB\" db sql \"SELECT label, command, "
                      "outcome IS NULL, length(run_id), version <> '', cpus > 0 FROM runs r JOIN builds b ON b.id = r.build "
                      "JOIN hosts h ON h.id = r.host\" --db %s -o csv",
                      scratch_folder(), db, db);
    cr_assert(o.exit_code == 0 && strstr(o.out, "\noutside,their 'line',1,32,1,1"), "exit %d: %s%s", o.exit_code, o.out,
              o.err);
    outcome_free(&o);
    o = attnlab("db stamp outside");
    cr_assert(o.exit_code == 2 && one_complaint(&o, "takes 2 arguments", "stamp LABEL COMMAND", NULL), "%s", o.err);
    outcome_free(&o);
}
