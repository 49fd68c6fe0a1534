/* Rows of comparisons. See compare_rows.h. */
#include "harness/compare_rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum column {
    A, B, SPEC_A, SPEC_B, KERNEL_A, KERNEL_B, N, HEADS, KV_HEADS, DIM, BATCH, DTYPE, DIRECTION, THREADS, INPUT, SEED, NS_A, NS_B, COUNT_A, COUNT_B,
    RATIO, LO, HI, VERDICT, BLOCKS, DROPPED, NEEDED, P, ADJUSTED, LOGS, NOTE, COLUMNS
};

static const emit_column columns[COLUMNS] = {
    [A] = {"a", NULL, EMIT_PLAIN},
    [B] = {"b", NULL, EMIT_PLAIN},
    [SPEC_A] = {"spec", "pattern", EMIT_PLAIN},
    [SPEC_B] = {"spec_b", NULL, EMIT_PLAIN},
    [KERNEL_A] = {"kernel", "A", EMIT_PLAIN},
    [KERNEL_B] = {"kernel_b", "B", EMIT_PLAIN},
    [N] = {"n", "n", EMIT_PLAIN},
    [HEADS] = {"heads", NULL, EMIT_PLAIN},
    [KV_HEADS] = {"kv_heads", NULL, EMIT_PLAIN},
    [DIM] = {"dim", "d", EMIT_PLAIN},
    [BATCH] = {"batch", NULL, EMIT_PLAIN},
    [DTYPE] = {"dtype", "type", EMIT_PLAIN},
    [DIRECTION] = {"direction", NULL, EMIT_PLAIN},
    [THREADS] = {"threads", "threads", EMIT_PLAIN},
    [INPUT] = {"input", NULL, EMIT_PLAIN},
    [SEED] = {"seed", NULL, EMIT_PLAIN},
    COMPARE_COLUMNS
    [P] = {"sign_test_p", NULL, EMIT_SCI},
    [ADJUSTED] = {"differs_in_family", NULL, EMIT_PLAIN},
    [LOGS] = {"log_ratios", NULL, EMIT_PLAIN},
    [NOTE] = {"note", "note", EMIT_PLAIN},
};

emitter *compare_rows_open(FILE *out, emit_format format)
{
    static const char *const optional[] = {"time_ns_a", "time_ns_b", "instructions_a", "instructions_b"};
    emitter *e = emit_open(out, format, columns, COLUMNS);
    for (size_t k = 0; k < sizeof optional / sizeof optional[0] && e; k++)
        emit_optional(e, optional[k]);
    return e;
}

/* "[0.01, -0.002]"; free() it. */
static char *json_numbers(const double *x, size_t count)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    fputc('[', out);
    for (size_t i = 0; i < count; i++)
        fprintf(out, "%s%.9g", i ? ", " : "", x[i]);
    fputc(']', out);
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}

/* Tables name what differs: kernels, patterns, or else the arms. */
static void name_arms(emit_value *row, const compare_request *r, const comparison *c)
{
    const bool patterns = strcmp(c->spec_a, c->spec_b) != 0, kernels = strcmp(c->kernel_a, c->kernel_b) != 0;
    row[SPEC_A] = emit_text(c->spec_a);
    row[SPEC_B] = emit_text(c->spec_b);
    row[KERNEL_A] = emit_text(patterns ? c->spec_a : kernels ? c->kernel_a : r->a);
    row[KERNEL_B] = emit_text(patterns ? c->spec_b : kernels ? c->kernel_b : r->b);
}

void compare_row(emitter *out, emit_format format, const compare_request *r, const comparison *c)
{
    const verdict *v = &c->verdict;
    const bool for_people = format == EMIT_TABLE || format == EMIT_MD || format == EMIT_HTML;
    char note[300] = "", *logs = json_numbers(c->log_ratios, v->blocks);
    emit_value row[COLUMNS] = {
        [A] = emit_text(r->a), [B] = emit_text(r->b),
        [N] = emit_int(c->n), [HEADS] = emit_int(c->heads), [KV_HEADS] = emit_int(c->kv_heads), [DIM] = emit_int(c->dim),
        [BATCH] = emit_int(c->batch), [DTYPE] = emit_text(c->dtype), [DIRECTION] = emit_text(c->direction),
        [THREADS] = emit_int(c->threads), [INPUT] = emit_text(c->input), [SEED] = emit_int(c->seed),
        [VERDICT] = emit_text(verdict_name(v->kind)), [BLOCKS] = emit_int((int64_t)v->blocks),
        [DROPPED] = emit_int((int64_t)c->dropped),
        [NEEDED] = v->needed ? emit_int((int64_t)v->needed) : emit_null(), [P] = emit_real(v->p),
        [ADJUSTED] = emit_bool(c->adjusted), [LOGS] = emit_json(logs)};
    name_arms(row, r, c);
    if (!for_people) {
        row[KERNEL_A] = emit_text(c->kernel_a);
        row[KERNEL_B] = emit_text(c->kernel_b);
    }
    if (c->why) {
        snprintf(note, sizeof note, "different %s (%s); --anyway compares them", c->why, c->detail);
    } else {
        row[c->counts ? COUNT_A : NS_A] = emit_real(c->cost_a);
        row[c->counts ? COUNT_B : NS_B] = emit_real(c->cost_b);
        row[RATIO] = emit_real(exp(v->median));
        row[LO] = isfinite(v->lo) ? emit_real(exp(v->lo)) : emit_null();
        row[HI] = isfinite(v->hi) ? emit_real(exp(v->hi)) : emit_null();
        if (c->injected)
            snprintf(note, sizeof note, "work was repeated on purpose (--inject)");
        else if (c->counts && v->kind == VERDICT_INCONCLUSIVE)
            snprintf(note, sizeof note, "counts of one program differ by more than %g%%", 200 * VERDICT_EXACT);
        else if (!c->counts && v->blocks < verdict_least_blocks(r->confidence))
            snprintf(note, sizeof note, "an interval needs %zu blocks", verdict_least_blocks(r->confidence));
    }
    row[NOTE] = *note ? emit_text(note) : emit_null();
    emit_row(out, row);
    free(logs);
}
