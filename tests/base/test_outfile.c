/* Output files appear whole or not at all, and leave nothing else behind. */
#include <criterion/criterion.h>

#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/outfile.h"
#include "support/program.h"

static size_t files_in(const char *folder)
{
    DIR *d = opendir(folder);
    size_t count = 0;
    while (readdir(d))
        count++;
    closedir(d);
    return count - 2; /* . and .. */
}

static void contains(const char *path, const char *expected)
{
    char *content = read_whole_file(path, NULL);
    cr_assert(strcmp(content, expected) == 0, "%s contains '%s'", path, content);
    free(content);
}

Test(outfile, appears_on_commit)
{
    const char *path = scratch_path("new");
    attn_error err;
    outfile f;
    cr_assert(outfile_open(&f, path, &err) == ATTN_OK, "%s", err.message);
    fputs("hello", f.stream);
    fflush(f.stream);
    cr_assert(!file_exists(path), "there before the commit");
    cr_assert(outfile_finish(&f, &err) == ATTN_OK, "%s", err.message);
    cr_assert(!file_exists(path), "there before the commit");
    cr_assert(outfile_commit(&f, &err) == ATTN_OK, "%s", err.message);
    contains(path, "hello");
    outfile_discard(&f); /* harmless */
    contains(path, "hello");
    cr_assert(files_in(scratch_folder()) == 1, "something is left behind");
    struct stat s;
    mode_t mask = umask(0);
    umask(mask);
    stat(path, &s);
    cr_assert((s.st_mode & 0777) == (0666 & ~mask), "mode %o", (unsigned)s.st_mode);
}

Test(outfile, discard_keeps_the_old_content)
{
    const char *path = scratch_path("old");
    write_whole_file(path, "old", 3);
    attn_error err;
    outfile f;
    cr_assert(outfile_open(&f, path, &err) == ATTN_OK, "%s", err.message);
    fputs("new", f.stream);
    outfile_discard(&f);
    contains(path, "old");
    cr_assert(files_in(scratch_folder()) == 1, "something is left behind");
}

Test(outfile, replaces_the_target_of_a_link_and_keeps_its_mode)
{
    const char *path = scratch_path("real"), *link = scratch_path("link");
    write_whole_file(path, "old", 3);
    chmod(path, 0640);
    cr_assert(symlink("real", link) == 0, "symlink failed");
    attn_error err;
    outfile f;
    cr_assert(outfile_open(&f, link, &err) == ATTN_OK, "%s", err.message);
    fputs("new", f.stream);
    cr_assert(outfile_commit(&f, &err) == ATTN_OK, "%s", err.message);
    contains(path, "new");
    struct stat s;
    cr_assert(lstat(link, &s) == 0 && S_ISLNK(s.st_mode), "the link was replaced");
    cr_assert(stat(path, &s) == 0 && (s.st_mode & 0777) == 0640, "mode %o", (unsigned)s.st_mode);
}

Test(outfile, refuses_paths_that_cannot_be_used)
{
    const char *folder = scratch_path("folder");
    mkdir(folder, 0777);
    const struct {
        const char *path, *word;
    } wrong[] = {{scratch_path("no/such/file"), "does not exist"}, {folder, "folder"}, {"", "empty"},
                 {"/proc/attnlab", "cannot be created"}};
    for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) {
        outfile f;
        attn_error err;
        attn_status status = outfile_open(&f, wrong[k].path, &err);
        cr_assert(status == ATTN_EINVAL && strstr(err.message, wrong[k].word), "'%s': status %d: %s",
                  wrong[k].path, (int)status, err.message);
        outfile_discard(&f);
    }
    cr_assert(!file_exists(scratch_path("no")), "a parent folder was created");
}

Test(outfile, full_device)
{
    attn_error err;
    outfile f;
    cr_assert(outfile_open(&f, "/dev/full", &err) == ATTN_OK, "%s", err.message);
    fputs("hello", f.stream);
    attn_status status = outfile_commit(&f, &err);
    cr_assert(status == ATTN_EIO && strstr(err.message, "/dev/full"), "status %d: %s", (int)status,
              err.message);
}

/* A limit on file sizes stands in for a full disk. */
Test(outfile, full_disk_leaves_nothing)
{
    const char *path = scratch_path("big");
    write_whole_file(path, "old", 3);
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = 4096;
    setrlimit(RLIMIT_FSIZE, &limit);
    attn_error err;
    outfile f;
    cr_assert(outfile_open(&f, path, &err) == ATTN_OK, "%s", err.message);
    for (int k = 0; k < 10000; k++)
        fputs("hello", f.stream);
    attn_status status = outfile_commit(&f, &err);
    limit.rlim_cur = before;
    setrlimit(RLIMIT_FSIZE, &limit);
    cr_assert(status == ATTN_EIO && strstr(err.message, "big"), "status %d: %s", (int)status, err.message);
    contains(path, "old");
    cr_assert(files_in(scratch_folder()) == 1, "something is left behind");
}

Test(outfile, dash_is_standard_output)
{
    attn_error err;
    outfile f;
    cr_assert(outfile_open(&f, "-", &err) == ATTN_OK && f.stream == stdout, "%s", err.message);
    cr_assert(outfile_commit(&f, &err) == ATTN_OK, "%s", err.message);
    cr_assert(fileno(stdout) >= 0, "stdout was closed");
}
