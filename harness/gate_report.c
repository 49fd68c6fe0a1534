/* What a gate found: a table, Markdown for a pull request's comment, JSON, JUnit XML, annotations. See gate.h. */
#include "harness/gate.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/emit.h"

/* "+2.3%"; "-" for NaN and infinities. */
static void percent(char *out, size_t size, double log_ratio)
{
    if (isfinite(log_ratio))
        snprintf(out, size, "%+.1f%%", 100 * expm1(log_ratio));
    else
        snprintf(out, size, "-");
}

/* The least of all blocks, since what disturbs only adds; counts into `text`. */
static emit_value least(char *text, size_t size, const gate_cell *c, size_t arm)
{
    double best = (double)NAN;
    for (size_t b = 0; b < c->blocks; b++)
        best = fmin(best, c->cost[arm][b]);
    if (c->lane == LANE_TIME)
        return emit_real(best);
    snprintf(text, size, "%.0f", best);
    return emit_text(text);
}

static const char *const lane_names[] = {[LANE_TIME] = "time", [LANE_CALLGRIND] = "callgrind"};

void gate_print_table(FILE *out, const gate_result *r, bool markdown)
{
    enum { CELL, LANE, BASE, HEAD, CHANGE, INTERVAL, VERDICT, BLOCKS, DROPPED, NULL_CHANGE, COLUMNS };
    static const emit_column columns[COLUMNS] = {
        [CELL] = {"cell", "cell", EMIT_PLAIN}, [LANE] = {"lane", "lane", EMIT_PLAIN}, [BASE] = {"base_ns", "base, least", EMIT_NS}, [HEAD] = {"head_ns", "head, least", EMIT_NS},
        [CHANGE] = {"change", "change", EMIT_PLAIN}, [INTERVAL] = {"interval", "95% interval", EMIT_PLAIN},
        [VERDICT] = {"verdict", "verdict", EMIT_PLAIN}, [BLOCKS] = {"blocks", "blocks", EMIT_PLAIN},
        [DROPPED] = {"dropped", "dropped", EMIT_PLAIN}, [NULL_CHANGE] = {"null", "base again", EMIT_PLAIN}};
    emitter *e = emit_open(out, markdown ? EMIT_MD : EMIT_TABLE, columns, COLUMNS);
    for (size_t i = 0; e && i < r->cells->count; i++) {
        const gate_cell *c = &r->cells->at[i];
        char change[24], lo[24], hi[24], interval[64], null[24], costs[2][32];
        percent(change, sizeof change, c->head.median);
        percent(lo, sizeof lo, c->head.lo);
        percent(hi, sizeof hi, c->head.hi);
        percent(null, sizeof null, c->null.median);
        snprintf(interval, sizeof interval, "%s .. %s", lo, hi);
        emit_row(e, (emit_value[COLUMNS]){
            [CELL] = emit_text(c->name), [LANE] = emit_text(lane_names[c->lane]),
            [BASE] = least(costs[0], sizeof costs[0], c, GATE_BASE), [HEAD] = least(costs[1], sizeof costs[1], c, GATE_HEAD),
            [CHANGE] = emit_text(change),
            [INTERVAL] = emit_text(interval), [VERDICT] = emit_text(verdict_name(c->head.kind)),
            [BLOCKS] = emit_int((int64_t)c->head.blocks), [DROPPED] = emit_int((int64_t)c->dropped), [NULL_CHANGE] = emit_text(null)});
    }
    if (e)
        (void)emit_close(e);
    char thresholds[80] = "";
    for (lane in = LANE_TIME; in <= LANE_CALLGRIND; in++) {
        bool judged = false;
        for (size_t i = 0; i < r->cells->count; i++)
            judged |= r->cells->at[i].lane == in;
        const size_t used = strlen(thresholds);
        if (judged)
            snprintf(thresholds + used, sizeof thresholds - used, ", %s %g%%", in == LANE_CALLGRIND ? "threshold of instructions" : "threshold",
                     100 * (in == LANE_CALLGRIND ? r->count_threshold : r->threshold));
    }
    fprintf(out, "%s%s: %s (%.12s) against %s (%.12s)%s%s\n", markdown ? "\n**" : "", r->verdict, r->head, r->head_at->commit, r->base,
            r->base_at->commit, thresholds, markdown ? "**" : "");
    if (r->void_run)
        fprintf(out, "The run is void: the base differs from itself on this machine now.\n");
}

/* ---- files ---- */

static void json_text(FILE *out, const char *key, const char *text)
{
    fprintf(out, "\"%s\": ", key);
    emit_json_string(out, text);
}

static void json_number(FILE *out, const char *key, double x)
{
    if (isfinite(x))
        fprintf(out, ", \"%s\": %.9g", key, x);
    else
        fprintf(out, ", \"%s\": null", key);
}

