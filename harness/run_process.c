/* One cell in a process of its own: no heap, no warm cache and no thread of the cell before, and a crash that
 * costs one cell. The program starts itself again as `attnlab cell`, and reads what it tells. */
#include "harness/lane_callgrind.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t run_interrupted;

static sigset_t waiting_mask; /* signals as they were before run_signals_catch() */

static void note(int number)
{
    (void)number;
    run_interrupted = 1;
}

void run_signals_catch(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    sigset_t blocked;
    sigemptyset(&blocked);
    sigprocmask(SIG_SETMASK, NULL, &waiting_mask);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        struct sigaction old, now = {.sa_handler = note};
        sigaction(numbers[i], NULL, &old);
        if (old.sa_handler == SIG_IGN) /* nohup */
            continue;
        sigaction(numbers[i], &now, NULL);
        sigaddset(&blocked, numbers[i]);
        sigdelset(&waiting_mask, numbers[i]);
    }
    sigprocmask(SIG_BLOCK, &blocked, NULL); /* delivered while ppoll() waits, nowhere else */
}

bool run_signals_look(void)
{
    sigset_t pending;
    sigpending(&pending);
    if (sigismember(&pending, SIGINT) || sigismember(&pending, SIGTERM) || sigismember(&pending, SIGHUP))
        run_interrupted = 1;
    return run_interrupted;
}

/* ---- the child ---- */

enum { MOST_WORDS = 60, WORD = 32 };

typedef struct words {
    char *at[MOST_WORDS + 1];
    size_t count;
    char numbers[12][WORD];
    size_t number_count;
} words;

static void add_word(words *w, const char *word)
{
    union {
        const char *in;
        char *out; /* exec() takes char * and writes nothing */
    } both = {word};
    w->at[w->count++] = both.out;
}

static void add(words *w, const char *name, const char *value)
{
    add_word(w, name);
    add_word(w, value);
}

static void add_number(words *w, const char *name, unsigned long long value)
{
    char *text = w->numbers[w->number_count++];
    snprintf(text, WORD, "%llu", value);
    add(w, name, text);
}

/* Where the stack begins depends on the size of the environment, and speed may depend on that: each process has a
 * size of its own, so that no arm of a comparison has a lucky one. */
static void pad_environment(void)
{
    static char pad[4096 + 16] = "ATTNLAB_PAD=";
    uint16_t size = 0;
    if (getrandom(&size, sizeof size, GRND_NONBLOCK) == (ssize_t)sizeof size)
        memset(pad + strlen(pad), 'x', size % 4096);
    putenv(pad);
}

/* In the child, between fork and exec. Dies with its parent; leaves SIGINT to it. */
static void become(const run_request *r, char *const *arguments, int out, int err, pid_t parent)
{
    const int nothing = open("/dev/null", O_RDONLY);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || nothing < 0 || dup2(nothing, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
        _exit(127);
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_DFL);
    sigprocmask(SIG_SETMASK, &waiting_mask, NULL);
    pad_environment();
    if (r->lane == LANE_CALLGRIND)
        callgrind_become(arguments);
    else
        execv(r->program ? r->program : "/proc/self/exe", arguments);
    _exit(127);
}

