/* attnlab explore: a mask on the whole terminal. */
#include "harness/cli.h"
#include "harness/explore.h"

static const option options[] = {
    {"n", OPTION_SIZE, "N", "sequence length", "256", 1, ATTN_MAX_N, NULL, false},
    {"heads", OPTION_SIZE, "H", "query heads", "8", 1, 65536, NULL, false},
    {"d", OPTION_SIZE, "D", "head dimension, for the predicted time", "64", 1, 256, NULL, false},
    {0},
};

static int run(const args *a)
{
    const char *const *operands;
    const size_t count = cli_operands(a, &operands);
    attn_error err;
    explore x;
    attn_status status = explore_open(&x, count ? operands[0] : "strided", cli_size(a, "n"), cli_size(a, "heads"), cli_size(a, "d"), &err);
    if (status == ATTN_OK) {
        status = explore_run(&x, &err);
        explore_close(&x);
    }
    return status == ATTN_OK ? EXIT_FINE : cli_fail(status, &err);
}

const command cmd_explore = {
    .name = "explore",
    .operands = "[SPEC]",
    .max_operands = 1,
    .summary = "a mask on the whole terminal: move, zoom, change parameters",
    .details =
        "Queries go down, keys go right. Below the picture stand the pairs, the predicted time beside dense attention, what two hops "
        "reach (to n = 2048), the parameters, and why the pair under the cursor is allowed. Parameters change with keys; ? lists "
        "them.\n"
        "\n"
        "  attnlab explore 'fixed:l=16,c=4' -n 128\n"
        "  attnlab explore 'local:k=64 | expander' -n 64k\n"
        "\n"
        "A cell that stands for many rows is drawn from eight of them, so that a million positions move as easily as a hundred. Works at "
        "80 x 24, without colour (NO_COLOR, TERM=vt100) and without UTF-8.",
    .options = options,
    .run = run,
};
