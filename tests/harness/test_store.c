/* The store: opening, refusing, migrating, writing whole measurements or nothing. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/stats.h"
#include "harness/store_sql.h"
#include "support/program.h"
#include "support/store_fill.h"

/* Opening `path` fails with `status` and a message that holds `word`. */
static void refuses(const char *path, store_mode mode, attn_status status, const char *word)
{
    attn_error err = {{0}};
    store *s;
    attn_status got = store_open(&s, path, mode, &err);
    cr_assert(got == status && !s && strstr(err.message, word), "%s: status %d, wanted %d with '%s': %s",
              path, (int)got, (int)status, word, err.message);
}

static void make(const char *path, const char *sql)
{
    sqlite3 *db;
    cr_assert(sqlite3_open(path, &db) == SQLITE_OK && sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK,
              "%s: %s", path, sqlite3_errmsg(db));
    sqlite3_close(db);
}

/* ---- opening ---- */

Test(store, refuses_paths_that_cannot_be_databases)
{
    refuses("", STORE_WRITE, ATTN_EINVAL, "file name");
    refuses(scratch_folder(), STORE_WRITE, ATTN_EINVAL, "folder");
    refuses(scratch_path("none/x.db"), STORE_WRITE, ATTN_EINVAL, "make it first");
    refuses(scratch_path("none.db"), STORE_READ, ATTN_EINVAL, "no such database");
    refuses("/dev/null", STORE_WRITE, ATTN_EINVAL, "regular file");
    write_whole_file(scratch_path("empty.db"), "", 0);
    refuses(scratch_path("empty.db"), STORE_READ, ATTN_EINVAL, "empty");
    cr_assert(!file_exists(scratch_path("none.db")) && !file_exists(scratch_path("none")), "made something");
}

Test(store, refuses_other_files_and_leaves_them_as_they_are)
{
    char junk[5000];
    memset(junk, 'x', sizeof junk);
    write_whole_file(scratch_path("text.db"), junk, sizeof junk);
    refuses(scratch_path("text.db"), STORE_WRITE, ATTN_EINVAL, "not a database");
    refuses(scratch_path("text.db"), STORE_READ, ATTN_EINVAL, "not a database");
    size_t size;
    char *after = read_whole_file(scratch_path("text.db"), &size);
    cr_assert(size == sizeof junk && memcmp(after, junk, size) == 0, "text.db was written to");
    free(after);

    make(scratch_path("other.db"), "PRAGMA application_id = 77; CREATE TABLE t (x)");
    refuses(scratch_path("other.db"), STORE_WRITE, ATTN_EINVAL, "another application");
    make(scratch_path("plain.db"), "CREATE TABLE t (x)");
    refuses(scratch_path("plain.db"), STORE_WRITE, ATTN_EINVAL, "another application");
    refuses(scratch_path("plain.db"), STORE_READ, ATTN_EINVAL, "another application");
}

Test(store, refuses_newer_versions)
{
    const char *path = scratch_path("new.db");
    store_close(fill_open(path));
    char sql[64];
    snprintf(sql, sizeof sql, "PRAGMA user_version = %d", store_version() + 1);
    make(path, sql);
    refuses(path, STORE_WRITE, ATTN_EINVAL, "newer");
    refuses(path, STORE_READ, ATTN_EINVAL, "newer");
}

/* A damaged file is the user's to replace; whatever is damaged, opening and reading never crash. */
Test(store, survives_damage)
{
    const char *path = scratch_path("damaged.db");
    store *s = fill_open(path);
    fill_run(s, fill_about(0, 0), "", 1, 20);
    store_close(s);
    size_t size;
    char *good = read_whole_file(path, &size);
    for (size_t at = 100; at < size; at += 997) {
        char *bad = malloc(size);
        memcpy(bad, good, size);
        memset(bad + at, 0xa5, size - at < 200 ? size - at : 200);
        write_whole_file(path, bad, size);
        attn_error err = {{0}};
        if (store_open(&s, path, STORE_READ, &err) == ATTN_OK) {
            sqlite3_exec(store_handle(s), "SELECT * FROM results; PRAGMA integrity_check", NULL, NULL, NULL);
            store_close(s);
        } else {
            cr_assert(*err.message && !strchr(err.message, '\n'), "at %zu: no message", at);
        }
        free(bad);
    }
    free(good);
}

