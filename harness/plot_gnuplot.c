/* Running gnuplot: in the folder of the pictures, without the user's settings, one line of its complaints. */
#include "harness/plot.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/host_files.h"

extern char **environ;

static const char missing[] = "gnuplot is not installed; install it with: apt-get install gnuplot-nox";

const char *plot_unavailable(void)
{
    return host_has_program(getenv("PATH"), "gnuplot") ? NULL : missing;
}

/* Starts `gnuplot -d -e "format = 'svg'" NAME.gp`; what it says goes to *said. */
static attn_status start(const char *out, char *const argv[], pid_t *child, int *said, attn_error *err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return attn_fail(err, ATTN_EIO, "cannot start gnuplot: %s", strerror(errno));
    setenv("LC_ALL", "C", 1); /* gnuplot is to read and write 1.5, not 1,5 */
    posix_spawn_file_actions_t actions;
    int rc = posix_spawn_file_actions_init(&actions);
    if (rc == 0) {
        rc = posix_spawn_file_actions_addchdir_np(&actions, out);
        if (rc == 0)
            rc = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        if (rc == 0)
            rc = posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
        if (rc == 0)
            rc = posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
        if (rc == 0)
            rc = posix_spawnp(child, "gnuplot", &actions, NULL, argv, environ);
        posix_spawn_file_actions_destroy(&actions);
    }
    close(ends[1]);
    *said = ends[0];
    if (rc == 0)
        return ATTN_OK;
    close(ends[0]);
    return rc == ENOENT ? attn_fail(err, ATTN_EUNAVAILABLE, "%s", missing)
                        : attn_fail(err, ATTN_EIO, "cannot start gnuplot: %s", strerror(rc));
}

/* What gnuplot said, cut to fit. */
static void listen(int said, char *text, size_t size)
{
    size_t used = 0;
    char rest[4096];
    for (;;) {
        const bool room = used + 1 < size;
        ssize_t got = room ? read(said, text + used, size - used - 1) : read(said, rest, sizeof rest);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        used += room ? (size_t)got : 0;
    }
    text[used] = '\0';
}

/* Of that, the last line that is no warning: the error comes last. */
static const char *verdict(char *text)
{
    const char *last = "no picture, and nothing said";
    for (char *line, *rest = text; (line = strsep(&rest, "\n"));)
        if (line[strspn(line, " ^\t")] && !strstr(line, "warning:"))
            last = line;
    return last;
}

/* The picture is whole when it has an end. */
static bool whole(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && info.st_size > 0;
}

attn_status plot_gnuplot(const char *out, const char *name, const char *format, const char *size, attn_error *err)
{
    char script[256], variables[96], said_text[4096];
    char *part = NULL, *picture = NULL;
    attn_status status = ATTN_OK;
    snprintf(script, sizeof script, "%s.gp", name);
    snprintf(variables, sizeof variables, "format = '%s'; size = '%s'; suffix = '.part'", format, size);
    if (asprintf(&part, "%s/%s.%s.part", out, name, format) < 0 ||
        asprintf(&picture, "%s/%s.%s", out, name, format) < 0)
        return attn_fail(err, ATTN_ENOMEM, "out of memory");

    char gnuplot[] = "gnuplot", defaults[] = "-d", execute[] = "-e";
    char *const argv[] = {gnuplot, defaults, execute, variables, script, NULL};
    pid_t child;
    int said = -1, code;
    if ((status = start(out, argv, &child, &said, err)))
        goto cleanup;
    listen(said, said_text, sizeof said_text);
    close(said);
    while (waitpid(child, &code, 0) < 0)
        if (errno != EINTR) {
            code = -1;
            break;
        }
    const int left = WIFEXITED(code) ? WEXITSTATUS(code) : -1;
    if (left == 127 && !*said_text)
        status = attn_fail(err, ATTN_EUNAVAILABLE, "%s", missing);
    else if (left != 0 || !whole(part))
        status = attn_fail(err, ATTN_EINVAL, "%s.gp: gnuplot failed: %s", name, verdict(said_text));
    else if (rename(part, picture) != 0)
        status = attn_fail(err, ATTN_EIO, "cannot write %s: %s", picture, strerror(errno));
cleanup:
    unlink(part);
    free(part);
    free(picture);
    return status;
}
