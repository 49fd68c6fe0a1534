/* attnlab run --explain: how each cell would be computed and why, without measuring any. */
#include "harness/run.h"

#include <stdlib.h>
#include <string.h>

#include "attn/explain.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static emit_value time_or_null(double ns) { return ns > 0 ? emit_real(ns) : emit_null(); }

static double share(uint64_t part, uint64_t whole) { return whole ? (double)part / (double)whole : 1; }

/* ---- parts and candidates, as tables of their own or as JSON inside a cell's row ---- */

static const emit_column part_columns[] = {
    {"head", "head", EMIT_PLAIN},
    {"way", "part", EMIT_PLAIN},
    {"row_step", NULL, EMIT_PLAIN},
    {"tiles", "tiles", EMIT_PLAIN},
    {"groups", "groups", EMIT_PLAIN},
    {"items", "items", EMIT_PLAIN},
    {"granules", "granules", EMIT_COUNT},
    {"masked_granules", "masked", EMIT_COUNT},
    {"lanes_useful", "useful", EMIT_COUNT},
    {"lanes_executed", "executed", EMIT_COUNT},
    {"tile_utilisation", "util", EMIT_PERCENT},
    {"keys_gathered", "gathered", EMIT_COUNT},
    {"rows_carried", "carried", EMIT_COUNT},
    {"predicted_ns", "predicted", EMIT_NS},
};

static void put_part(emitter *e, const attn_part_info *p)
{
    const emit_value row[LENGTH(part_columns)] = {
        emit_int((int64_t)p->head),            emit_text(p->way),
        emit_int((int64_t)p->row_step),        emit_int((int64_t)p->tiles),
        emit_int((int64_t)p->groups),          emit_int((int64_t)p->items),
        emit_int((int64_t)p->granules),        emit_int((int64_t)p->masked_granules),
        emit_int((int64_t)p->lanes_useful),    emit_int((int64_t)p->lanes_executed),
        emit_real(share(p->lanes_useful, p->lanes_executed)), emit_int((int64_t)p->keys_gathered),
        emit_int((int64_t)p->rows_carried),    emit_real(p->predicted_ns),
    };
    emit_row(e, row);
}

static const emit_column candidate_columns[] = {
    {"kernel", "kernel", EMIT_PLAIN},      {"lowering", "lowering", EMIT_PLAIN}, {"chosen", NULL, EMIT_PLAIN},
    {"predicted_ns", "predicted", EMIT_NS}, {"measured_ns", "measured", EMIT_NS}, {"why", "why", EMIT_PLAIN},
};

static void put_candidate(emitter *e, const attn_candidate_info *c)
{
    const emit_value row[LENGTH(candidate_columns)] = {
        emit_text(c->kernel), emit_text(*c->lowering ? c->lowering : NULL), emit_bool(c->chosen),
        time_or_null(c->predicted_ns), time_or_null(c->measured_ns), emit_text(c->why),
    };
    emit_row(e, row);
}

static bool put_parts(FILE *out, emit_format format, const attn_explanation *x)
{
    emitter *e = emit_open(out, format, part_columns, LENGTH(part_columns));
    for (size_t i = 0; e && i < x->part_count; i++)
        put_part(e, &x->parts[i]);
    return e && emit_close(e);
}

static bool put_candidates(FILE *out, emit_format format, const attn_explanation *x)
{
    emitter *e = emit_open(out, format, candidate_columns, LENGTH(candidate_columns));
    for (size_t i = 0; e && i < x->candidate_count; i++)
        put_candidate(e, &x->candidates[i]);
    return e && emit_close(e);
}

/* ---- a cell as one row ---- */

