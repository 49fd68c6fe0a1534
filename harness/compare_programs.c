/* Two programs in turn, by the gate's means. See compare_programs.h.
 *
 * Each keeps what it measures in a database of its own, by its own schema; the store takes those over as `db merge` does.
 * A program is tried first: it has to measure a small cell, print its row, and leave a database that says what it was built from. */
#include "harness/compare_programs.h"

#include <math.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/compare_rows.h"
#include "harness/folder.h"
#include "harness/gate.h"
#include "harness/stats.h"
#include "harness/store.h"

enum { A, B, CELL, NS_A, NS_B, COUNT_A, COUNT_B, RATIO, LO, HI, VERDICT, BLOCKS, DROPPED, NEEDED, AGAIN, BUILD_A, BUILD_B, COLUMNS };

static const emit_column columns[COLUMNS] = {
    [A] = {"a", NULL, EMIT_PLAIN},
    [B] = {"b", NULL, EMIT_PLAIN},
    [CELL] = {"cell", "cell", EMIT_PLAIN},
    COMPARE_COLUMNS
    [AGAIN] = {"ratio_of_a_again", "A / A", EMIT_FIXED3},
    [BUILD_A] = {"build_a", NULL, EMIT_PLAIN},
    [BUILD_B] = {"build_b", NULL, EMIT_PLAIN},
};

/* ---- what a program is ---- */

enum { ABOUT = 400 };

static attn_status read_build(char about[ABOUT], const char *db)
{
    sqlite3 *file = NULL;
    sqlite3_stmt *query = NULL;
    attn_status status = ATTN_EINVAL;
    if (sqlite3_open_v2(db, &file, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK &&
        sqlite3_prepare_v2(file, "SELECT printf('%s, commit %.12s%s, %s, %s, binary %s', version, CASE revision WHEN '' THEN 'unknown' ELSE revision END, "
                                 "CASE dirty WHEN 1 THEN ' and changes' ELSE '' END, compiler, mode, binary_hash) FROM builds",
                           -1, &query, NULL) == SQLITE_OK && sqlite3_step(query) == SQLITE_ROW) {
        snprintf(about, ABOUT, "%s", (const char *)sqlite3_column_text(query, 0));
        status = ATTN_OK;
    }
    sqlite3_finalize(query);
    sqlite3_close(file);
    return status;
}

static attn_status try_program(char about[ABOUT], const char *program, const char *folder, attn_error *err)
{
    char db[FOLDER_PATH + 16], *said = NULL, *text = NULL;
    size_t size;
    if (access(program, X_OK) != 0)
        return attn_fail(err, ATTN_EINVAL, "--binary %s: no program that can be run", program);
    snprintf(db, sizeof db, "%s/tried.db", folder);
    unlink(db);
    const char *const words[] = {program, "run", "-p", "dense", "-n", "16", "--heads", "1", "--threads", "1", "--metrics", "time",
                                 "--max-time", "0.001", "-o", "jsonl", "--db", db, NULL};
    attn_status status = ATTN_OK;
    if (!gate_command(words, NULL, &said) || !strstr(said, "\"time_ns\"") || read_build(about, db) != ATTN_OK)
        status = attn_fail(err, ATTN_EINVAL, "--binary %s: not an attnlab that measures as this one does: `run -p dense -n 16 -o jsonl` gives no row "
                                             "with a time, or its database does not tell the build", program);
    attn_error why;
    if (!status && store_read_other(db, &text, &size, &why) != ATTN_OK)
        status = attn_fail(err, ATTN_EINVAL, "--binary %s: what it measures cannot be stored: %s", program, why.message);
    free(text);
    free(said);
    return status;
}

/* ---- cells as lines of options ---- */

static char *line_of(const run_request *r, const char *spec, size_t n, size_t dim)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    fputs("-p ", out);
    gate_quote(out, spec);
    fprintf(out, " -n %zu -d %zu --batch %zu --heads %zu --kv-heads %zu --dtype %s --seed %llu --kernel ", n, dim, r->batch, r->heads,
            r->kv_heads, attn_dtype_name(r->dtype), (unsigned long long)r->seed);
    gate_quote(out, r->kernel);
    fputs(" --input ", out);
    gate_quote(out, r->input);
    if (r->threads)
        fprintf(out, " --threads %d", r->threads);
    for (size_t i = 0; i < r->plugin_count; i++) {
        fputs(" --plugin ", out);
        gate_quote(out, r->plugins[i]);
    }
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}

/* A line for each cell, so that the arms of a cell are close together. */
static attn_status lines_of(gate_suite *out, const run_request *r, attn_error *err)
{
    *out = (gate_suite){.lines = calloc(r->spec_count * r->n_count * r->dim_count + 1, sizeof *out->lines)};
    attn_status status = out->lines ? ATTN_OK : attn_fail(err, ATTN_ENOMEM, "out of memory");
    for (size_t s = 0; s < r->spec_count; s++)
        for (size_t n = 0; n < r->n_count; n++)
            for (size_t d = 0; d < r->dim_count && !status; d++) {
                char *line = line_of(r, r->specs[s], r->ns[n], r->dims[d]);
                if (line)
                    out->lines[out->count++] = line;
                else
                    status = attn_fail(err, ATTN_ENOMEM, "out of memory");
            }
    return status;
}

