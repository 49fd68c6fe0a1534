/* Making a plan dearer by a known share, for those who try whether a measurement notices. */
#ifndef KERNELS_PLAN_INJECT_H
#define KERNELS_PLAN_INJECT_H

#include "attn/plan.h"

/* From now on each run repeats about `share` of its work, in (0, 1]: 0.05 makes it 5% dearer. It is the same work in all runs;
 * what they compute and the tallies stay the same. EINVAL, ENOMEM. */
ATTN_MUST_CHECK attn_status plan_inject(attn_plan *plan, double share, attn_error *err);

/* How much it was, over the runs since, by predicted cost: work is repeated in tiles, so that it may be off by half of the
 * cheapest one. 0 without an injection. */
double plan_injected(const attn_plan *plan);

#endif