static const emit_column columns[] = {
    {"pattern", NULL, EMIT_PLAIN},
    {"spec", NULL, EMIT_PLAIN},
    {"spec_resolved", NULL, EMIT_PLAIN},
    {"n", NULL, EMIT_PLAIN},
    {"heads", NULL, EMIT_PLAIN},
    {"kv_heads", NULL, EMIT_PLAIN},
    {"dim", NULL, EMIT_PLAIN},
    {"batch", NULL, EMIT_PLAIN},
    {"dtype", NULL, EMIT_PLAIN},
    {"kernel", NULL, EMIT_PLAIN},
    {"isa", NULL, EMIT_PLAIN},
    {"threads", NULL, EMIT_PLAIN},
    {"lowering", NULL, EMIT_PLAIN},
    {"chosen_by", NULL, EMIT_PLAIN},
    {"tile.rows", NULL, EMIT_PLAIN},
    {"tile.keys", NULL, EMIT_PLAIN},
    {"tile.lanes", NULL, EMIT_PLAIN},
    {"group", NULL, EMIT_PLAIN},
    {"tiles", NULL, EMIT_PLAIN},
    {"granules", NULL, EMIT_PLAIN},
    {"pairs_total", NULL, EMIT_PLAIN},
    {"pairs_tested", NULL, EMIT_PLAIN},
    {"flops_useful", NULL, EMIT_PLAIN},
    {"flops_executed", NULL, EMIT_PLAIN},
    {"tile_utilisation", NULL, EMIT_PLAIN},
    {"items_per_thread", NULL, EMIT_PLAIN},
    {"imbalance", NULL, EMIT_PLAIN},
    {"workspace_bytes", NULL, EMIT_PLAIN},
    {"workspace.program", NULL, EMIT_PLAIN},
    {"workspace.schedule", NULL, EMIT_PLAIN},
    {"workspace.carried", NULL, EMIT_PLAIN},
    {"workspace.scratch", NULL, EMIT_PLAIN},
    {"predicted_ns", NULL, EMIT_PLAIN},
    {"measured_ns", NULL, EMIT_PLAIN},
    {"parts", NULL, EMIT_PLAIN},
    {"candidates", NULL, EMIT_PLAIN},
};

static char *json_of(bool (*put)(FILE *, emit_format, const attn_explanation *), const attn_explanation *x)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    bool fine = out && put(out, EMIT_JSON, x);
    if ((out && fclose(out) != 0) || !fine) {
        free(text);
        return NULL;
    }
    for (char *c = text; *c; c++) /* one line of it */
        if (*c == '\n')
            *c = ' ';
    while (size > 0 && text[size - 1] == ' ')
        text[--size] = '\0';
    return text;
}

static bool put_row(emitter *e, const sweep_cell *c, const attn_explanation *x, double tests)
{
    char *parts = json_of(put_parts, x), *candidates = json_of(put_candidates, x);
    const cell *k = &c->key;
    const emit_value row[LENGTH(columns)] = {
        emit_text(c->about.pattern), emit_text(k->spec), emit_text(c->about.spec_resolved), emit_int((int64_t)k->n),
        emit_int((int64_t)k->heads), emit_int((int64_t)k->kv_heads), emit_int((int64_t)k->dim), emit_int((int64_t)k->batch),
        emit_text(attn_dtype_name(k->dtype)), emit_text(x->kernel), emit_text(x->isa), emit_int(x->threads),
        emit_text(x->lowering), emit_text(x->chosen_by), emit_int(x->tile_rows), emit_int(x->granule_keys),
        emit_int(x->lanes), emit_int(x->group), emit_int((int64_t)x->cost.tiles), emit_int((int64_t)x->cost.granules),
        emit_int((int64_t)x->cost.pairs_total), emit_real(tests), emit_int((int64_t)x->cost.flops_useful),
        emit_int((int64_t)x->cost.flops_executed), emit_real(share(x->cost.flops_useful, x->cost.flops_executed)),
        emit_real(x->items_per_thread), emit_real(x->imbalance), emit_int((int64_t)x->cost.workspace_bytes),
        emit_int((int64_t)x->program_bytes), emit_int((int64_t)x->schedule_bytes), emit_int((int64_t)x->carried_bytes),
        emit_int((int64_t)x->scratch_bytes), emit_real(x->predicted_ns), time_or_null(x->measured_ns),
        emit_json(parts), emit_json(candidates),
    };
    if (parts && candidates)
        emit_row(e, row);
    free(parts);
    free(candidates);
    return parts && candidates;
}

/* ---- a cell for people ---- */

static const char *number(char out[32], emit_style style, double value)
{
    emit_format_number(out, 32, style, value);
    return out;
}