/* ---- rows ---- */

static double median_of(const gate_cell *c, size_t arm, double *scratch)
{
    memcpy(scratch, c->cost[arm], c->blocks * sizeof *scratch);
    stats_sort(scratch, c->blocks);
    return stats_quantile(scratch, c->blocks, 0.5);
}

static attn_status print(const programs_request *r, const gate_cells *cells, char about[2][ABOUT], emit_format format, bool *written, attn_error *err)
{
    const bool counts = r->base.lane == LANE_CALLGRIND;
    double *scratch = malloc((r->blocks + 1) * sizeof *scratch);
    emitter *out = scratch ? emit_open(stdout, format, columns, COLUMNS) : NULL;
    if (!out) {
        free(scratch);
        return attn_fail(err, ATTN_ENOMEM, "out of memory");
    }
    static const char *const optional[] = {"time_ns_a", "time_ns_b", "instructions_a", "instructions_b"};
    for (size_t k = 0; k < sizeof optional / sizeof optional[0]; k++)
        emit_optional(out, optional[k]);
    for (size_t i = 0; i < cells->count; i++) {
        const gate_cell *c = &cells->at[i];
        const verdict *v = &c->head;
        emit_value row[COLUMNS] = {
            [A] = emit_text(r->programs[0]), [B] = emit_text(r->programs[1]), [CELL] = emit_text(c->name), [RATIO] = emit_real(exp(v->median)),
            [LO] = isfinite(v->lo) ? emit_real(exp(v->lo)) : emit_null(), [HI] = isfinite(v->hi) ? emit_real(exp(v->hi)) : emit_null(),
            [VERDICT] = emit_text(verdict_name(v->kind)), [BLOCKS] = emit_int((int64_t)v->blocks), [DROPPED] = emit_int((int64_t)c->dropped),
            [NEEDED] = v->needed ? emit_int((int64_t)v->needed) : emit_null(), [AGAIN] = emit_real(exp(c->null.median)),
            [BUILD_A] = emit_text(about[0]), [BUILD_B] = emit_text(about[1])};
        row[counts ? COUNT_A : NS_A] = emit_real(median_of(c, GATE_BASE, scratch));
        row[counts ? COUNT_B : NS_B] = emit_real(median_of(c, GATE_HEAD, scratch));
        emit_row(out, row);
    }
    *written = emit_close(out);
    free(scratch);
    return ATTN_OK;
}

/* ---- the store ---- */

static attn_status store_arm(store *s, const char *folder, size_t arm, attn_error *err)
{
    char db[GATE_PATH], *text = NULL;
    size_t size;
    store_counts counts;
    gate_database(db, folder, arm);
    if (access(db, F_OK) != 0) /* interrupted before its first run */
        return ATTN_OK;
    attn_status status = store_read_other(db, &text, &size, err);
    if (!status)
        status = store_import(s, db, text, size, &counts, err);
    free(text);
    return status;
}

static attn_status store_all(const programs_request *r, const char *folder, attn_error *err)
{
    store *s = NULL;
    attn_status status = store_open(&s, r->db, STORE_WRITE, err);
    for (size_t arm = 0; arm < GATE_ARMS && !status; arm++)
        status = store_arm(s, folder, arm, err);
    store_close(s);
    return status;
}

attn_status compare_programs(const programs_request *r, emit_format format, bool *written, attn_error *err)
{
    char folder[FOLDER_PATH], about[2][ABOUT] = {{0}};
    gate_suite suite = {0};
    gate_cells cells = {0};
    attn_error unstored;
    attn_status status = folder_make(folder, "programs", err);
    for (size_t i = 0; i < 2 && !status; i++)
        status = try_program(about[i], r->programs[i], folder, err);
    if (!status)
        status = lines_of(&suite, &r->base, err);
    if (!status)
        status = store_all(r, folder, err); /* nothing yet, but whether the store can be written shows before time is spent */
    for (size_t i = 0; i < 2 && !status; i++)
        fprintf(stderr, "%c: %s: attnlab %s\n", "AB"[i], r->programs[i], about[i]);
    const char *const programs[GATE_ARMS] = {[GATE_BASE] = r->programs[0], [GATE_HEAD] = r->programs[1], [GATE_NULL] = r->programs[0]};
    const gate_keep keep = {folder, {[GATE_BASE] = r->labels[0], [GATE_HEAD] = r->labels[1], [GATE_NULL] = r->labels[2]}};
    attn_status kept = ATTN_OK;
    if (!status) {
        run_signals_catch();
        status = gate_measure(&cells, &suite, NULL, programs, r->blocks, r->base.seconds, r->base.lane, &keep, err);
        kept = store_all(r, folder, &unstored);
    }
    if (!status && r->base.lane == LANE_CALLGRIND)
        (void)gate_judge_counts(&cells, r->threshold); /* what cannot be told is inconclusive */
    else if (!status)
        status = gate_judge(&cells, r->threshold, err);
    if (!status)
        status = print(r, &cells, about, format, written, err);
    if (kept)
        status = attn_fail(err, kept, "%.200s; what was measured stays in %s", unstored.message, folder);
    else
        folder_remove(folder);
    gate_cells_free(&cells);
    gate_suite_free(&suite);
    return status;
}
