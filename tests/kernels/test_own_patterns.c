/* Patterns the planner has never heard of: every kernel against the oracle, and what is refused. */
#include "support/kernel_list.h"
#include "support/own_patterns.h"
#include "support/scene.h"

#include <criterion/criterion.h>
#include <string.h>


static const struct { size_t nq, nk; } sizes[] = {{1, 1}, {50, 50}, {211, 211}, {60, 170}, {90, 30}, {400, 400}};
enum { SIZES = sizeof sizes / sizeof sizes[0] };

Test(own_patterns, match_the_oracle)
{
    const kernel *list[MAX_KERNELS];
    size_t kernels_here = runnable_kernels(list, MAX_KERNELS);
    for (size_t k = 0; k < kernels_here; k++)
        for (size_t p = 0; own_patterns[p]; p++)
            for (size_t z = 0; z < SIZES; z++) {
                scene s = {.pattern = own_patterns[p], .nq = sizes[z].nq, .nk = sizes[z].nk, .heads = 3, .dim = 24,
                           .descriptor = list[k], .threads = 2, .seed = (unsigned)(p * SIZES + z)};
                scene_open(&s);
                scene_run(&s);
                scene_oracle(&s);
                difference d = scene_compare(&s);
                cr_assert(d.misplaced == 0 && d.relative <= 1e-6 && d.lse <= 2e-6,
                          "%s: relative error %.2e, worst %.2e, lse %.2e, misplaced %zu", s.name, d.relative, d.worst,
                          d.lse, d.misplaced);
                scene_close(&s);
            }
}

Test(own_patterns, malformed_rows_are_refused)
{
    for (size_t p = 0; malformed_patterns[p]; p++) {
        attn_layout *layout = own_layout(malformed_patterns[p], 64, 64, 1);
        attn_problem problem = {.layout = layout, .batch = 1, .dim = 8, .threads = 1};
        attn_plan *plan = NULL;
        attn_error err = {""};
        attn_status status = attn_plan_create(&plan, &problem, &err);
        cr_assert(status == ATTN_EINVAL && !plan, "%s: status %d, %s", malformed_patterns[p]->name, (int)status,
                  err.message);
        cr_assert(strstr(err.message, "20"), "%s does not name row 20: %s", malformed_patterns[p]->name, err.message);
        own_layout_free(layout);
    }
}