static bool put_text(FILE *out, emit_format format, const sweep_cell *c, const attn_explanation *x, double tests,
                     bool first)
{
    const cell *k = &c->key;
    char a[32], b[32], s[32], t[32], u[32];
    fprintf(out, "%s%s%s  n=%zu d=%zu batch=%zu heads=%zu/%zu %s, %d thread%s\n\n", first ? "" : "\n",
            format == EMIT_MD ? "### " : "", k->spec, k->n, k->dim, k->batch, k->heads, k->kv_heads,
            attn_dtype_name(k->dtype), x->threads, x->threads == 1 ? "" : "s");
    fprintf(out, "%s, lowering %s, by %s: %s%s%s predicted\n", x->kernel, x->lowering, x->chosen_by,
            x->measured_ns > 0 ? number(a, EMIT_NS, x->measured_ns) : "", x->measured_ns > 0 ? " measured, " : "",
            number(b, EMIT_NS, x->predicted_ns));
    if (x->tile_rows)
        fprintf(out, "tiles of %u rows (%u to a vector) by granules of %u keys, up to %u tiles in lockstep\n", x->tile_rows,
                x->lanes, x->granule_keys, x->group);
    fprintf(out, "%s of %s pairs computed are allowed; %.1f items per thread, %.0f%% of the time of an even split\n",
            number(a, EMIT_PERCENT, share(x->cost.flops_useful, x->cost.flops_executed)),
            number(b, EMIT_COUNT, (double)x->cost.flops_executed / (4.0 * (double)k->dim)), x->items_per_thread,
            100 * x->imbalance);
    if (tests > 0)
        fprintf(out, "the combs are no formula: about %s single pairs are tested each time all rows are asked for\n",
                number(a, EMIT_COUNT, tests));
    fprintf(out, "workspace %s: program %s, schedule %s, carried rows %s, scratch %s\n\n",
            number(a, EMIT_BYTES, (double)x->cost.workspace_bytes), number(b, EMIT_BYTES, (double)x->program_bytes),
            number(s, EMIT_BYTES, (double)x->schedule_bytes), number(t, EMIT_BYTES, (double)x->carried_bytes),
            number(u, EMIT_BYTES, (double)x->scratch_bytes));
    bool fine = put_parts(out, format, x);
    fputc('\n', out);
    return put_candidates(out, format, x) && fine;
}

/* ---- all of them ---- */

/* *tests: pairs tested to ask for all rows of all distinct heads. */
static attn_status explain_cell(attn_explanation **out, double *tests, const run_request *r, const sweep_cell *c,
                                attn_error *err)
{
    attn_spec *spec = NULL;
    attn_layout *layout = NULL;
    const cell *k = &c->key;
    attn_status status = attn_spec_parse(&spec, k->spec, err);
    if (!status)
        status = attn_layout_create(&layout, spec, k->n, k->n, k->heads, err);
    if (!status) {
        const attn_problem problem = run_problem(r, k, layout);
        status = attn_plan_explain(out, &problem, err);
        for (size_t head = 0; head < attn_layout_distinct_heads(layout); head++)
            *tests += attn_layout_tests(layout, head);
    }
    attn_layout_destroy(layout);
    attn_spec_destroy(spec);
    return status;
}

attn_status run_explain(FILE *out, emit_format format, const run_request *r, const sweep *cells, attn_error *err)
{
    bool prose = format == EMIT_TABLE || format == EMIT_MD, fine = true;
    emitter *e = prose ? NULL : emit_open(out, format, columns, LENGTH(columns));
    attn_status status = prose || e ? ATTN_OK : attn_fail(err, ATTN_ENOMEM, "out of memory");
    for (size_t i = 0; i < cells->count && !status; i++) {
        attn_explanation *x = NULL;
        double tests = 0;
        const sweep_cell *c = &cells->cells[i];
        if (!(status = explain_cell(&x, &tests, r, c, err)))
            fine = (prose ? put_text(out, format, c, x, tests, i == 0) : put_row(e, c, x, tests)) && fine;
        attn_explanation_destroy(x);
    }
    if (e)
        fine = emit_close(e) && fine;
    return status || fine ? status : attn_fail(err, ATTN_EIO, "standard output could not be written");
}
