/* The adapter's process: started by the shell in a group of its own, told lines, listened to with patience, ended. */
#include "harness/ext.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "harness/clock.h"

enum { LONGEST_LINE = 1 << 20 };

static void set_environment(const ext_start *how)
{
    static const char *const counts[] = {"OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"};
    char number[16], *list = NULL;
    size_t size;
    snprintf(number, sizeof number, "%d", how->threads);
    for (size_t i = 0; how->threads && i < sizeof counts / sizeof counts[0]; i++)
        setenv(counts[i], number, 1);
    const char *before = getenv("ATTNLAB_PLUGINS");
    FILE *out = how->plugin_count ? open_memstream(&list, &size) : NULL;
    if (!out)
        return;
    fputs(before ? before : "", out);
    for (size_t i = 0; i < how->plugin_count; i++)
        fprintf(out, ":%s", how->plugins[i]);
    if (fclose(out) == 0)
        setenv("ATTNLAB_PLUGINS", list, 1);
    free(list);
}

/* In the child. Dies with its parent; a terminal's Ctrl-C does not reach its group. */
static void become(const ext_start *how, int in, int out, int err, pid_t parent)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGINT, SIG_DFL);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
        _exit(127);
    set_environment(how);
    execl("/bin/sh", "sh", "-c", how->command, (char *)NULL);
    _exit(127);
}

/* Requests go through a socket, where writing to one who left is an error and not a signal. */
bool ext_process_start(ext_process *p, const ext_start *how)
{
    int in[2] = {-1, -1}, out[2] = {-1, -1}, err[2] = {-1, -1};
    const pid_t parent = getpid();
    bool fine = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in) == 0 && pipe2(out, O_CLOEXEC) == 0 &&
                pipe2(err, O_CLOEXEC) == 0;
    *p = (ext_process){.in = in[0], .out = out[0], .err = err[0]};
    fflush(NULL);
    if (fine && (p->pid = fork()) == 0)
        become(how, in[1], out[1], err[1], parent);
    fine = fine && p->pid > 0;
    const int why = errno;
    for (size_t i = 0; i < 3; i++) {
        const int *ends = (int *[]){in, out, err}[i];
        if (ends[1] >= 0)
            close(ends[1]);
        if (!fine && ends[0] >= 0)
            close(ends[0]);
    }
    if (!fine)
        *p = (ext_process){.in = -1, .out = -1, .err = -1};
    else
        setpgid(p->pid, p->pid); /* whoever comes first */
    errno = why;
    return fine;
}

void ext_process_tell(ext_process *p, const char *line)
{
    for (size_t left = strlen(line); left;) {
        ssize_t sent = send(p->in, line, left, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return;
        line += sent;
        left -= (size_t)sent;
    }
}

/* Keeps the end of what was said. */
static bool hear_complaints(ext_process *p)
{
    char text[1024];
    ssize_t got = read(p->err, text, sizeof text);
    if (got <= 0)
        return got < 0 && errno == EINTR;
    size_t new = (size_t)got, kept = p->complained;
    if (kept + new > sizeof p->complaint)
        kept = sizeof p->complaint - new;
    memmove(p->complaint, p->complaint + p->complained - kept, kept);
    memcpy(p->complaint + kept, text, new);
    p->complained = kept + new;
    return true;
}

/* What was read beyond the line before stays in front. */
ext_heard ext_process_listen(ext_process *p, double seconds, char **line, size_t *length)
{
    const int64_t deadline = clock_ns() + (int64_t)(seconds * 1e9);
    int err = p->err;
    for (;;) {
        char *end = p->used ? memchr(p->line, '\n', p->used) : NULL;
        if (end) {
            *length = (size_t)(end - p->line);
            *end = '\0';
            *line = strndup(p->line, *length);
            const bool whole = *line && strlen(*line) == *length;
            p->used -= *length + 1;
            memmove(p->line, end + 1, p->used);
            if (*line && !whole) /* a zero byte: no text */
                (*line)[0] = '\0';
            return *line ? EXT_LINE : EXT_NO_MEMORY;
        }
        if (p->used >= LONGEST_LINE)
            return EXT_ENDLESS;
        if (p->capacity - p->used < 4096) {
            char *larger = realloc(p->line, 2 * p->capacity + 8192);
            if (!larger)
                return EXT_NO_MEMORY;
            p->line = larger;
            p->capacity = 2 * p->capacity + 8192;
        }
        struct pollfd both[2] = {{.fd = p->out, .events = POLLIN}, {.fd = err, .events = POLLIN}};
        const double left_ms = (double)(deadline - clock_ns()) / 1e6;
        if (left_ms <= 0)
            return EXT_SILENT;
        if (poll(both, 2, left_ms < 1e6 ? (int)left_ms + 1 : 1000000) <= 0)
            continue;
        if (both[1].revents && !hear_complaints(p))
            err = -1;
        if (!both[0].revents)
            continue;
        ssize_t got = read(p->out, p->line + p->used, p->capacity - p->used);
        if (got == 0 || (got < 0 && errno != EINTR)) {
            while (err >= 0 && poll(&(struct pollfd){.fd = err, .events = POLLIN}, 1, 100) > 0 && hear_complaints(p)) {
            }
            return EXT_ENDED;
        }
        p->used += got > 0 ? (size_t)got : 0;
    }
}

int ext_process_end(ext_process *p, double patience)
{
    int status = 0;
    if (p->in >= 0)
        close(p->in);
    if (p->out >= 0)
        close(p->out);
    const int64_t deadline = clock_ns() + (int64_t)(patience * 1e9);
    pid_t gone = 0;
    while (p->pid && !gone && clock_ns() < deadline) {
        gone = waitpid(p->pid, &status, WNOHANG);
        if (!gone)
            nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
    if (p->pid) {
        kill(-p->pid, SIGKILL); /* what it started, and itself */
        while (!gone && (gone = waitpid(p->pid, &status, 0)) < 0 && errno == EINTR)
            gone = 0;
    }
    if (p->err >= 0)
        close(p->err);
    free(p->line);
    p->line = NULL;
    p->used = p->capacity = 0;
    p->pid = 0;
    p->in = p->out = p->err = -1;
    return status;
}

const char *ext_process_last_words(ext_process *p, char *out, size_t size)
{
    size_t end = p->complained, begin;
    while (end && (p->complaint[end - 1] == '\n' || p->complaint[end - 1] == ' '))
        end--;
    for (begin = end; begin && p->complaint[begin - 1] != '\n'; begin--) {
    }
    snprintf(out, size, "%.*s", (int)(end - begin), p->complaint + begin);
    return out;
}