Test(store, says_locked_after_its_timeout)
{
    const char *path = scratch_path("locked.db");
    store_close(fill_open(path));
    sqlite3 *other;
    cr_assert(sqlite3_open(path, &other) == SQLITE_OK, "cannot open");
    cr_assert(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK, "cannot lock");
    setenv("ATTNLAB_DB_WAIT", "0.05", 1);
    store *s = fill_open(path); /* opening only reads */
    attn_error err = {{0}};
    run_ticket ticket;
    char id[STORE_ID_LENGTH + 1];
    samples none = {0};
    const store_measurement m = {
        .cell = fill_cell(8), .started = "a", .finished = "b", .metrics = "time", .samples = &none};
    cr_assert(store_run_begin(s, fill_about(0, 0), &ticket, &err) == ATTN_OK, "%s", err.message);
    attn_status status = store_put(s, &ticket, &m, id, &err);
    cr_assert(status == ATTN_EIO && strstr(err.message, "locked"), "status %d: %s", (int)status, err.message);
    sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL);
    sqlite3_close(other);
    cr_assert(store_put(s, &ticket, &m, id, &err) == ATTN_OK, "once free: %s", err.message);
    store_close(s);
}

Test(store, uses_wal_and_foreign_keys)
{
    store *s = fill_open(scratch_path("wal.db"));
    const char *mode = ask_store(s, "PRAGMA journal_mode");
    cr_assert(strcmp(mode, "wal") == 0 || strcmp(mode, "delete") == 0, "journal_mode %s", mode);
    cr_assert(strcmp(ask_store(s, "PRAGMA foreign_keys"), "1") == 0, "foreign keys are off");
    int rc = sqlite3_exec(store_handle(s), "INSERT INTO samples VALUES (1, 1, 0, 5, NULL)", NULL, NULL, NULL);
    cr_assert(rc == SQLITE_CONSTRAINT, "an orphan sample: %d", rc);
    store_close(s);
}

/* Whoever comes first makes the file; the others find it whole. */
Test(store, several_may_create_it_at_once)
{
    enum { WRITERS = 6, ROUNDS = 25 };
    for (int round = 0; round < ROUNDS; round++) {
        char name[32], path[512];
        pid_t children[WRITERS];
        snprintf(name, sizeof name, "race-%d.db", round);
        snprintf(path, sizeof path, "%s", scratch_path(name));
        for (int i = 0; i < WRITERS; i++)
            if ((children[i] = fork()) == 0) {
                attn_error err = {{0}};
                store *s = NULL;
                attn_status status = store_open(&s, path, STORE_WRITE, &err);
                if (status)
                    fprintf(stderr, "%s\n", err.message);
                store_close(s);
                _exit(status);
            }
        for (int i = 0; i < WRITERS; i++) {
            int status;
            waitpid(children[i], &status, 0);
            cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "round %d, writer %d: %#x", round, i,
                      (unsigned)status);
        }
    }
}

/* ---- migration ---- */

static const char second_step[] = "ALTER TABLE runs ADD COLUMN mood TEXT NOT NULL DEFAULT 'calm'; "
                                  "CREATE VIEW leftover AS SELECT 1";

/* Our steps and one more. */
static attn_status migrate_further(store *s, const char *sql, attn_error *err)
{
    migration steps[16];
    for (size_t i = 0; i < store_migration_count; i++)
        steps[i] = store_migrations[i];
    steps[store_migration_count] = (migration){store_version() + 1, sql};
    return store_migrate(s, steps, store_migration_count + 1, err);
}

static store *migrated(const char *path, const char *sql, attn_status *status, attn_error *err)
{
    store *s = fill_open(path);
    *status = migrate_further(s, sql, err);
    return s;
}

static int version_of(store *s)
{
    return atoi(ask_store(s, "PRAGMA user_version"));
}

Test(store, migrates_after_a_backup)
{
    char first_name[32], second_name[32], back[96];
    snprintf(first_name, sizeof first_name, "old.db.v%d.bak", store_version());
    snprintf(second_name, sizeof second_name, "old.db.v%d-2.bak", store_version());
    snprintf(back, sizeof back, "PRAGMA user_version = %d; ALTER TABLE runs DROP COLUMN mood", store_version());
    const char *path = scratch_path("old.db"), *backup = scratch_path(first_name), *second = scratch_path(second_name);
    attn_error err = {{0}};
    attn_status status;
    store *s = fill_open(path);
    fill_run(s, fill_about(0, 0), "kept", 1, 3);
    char *before = export_text(s, false);
    store_close(s);

    s = migrated(path, second_step, &status, &err);
    cr_assert(status == ATTN_OK, "%s", err.message);
    cr_assert(version_of(s) == store_version() + 1, "version %d", version_of(s));
    cr_assert(strcmp(ask_store(s, "SELECT mood || label FROM runs"), "calmkept") == 0, "the run is lost");
    cr_assert(strcmp(ask_store(s, "SELECT count(*) FROM results"), "3") == 0, "the views are lost");
    store_close(s);
    refuses(path, STORE_WRITE, ATTN_EINVAL, "newer");

    s = fill_open(backup);
    char *after = export_text(s, false);
    cr_assert(strcmp(before, after) == 0, "the backup differs from what was there");
    store_close(s);
    free(before);
    free(after);

    make(path, back);
    s = migrated(path, second_step, &status, &err);
    cr_assert(status == ATTN_OK && file_exists(second), "an older backup was overwritten: %s", err.message);
    store_close(s);
}

