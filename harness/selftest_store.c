/* The rows of the store: kills (harness/selftest_kill.c), and writers at once. */
#include "harness/selftest_parts.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/cli.h"
#include "harness/run.h"

enum { MOST_WRITERS = 16, SAMPLES = 20 };
static const char database[] = "writers.db";

/* ---- writers ---- */

/* In a process of its own: rows as a run writes them, one after the other without a pause. */
static attn_status write_rows(const char *file, size_t writer, size_t rows, attn_error *err)
{
    host here;
    store *s = NULL;
    run_ticket ticket;
    char id[STORE_ID_LENGTH + 1], now[STORE_TIME_LENGTH + 1];
    samples list = {0};
    host_read(&here, "");
    const store_run about = {.host = &here, .build = build_info_get(), .environment = "{}", .command = "attnlab selftest"};
    for (size_t i = 0; i < SAMPLES; i++)
        samples_add(&list, &(record){.series = "time_ns", .unit = "ns", .kind = RECORD_REAL, .real = (double)(1 + i)});
    attn_status status = store_open(&s, file, STORE_WRITE, err);
    if (!status)
        status = store_run_begin(s, &about, &ticket, err);
    for (size_t i = 0; i < rows && !status; i++) {
        const cell key = {.spec = "dense", .n = 1 + i, .heads = 1, .kv_heads = 1, .dim = 64, .batch = 1, .kernel = "none", .threads = 1,
                          .input = "gauss", .seed = writer};
        const store_cell c = {.cell = &key, .pattern = "dense", .spec_resolved = "dense", .isa = "none", .pairs_total = 1};
        store_now(now);
        status = store_put(s, &ticket, &(store_measurement){.cell = &c, .started = now, .finished = now, .metrics = "time", .samples = &list},
                           id, err);
    }
    if (!status)
        status = store_run_end(s, &ticket, "complete", err);
    store_close(s);
    samples_free(&list);
    return status;
}

static pid_t start_writer(const char *file, size_t writer, size_t rows)
{
    attn_error ignored; /* the parent counts who complains */
    const pid_t parent = getpid(), child = fork();
    if (child != 0)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    _exit(getppid() != parent || write_rows(file, writer, rows, &ignored) != ATTN_OK);
}

static attn_status count_rows(const char *file, size_t *stored, attn_error *err)
{
    static const char sql[] = "SELECT count(DISTINCT m.id) FROM measurements m JOIN samples s ON s.measurement = m.id "
                              "WHERE m.status = 'finished' GROUP BY m.status HAVING count(*) = ?1 * count(DISTINCT m.id)";
    store *s = NULL;
    sqlite3_stmt *q = NULL;
    attn_status status = store_open(&s, file, STORE_READ, err);
    *stored = 0;
    if (!status && sqlite3_prepare_v2(store_handle(s), sql, -1, &q, NULL) == SQLITE_OK && sqlite3_bind_int(q, 1, SAMPLES) == SQLITE_OK &&
        sqlite3_step(q) == SQLITE_ROW)
        *stored = (size_t)sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    store_close(s);
    return status;
}

attn_status selftest_write(selftest_session *x, size_t writers, size_t rows, size_t *complaints, size_t *stored, attn_error *err)
{
    char file[300];
    pid_t children[MOST_WRITERS];
    size_t started = 0;
    *complaints = 0;
    selftest_file(x->folder, file, database);
    fflush(NULL);
    while (started < writers && started < MOST_WRITERS && (children[started] = start_writer(file, started, rows)) > 0)
        started++;
    attn_status status = started == writers ? ATTN_OK : attn_fail(err, ATTN_EIO, "cannot start %zu processes: %s", writers, strerror(errno));
    for (size_t i = 0; i < started; i++) {
        int ended = 0;
        if (status)
            kill(children[i], SIGKILL);
        while (waitpid(children[i], &ended, 0) < 0 && errno == EINTR) {
        }
        *complaints += ended != 0;
    }
    if (!status && run_signals_look())
        status = attn_fail(err, ATTN_EIO, "interrupted");
    if (!status)
        status = count_rows(file, stored, err);
    selftest_remove(x->folder, database);
    return status;
}

/* ---- rows ---- */

static attn_status kills(selftest_session *x, attn_error *err)
{
    selftest_kills k;
    char also[80];
    const size_t count = x->quick ? 8 : 50;
    const attn_status status = selftest_kill(x, count, &k, err);
    if (status)
        return status;
    const size_t good = k.hit - (k.unequal < k.hit ? k.unequal : k.hit);
    snprintf(also, sizeof also, "%zu rows finished before, %zu lost", k.rows, k.lost);
    selftest_put(x, &(selftest_row){.tried = "kill -9 of a run, resumed", .on = "this machine", .bar = "the undisturbed set, nothing lost",
                                    .hits = good, .trials = count, .unit = "kills", .also = also, .holds = good == count && k.lost == 0,
                                    .failure = EXIT_INCONCLUSIVE});
    return ATTN_OK;
}

static attn_status writers(selftest_session *x, attn_error *err)
{
    enum { WRITERS = 8 };
    const size_t each = x->quick ? 25 : 250, rows = WRITERS * each;
    size_t complaints, stored;
    char also[80];
    progress_show(&x->bar, "eight writers", "");
    const attn_status status = selftest_write(x, WRITERS, each, &complaints, &stored, err);
    if (status)
        return status;
    snprintf(also, sizeof also, "%zu of %d writers complained", complaints, WRITERS);
    selftest_put(x, &(selftest_row){.tried = "8 writers at once", .on = "this machine", .bar = "no row lost, no error", .hits = stored,
                                    .trials = rows, .unit = "rows", .also = also, .holds = stored == rows && !complaints,
                                    .failure = EXIT_INCONCLUSIVE});
    return ATTN_OK;
}

attn_status selftest_stores(selftest_session *x, attn_error *err)
{
    const attn_status status = kills(x, err);
    return status ? status : writers(x, err);
}
