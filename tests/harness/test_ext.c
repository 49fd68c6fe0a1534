/* External kernels in pieces: answers of all kinds, folders of the dead, tolerance of the verification. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/rng.h"
#include "harness/ext.h"
#include "support/program.h"

static sqlite3 *json(void)
{
    static sqlite3 *db;
    if (!db)
        cr_assert(sqlite3_open(":memory:", &db) == SQLITE_OK, "no SQLite");
    return db;
}

Test(ext, answers_are_read)
{
    static const char line[] = "{\"ok\":true,\"protocol\":1,\"ns\":12.5e1,\"version\":\"2.1 \\u00e9\",\"setup\":\"a\\\"b\","
                               "\"other\":{\"ns\":[1]}}";
    ext_reply r;
    cr_assert(ext_reply_read(json(), line, strlen(line), &r), "%s", line);
    cr_assert(r.ok && r.protocol == 1 && r.ns == 125, "ok %d, protocol %d, ns %g", r.ok, r.protocol, r.ns);
    cr_assert(strcmp(r.version, "2.1 \xc3\xa9") == 0 && strcmp(r.setup, "a\"b") == 0 && !*r.error, "%s, %s", r.version, r.setup);
    cr_assert(ext_reply_read(json(), "{\"ok\":false}", 12, &r) && !r.ok && isnan(r.ns) && !*r.want, "ns %g", r.ns);
}

/* Whatever comes: refused, or an answer within its bounds. Every cut and many changes of a right answer. */
Test(ext, rubbish_is_refused)
{
    static const char right[] = "{\"ok\": true, \"protocol\": 1, \"ns\": 1.5, \"error\": \"x\", \"get\": [1, {\"a\": null}]}";
    ext_reply r;
    rng random = rng_make(7, 1);
    for (size_t cut = 0; cut < strlen(right); cut++)
        cr_assert(!ext_reply_read(json(), right, cut, &r), "taken at %zu: %.*s", cut, (int)cut, right);
    for (int i = 0; i < 3000; i++) {
        char changed[sizeof right];
        memcpy(changed, right, sizeof right);
        for (uint64_t changes = 1 + rng_below(&random, 4); changes; changes--)
            changed[rng_below(&random, sizeof right - 1)] = (char)rng_below(&random, 256);
        if (ext_reply_read(json(), changed, sizeof right - 1, &r))
            cr_assert(memchr(r.error, 0, EXT_TEXT) && memchr(r.get, 0, EXT_TEXT), "unterminated: %s", changed);
    }
    char deep[100000];
    memset(deep, '[', sizeof deep);
    cr_assert(!ext_reply_read(json(), deep, sizeof deep, &r), "100000 brackets taken");
}

/* Folders of processes that were killed go, those in use stay. */
Test(ext, folders_of_the_dead_are_swept)
{
    attn_error err;
    ext_folder mine, other;
    setenv("TMPDIR", scratch_folder(), 1);
    cr_assert(ext_folder_open(&mine, &err) == ATTN_OK, "%s", err.message);
    int ends[2], status;
    cr_assert(pipe(ends) == 0, "no pipe");
    pid_t child = fork();
    if (child == 0) {
        ext_folder own;
        _exit(ext_folder_open(&own, NULL) || write(ends[1], &own, sizeof own) != (ssize_t)sizeof own);
    }
    cr_assert(read(ends[0], &other, sizeof other) == (ssize_t)sizeof other, "no folder from the child");
    waitpid(child, &status, 0);
    cr_assert(file_exists(other.path), "gone too early: %s", other.path);
    ext_folder_sweep();
    cr_assert(!file_exists(other.path), "still there: %s", other.path);
    cr_assert(file_exists(mine.path), "in use, and swept: %s", mine.path);
    char path[512];
    memcpy(path, mine.path, sizeof path);
    ext_folder_close(&mine);
    cr_assert(!file_exists(path), "closed, and still there: %s", path);
    setenv("TMPDIR", "/nonexistent/folder", 1);
    cr_assert(ext_folder_open(&mine, &err) == ATTN_EINVAL && strstr(err.message, "/nonexistent/folder"), "%s", err.message);
}

/* The verification sees one missing key in any row it looks at, and lets rounding pass. */
Test(ext, verification_sees_a_missing_key)
{
    enum { N = 24, D = 8, H = 2 };
    static float q[H * N * D], k[H * N * D], v[H * N * D], o[H * N * D];
    const cell c = {.spec = "dense", .n = N, .heads = H, .kv_heads = H, .dim = D, .batch = 1, .kernel = "ext:x", .seed = 1};
    attn_error err;
    attn_spec *spec = NULL, *less = NULL;
    attn_layout *layout = NULL, *missing = NULL;
    rng_normal_fill(5, 1, 0, H * N * D, q);
    rng_normal_fill(5, 2, 0, H * N * D, k);
    rng_normal_fill(5, 3, 0, H * N * D, v);
    cr_assert(!attn_spec_parse(&spec, "dense", &err) && !attn_layout_create(&layout, spec, N, N, H, &err), "%s", err.message);
    cr_assert(!attn_spec_parse(&less, "local:k=22", &err) && !attn_layout_create(&missing, less, N, N, H, &err), "%s",
              err.message);
    for (int lacking = 0; lacking < 2; lacking++) { /* the last row lacks key 0 */
        const attn_problem problem = {.layout = lacking ? missing : layout, .batch = 1, .kv_heads = H, .dim = D,
                                      .kernel = "portable", .threads = 1};
        attn_plan *plan = NULL;
        float lse[H * N];
        cr_assert(!attn_plan_create(&plan, &problem, &err), "%s", err.message);
        attn_plan_run(plan, q, k, v, o, lse);
        attn_plan_destroy(plan);
        attn_status status = ext_verify(&c, layout, q, k, v, o, &err);
        cr_assert(status == (lacking ? ATTN_EWRONG : ATTN_OK), "lacking %d: status %d", lacking, (int)status);
    }
    cr_assert(strstr(err.message, "wrong numbers from ext:x: batch 0 head 0 row 23"), "%s", err.message);
    attn_layout_destroy(missing);
    attn_layout_destroy(layout);
    attn_spec_destroy(less);
    attn_spec_destroy(spec);
}
