/* The counter reader against a scripted kernel. */
#include <criterion/criterion.h>
#include <math.h>

#include "support/fake_perf.h"

enum { CYCLES = 0, INSTRUCTIONS = 1, BRANCHES = 4, MISSES = 5 };
#define END {-1, -1, -1, -1, 0, -1}

static uint64_t by_config(const struct perf_event_attr *attr, pid_t thread)
{
    return (uint64_t)(attr->config + 1) * 1000 + (uint64_t)thread;
}

static void always(pid_t thread, uint64_t *enabled, uint64_t *running)
{
    (void)thread;
    *enabled = *running = 400;
}

static void quarter(pid_t thread, uint64_t *enabled, uint64_t *running)
{
    *enabled = 400;
    *running = thread == 1 ? 100 : 400;
}

static void starved(pid_t thread, uint64_t *enabled, uint64_t *running)
{
    *enabled = 400;
    *running = thread == 2 ? 0 : 400;
}

static void second_sleeps(pid_t thread, uint64_t *enabled, uint64_t *running)
{
    *enabled = *running = thread == 2 ? 0 : 400;
}

static void nobody_ran(pid_t thread, uint64_t *enabled, uint64_t *running)
{
    (void)thread;
    *enabled = *running = 0;
}

static const pid_t one[] = {1}, three[] = {1, 2, 3};

/* Opens cycles, instructions, branches and misses, counts `windows` windows and closes. */
static void count_group(fake_perf *f, const pid_t *threads, size_t thread_count, int windows,
                        perf_count counts[4])
{
    static const uint64_t configs[] = {CYCLES, INSTRUCTIONS, BRANCHES, MISSES};
    struct perf_event_attr attrs[4];
    memset(attrs, 0, sizeof attrs);
    for (int i = 0; i < 4; i++)
        attrs[i].config = configs[i];
    perf_calls calls = fake_calls(f);
    perf_group *g = NULL;
    cr_assert(perf_group_open(&g, &calls, attrs, 4, threads, thread_count, NULL) == ATTN_OK, "open failed");
    for (int w = 0; w < windows; w++) {
        perf_group_start(g);
        for (int i = 0; i < FAKE_FILES; i++)
            cr_assert(!f->files[i].open || f->files[i].leader != i || !f->files[i].disabled,
                      "window %d: leader %d is not enabled", w, i);
        perf_group_stop(g, counts);
        for (int i = 0; i < FAKE_FILES; i++)
            cr_assert(!f->files[i].open || f->files[i].leader != i || f->files[i].disabled,
                      "window %d: leader %d is still enabled", w, i);
    }
    perf_group_close(g);
    cr_assert(f->now_open == 0, "%zu files were left open", f->now_open);
}

Test(perf, full_group_gives_differences)
{
    fake_perf f = {.count = by_config, .times = always};
    perf_count c[4];
    count_group(&f, one, 1, 3, c); /* the last of three windows, not their sum */
    static const double want[] = {1001, 2001, 5001, 6001};
    for (int i = 0; i < 4; i++)
        cr_assert(c[i].cause == PERF_COUNTED && c[i].value == want[i] && c[i].running == 1,
                  "event %d: cause %d, value %g, running %g", i, (int)c[i].cause, c[i].value, c[i].running);
    cr_assert(f.opens == 4 && f.most_open == 4, "%d opens, %zu at once", f.opens, f.most_open);
}

Test(perf, group_attributes)
{
    fake_perf f = {.count = by_config, .times = always};
    perf_calls calls = fake_calls(&f);
    struct perf_event_attr attrs[2];
    memset(attrs, 0, sizeof attrs);
    attrs[1].config = INSTRUCTIONS;
    perf_group *g = NULL;
    cr_assert(perf_group_open(&g, &calls, attrs, 2, one, 1, NULL) == ATTN_OK, "open failed");
    uint64_t format = PERF_FORMAT_GROUP | PERF_FORMAT_ID | PERF_FORMAT_TOTAL_TIME_ENABLED |
                      PERF_FORMAT_TOTAL_TIME_RUNNING;
    cr_assert(f.files[0].attr.disabled && !f.files[1].attr.disabled, "the leader alone starts disabled");
    for (int i = 0; i < 2; i++)
        cr_assert(f.files[i].attr.read_format == format && f.files[i].attr.size == sizeof attrs[0] &&
                  f.files[i].leader == 0, "event %d: read_format %llx, size %u", i,
                  (unsigned long long)f.files[i].attr.read_format, f.files[i].attr.size);
    perf_group_close(g);
}