/* Each version there has been leads to this one, with what it held. */
Test(store, opens_files_of_all_versions)
{
    for (size_t v = 0; v + 1 < store_migration_count; v++) {
        const char *path = scratch_path("aged.db");
        char stamp[128];
        unlink(path);
        for (size_t step = 0; step <= v; step++)
            make(path, store_migrations[step].sql);
        snprintf(stamp, sizeof stamp, "PRAGMA application_id = %d; PRAGMA user_version = %d;",
                 (int)STORE_APPLICATION_ID, store_migrations[v].version);
        make(path, stamp);
        make(path, "INSERT INTO series (name, unit) VALUES ('time_ns', 'ns')");
        attn_error err = {{0}};
        store *s;
        cr_assert(store_open(&s, path, STORE_READ, &err) == ATTN_OK, "version %d: %s", store_migrations[v].version,
                  err.message);
        cr_assert(version_of(s) == store_version() && strcmp(ask_store(s, "SELECT unit FROM series"), "ns") == 0,
                  "version %d", store_migrations[v].version);
        cr_assert(strcmp(ask_store(s, "SELECT count(share_of_peak) FROM results"), "0") == 0, "no views");
        store_close(s);
    }
}

Test(store, failed_migration_changes_nothing)
{
    const char *path = scratch_path("kept.db");
    attn_error err = {{0}};
    attn_status status;
    store *s = fill_open(path);
    fill_run(s, fill_about(0, 0), "", 1, 2);
    char *before = export_text(s, false);
    store_close(s);
    s = migrated(path, "CREATE TABLE half (x); INSERT INTO nowhere VALUES (1)", &status, &err);
    cr_assert(status != ATTN_OK && *err.message, "status %d", (int)status);
    store_close(s);
    s = fill_open(path);
    char *after = export_text(s, false);
    cr_assert(strcmp(before, after) == 0, "content changed");
    cr_assert(!*ask_store(s, "SELECT 1 FROM sqlite_schema WHERE name = 'half'"), "half a step was kept");
    store_close(s);
    free(before);
    free(after);
}

Test(store, migration_needs_a_place_for_the_backup)
{
    const char *path = scratch_path("full.db");
    attn_error err = {{0}};
    attn_status status;
    store *s = fill_open(path);
    fill_run(s, fill_about(0, 0), "", 1, 1);
    unlink(path); /* nothing to copy from any more */
    status = migrate_further(s, second_step, &err);
    cr_assert(status != ATTN_OK, "migrated without a backup");
    cr_assert(version_of(s) == store_version(), "version changed");
    store_close(s);
}

/* ---- writing ---- */

static attn_status put_one(store *s, run_ticket *ticket, const char *unit, attn_error *err)
{
    char id[STORE_ID_LENGTH + 1];
    samples list = {0};
    recorder r = samples_recorder(&list);
    for (int i = 0; i < 3000; i++)
        record_real(&r, "time_ns", unit, i + 0.5);
    const store_measurement m = {.cell = fill_cell(8),
                                 .started = "2024-05-01T00:00:00.000Z",
                                 .finished = "2024-05-01T00:00:01.000Z",
                                 .metrics = "time",
                                 .samples = &list};
    attn_status status = store_put(s, ticket, &m, id, err);
    samples_free(&list);
    return status;
}

