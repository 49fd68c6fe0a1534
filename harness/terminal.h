/* What a stream's terminal is like. */
#ifndef HARNESS_TERMINAL_H
#define HARNESS_TERMINAL_H

#include <stddef.h>
#include <stdio.h>

/* Its columns; 80 where it does not tell, 0 where the stream is no terminal. */
size_t terminal_columns(FILE *stream);

#endif