static attn_status start(const run_request *r, const sweep_cell *c, const metric_set *set, const callgrind_start *counted,
                         pid_t *child, int *out, int *err_out, attn_error *err)
{
    const cell *k = &c->key;
    char seconds[WORD], patience[WORD], inject[WORD];
    words w = {.count = 0};
    char **arguments = calloc(MOST_WORDS + 2 * (r->plugin_count + r->ext_count), sizeof *arguments);
    if (!arguments)
        return attn_fail(err, ATTN_ENOMEM, "out of memory starting a process");
    for (size_t i = 0; i < counted->count; i++)
        add_word(&w, counted->words[i]);
    if (!counted->count)
        add_word(&w, "attnlab");
    add_word(&w, "cell");
    add(&w, "--spec", k->spec);
    add_number(&w, "-n", k->n);
    add_number(&w, "-d", k->dim);
    add_number(&w, "--batch", k->batch);
    add_number(&w, "--heads", k->heads);
    add_number(&w, "--kv-heads", k->kv_heads);
    add(&w, "--dtype", attn_dtype_name(k->dtype));
    add(&w, "--kernel", k->kernel);
    add(&w, "--lowering", *c->lowering ? c->lowering : "none");
    add_number(&w, "--threads", (unsigned long long)k->threads);
    add(&w, "--input", k->input);
    add_number(&w, "--seed", k->seed);
    add(&w, "--metrics", set->names);
    snprintf(seconds, sizeof seconds, "%.17g", r->seconds);
    add(&w, "--max-time", seconds);
    snprintf(patience, sizeof patience, "%.17g", r->ext_timeout);
    add(&w, "--ext-timeout", patience);
    add_number(&w, "--runs", r->runs);
    if (r->lane != LANE_TIME)
        add(&w, "--lane", lane_name(r->lane));
    if (r->stop)
        add(&w, "--stop", r->stop);
    if (r->events && metric_set_has(set, "counters"))
        add(&w, "--events", r->events);
    if (r->inject > 0) {
        snprintf(inject, sizeof inject, "%.17g", 100 * r->inject);
        add(&w, "--inject", inject);
    }
    size_t count = w.count;
    memcpy(arguments, w.at, count * sizeof *arguments);
    for (size_t i = 0; i < r->plugin_count + r->ext_count; i++) {
        const bool plugin = i < r->plugin_count;
        w.count = 0;
        add(&w, plugin ? "--plugin" : "--ext", plugin ? r->plugins[i] : r->exts[i - r->plugin_count]);
        memcpy(arguments + count, w.at, 2 * sizeof *arguments);
        count += 2;
    }

    int pipes[2][2] = {{-1, -1}, {-1, -1}};
    const pid_t parent = getpid();
    attn_status status = ATTN_OK;
    fflush(NULL);
    if (pipe2(pipes[0], O_CLOEXEC) != 0 || pipe2(pipes[1], O_CLOEXEC) != 0 || (*child = fork()) < 0)
        status = attn_fail(err, ATTN_EIO, "cannot start a process for %s: %s", k->spec, strerror(errno));
    else if (*child == 0)
        become(r, arguments, pipes[0][1], pipes[1][1], parent);
    for (size_t i = 0; i < 2; i++) {
        if (pipes[i][1] >= 0)
            close(pipes[i][1]);
        if (status && pipes[i][0] >= 0)
            close(pipes[i][0]);
    }
    *out = pipes[0][0];
    *err_out = pipes[1][0];
    free(arguments);
    return status;
}

/* ---- the parent ---- */

enum { COMPLAINT = 200 };

typedef struct listener {
    char *line; /* what has come of the current one */
    size_t used, capacity;
    samples *out;
    const progress *bar;
    const char *cell_name;
    char metric[64];
    char complaint[COMPLAINT]; /* the first of what the child wrote on stderr */
    size_t complained;
    bool done, garbled;
    attn_status status; /* what the child said of itself */
    attn_error err;
} listener;

static void hear(listener *l, char *text)
{
    wire_line line;
    if (!wire_read(text, &line)) {
        l->garbled = true;
        return;
    }
    switch (line.kind) {
    case WIRE_SAMPLE: samples_add(l->out, &line.sample); return;
    case WIRE_METRIC:
        snprintf(l->metric, sizeof l->metric, "%s", line.text);
        progress_show(l->bar, l->cell_name, l->metric);
        return;
    case WIRE_ERROR: l->status = attn_fail(&l->err, line.status, "%s", line.text); return;
    case WIRE_DONE: l->done = true; return;
    }
}

/* Takes what has come on the pipe; false at its end. */
static bool listen_to(listener *l, int pipe)
{
    if (l->capacity - l->used < 4096) {
        char *larger = realloc(l->line, 2 * l->capacity + 8192);
        if (!larger) {
            l->out->failed = true;
            return false;
        }
        l->line = larger;
        l->capacity = 2 * l->capacity + 8192;
    }
    ssize_t got = read(pipe, l->line + l->used, l->capacity - l->used - 1);
    if (got <= 0)
        return got < 0 && errno == EINTR;
    l->used += (size_t)got;
    char *start = l->line, *end;
    while ((end = memchr(start, '\n', l->used - (size_t)(start - l->line)))) {
        *end = '\0';
        hear(l, start);
        start = end + 1;
    }
    l->used -= (size_t)(start - l->line);
    memmove(l->line, start, l->used);
    return true;
}