Test(store, full_disk_keeps_all_or_nothing)
{
    store *s = fill_open(scratch_path("full.db"));
    attn_error err = {{0}};
    run_ticket ticket;
    cr_assert(store_run_begin(s, fill_about(0, 0), &ticket, &err) == ATTN_OK, "%s", err.message);
    sqlite3_exec(store_handle(s), "PRAGMA max_page_count = 30", NULL, NULL, NULL);
    attn_status status = put_one(s, &ticket, "ns", &err);
    cr_assert(status == ATTN_EIO && strstr(err.message, "full"), "status %d: %s", (int)status, err.message);
    cr_assert(strcmp(ask_store(s, "SELECT (SELECT count(*) FROM runs) + (SELECT count(*) FROM cells) + "
                                  "(SELECT count(*) FROM samples)"),
                     "0") == 0,
              "something was kept");
    sqlite3_exec(store_handle(s), "PRAGMA max_page_count = 100000", NULL, NULL, NULL);
    cr_assert(put_one(s, &ticket, "ns", &err) == ATTN_OK, "with room again: %s", err.message);
    cr_assert(strcmp(ask_store(s, "SELECT count(*) FROM samples"), "3000") == 0, "samples are missing");
    store_close(s);
}

Test(store, series_has_one_unit)
{
    store *s = fill_open(scratch_path("unit.db"));
    attn_error err = {{0}};
    run_ticket ticket;
    cr_assert(store_run_begin(s, fill_about(0, 0), &ticket, &err) == ATTN_OK, "%s", err.message);
    cr_assert(put_one(s, &ticket, "ns", &err) == ATTN_OK, "%s", err.message);
    cr_assert(store_run_begin(s, fill_about(0, 0), &ticket, &err) == ATTN_OK, "%s", err.message);
    attn_status status = put_one(s, &ticket, "us", &err);
    cr_assert(status == ATTN_EINVAL && strstr(err.message, "unit"), "status %d: %s", (int)status,
              err.message);
    cr_assert(strcmp(ask_store(s, "SELECT count(*) FROM runs"), "1") == 0, "half a run was kept");
    store_close(s);
}

Test(store, run_that_measures_nothing_leaves_no_trace)
{
    store *s = fill_open(scratch_path("nothing.db"));
    attn_error err = {{0}};
    run_ticket ticket;
    cr_assert(store_run_begin(s, fill_about(0, 0), &ticket, &err) == ATTN_OK, "%s", err.message);
    cr_assert(store_run_end(s, &ticket, "complete", &err) == ATTN_OK, "%s", err.message);
    cr_assert(strcmp(ask_store(s, "SELECT count(*) FROM runs"), "0") == 0, "a run without measurements");
    store_close(s);
}

/* Whether the store has this cell already for host, build and metrics. */
static bool found(store *s, int host_number, int build_number, size_t n, const char *metrics)
{
    attn_error err = {{0}};
    run_ticket ticket;
    char id[STORE_ID_LENGTH + 1];
    cr_assert(store_run_begin(s, fill_about(host_number, build_number), &ticket, &err) == ATTN_OK, "%s",
              err.message);
    cr_assert(store_find(s, &ticket, fill_cell(n), metrics, "time", id, &err) == ATTN_OK, "%s", err.message);
    return *id;
}

Test(store, finds_what_was_measured_by_cell_host_build_and_metrics)
{
    store *s = fill_open(scratch_path("find.db"));
    fill_run(s, fill_about(0, 0), "", 8, 2); /* with metrics time,flops */
    cr_assert(found(s, 0, 0, 8, "time,flops") && found(s, 0, 0, 9, "time") && found(s, 0, 0, 9, "flops"),
              "not found");
    cr_assert(!found(s, 0, 0, 10, "time"), "another n");
    cr_assert(!found(s, 1, 0, 8, "time"), "another host");
    cr_assert(!found(s, 0, 1, 8, "time"), "another build");
    cr_assert(!found(s, 0, 0, 8, "time,memory"), "more metrics");
    cr_assert(!found(s, 0, 0, 8, "flop") && !found(s, 0, 0, 8, "flopss"), "part of a name");
    sqlite3_exec(store_handle(s), "UPDATE measurements SET status = 'failed', reason = 'x'", NULL, NULL,
                 NULL);
    cr_assert(!found(s, 0, 0, 8, "time"), "a failed one");
    store_close(s);
}

/* ---- views ---- */

