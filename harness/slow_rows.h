/* Rows that can only be had by testing pairs, in number: said before the work begins. */
#ifndef HARNESS_SLOW_ROWS_H
#define HARNESS_SLOW_ROWS_H

#include "attn/layout.h"

/* One line on stderr where going through all rows of the layout once takes ten seconds or more. */
void slow_rows_say(const attn_layout *layout);

#endif
