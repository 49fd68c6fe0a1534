/* Stores filled with made-up measurements, for what reads them: fit, plots. */
#ifndef TESTS_SUPPORT_SYNTHETIC_H
#define TESTS_SUPPORT_SYNTHETIC_H

#include "harness/store.h"

typedef struct synthetic {
    store *store;
    sqlite3 *db;
    sqlite3_int64 run;    /* of the measurements added next */
    unsigned tick;        /* later measurements finish later */
    const char *input, *kernel;
    long long threads;
} synthetic;

/* A new store at `path` with one run, labelled `label`, on a host of model `model`. */
synthetic synthetic_open(const char *path, const char *model, const char *label);

/* Another run, on a host of that model; measurements added next belong to it. */
void synthetic_run(synthetic *s, const char *model, const char *label);

/* A finished measurement of `spec` at n, without samples; pairs are counted. Returns its row. */
sqlite3_int64 synthetic_cell(synthetic *s, const char *spec, size_t n);

/* A sample; NaN: absent, with a reason. */
void synthetic_sample(synthetic *s, sqlite3_int64 row, const char *series, const char *unit, int rep, double value);
void synthetic_text(synthetic *s, sqlite3_int64 row, const char *series, const char *value);

/* Everything `attnlab run` would record for the cell, from simple models: time follows the pairs. */
void synthetic_all(synthetic *s, sqlite3_int64 row, const char *spec, size_t n);

void synthetic_close(synthetic *s);

#endif
