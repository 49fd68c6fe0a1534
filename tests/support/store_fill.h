/* Stores with known content, for tests that need results without measuring. */
#ifndef TESTS_SUPPORT_STORE_FILL_H
#define TESTS_SUPPORT_STORE_FILL_H

#include "harness/store.h"

/* Opens for writing; a failure ends the test. */
store *fill_open(const char *path);

/* What tests run as: two hosts and two builds, by number. The result is static. */
const store_run *fill_about(int host_number, int build_number);

/* A run with one finished measurement of each n in [first, first + count), with samples of every kind: times,
 * integers beyond 2^53, text that needs quoting, infinities, absent ones. */
void fill_run(store *s, const store_run *about, const char *label, size_t first, size_t count);

/* The cell those measure. The result points to static memory that the next call overwrites. */
const store_cell *fill_cell(size_t n);

/* The first column of the first row of a query as text, in a static ring; "" for none or null. */
const char *ask_store(store *s, const char *sql);

/* All of the database as an export; free() it. */
char *export_text(store *s, bool csv);

#endif