Test(perf, threads_are_summed)
{
    fake_perf f = {.count = by_config, .times = always};
    perf_count c[4];
    count_group(&f, three, 3, 1, c);
    cr_assert(c[0].value == 3 * 1000 + 6 && c[3].value == 3 * 6000 + 6, "sums %g and %g", c[0].value,
              c[3].value);
    cr_assert(f.most_open == 12, "%zu files for 3 threads of 4 events", f.most_open);
}

Test(perf, multiplexing_is_scaled_per_thread_and_flagged)
{
    fake_perf f = {.count = by_config, .times = quarter};
    perf_count c[4];
    count_group(&f, three, 3, 2, c);
    double want = 4.0 * 1001 + 1002 + 1003;
    cr_assert(c[0].cause == PERF_COUNTED && fabs(c[0].value - want) < 1e-9, "%.17g, not %.17g", c[0].value,
              want);
    cr_assert(c[0].running == 0.25, "running %g", c[0].running);
}

Test(perf, a_counter_that_never_ran_is_absent)
{
    fake_perf f = {.count = by_config, .times = starved};
    perf_count c[4];
    count_group(&f, three, 3, 1, c);
    for (int i = 0; i < 4; i++)
        cr_assert(c[i].cause == PERF_NEVER_RAN && isnan(c[i].value), "event %d: cause %d, value %g", i,
                  (int)c[i].cause, c[i].value);
}

Test(perf, a_sleeping_thread_adds_nothing)
{
    fake_perf f = {.count = by_config, .times = second_sleeps};
    perf_count c[4];
    count_group(&f, three, 3, 1, c);
    cr_assert(c[0].cause == PERF_COUNTED && c[0].value == 1001 + 1003 && c[0].running == 1,
              "cause %d, value %g", (int)c[0].cause, c[0].value);
    f.times = nobody_ran;
    count_group(&f, three, 3, 1, c);
    cr_assert(c[0].cause == PERF_NEVER_RAN && isnan(c[0].value), "nobody ran: cause %d, value %g",
              (int)c[0].cause, c[0].value);
}

/* Every errno of an open that refuses all events, and the words for it. */
Test(perf, causes_of_failure)
{
    static const struct { int error; perf_cause cause; const char *word; } table[] = {
        {ENOENT, PERF_NO_PMU, "no PMU"},        {EOPNOTSUPP, PERF_NO_PMU, "EOPNOTSUPP"},
        {ENODEV, PERF_NO_PMU, "no PMU"},        {ENOSYS, PERF_NO_PMU, "ENOSYS"},
        {EACCES, PERF_NOT_PERMITTED, "perf_event_paranoid is 3"}, {EPERM, PERF_NOT_PERMITTED, "EPERM"},
        {EMFILE, PERF_NO_FILES, "ulimit"},      {ENFILE, PERF_NO_FILES, "ENFILE"},
        {EINVAL, PERF_REFUSED, "EINVAL"},       {E2BIG, PERF_OTHER, "E2BIG"},
    };
    for (size_t t = 0; t < sizeof table / sizeof *table; t++) {
        fake_rule rules[] = {{-1, -1, -1, table[t].error, 0, -1}, END};
        fake_perf f = {.count = by_config, .times = always, .rules = rules};
        perf_count c[4];
        count_group(&f, three, 3, 1, c);
        for (int i = 0; i < 4; i++)
            cr_assert(c[i].cause == table[t].cause && c[i].error == table[t].error && isnan(c[i].value),
                      "errno %d, event %d: cause %d, error %d", table[t].error, i, (int)c[i].cause,
                      c[i].error);
        char reason[PERF_REASON_LENGTH];
        perf_reason(reason, &c[0], 3);
        cr_assert(strstr(reason, table[t].word), "errno %d: '%s' lacks '%s'", table[t].error, reason,
                  table[t].word);
    }
}

Test(perf, permission_is_told_apart)
{
    static const struct {
        int error, paranoid;
        const char *word;
    } table[] = {
        {EACCES, 3, "is 3; needs 1"},
        {EACCES, 2, "is 2; needs 1"},
        {EPERM, 1, "seccomp"},
        {EACCES, -1, "seccomp"},
        {EPERM, PERF_PARANOID_UNKNOWN, "cannot be read"},
    };
    for (size_t t = 0; t < sizeof table / sizeof *table; t++) {
        perf_count c = {.cause = PERF_NOT_PERMITTED, .error = table[t].error};
        char reason[PERF_REASON_LENGTH];
        perf_reason(reason, &c, table[t].paranoid);
        cr_assert(strstr(reason, table[t].word), "errno %d at level %d: '%s' lacks '%s'", table[t].error,
                  table[t].paranoid, reason, table[t].word);
    }
}