static void write_json(FILE *out, const gate_result *r)
{
    fputs("{", out);
    json_text(out, "verdict", r->verdict);
    fputs(", ", out);
    json_text(out, "base", r->base_at->commit);
    fputs(", ", out);
    json_text(out, "head", r->head_at->commit);
    fputs(", ", out);
    json_text(out, "suite", r->suite);
    fprintf(out, ", \"threshold\": %g, \"count_threshold\": %g, \"void\": %s, \"cells\": [", r->threshold, r->count_threshold, r->void_run ? "true" : "false");
    for (size_t i = 0; i < r->cells->count; i++) {
        const gate_cell *c = &r->cells->at[i];
        fputs(i ? ", {" : "{", out);
        json_text(out, "cell", c->name);
        fputs(", ", out);
        json_text(out, "lane", lane_names[c->lane]);
        fputs(", ", out);
        json_text(out, "verdict", verdict_name(c->head.kind));
        json_number(out, "ratio", exp(c->head.median));
        json_number(out, "ratio_lo", exp(c->head.lo));
        json_number(out, "ratio_hi", exp(c->head.hi));
        json_number(out, "sign_test_p", c->head.p);
        json_number(out, "null_ratio", exp(c->null.median));
        json_number(out, "null_p", c->null.p);
        fprintf(out, ", \"blocks\": %zu, \"dropped\": %zu, \"blocks_needed\": %zu, \"confirmed\": %s}", c->head.blocks, c->dropped,
                c->head.needed, c->confirmed ? "true" : "false");
    }
    fputs("]}\n", out);
}

static void write_markdown(FILE *out, const gate_result *r) { gate_print_table(out, r, true); }

static void xml_text(FILE *out, const char *text)
{
    static const struct { char is; const char *as; } names[] = {
        {'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}};
    for (; *text; text++) {
        const char *as = NULL;
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
            as = names[i].is == *text ? names[i].as : as;
        as ? (void)fputs(as, out) : (void)putc(*text, out);
    }
}

static void describe(char *out, size_t size, const gate_cell *c)
{
    char change[24], lo[24], hi[24];
    percent(change, sizeof change, c->head.median);
    percent(lo, sizeof lo, c->head.lo);
    percent(hi, sizeof hi, c->head.hi);
    if (c->lane == LANE_CALLGRIND)
        snprintf(out, size, "%s instructions", change);
    else
        snprintf(out, size, "%s, 95%% interval %s .. %s, %zu blocks", change, lo, hi, c->head.blocks);
}

static void write_junit(FILE *out, const gate_result *r)
{
    size_t failures = 0, skipped = 0;
    for (size_t i = 0; i < r->cells->count; i++) {
        failures += r->cells->at[i].head.kind == VERDICT_REGRESSED;
        skipped += r->cells->at[i].head.kind == VERDICT_INCONCLUSIVE;
    }
    fprintf(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"attnlab gate\" tests=\"%zu\" failures=\"%zu\" "
            "skipped=\"%zu\">\n", r->cells->count, failures, skipped);
    for (size_t i = 0; i < r->cells->count; i++) {
        const gate_cell *c = &r->cells->at[i];
        char text[160];
        describe(text, sizeof text, c);
        fprintf(out, "  <testcase classname=\"attnlab.gate.%s\" name=\"", lane_names[c->lane]);
        xml_text(out, c->name);
        fputs("\">", out);
        if (c->head.kind == VERDICT_REGRESSED)
            fprintf(out, "<failure message=\"regressed: %s\"/>", text);
        if (c->head.kind == VERDICT_INCONCLUSIVE)
            fprintf(out, "<skipped message=\"inconclusive: %s\"/>", text);
        fputs("</testcase>\n", out);
    }
    fputs("</testsuite>\n", out);
}

static void write_verdict(FILE *out, const gate_result *r) { fprintf(out, "%s\n", r->verdict); }

attn_status gate_write_reports(const char *folder, const gate_result *r, attn_error *err)
{
    static const struct { const char *name; void (*write)(FILE *, const gate_result *); } files[] = {
        {"gate.json", write_json}, {"gate.md", write_markdown}, {"gate.xml", write_junit}, {"verdict", write_verdict}};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char path[GATE_PATH];
        snprintf(path, sizeof path, "%s/%s", folder, files[i].name);
        FILE *out = fopen(path, "w");
        if (!out)
            return attn_fail(err, ATTN_EINVAL, "%s cannot be written: %s", path, strerror(errno));
        files[i].write(out, r);
        const bool failed = ferror(out);
        if (fclose(out) != 0 || failed)
            return attn_fail(err, ATTN_EIO, "%s cannot be written: %s", path, strerror(errno));
    }
    return ATTN_OK;
}

void gate_annotate(FILE *out, const gate_result *r)
{
    for (size_t i = 0; i < r->cells->count; i++) {
        const gate_cell *c = &r->cells->at[i];
        char text[160];
        if (c->head.kind != VERDICT_REGRESSED && c->head.kind != VERDICT_INCONCLUSIVE)
            continue;
        describe(text, sizeof text, c);
        fprintf(out, "::%s title=attnlab gate::%s %s: %s\n", c->head.kind == VERDICT_REGRESSED ? "error" : "warning", c->name,
                verdict_name(c->head.kind), text);
    }
}