/* The view's ranks are a closed form; the statistics count binomials. */
Test(store, medians_of_the_view_are_those_of_the_statistics)
{
    store *s = fill_open(scratch_path("median.db"));
    attn_error err = {{0}};
    run_ticket ticket;
    uint64_t state = 1;
    cr_assert(store_run_begin(s, fill_about(0, 0), &ticket, &err) == ATTN_OK, "%s", err.message);
    for (size_t count = 1; count <= 1200; count += count < 60 ? 1 : 59) {
        samples list = {0};
        recorder r = samples_recorder(&list);
        double *values = malloc(count * sizeof *values);
        for (size_t i = 0; i < count; i++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            values[i] = (double)(state >> 40);
            record_real(&r, "time_ns", "ns", values[i]);
        }
        char id[STORE_ID_LENGTH + 1], sql[256], wanted[128];
        const store_measurement m = {
            .cell = fill_cell(count), .started = "a", .finished = "b", .metrics = "time", .samples = &list};
        cr_assert(store_put(s, &ticket, &m, id, &err) == ATTN_OK, "%s", err.message);
        samples_free(&list);
        const interval x = stats_median(values, count, 0.95);
        snprintf(wanted, sizeof wanted, "%.1f %.1f %.1f %.1f %zu", x.median, x.lo, x.hi, values[0],
                 x.samples);
        snprintf(sql, sizeof sql,
                 "SELECT printf('%%.1f %%.1f %%.1f %%.1f %%d', time_ns_median, time_ns_ci_lo, "
                 "time_ns_ci_hi, time_ns_min, time_ns_samples) FROM results WHERE n = %zu",
                 count);
        cr_assert(strcmp(ask_store(s, sql), wanted) == 0, "%zu samples: view %s, statistics %s", count,
                  ask_store(s, sql), wanted);
        free(values);
    }
    store_close(s);
}

Test(store, results_say_what_is_missing_and_why)
{
    store *s = fill_open(scratch_path("why.db"));
    fill_run(s, fill_about(0, 0), "", 100, 1);
    static const struct {
        const char *sql, *right;
    } questions[] = {
        {"SELECT json_extract(reasons, '$.rel_err') FROM results", "not a number"},
        {"SELECT json_type(counters, '$.cycles') FROM results", "null"},
        {"SELECT json_extract(counters, '$.page_faults') FROM results", "0"},
        {"SELECT pairs FROM results", "5050"},
        {"SELECT pairs_total FROM results", "40400"},
        {"SELECT flops_useful FROM results", "9007199254740993"},
        {"SELECT peak_rss_bytes FROM results", ""},
        {"SELECT printf('%u', seed) FROM results", "18446744073709551615"},
        {"SELECT typeof(max_abs_err) FROM results", "real"},
        {"SELECT count(*) FROM observations WHERE series = 'time_ns'", "7"},
        {"SELECT printf('%.3f', gflops) FROM results", "90071722332.243"},
    };
    for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++)
        cr_assert(strcmp(ask_store(s, questions[i].sql), questions[i].right) == 0, "%s: '%s', not '%s'",
                  questions[i].sql, ask_store(s, questions[i].sql), questions[i].right);
    store_close(s);
}

Test(store, latest_is_the_newest_of_each_cell_on_each_host)
{
    store *s = fill_open(scratch_path("latest.db"));
    fill_run(s, fill_about(0, 0), "first", 8, 2);
    sqlite3_exec(store_handle(s), "UPDATE measurements SET finished = '2000-01-01T00:00:00.000Z'", NULL, NULL,
                 NULL);
    fill_run(s, fill_about(0, 1), "second", 8, 1);
    fill_run(s, fill_about(1, 0), "elsewhere", 8, 1);
    cr_assert(
        strcmp(ask_store(s, "SELECT group_concat(label || n) FROM (SELECT * FROM latest ORDER BY n, label)"),
               "elsewhere8,second8,first9") == 0,
        "%s", ask_store(s, "SELECT group_concat(label || n) FROM latest"));
    store_close(s);
}

/* The views use nothing that a plain connection lacks. */
Test(store, plain_sqlite_reads_the_views)
{
    const char *path = scratch_path("plain.db");
    store *s = fill_open(path);
    fill_run(s, fill_about(0, 0), "", 8, 1);
    store_close(s);
    sqlite3 *db;
    cr_assert(sqlite3_open(path, &db) == SQLITE_OK, "cannot open");
    sqlite3_stmt *query;
    int rc = sqlite3_prepare_v2(db, "SELECT * FROM latest", -1, &query, NULL);
    bool lacks_sqrt = !sqlite3_compileoption_used("ENABLE_MATH_FUNCTIONS");
    cr_assert(rc == SQLITE_OK || lacks_sqrt, "%s", sqlite3_errmsg(db));
    cr_assert(lacks_sqrt || sqlite3_step(query) == SQLITE_ROW, "no row: %s", sqlite3_errmsg(db));
    sqlite3_finalize(query);
    sqlite3_close(db);
}