Test(perf, one_event_of_a_group_fails)
{
    static const uint64_t configs[] = {CYCLES, INSTRUCTIONS, BRANCHES, MISSES};
    for (int failing = 0; failing < 4; failing++) { /* 0: the leader, and the next one leads */
        fake_rule rules[] = {{-1, (long)configs[failing], -1, ENOENT, 0, -1}, END};
        fake_perf f = {.count = by_config, .times = always, .rules = rules};
        perf_count c[4];
        count_group(&f, three, 3, 1, c);
        for (int i = 0; i < 4; i++)
            if (i == failing)
                cr_assert(c[i].cause == PERF_NO_PMU && isnan(c[i].value), "event %d failed, cause %d", i,
                          (int)c[i].cause);
            else
                cr_assert(
                    c[i].cause == PERF_COUNTED && c[i].value == (double)(3 * 1000 * (configs[i] + 1) + 6),
                    "event %d with %d failing: cause %d, value %g", i, failing, (int)c[i].cause, c[i].value);
    }
}

/* The second thread refuses an event the first one took: it must not become a sum over one thread. */
Test(perf, an_event_that_one_thread_refuses_is_out_for_all)
{
    fake_rule rules[] = {{-1, CYCLES, 2, EINVAL, 0, -1}, END};
    fake_perf f = {.count = by_config, .times = always, .rules = rules};
    perf_count c[4];
    count_group(&f, three, 3, 1, c);
    cr_assert(c[0].cause == PERF_REFUSED && isnan(c[0].value), "cause %d, value %g", (int)c[0].cause,
              c[0].value);
    cr_assert(c[1].cause == PERF_COUNTED && c[1].value == 3 * 2000 + 6, "cause %d, value %g", (int)c[1].cause,
              c[1].value);
}

Test(perf, files_run_out_midway)
{
    fake_rule rules[] = {{-1, -1, -1, EMFILE, 7, -1}, END}; /* the 8th open and all after it */
    fake_perf f = {.count = by_config, .times = always, .rules = rules};
    perf_count c[4];
    count_group(&f, three, 3, 1, c);
    for (int i = 0; i < 4; i++)
        cr_assert(c[i].cause == PERF_NO_FILES && c[i].error == EMFILE, "event %d: cause %d, error %d", i,
                  (int)c[i].cause, c[i].error);
}

Test(perf, too_many_members_leave_the_rest_counted)
{
    fake_rule rules[] = {{-1, MISSES, -1, EINVAL, 0, 1}, END}; /* fits no group, would open alone */
    fake_perf f = {.count = by_config, .times = always, .rules = rules};
    perf_count c[4];
    count_group(&f, one, 1, 1, c);
    cr_assert(c[3].cause == PERF_REFUSED && c[0].cause == PERF_COUNTED && c[2].value == 5001,
              "causes %d and %d", (int)c[3].cause, (int)c[0].cause);
}

Test(perf, a_thread_that_ended_is_skipped)
{
    fake_rule rules[] = {{-1, BRANCHES, 2, ESRCH, 0, -1}, END}; /* dies while being opened */
    fake_perf f = {.count = by_config, .times = always, .rules = rules};
    perf_count c[4];
    count_group(&f, three, 3, 1, c);
    cr_assert(c[0].cause == PERF_COUNTED && c[0].value == 2 * 1000 + 4, "cause %d, value %g", (int)c[0].cause,
              c[0].value);
}

Test(perf, unreadable)
{
    static const int errors[] = {EBADF, -1};
    for (int e = 0; e < 2; e++) {
        fake_perf f = {.count = by_config, .times = always, .read_error = errors[e]};
        perf_count c[4];
        count_group(&f, one, 1, 1, c);
        cr_assert(c[0].cause == PERF_UNREADABLE && isnan(c[0].value), "read error %d: cause %d, value %g",
                  errors[e], (int)c[0].cause, c[0].value);
    }
}

Test(perf, no_threads_count_nothing)
{
    fake_perf f = {.count = by_config, .times = always};
    perf_count c[4];
    count_group(&f, one, 0, 1, c);
    cr_assert(c[0].cause == PERF_NEVER_RAN && isnan(c[0].value), "cause %d, value %g", (int)c[0].cause,
              c[0].value);
}
