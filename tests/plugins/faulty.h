/* For plugins with one fault: the pattern `NAME` is a causal window of three keys, and rows or pairs that its
 * file writes wrongly. FAULTY(row, NULL) or FAULTY(NULL, pairs). */
#include <attn/pattern.h>

static bool window(const attn_pattern_args *a, size_t head, size_t i, size_t j)
{
    (void)head;
    return j <= i ? i - j < 3 : !a->causal && j - i < 3;
}

#define FAULTY(row_, pairs_)                                                                                 \
    static const attn_pattern faulty = {                                                                     \
        .name = NAME, .summary = "a faulty pattern", .allows = window, .row = row_, .pairs = pairs_};        \
    ATTN_PLUGIN(&faulty)