static bool listen_for_complaints(listener *l, int pipe)
{
    char buffer[1024];
    ssize_t got = read(pipe, buffer, sizeof buffer);
    if (got <= 0)
        return got < 0 && errno == EINTR;
    size_t room = sizeof l->complaint - 1 - l->complained;
    size_t taken = (size_t)got < room ? (size_t)got : room;
    memcpy(l->complaint + l->complained, buffer, taken);
    l->complained += taken;
    return true;
}

/* Until both pipes are closed, or until interrupted. */
static void attend(listener *l, int out, int err)
{
    struct pollfd both[2] = {{.fd = out, .events = POLLIN}, {.fd = err, .events = POLLIN}};
    while ((both[0].fd >= 0 || both[1].fd >= 0) && !run_interrupted) {
        if (ppoll(both, 2, NULL, &waiting_mask) < 0)
            continue; /* a signal: the loop looks */
        if (both[0].revents && !listen_to(l, out))
            both[0].fd = -1;
        if (both[1].revents && !listen_for_complaints(l, err))
            both[1].fd = -1;
    }
}

/* How the child ended, unless it said all it was asked for. */
static attn_status judge(const listener *l, int ended, attn_error *err)
{
    const char *during = *l->metric ? l->metric : "preparing";
    const int first = (int)strcspn(l->complaint, "\n");
    const char *colon = first ? ": " : "";
    if (WIFSIGNALED(ended)) {
        const int number = WTERMSIG(ended);
        if (number == SIGKILL)
            return attn_fail(err, ATTN_ENOMEM, "killed during %s, probably for want of memory", during);
        return attn_fail(err, ATTN_EINTERNAL, "crashed during %s (%s)%s%.*s", during, strsignal(number),
                         colon, first, l->complaint);
    }
    if (l->status)
        return attn_fail(err, l->status, "%s: %s", during, l->err.message);
    if (l->out->failed)
        return attn_fail(err, ATTN_ENOMEM, "out of memory for its samples");
    if (!l->done || l->garbled || WEXITSTATUS(ended) != 0)
        return attn_fail(err, ATTN_EINTERNAL, "its process ended with code %d during %s%s%.*s",
                         WEXITSTATUS(ended), during, colon, first, l->complaint);
    return ATTN_OK;
}

attn_status run_process(const run_request *request, const sweep_cell *c, const metric_set *set, samples *out,
                        const progress *p, attn_error *err)
{
    pid_t child = -1;
    int from = -1, complaints = -1, ended = 0;
    char name[256];
    sweep_cell_name(c, name, sizeof name);
    callgrind_start counted = {.file = -1};
    attn_status status = request->lane == LANE_CALLGRIND ? callgrind_open(&counted, request->program, err) : ATTN_OK;
    if (!status)
        status = start(request, c, set, &counted, &child, &from, &complaints, err);
    if (status) {
        callgrind_close(&counted);
        return status;
    }
    listener l = {.out = out, .bar = p, .cell_name = name};
    attend(&l, from, complaints);
    if (run_interrupted)
        kill(child, SIGKILL);
    while (waitpid(child, &ended, 0) < 0 && errno == EINTR) {
    }
    if (ended && ext_is_name(c->key.kernel)) /* its operands, where nobody was left to remove them */
        ext_folder_sweep();
    close(from);
    close(complaints);
    free(l.line);
    status = run_interrupted ? attn_fail(err, ATTN_EIO, "interrupted") : judge(&l, ended, err);
    if (!status && request->lane == LANE_CALLGRIND && metric_set_has(set, "instructions"))
        status = callgrind_take(&counted, out, err);
    callgrind_close(&counted);
    return status;
}
