/* A plugin with the combs of a built-in pattern gets its plans: the same tiles, runs, masks, items and choices,
 * and so the same speed. */
#include "support/kernel_list.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/plan_parts.h"


static const struct { const char *ours, *twin; } pairs[] = {
    {"strided:l=16", "slants:length=16"},
    {"strided:l=16,causal=0", "slants:length=16,causal=0"},
    {"strided:l=37,head=column", "slants:length=37,part=far"},
    {"strided:l=40,head=local", "slants:length=40,part=near"},
    {"fixed:l=32,c=4", "pages:size=32,notes=4"},
    {"fixed:l=29,c=3,causal=0", "pages:size=29,notes=3,causal=0"},
};

static attn_plan *plan_of(const char *text, size_t nq, size_t nk, const kernel *k, attn_layout **layout)
{
    attn_error err = {""};
    attn_spec *spec;
    attn_plan *plan;
    cr_assert(attn_spec_parse(&spec, text, &err) == ATTN_OK, "%s: %s", text, err.message);
    cr_assert(attn_layout_create(layout, spec, nq, nk, 3, &err) == ATTN_OK, "%s: %s", text, err.message);
    attn_spec_destroy(spec);
    attn_problem problem = {.layout = *layout, .batch = 1, .dim = 32, .threads = 2};
    if (!(k->dtypes & 1u << ATTN_F32))
        problem.dtype = ATTN_BF16;
    cr_assert(plan_create_for(&plan, &problem, k, &err) == ATTN_OK, "%s: %s", text, err.message);
    return plan;
}

#define SAME(what, count) \
    cr_assert(memcmp(a->what, b->what, (count) * sizeof *a->what) == 0, "%s and %s nq=%zu nk=%zu %s: other " #what, ours, \
              twin, nq, nk, k->name)

static void compare(const char *ours, const char *twin, size_t nq, size_t nk, const kernel *k)
{
    attn_layout *layouts[2];
    attn_plan *x = plan_of(ours, nq, nk, k, &layouts[0]), *y = plan_of(twin, nq, nk, k, &layouts[1]);
    cr_assert(memcmp(&x->cost, &y->cost, sizeof x->cost) == 0 && strcmp(x->lowering, y->lowering) == 0 &&
                  x->shape.group == y->shape.group && x->parts == y->parts && x->stages == y->stages,
              "%s is %s at %llu FLOPs, %s is %s at %llu", ours, x->lowering, (unsigned long long)x->cost.flops_executed,
              twin, y->lowering, (unsigned long long)y->cost.flops_executed);
    const program *a = &x->lowered[0].program, *b = &y->lowered[0].program;
    cr_assert(a->tile_count == b->tile_count && a->run_count == b->run_count && a->mask_count == b->mask_count &&
                  a->offset_count == b->offset_count && a->part_count == b->part_count && a->classes == b->classes,
              "%s and %s on %s: programs of other sizes", ours, twin, k->name);
    SAME(tiles, a->tile_count);
    SAME(runs, a->run_count);
    SAME(masks, a->mask_count * a->geometry.keys);
    SAME(offsets, a->offset_count);
    SAME(parts, a->part_count);
    for (uint32_t part = 0; part < a->part_count; part++) {
        item_range of = x->lowered[0].parts[part];
        cr_assert(memcmp(&of, &y->lowered[0].parts[part], sizeof of) == 0, "%s: other items in part %u", twin, part);
        for (uint32_t i = of.first; i < of.first + of.count; i++) {
            const item *p = &x->items[i], *q = &y->items[i];
            cr_assert(p->first_group == q->first_group && p->groups == q->groups && p->cycles <= q->cycles &&
                          p->cycles >= q->cycles,
                      "%s: item %u differs", twin, i);
        }
    }
    attn_plan_destroy(x);
    attn_plan_destroy(y);
    attn_layout_destroy(layouts[0]);
    attn_layout_destroy(layouts[1]);
}

Test(twins, plugins_get_the_plans_of_built_in_patterns)
{
    static const struct { size_t nq, nk; } sizes[] = {{1, 1}, {100, 100}, {1000, 1000}, {50, 300}, {2048, 2048}};
    const kernel *list[MAX_KERNELS];
    char path[4096];
    attn_error err = {""};
    snprintf(path, sizeof path, "%s/tests/plugins/twins.so", getenv("ATTN_BUILD"));
    cr_assert(attn_plugin_load(path, &err) == ATTN_OK, "%s", err.message);
    size_t kernels_here = runnable_kernels(list, MAX_KERNELS);
    for (size_t k = 0; k < kernels_here; k++)
        for (size_t p = 0; p < sizeof pairs / sizeof pairs[0]; p++)
            for (size_t z = 0; z < sizeof sizes / sizeof sizes[0]; z++)
                compare(pairs[p].ours, pairs[p].twin, sizes[z].nq, sizes[z].nk, list[k]);
}
