/* kill -9 at random moments: what was finished stays, and --resume completes the set. */
#include "harness/selftest_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/rng.h"
#include "harness/clock.h"
#include "harness/run.h"

enum { CELLS = 6, ID = STORE_ID_LENGTH };
static const char database[] = "kill.db";

/* A sweep of CELLS cells under way, and the ids of the rows it has printed. */
typedef struct sweeping {
    pid_t child;
    int rows;
    char ids[CELLS][ID + 1];
    size_t printed;
    int ended; /* as waitpid() tells */
} sweeping;

static attn_status start(selftest_session *x, const char *file, bool resume, sweeping *out, attn_error *err)
{
    const char *const words[] = {"attnlab", "run", "-p", "local:k=8", "-p", "strided:l=8", "-n", "64,96,128", "--heads", "1", "--threads",
                                 "1", "--metrics", "time,flops", "--max-time", "0.004", "-o", "jsonl", "--db", file,
                                 resume ? "--resume" : NULL, NULL};
    int pipes[2];
    const pid_t parent = getpid();
    *out = (sweeping){.child = -1};
    if (pipe2(pipes, O_CLOEXEC) != 0)
        return attn_fail(err, ATTN_EIO, "cannot make a pipe: %s", strerror(errno));
    fflush(NULL);
    if ((out->child = fork()) == 0) {
        const int nothing = open("/dev/null", O_WRONLY);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() == parent && nothing >= 0 && dup2(pipes[1], 1) >= 0 && dup2(nothing, 2) >= 0)
            execv(x->program ? x->program : "/proc/self/exe", (char *const *)(size_t)words); /* which writes nothing */
        _exit(127);
    }
    close(pipes[1]);
    out->rows = pipes[0];
    if (out->child > 0)
        return ATTN_OK;
    close(pipes[0]);
    return attn_fail(err, ATTN_EIO, "cannot start a process: %s", strerror(errno));
}

/* The ids in what it printed, lines cut short left out. */
static void take_ids(sweeping *w, char *text)
{
    static const char key[] = "\"measurement_id\": \"";
    for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
        *end = '\0';
        const char *at = strstr(line, key);
        if (at && strlen(at) > sizeof key - 1 + ID && w->printed < CELLS)
            memcpy(w->ids[w->printed++], at + sizeof key - 1, ID);
    }
}

static attn_status finish(sweeping *w, attn_error *err)
{
    enum { ROOM = 64 * 1024 }; /* rows of CELLS cells have about 2 KiB each */
    char *text = calloc(1, ROOM);
    size_t used = 0;
    ssize_t got = 0;
    while (text && used < ROOM - 1 && ((got = read(w->rows, text + used, ROOM - 1 - used)) > 0 || (got < 0 && errno == EINTR)))
        used += got > 0 ? (size_t)got : 0;
    close(w->rows);
    while (waitpid(w->child, &w->ended, 0) < 0 && errno == EINTR) {
    }
    if (!text)
        return attn_fail(err, ATTN_ENOMEM, "out of memory");
    take_ids(w, text);
    free(text);
    return ATTN_OK;
}

static attn_status sweep_once(selftest_session *x, const char *file, bool resume, attn_error *err)
{
    sweeping w;
    attn_status status = start(x, file, resume, &w, err);
    if (!status)
        status = finish(&w, err);
    if (!status && run_signals_look())
        return attn_fail(err, ATTN_EIO, "interrupted");
    if (!status && (!WIFEXITED(w.ended) || WEXITSTATUS(w.ended) != 0))
        status = attn_fail(err, ATTN_EINTERNAL, "`attnlab run%s` into %s did not end well: %s %d", resume ? " --resume" : "", file,
                           WIFEXITED(w.ended) ? "exit" : "signal", WIFEXITED(w.ended) ? WEXITSTATUS(w.ended) : WTERMSIG(w.ended));
    return status;
}

/* ---- what is in a database ---- */

/* The cells of a database with what is exact about them and how often each is there; free() it. NULL: it cannot be read. */
static char *set_of(store *s)
{
    static const char sql[] =
        "SELECT group_concat(x, ';') FROM (SELECT spec || ' ' || n || ' ' || kernel || ' ' || flops_useful || ' ' || flops_executed "
        "|| ' ' || count(*) AS x FROM results GROUP BY spec, n, kernel ORDER BY spec, n)";
    sqlite3_stmt *q = NULL;
    char *set = NULL;
    if (sqlite3_prepare_v2(store_handle(s), sql, -1, &q, NULL) == SQLITE_OK && sqlite3_step(q) == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(q, 0);
        set = strdup(text ? text : "");
    }
    sqlite3_finalize(q);
    return set;
}

