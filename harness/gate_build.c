/* Revisions in worktrees. See gate.h. */
#include "harness/gate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs a command and waits. Its output goes to the file `log` (appended), or to `first_line` up to the line's end; false when
 * it cannot be run or fails. */
static bool run(const char *const *words, const char *log, char *first_line, size_t size)
{
    int pipes[2], ended = 0;
    fflush(NULL);
    if (pipe2(pipes, O_CLOEXEC) != 0)
        return false;
    const pid_t child = fork();
    if (child == 0) {
        union {
            const char *const *in;
            char *const *out; /* exec() writes nothing */
        } both = {words};
        const int nothing = open("/dev/null", O_RDONLY);
        const int to = log ? open(log, O_WRONLY | O_CREAT | O_APPEND, 0666) : pipes[1];
        unsetenv("MAKEFLAGS"); /* of a make that started us: nothing it says is meant for this one */
        unsetenv("MAKELEVEL");
        if (nothing < 0 || to < 0 || dup2(nothing, 0) < 0 || dup2(to, 1) < 0 || (log && dup2(to, 2) < 0))
            _exit(127);
        if (!log)
            dup2(open("/dev/null", O_WRONLY), 2);
        execvp(words[0], both.out);
        _exit(127);
    }
    close(pipes[1]);
    size_t used = 0;
    char buffer[512];
    for (ssize_t got; child > 0 && (got = read(pipes[0], buffer, sizeof buffer)) != 0;) {
        if (got < 0 && errno != EINTR)
            break;
        for (ssize_t i = 0; i < got && first_line && used + 1 < size; i++)
            first_line[used++] = buffer[i];
    }
    close(pipes[0]);
    if (first_line && size) {
        first_line[used] = '\0';
        first_line[strcspn(first_line, "\n")] = '\0';
    }
    while (child > 0 && waitpid(child, &ended, 0) < 0 && errno == EINTR) {
    }
    return child > 0 && WIFEXITED(ended) && WEXITSTATUS(ended) == 0;
}

attn_status gate_build(gate_revision *out, const char *repo, const char *rev, attn_error *err)
{
    char commit[512], folder[GATE_PATH / 2], log[GATE_PATH / 2 + 8], parents[GATE_PATH + 16], jobs[32], whole[GATE_PATH];
    char spelled[512];
    snprintf(spelled, sizeof spelled, "%s^{commit}", rev);
    if (!run((const char *const[]){"git", "-C", repo, "rev-parse", "--verify", "--quiet", "--end-of-options", spelled, NULL}, NULL,
             commit, sizeof commit) || strlen(commit) != GATE_COMMIT - 1)
        return attn_fail(err, ATTN_EINVAL, "\"%s\" is no revision of the git repository %s", rev, repo);
    if (!realpath(repo, whole) || snprintf(folder, sizeof folder, "%s/build/gate/%s", whole, commit) >= (int)sizeof folder)
        return attn_fail(err, ATTN_EINVAL, "%s: no folder, or its path is too long", repo);
    snprintf(parents, sizeof parents, "%s/build", whole);
    (void)mkdir(parents, 0777);
    snprintf(parents, sizeof parents, "%s/build/gate", whole);
    (void)mkdir(parents, 0777);
    snprintf(log, sizeof log, "%s.log", folder);
    memcpy(out->commit, commit, sizeof out->commit);
    snprintf(out->program, sizeof out->program, "%s/build/attnlab", folder);
    if (access(out->program, X_OK) == 0)
        return ATTN_OK;
    if (access(folder, F_OK) != 0 &&
        !run((const char *const[]){"git", "-C", repo, "worktree", "add", "--force", "--detach", folder, commit, NULL}, log, NULL, 0))
        return attn_fail(err, ATTN_EINVAL, "%s (%.12s) cannot be checked out; see %s", rev, commit, log);
    snprintf(jobs, sizeof jobs, "-j%ld", sysconf(_SC_NPROCESSORS_ONLN));
    if (!run((const char *const[]){"make", "-C", folder, jobs, "DEPS=never", "all", NULL}, log, NULL, 0) ||
        access(out->program, X_OK) != 0)
        return attn_fail(err, ATTN_EINVAL, "%s (%.12s) does not build; see %s", rev, commit, log);
    return ATTN_OK;
}
