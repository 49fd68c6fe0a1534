/* Revisions in worktrees. See gate.h. */
#include "harness/gate.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/hash.h"

bool gate_command(const char *const *words, const char *log, char **output)
{
    int pipes[2], ended = 0;
    char *all = NULL;
    size_t size = 0;
    FILE *into = open_memstream(&all, &size);
    fflush(NULL);
    if (output)
        *output = NULL;
    if (!into)
        return false;
    if (pipe2(pipes, O_CLOEXEC) != 0) {
        fclose(into);
        free(all);
        return false;
    }
    const pid_t child = fork();
    if (child == 0) {
        union {
            const char *const *in;
            char *const *out; /* exec() writes nothing */
        } both = {words};
        const int nothing = open("/dev/null", O_RDWR);
        const int to = log ? open(log, O_WRONLY | O_CREAT | O_APPEND, 0666) : pipes[1];
        unsetenv("MAKEFLAGS"); /* of a make that started us: nothing it says is meant for this one */
        unsetenv("MAKELEVEL");
        unsetenv("GIT_DIR"); /* of a git hook that started us: the repository is the one named */
        unsetenv("GIT_WORK_TREE");
        unsetenv("GIT_INDEX_FILE");
        if (nothing < 0 || to < 0 || dup2(nothing, 0) < 0 || dup2(to, 1) < 0 || dup2(log ? to : nothing, 2) < 0)
            _exit(127);
        execvp(words[0], both.out);
        _exit(127);
    }
    close(pipes[1]);
    char buffer[4096];
    for (ssize_t got; child > 0 && (got = read(pipes[0], buffer, sizeof buffer)) != 0;) {
        if (got > 0)
            fwrite(buffer, 1, (size_t)got, into);
        else if (errno != EINTR)
            break;
    }
    close(pipes[0]);
    while (child > 0 && waitpid(child, &ended, 0) < 0 && errno == EINTR) {
    }
    bool fine = child > 0 && WIFEXITED(ended) && WEXITSTATUS(ended) == 0;
    fine = fclose(into) == 0 && fine;
    if (fine && output)
        *output = all;
    else
        free(all);
    return fine;
}

attn_status gate_resolve(char commit[GATE_COMMIT], const char *repo, const char *rev, attn_error *err)
{
    char spelled[512], *line = NULL;
    snprintf(spelled, sizeof spelled, "%s^{commit}", rev);
    const bool found = gate_command(
        (const char *const[]){"git", "-C", repo, "rev-parse", "--verify", "--quiet", "--end-of-options", spelled, NULL}, NULL, &line);
    if (found)
        line[strcspn(line, "\n")] = '\0';
    const bool is = found && strlen(line) == GATE_COMMIT - 1;
    if (is)
        memcpy(commit, line, GATE_COMMIT);
    free(line);
    return is ? ATTN_OK : attn_fail(err, ATTN_EINVAL, "\"%s\" is no revision of the git repository %s", rev, repo);
}

bool gate_dirty(const char *repo)
{
    char *changes = NULL;
    const bool dirty = gate_command(
        (const char *const[]){"git", "-C", repo, "status", "--porcelain", "--untracked-files=no", NULL}, NULL, &changes) && *changes;
    free(changes);
    return dirty;
}

/* What decides, besides the commit, which program comes out: "" where nothing is set, else "-" and a hash. */
static void flags_key(char out[32])
{
    static const char *const names[] = {"CC", "CPPFLAGS", "CFLAGS", "LDFLAGS", "LDLIBS"};
    uint64_t hash = HASH_START;
    bool any = false;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *value = getenv(names[i]);
        any |= value && *value;
        hash = hash_bytes(hash, names[i], strlen(names[i]) + 1);
        hash = hash_bytes(hash, value ? value : "", strlen(value ? value : "") + 1);
    }
    *out = '\0';
    if (any)
        snprintf(out, 32, "-%08" PRIx32, (uint32_t)(hash ^ hash >> 32));
}

/* A folder with the commit's files, made or, where an earlier attempt was cut off, put right. */
static bool check_out(const char *repo, const char *folder, const char *commit, const char *log)
{
    char link[GATE_PATH];
    snprintf(link, sizeof link, "%s/.git", folder);
    if (access(link, F_OK) == 0)
        return gate_command((const char *const[]){"git", "-C", folder, "reset", "--hard", commit, NULL}, log, NULL);
    return gate_command((const char *const[]){"git", "-C", repo, "worktree", "add", "--force", "--detach", folder, commit, NULL}, log, NULL);
}

attn_status gate_build(gate_revision *out, const char *repo, const char *rev, attn_error *err)
{
    char folder[GATE_PATH / 2], log[GATE_PATH / 2 + 8], parents[GATE_PATH + 16], jobs[32], whole[GATE_PATH], flags[32];
    attn_status status = gate_resolve(out->commit, repo, rev, err);
    if (status)
        return status;
    flags_key(flags);
    if (!realpath(repo, whole) ||
        snprintf(folder, sizeof folder, "%s/build/gate/%s%s", whole, out->commit, flags) >= (int)sizeof folder)
        return attn_fail(err, ATTN_EINVAL, "%s: no folder, or its path is too long", repo);
    snprintf(parents, sizeof parents, "%s/build", whole);
    (void)mkdir(parents, 0777);
    snprintf(parents, sizeof parents, "%s/build/gate", whole);
    (void)mkdir(parents, 0777);
    snprintf(log, sizeof log, "%s.log", folder);
    snprintf(out->program, sizeof out->program, "%s/build/attnlab", folder);
    const int lock = open(log, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (lock < 0 || flock(lock, LOCK_EX) != 0) { /* two gates at once share what they build */
        status = attn_fail(err, ATTN_EINVAL, "%s cannot be written: %s", log, strerror(errno));
        if (lock >= 0)
            close(lock);
        return status;
    }
    snprintf(jobs, sizeof jobs, "-j%ld", sysconf(_SC_NPROCESSORS_ONLN));
    if (access(out->program, X_OK) != 0) {
        if (!check_out(repo, folder, out->commit, log))
            status = attn_fail(err, ATTN_EINVAL, "%s (%.12s) cannot be checked out; see %s", rev, out->commit, log);
        else if (!gate_command((const char *const[]){"make", "-C", folder, jobs, "DEPS=never", "MODE=release", "all", NULL}, log, NULL) ||
                 access(out->program, X_OK) != 0)
            status = attn_fail(err, ATTN_EINVAL, "%s (%.12s) does not build; see %s", rev, out->commit, log);
    }
    close(lock);
    return status;
}
