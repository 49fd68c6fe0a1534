/* Gates measured on this machine, of this program against itself: as it is, and with some of its work repeated
 * (kernels/plan_inject.h), all arms in turn in the same blocks. Then replays of the blocks that were just measured. */
#include "harness/selftest_parts.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/blocks.h"
#include "harness/cli.h"
#include "harness/compare.h"
#include "harness/stats.h"

/* Each gate holds one arm against REFERENCE, which stands among them. */
enum { FIVE, REFERENCE, AGAIN, TWO, ARMS };
static const double injected[ARMS] = {[FIVE] = 0.05, [TWO] = 0.02};

/* What is measured in each gate. */
typedef struct plan {
    const char *name;
    size_t cases, blocks, gates;
    size_t first, arms; /* of those above */
    double seconds;     /* timed, of a process */
} plan;

static const char *const specs[] = {"dense", "local:k=32", "strided:l=16", "fixed:l=16,c=4"};
/* Short runs, so that there are a dozen in a process and some of them are left alone. */
static const size_t lengths[] = {256, 320, 384}, dims[] = {64};
enum { SPECS = sizeof specs / sizeof specs[0] };

typedef struct live {
    selftest_tally tally[ARMS];           /* of each against REFERENCE */
    double *log_ratios[SELFTEST_CASES];   /* of AGAIN against REFERENCE, in all gates */
    size_t blocks[SELFTEST_CASES];
} live;

static void live_free(live *l)
{
    for (size_t i = 0; i < SELFTEST_CASES; i++)
        free(l->log_ratios[i]);
}

/* For replay. The order of compare_read() is the same each time. */
static attn_status keep(live *l, const comparisons *c, attn_error *err)
{
    for (size_t i = 0; i < c->count && i < SELFTEST_CASES; i++) {
        const size_t more = c->at[i].verdict.blocks;
        double *larger = realloc(l->log_ratios[i], (l->blocks[i] + more + 1) * sizeof *larger);
        if (!larger)
            return attn_fail(err, ATTN_ENOMEM, "out of memory");
        l->log_ratios[i] = larger;
        memcpy(larger + l->blocks[i], c->at[i].log_ratios, more * sizeof *larger);
        l->blocks[i] += more;
    }
    return ATTN_OK;
}

static attn_status judge_arm(live *l, store *s, size_t arm, const char *reference, const char *label, attn_error *err)
{
    comparisons c = {0};
    double *at[SELFTEST_CASES];
    size_t blocks[SELFTEST_CASES];
    attn_status status =
        compare_read(&c, s, &(compare_request){.a = reference, .b = label, .threshold = 0.01, .confidence = 0.95}, err);
    if (!status && arm == AGAIN)
        status = keep(l, &c, err);
    if (!status) {
        for (size_t i = 0; i < c.count; i++) {
            at[i] = c.at[i].log_ratios;
            blocks[i] = c.at[i].verdict.blocks;
        }
        selftest_gate(&l->tally[arm], at, blocks, c.count);
    }
    compare_free(&c);
    return status;
}

static attn_status measure(selftest_session *x, const plan *p, const char *const *labels, uint64_t seed, store *s, attn_error *err)
{
    attn_status lost;
    blocks_request r = {
        .base = {.specs = specs, .spec_count = p->cases < SPECS ? p->cases : SPECS, .ns = lengths,
                 .n_count = p->cases < SPECS ? 1 : p->cases / SPECS, .dims = dims, .dim_count = 1, .batch = 1, .heads = 4,
                 .kv_heads = 4, .dtype = ATTN_F32, .direction = FORWARD, .plan = ATTN_PLAN_ESTIMATE, .threads = 1,
                 .input = "gauss", .seed = 1, .ext_timeout = 600, .seconds = p->seconds, .program = x->program},
        .arms = p->arms, .blocks = p->blocks, .seed = seed};
    for (size_t i = 0; i < p->arms; i++) {
        r.kernels[i] = "auto";
        r.labels[i] = labels[p->first + i];
        r.inject[i] = injected[p->first + i];
    }
    x->bar.done = 0;
    attn_status status = metric_set_parse(&r.base.metrics, "time", LANE_TIME, err);
    return status ? status : blocks_measure(&r, s, &x->bar, &lost, err); /* nothing can be lost: no arm is external */
}

