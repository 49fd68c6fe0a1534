/* What selftest tries with the program itself: kills, writers at once, arms with repeated work. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "harness/blocks.h"
#include "harness/selftest_parts.h"
#include "support/program.h"
#include "support/store_fill.h"

static selftest_session begin(void)
{
    selftest_session x = {.program = getenv("ATTNLAB"), .seed = 1};
    snprintf(x.folder, sizeof x.folder, "%s", scratch_folder());
    return x;
}

Test(selftest_store, kills_lose_nothing_and_resume, .timeout = 120)
{
    attn_error err;
    selftest_kills k;
    selftest_session x = begin();
    const attn_status status = selftest_kill(&x, 3, &k, &err);
    cr_assert(status == ATTN_OK, "%s", err.message);
    cr_assert(k.hit >= 1 && k.hit <= 3 && k.lost == 0 && k.unequal == 0, "%zu killed, %zu lost, %zu unequal", k.hit, k.lost, k.unequal);
    cr_assert(!file_exists(scratch_path("kill.db")), "the database is left behind");
}

/* Not a failed row: nothing was tried. */
Test(selftest_store, program_that_cannot_run_is_an_error, .timeout = 60)
{
    attn_error err;
    selftest_kills k;
    selftest_session x = begin();
    x.program = "/bin/false";
    cr_assert(selftest_kill(&x, 1, &k, &err) == ATTN_EINTERNAL && strstr(err.message, "exit 1"), "%s", err.message);
}

Test(selftest_store, writers_lose_nothing, .timeout = 120)
{
    attn_error err;
    size_t complaints, stored;
    selftest_session x = begin();
    const attn_status status = selftest_write(&x, 8, 6, &complaints, &stored, &err);
    cr_assert(status == ATTN_OK, "%s", err.message);
    cr_assert(stored == 48 && complaints == 0, "%zu rows, %zu complained", stored, complaints);
}

/* Where waiting is forbidden, someone has to complain, or all were lucky: then nothing is lost. */
Test(selftest_store, writers_that_complain_are_counted, .timeout = 120)
{
    attn_error err;
    size_t complaints, stored;
    selftest_session x = begin();
    setenv("ATTNLAB_DB_WAIT", "0", 1);
    const attn_status status = selftest_write(&x, 8, 40, &complaints, &stored, &err);
    cr_assert(status == ATTN_OK, "%s", err.message);
    cr_assert((complaints == 0) == (stored == 320), "%zu rows, %zu complained", stored, complaints);
}

/* Only the arm with an injection repeats work, and its rows say so; arms change places, and their rows say that as well. */
Test(selftest_store, arms_may_repeat_work, .timeout = 120)
{
    const char *const spec = "local:k=32";
    const size_t n = 256, dim = 64;
    attn_status lost, status;
    attn_error err;
    progress bar = progress_start(stderr, 0);
    store *s = fill_open(scratch_path("arms.db"));
    blocks_request r = {.base = {.specs = &spec, .spec_count = 1, .ns = &n, .n_count = 1, .dims = &dim, .dim_count = 1, .batch = 1,
                                 .heads = 2, .kv_heads = 2, .dtype = ATTN_F32, .direction = FORWARD, .plan = ATTN_PLAN_ESTIMATE, .threads = 1,
                                 .input = "gauss", .seed = 1, .ext_timeout = 60, .seconds = 0.002, .program = getenv("ATTNLAB")},
                        .arms = 2, .kernels = {"auto", "auto"}, .labels = {"plain", "dearer"}, .inject = {0, 0.2}, .blocks = 2};
    status = metric_set_parse(&r.base.metrics, "time", LANE_TIME, &err);
    if (!status)
        status = blocks_measure(&r, s, &bar, &lost, &err);
    cr_assert(status == ATTN_OK, "%s", err.message);
    const char *asked = ask_store(s, "SELECT count(*) FROM scalars x JOIN measurements m ON m.id = x.measurement JOIN runs r ON r.id = m.run "
                                     "WHERE x.name = 'inject' AND x.value = 0.2 AND r.label = 'dearer'");
    cr_assert(strcmp(asked, "2") == 0, "%s measurements of the dearer arm are marked", asked);
    const char *marked = ask_store(s, "SELECT count(DISTINCT measurement) FROM scalars WHERE name IN ('inject', 'injected')");
    cr_assert(strcmp(marked, "2") == 0, "%s measurements of 4 are marked", marked);
    const char *places = ask_store(s, "SELECT group_concat(label || ' ' || place, ', ') FROM (SELECT r.label, sum(p.value * (1 + 2 * b.value)) AS place "
                                      "FROM scalars p JOIN scalars b ON b.measurement = p.measurement AND b.name = 'block' "
                                      "JOIN measurements m ON m.id = p.measurement JOIN runs r ON r.id = m.run WHERE p.name = 'place' "
                                      "GROUP BY r.label ORDER BY place)");
    cr_assert(strcmp(places, "plain 1, dearer 3") == 0 || strcmp(places, "dearer 1, plain 3") == 0, "second in turn: %s", places);
    store_close(s);
}
