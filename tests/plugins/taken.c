/* A pattern with the name of a built-in one, after one with a name of its own: neither may be registered. */
#include <attn/pattern.h>

static bool allows(const attn_pattern_args *a, size_t head, size_t i, size_t j)
{
    (void)a, (void)head;
    return i == j;
}

static const attn_pattern own = {.name = "own", .summary = "a name of its own", .allows = allows};
static const attn_pattern local = {.name = "local", .summary = "a name taken", .allows = allows};
ATTN_PLUGIN(&own, &local);
