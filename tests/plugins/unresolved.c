/* A plugin that calls what nobody has. */
#include <attn/pattern.h>

bool nobody_has_this(size_t i, size_t j);

static bool allows(const attn_pattern_args *a, size_t head, size_t i, size_t j)
{
    (void)a, (void)head;
    return nobody_has_this(i, j);
}

static const attn_pattern unresolved = {
    .name = "unresolved", .summary = "needs a missing function", .allows = allows};
ATTN_PLUGIN(&unresolved);