/* How many of the printed rows are not stored as finished. */
static size_t missing(store *s, const sweeping *w)
{
    size_t lost = 0;
    for (size_t i = 0; i < w->printed; i++) {
        sqlite3_stmt *q = NULL;
        lost += sqlite3_prepare_v2(store_handle(s), "SELECT 1 FROM measurements WHERE measurement_id = ? AND status = 'finished'", -1, &q,
                                   NULL) != SQLITE_OK ||
                sqlite3_bind_text(q, 1, w->ids[i], -1, SQLITE_STATIC) != SQLITE_OK || sqlite3_step(q) != SQLITE_ROW;
        sqlite3_finalize(q);
    }
    return lost;
}

/* A run that was killed early leaves no database, or an empty one: nothing may have been printed then. */
static size_t missing_in(const char *file, const sweeping *w)
{
    attn_error ignored;
    store *s = NULL;
    const size_t lost = store_open(&s, file, STORE_READ, &ignored) ? w->printed : missing(s, w);
    store_close(s);
    return lost;
}

/* ---- kills ---- */

static void sleep_ns(double ns)
{
    const struct timespec t = {(time_t)(ns / 1e9), (long)(ns - 1e9 * (double)(time_t)(ns / 1e9))};
    nanosleep(&t, NULL);
}

static attn_status kill_one(selftest_session *x, const char *file, double after_ns, const char *whole, selftest_kills *out, attn_error *err)
{
    sweeping w;
    store *s = NULL;
    attn_status status = start(x, file, false, &w, err);
    if (status)
        return status;
    sleep_ns(after_ns);
    kill(w.child, SIGKILL);
    status = finish(&w, err);
    if (status || !WIFSIGNALED(w.ended)) /* it was over before */
        return status;
    out->hit++;
    out->rows += w.printed;
    const size_t lost = missing_in(file, &w);
    status = sweep_once(x, file, true, err);
    if (!status)
        status = store_open(&s, file, STORE_READ, err);
    if (status)
        return status;
    const size_t lost_later = missing(s, &w);
    char *set = set_of(s);
    out->lost += lost > lost_later ? lost : lost_later;
    out->unequal += !set || strcmp(set, whole) != 0;
    free(set);
    store_close(s);
    return ATTN_OK;
}

/* The set of an undisturbed run, and how long it took: the longer of two, the first of which had to load the program. */
static attn_status undisturbed(selftest_session *x, const char *file, char **set, double *ns, attn_error *err)
{
    attn_status status = ATTN_OK;
    store *s = NULL;
    *ns = 0;
    for (int i = 0; i < 2 && !status; i++) {
        const int64_t before = clock_ns();
        selftest_remove(x->folder, database);
        status = sweep_once(x, file, false, err);
        *ns = *ns > (double)(clock_ns() - before) ? *ns : (double)(clock_ns() - before);
    }
    if (!status)
        status = store_open(&s, file, STORE_READ, err);
    if (!status && !(*set = set_of(s)))
        status = attn_fail(err, ATTN_EINTERNAL, "%s: %s", file, sqlite3_errmsg(store_handle(s)));
    store_close(s);
    selftest_remove(x->folder, database);
    return status;
}

attn_status selftest_kill(selftest_session *x, size_t kills, selftest_kills *out, attn_error *err)
{
    char file[300], *whole = NULL;
    double whole_ns;
    rng r = rng_make(x->seed, 0);
    *out = (selftest_kills){0};
    x->bar.done = 0;
    x->bar.total = kills;
    selftest_file(x->folder, file, database);
    attn_status status = undisturbed(x, file, &whole, &whole_ns, err);
    for (size_t i = 0; i < 2 * kills && out->hit < kills && !status; i++) {
        progress_show(&x->bar, "kill -9", "and resume");
        const double after_ns = whole_ns * rng_uniform(&r);
        const size_t hit = out->hit;
        status = kill_one(x, file, after_ns, whole, out, err);
        if (out->hit == hit) /* a run takes no longer than that now: the undisturbed one was disturbed after all */
            whole_ns = after_ns;
        selftest_remove(x->folder, database);
        if (!status && run_signals_look())
            status = attn_fail(err, ATTN_EIO, "interrupted");
        x->bar.done = out->hit;
    }
    selftest_remove(x->folder, database);
    free(whole);
    return status;
}
