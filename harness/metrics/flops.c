/* flops: what a run costs, from exact counts; nothing is run.
 *
 *   pairs             allowed pairs of one head; where heads differ, the mean
 *   pairs_total       over batch and query heads
 *   flops_useful      4 d pairs_total: a multiply and an add per pair and dimension, for q.k and for p.v
 *   flops_executed    what the kernel really does, padding and masked lanes included
 *   exps_useful       one exponential per pair, not part of the FLOPs
 *   tile_utilisation  useful / executed
 *
 * What an external kernel executes is not known. */
#include "harness/metric.h"

/* Pairs over batch and heads, and what follows from them. */
static void record_useful(const bench *b, recorder *r)
{
    const uint64_t total = attn_layout_pairs_all_heads(b->layout) * b->cell->batch;
    record_count(r, "pairs_total", "count", total);
    record_count(r, "flops_useful", "flop", 4 * b->cell->dim * total);
    record_count(r, "exps_useful", "count", total);
}

static attn_status measure(bench *b, recorder *r, attn_error *err)
{
    (void)err;
    uint64_t pairs = attn_layout_pairs_all_heads(b->layout), heads = attn_layout_heads(b->layout);
    if (pairs % heads == 0)
        record_count(r, "pairs", "count", pairs / heads);
    else
        record_real(r, "pairs", "count", (double)pairs / (double)heads);
    if (b->ext) {
        record_useful(b, r);
        record_absent(r, "flops_executed", "flop", "what an external kernel executes is not known");
        record_absent(r, "tile_utilisation", "fraction", "what an external kernel executes is not known");
        return ATTN_OK;
    }
    const attn_cost *cost = attn_plan_cost(b->plan);
    record_count(r, "pairs_total", "count", cost->pairs_total);
    record_count(r, "flops_useful", "flop", cost->flops_useful);
    record_count(r, "flops_executed", "flop", cost->flops_executed);
    record_count(r, "exps_useful", "count", cost->exps_useful);
    if (cost->flops_executed)
        record_real(r, "tile_utilisation", "fraction",
                    (double)cost->flops_useful / (double)cost->flops_executed);
    else
        record_absent(r, "tile_utilisation", "fraction", "the pattern has no pairs, so nothing is executed");
    return ATTN_OK;
}

const metric metric_flops = {
    .name = "flops",
    .summary = "pairs and floating-point operations, useful and executed, from exact counts",
    .lanes = 1u << LANE_TIME | 1u << LANE_CALLGRIND | 1u << LANE_COLD,
    .measure = measure,
};
