/* The table of selftest. */
#include "harness/selftest_parts.h"

#include <math.h>

#include "harness/cli.h"

enum {
    ROW, SOURCE, BAR, OF, FOUND, INTERVAL, ALSO, GATES, TRIALS, HITS, RATE, RATE_LO, RATE_HI, SLOPE, SLOPE_LO, SLOPE_HI, CHANGE,
    WRONG, PASSED, INCONCLUSIVE, HOLDS, COLUMNS
};

/* People see texts, programs the numbers. */
static const emit_column columns[COLUMNS] = {
    [ROW] = {"row", "tried", EMIT_PLAIN},
    [SOURCE] = {"source", "on", EMIT_PLAIN},
    [BAR] = {"bar", "bar", EMIT_PLAIN},
    [OF] = {"of", "of", EMIT_PLAIN},
    [FOUND] = {"found", "found", EMIT_PLAIN},
    [INTERVAL] = {"interval", "95% interval", EMIT_PLAIN},
    [ALSO] = {"also", "also", EMIT_PLAIN},
    [GATES] = {"gates", NULL, EMIT_PLAIN},
    [TRIALS] = {"trials", NULL, EMIT_PLAIN},
    [HITS] = {"hits", NULL, EMIT_PLAIN},
    [RATE] = {"rate", NULL, EMIT_PERCENT},
    [RATE_LO] = {"rate_lo", NULL, EMIT_PERCENT},
    [RATE_HI] = {"rate_hi", NULL, EMIT_PERCENT},
    [SLOPE] = {"slope", NULL, EMIT_PLAIN},
    [SLOPE_LO] = {"slope_lo", NULL, EMIT_PLAIN},
    [SLOPE_HI] = {"slope_hi", NULL, EMIT_PLAIN},
    [CHANGE] = {"mean_change", NULL, EMIT_PERCENT},
    [WRONG] = {"wrong_direction", NULL, EMIT_PLAIN},
    [PASSED] = {"passed", NULL, EMIT_PLAIN},
    [INCONCLUSIVE] = {"inconclusive", NULL, EMIT_PLAIN},
    [HOLDS] = {"holds", "holds", EMIT_PLAIN},
};

enum { TEXT = 80 };

emitter *selftest_table(FILE *out, emit_format format)
{
    return emit_open(out, format, columns, COLUMNS);
}

static void say_slope(const selftest_row *r, emit_value *v, char of[TEXT], char found[TEXT], char interval[TEXT])
{
    v[TRIALS] = emit_int((int64_t)r->trials);
    v[SLOPE] = emit_real(r->slope);
    v[SLOPE_LO] = emit_real(r->lo);
    v[SLOPE_HI] = emit_real(r->hi);
    snprintf(of, TEXT, "%zu %s", r->trials, r->unit);
    snprintf(found, TEXT, "%.3f", r->slope);
    if (r->hi > r->lo)
        snprintf(interval, TEXT, "%.3f to %.3f", r->lo, r->hi);
    else
        snprintf(interval, TEXT, "exact");
}

/* Enough digits that 1 of 20000 is not 0. */
static void say_rate(const selftest_row *r, emit_value *v, char of[TEXT], char found[TEXT], char interval[TEXT])
{
    double lo, hi;
    const double rate = (double)r->hits / (double)r->trials;
    const int digits = r->trials >= 2000 ? 2 : 1;
    selftest_rate(r->hits, r->trials, &lo, &hi);
    v[TRIALS] = emit_int((int64_t)r->trials);
    v[HITS] = emit_int((int64_t)r->hits);
    v[RATE] = emit_real(rate);
    v[RATE_LO] = emit_real(lo);
    v[RATE_HI] = emit_real(hi);
    snprintf(of, TEXT, "%zu %s", r->trials, r->unit);
    if (r->gates && r->gates->gates != r->trials)
        snprintf(of, TEXT, "%zu %s in %zu gate%s", r->trials, r->unit, r->gates->gates, r->gates->gates > 1 ? "s" : "");
    snprintf(found, TEXT, "%zu: %.*f%%", r->hits, digits, 100 * rate);
    snprintf(interval, TEXT, "%.*f to %.*f%%", digits, 100 * lo, digits, 100 * hi);
}

static void say_gates(const selftest_row *r, emit_value *v, char also[TEXT])
{
    const selftest_tally *t = r->gates;
    v[GATES] = emit_int((int64_t)t->gates);
    const double change = expm1(t->log_ratios / (double)t->cases);
    v[CHANGE] = emit_real(change);
    v[WRONG] = emit_int((int64_t)t->improved);
    v[PASSED] = emit_int((int64_t)t->pass);
    v[INCONCLUSIVE] = emit_int((int64_t)t->inconclusive);
    snprintf(also, TEXT, "%zu improved, %zu pass, %zu inconclusive; mean %+.1f%%", t->improved, t->pass, t->inconclusive, 100 * change);
}

void selftest_put(selftest_session *x, const selftest_row *r)
{
    emit_value v[COLUMNS] = {[ROW] = emit_text(r->tried), [SOURCE] = emit_text(r->on), [BAR] = emit_text(r->bar),
                             [HOLDS] = emit_bool(r->holds)};
    char of[TEXT], found[TEXT], interval[TEXT], also[TEXT];
    (r->is_slope ? say_slope : say_rate)(r, v, of, found, interval);
    v[OF] = emit_text(of);
    v[FOUND] = emit_text(found);
    v[INTERVAL] = emit_text(interval);
    v[ALSO] = emit_text(r->also);
    if (r->gates) {
        say_gates(r, v, also);
        v[ALSO] = emit_text(also);
    }
    progress_clear(&x->bar);
    emit_row(x->out, v);
    if (!r->holds && x->code != EXIT_INTERNAL)
        x->code = r->failure;
}

/* ---- gates ---- */

const selftest_claim selftest_same = {"no difference", "0 flagged", 0, 0, true},
                     selftest_same_busy = {"no difference, a core kept busy", "0 flagged", 0, 0, true},
                     selftest_five = {"5% slower", "99% or more flagged, none improved", 0.05, 0.99, false},
                     selftest_two = {"2% slower", "flagged or inconclusive, never pass", 0.02, 0, false};

void selftest_judge(selftest_session *x, const selftest_claim *c, const char *on, const selftest_tally *t, int failure)
{
    const bool null = !(c->truth > 0);
    const size_t hits = null ? t->flagged_gates : t->regressed, trials = null ? t->gates : t->cases;
    const bool holds = null ? hits == 0
                            : t->improved == 0 && (c->may_pass || t->pass == 0) &&
                                  (double)hits >= c->least_flagged * (double)trials;
    selftest_put(x, &(selftest_row){.tried = c->row, .on = on, .bar = c->bar, .hits = hits, .trials = trials,
                                    .unit = null ? "gates" : "cases", .gates = t, .holds = holds, .failure = failure});
}