/* In a database of its own: a common one would grow with the gates, and reading it slow down. */
static attn_status gate(selftest_session *x, live *l, const plan *p, size_t number, attn_error *err)
{
    static const char *const arms[ARMS] = {"5% injected", "first", "second", "2% injected"};
    char file[300], labels[ARMS][96];
    const char *at[ARMS];
    store *s = NULL;
    for (size_t i = 0; i < ARMS; i++) {
        snprintf(labels[i], sizeof labels[i], "%s, gate %zu of %zu, %s", p->name, number + 1, p->gates, arms[i]);
        at[i] = labels[i];
    }
    selftest_file(x->folder, file, "gate.db");
    attn_status status = store_open(&s, file, STORE_WRITE, err);
    if (!status)
        status = measure(x, p, at, x->seed + number, s, err);
    for (size_t i = p->first; i < p->first + p->arms && !status; i++)
        if (i != REFERENCE)
            status = judge_arm(l, s, i, at[REFERENCE], at[i], err);
    store_close(s);
    selftest_remove(x->folder, "gate.db");
    return status;
}

static attn_status gates(selftest_session *x, live *l, const plan *p, attn_error *err)
{
    attn_status status = ATTN_OK;
    for (size_t g = 0; g < p->gates && !status; g++)
        status = gate(x, l, p, g, err);
    return status;
}

/* ---- beside a busy process ---- */

static pid_t keep_busy(void)
{
    const pid_t parent = getpid(), child = fork();
    if (child != 0)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (volatile unsigned long spins = 0; getppid() == parent || spins == 0;)
        for (unsigned i = 0; i < 1u << 20; i++)
            spins++;
    _exit(0);
}

static attn_status gates_beside_hog(selftest_session *x, live *l, const plan *p, attn_error *err)
{
    const pid_t hog = keep_busy();
    if (hog < 0)
        return attn_fail(err, ATTN_EIO, "cannot start a process that keeps a core busy: %s", strerror(errno));
    const attn_status status = gates(x, l, p, err);
    kill(hog, SIGKILL);
    waitpid(hog, NULL, 0);
    return status;
}

/* ---- replay ---- */

static void replay(selftest_session *x, const live *l)
{
    static const selftest_claim *const claims[] = {&selftest_five, &selftest_two};
    selftest_record records[SELFTEST_CASES];
    size_t count = 0;
    for (size_t i = 0; i < SELFTEST_CASES; i++)
        if (l->blocks[i])
            records[count++] = (selftest_record){l->log_ratios[i], l->blocks[i],
                                                 stats_median(l->log_ratios[i], l->blocks[i], 0.95).median};
    for (size_t i = 0; i < sizeof claims / sizeof claims[0] && count; i++) {
        const selftest_tally t = selftest_replayed(records, count, log1p(claims[i]->truth), x->quick ? 300 : 3000, x->seed);
        selftest_judge(x, claims[i], "replay of its blocks", &t, EXIT_INCONCLUSIVE);
    }
}

attn_status selftest_gates(selftest_session *x, attn_error *err)
{
    const double seconds = x->quick ? 0.02 : 0.01; /* few blocks have to be better ones */
    const plan alone = {.name = "alone", .cases = x->quick ? 2 : SELFTEST_CASES, .blocks = x->quick ? 40 : SELFTEST_BLOCKS,
                        .gates = x->gates, .first = FIVE, .arms = ARMS, .seconds = seconds};
    const plan busy = {.name = "beside a busy process", .cases = x->quick ? 2 : SELFTEST_CASES, .blocks = alone.blocks,
                       .gates = (x->gates + 2) / 3, .first = REFERENCE, .arms = 2, .seconds = seconds};
    live quiet = {0}, disturbed = {0};
    attn_status status = gates(x, &quiet, &alone, err);
    if (!status)
        status = gates_beside_hog(x, &disturbed, &busy, err);
    if (!status) {
        selftest_judge(x, &selftest_same, "this machine", &quiet.tally[AGAIN], EXIT_INCONCLUSIVE);
        selftest_judge(x, &selftest_same_busy, "this machine", &disturbed.tally[AGAIN], EXIT_INCONCLUSIVE);
        selftest_judge(x, &selftest_five, "this machine, injected", &quiet.tally[FIVE], EXIT_INCONCLUSIVE);
        selftest_judge(x, &selftest_two, "this machine, injected", &quiet.tally[TWO], EXIT_INCONCLUSIVE);
        replay(x, &quiet);
    }
    live_free(&quiet);
    live_free(&disturbed);
    return status;
}
