/* Rows by testing pairs. See slow_rows.h. */
#include "harness/slow_rows.h"

#include <stdio.h>

static const double NS_OF_A_TEST = 15, LEAST_SECONDS = 10;

void slow_rows_say(const attn_layout *layout)
{
    double tests = 0;
    for (size_t head = 0; head < attn_layout_distinct_heads(layout); head++)
        tests += attn_layout_tests(layout, head);
    const double seconds = tests * NS_OF_A_TEST * 1e-9;
    if (seconds < LEAST_SECONDS)
        return;
    fprintf(stderr, "attnlab: %.120s: intervals and remainders do not settle its rows; going through them tests about %.2g pairs, some %.0f %s each time\n",
            attn_layout_text(layout), tests, seconds < 120 ? seconds : seconds / 60, seconds < 120 ? "s" : "minutes");
}
