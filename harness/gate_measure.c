/* A suite measured by several programs in turn, and judged. See gate.h.
 *
 * A block is one pass over the lines with each arm, in the order of a Williams design (harness/orders.h). Rows are read
 * with SQLite's JSON functions. */
#include "harness/gate.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "harness/compare.h"
#include "harness/folder.h"
#include "harness/orders.h"
#include "harness/run.h"

/* ---- suites ---- */

attn_status gate_suite_read(gate_suite *out, const char *path, attn_error *err)
{
    FILE *f = fopen(path, "r");
    char *line = NULL;
    size_t capacity = 0;
    attn_status status = ATTN_OK;
    *out = (gate_suite){0};
    if (!f)
        return attn_fail(err, ATTN_EINVAL, "suite %s cannot be read: %s", path, strerror(errno));
    while (!status && getline(&line, &capacity, f) >= 0) {
        line[strcspn(line, "#\n")] = '\0';
        size_t end = strlen(line);
        while (end && isspace((unsigned char)line[end - 1]))
            line[--end] = '\0';
        const char *start = line + strspn(line, " \t");
        if (!*start)
            continue;
        char **larger = realloc(out->lines, (out->count + 1) * sizeof *larger);
        if (larger)
            out->lines = larger;
        if (!larger || !(out->lines[out->count] = strdup(start)))
            status = attn_fail(err, ATTN_ENOMEM, "out of memory");
        else
            out->count++;
    }
    free(line);
    fclose(f);
    if (!status && !out->count)
        status = attn_fail(err, ATTN_EINVAL, "suite %s has no lines; each is a set of options of `attnlab run`", path);
    if (status)
        gate_suite_free(out);
    return status;
}

void gate_suite_free(gate_suite *s)
{
    for (size_t i = 0; i < s->count; i++)
        free(s->lines[i]);
    free(s->lines);
    *s = (gate_suite){0};
}

/* ---- one pass of one line ---- */

enum { NAME, QUARTILE, MEDIAN, PEAK, INSTRUCTIONS };

typedef struct pass {
    gate_cells *cells;
    sqlite3_stmt *read; /* of a row, its columns as above */
    size_t line, arm, block, blocks;
    lane lane;
} pass;

static attn_status no_memory(attn_error *err) { return attn_fail(err, ATTN_ENOMEM, "out of memory"); }

static gate_cell *find_cell(const pass *p, const char *name)
{
    gate_cells *c = p->cells;
    const size_t blocks = p->blocks;
    for (size_t i = 0; i < c->count; i++)
        if (c->at[i].line == p->line && strcmp(c->at[i].name, name) == 0)
            return &c->at[i];
    gate_cell *larger = realloc(c->at, (c->count + 1) * sizeof *larger);
    if (!larger)
        return NULL;
    c->at = larger;
    gate_cell *new = &c->at[c->count++];
    *new = (gate_cell){.name = strdup(name), .line = p->line, .lane = p->lane, .blocks = blocks};
    bool complete = new->name != NULL;
    for (size_t a = 0; a < GATE_ARMS; a++) {
        new->cost[a] = malloc(blocks * sizeof *new->cost[a]);
        new->median[a] = malloc(blocks * sizeof *new->median[a]);
        new->peak[a] = malloc(blocks * sizeof *new->peak[a]);
        complete &= new->cost[a] && new->median[a] && new->peak[a];
        for (size_t b = 0; b < blocks && complete; b++)
            new->cost[a][b] = new->median[a][b] = new->peak[a][b] = (double)NAN;
    }
    return complete ? new : NULL;
}

static double number(sqlite3_stmt *row, int of)
{
    return sqlite3_column_type(row, of) == SQLITE_NULL ? (double)NAN : sqlite3_column_double(row, of);
}

static attn_status take_row(pass *p, const char *row, attn_error *err)
{
    const bool counts = p->lane == LANE_CALLGRIND;
    sqlite3_reset(p->read);
    if (sqlite3_bind_text(p->read, 1, row, -1, SQLITE_STATIC) != SQLITE_OK || sqlite3_step(p->read) != SQLITE_ROW ||
        sqlite3_column_type(p->read, NAME) == SQLITE_NULL || isnan(number(p->read, counts ? INSTRUCTIONS : MEDIAN)))
        return attn_fail(err, ATTN_EINVAL, "not a row of `attnlab run -o jsonl` with %s: %.120s",
                         counts ? "instructions" : "a time", row);
    const gate_cell *of = find_cell(p, (const char *)sqlite3_column_text(p->read, NAME));
    if (!of)
        return no_memory(err);
    of->cost[p->arm][p->block] = number(p->read, counts ? INSTRUCTIONS : QUARTILE);
    of->median[p->arm][p->block] = number(p->read, MEDIAN);
    of->peak[p->arm][p->block] = number(p->read, PEAK);
    return ATTN_OK;
}

/* Arms are compared by the same figure: where one has no quartiles, by medians. */
static void settle_costs(gate_cell *c)
{
    bool old = false;
    for (size_t a = 0; a < GATE_ARMS; a++)
        for (size_t b = 0; b < c->blocks; b++)
            old |= isnan(c->cost[a][b]) && !isnan(c->median[a][b]);
    for (size_t a = 0; a < GATE_ARMS && old; a++)
        memcpy(c->cost[a], c->median[a], c->blocks * sizeof *c->cost[a]);
}

void gate_quote(FILE *out, const char *text)
{
    putc('\'', out);
    for (; *text; text++)
        *text == '\'' ? (void)fputs("'\\''", out) : (void)putc(*text, out);
    putc('\'', out);
}

/* The line is a shell's words, as people write options; what it is run with is quoted. */
static attn_status run_line(pass *p, const char *program, const char *options, const char *db, const char *label, double seconds,
                            attn_error *err)
{
    char *command = NULL, *line = NULL;
    size_t size, capacity = 0;
    FILE *text = open_memstream(&command, &size);
    attn_status status = ATTN_OK;
    if (!text)
        return no_memory(err);
    gate_quote(text, program);
    if (p->lane == LANE_CALLGRIND)
        fprintf(text, " run %s --metrics instructions --lane callgrind -o jsonl --db ", options);
    else
        fprintf(text, " run %s --metrics time --max-time %g -o jsonl --db ", options, seconds);
    gate_quote(text, db);
    if (label) {
        fputs(" --label ", text);
        gate_quote(text, label);
    }
    fputs(" 2>&1", text);
    if (fclose(text) != 0)
        return no_memory(err);
    FILE *rows = popen(command, "r");
    if (!rows)
        status = attn_fail(err, ATTN_EIO, "cannot start %s: %s", program, strerror(errno));
    attn_error refusal = {{0}};
    while (rows && getline(&line, &capacity, rows) >= 0) {
        line[strcspn(line, "\n")] = '\0';
        if (!status && *line == '{')
            status = take_row(p, line, err);
        else if (!*refusal.message && *line)
            snprintf(refusal.message, sizeof refusal.message, "%s", line);
    }
    const int ended = rows ? pclose(rows) : 0;
    if (!status && run_signals_look())
        status = attn_fail(err, ATTN_EIO, "interrupted");
    if (!status && ended != 0 && p->lane == LANE_CALLGRIND && strstr(refusal.message, "--lane") && strstr(refusal.message, "unknown option"))
        status = attn_fail(err, ATTN_EINVAL, "%.90s is older than --lane callgrind: it counts no instructions; compare by --lane time", program);
    else if (!status && ended != 0)
        status = attn_fail(err, ATTN_EINVAL, "\"%.80s\" of the suite fails with %.90s: %.120s", options, program, refusal.message);
    free(line);
    free(command);
    return status;
}

/* ---- all of them ---- */

enum { ORDER_SEED = 1 };

static const char row_query[] =
    "SELECT printf('%s n=%d d=%d heads=%d %s threads=%d', json_extract(?1, '$.spec'), json_extract(?1, '$.n'), json_extract(?1, "
    "'$.dim'), json_extract(?1, '$.heads'), json_extract(?1, '$.dtype'), json_extract(?1, '$.threads')),"
    " json_extract(?1, '$.time_ns.lower_quartile'), json_extract(?1, '$.time_ns.median'), json_extract(?1, '$.gflops') / json_extract(?1, '$.share_of_peak'),"
    " json_extract(?1, '$.instructions') WHERE json_valid(?1)";

void gate_database(char out[GATE_PATH], const char *folder, size_t arm) { snprintf(out, GATE_PATH, "%s/%zu.db", folder, arm); }

attn_status gate_measure(gate_cells *out, const gate_suite *suite, const bool *wanted, const char *const programs[GATE_ARMS],
                         size_t blocks, double seconds, lane in, const gate_keep *keep, attn_error *err)
{
    sqlite3 *memory = NULL;
    char own[FOLDER_PATH] = "";
    *out = (gate_cells){0};
    pass p = {.cells = out, .blocks = blocks, .lane = in};
    attn_status status = keep ? ATTN_OK : folder_make(own, "gate", err);
    if (!status && (sqlite3_open(":memory:", &memory) != SQLITE_OK || sqlite3_prepare_v2(memory, row_query, -1, &p.read, NULL) != SQLITE_OK))
        status = attn_fail(err, ATTN_EINTERNAL, "SQLite: %s", memory ? sqlite3_errmsg(memory) : "out of memory");
    for (p.block = 0; p.block < blocks && !status; p.block++)
        for (p.line = 0; p.line < suite->count && !status; p.line++) {
            size_t arm_at[GATE_ARMS];
            if (wanted && !wanted[p.line])
                continue;
            orders_of_block(arm_at, GATE_ARMS, p.block, p.line, ORDER_SEED);
            for (size_t k = 0; k < GATE_ARMS && !status; k++) {
                char db[GATE_PATH];
                p.arm = arm_at[k];
                gate_database(db, keep ? keep->folder : own, p.arm);
                status = run_line(&p, programs[p.arm], suite->lines[p.line], db, keep ? keep->labels[p.arm] : NULL, seconds, err);
            }
        }
    for (size_t i = 0; i < out->count; i++)
        settle_costs(&out->at[i]);
    sqlite3_finalize(p.read);
    sqlite3_close(memory);
    folder_remove(own);
    if (!status && !out->count)
        status = attn_fail(err, ATTN_EINVAL, "the suite measures nothing");
    if (status)
        gate_cells_free(out);
    return status;
}

attn_status gate_cells_append(gate_cells *to, gate_cells *more, attn_error *err)
{
    gate_cell *larger = realloc(to->at, (to->count + more->count + 1) * sizeof *larger);
    if (!larger)
        return no_memory(err);
    to->at = larger;
    for (size_t i = 0; i < more->count; i++)
        to->at[to->count++] = more->at[i];
    free(more->at);
    *more = (gate_cells){0};
    return ATTN_OK;
}

void gate_cells_free(gate_cells *c)
{
    for (size_t i = 0; i < c->count; i++) {
        free(c->at[i].name);
        for (size_t a = 0; a < GATE_ARMS; a++) {
            free(c->at[i].cost[a]);
            free(c->at[i].median[a]);
            free(c->at[i].peak[a]);
        }
    }
    free(c->at);
    *c = (gate_cells){0};
}

/* ---- verdicts ---- */

/* Of `arm` against the base; `scratch` has room for three numbers of each block. */
static verdict against_base(const gate_cell *c, size_t arm, double threshold, double *scratch, size_t *dropped)
{
    const size_t blocks = c->blocks;
    double *logs = scratch, *peaks_base = scratch + blocks, *peaks_arm = scratch + 2 * blocks;
    size_t count = 0;
    for (size_t b = 0; b < blocks; b++)
        if (c->cost[GATE_BASE][b] > 0 && c->cost[arm][b] > 0) {
            logs[count] = log(c->cost[arm][b] / c->cost[GATE_BASE][b]);
            peaks_base[count] = c->peak[GATE_BASE][b];
            peaks_arm[count++] = c->peak[arm][b];
        }
    *dropped = compare_drop_disturbed(logs, peaks_base, peaks_arm, &count);
    return verdict_of(logs, count, threshold, 0.95);
}

attn_status gate_judge(gate_cells *c, double threshold, attn_error *err)
{
    size_t most = 0;
    for (size_t i = 0; i < c->count; i++)
        most = c->at[i].blocks > most ? c->at[i].blocks : most;
    double *scratch = malloc((3 * most + 1) * sizeof *scratch);
    if (!scratch)
        return no_memory(err);
    for (size_t i = 0; i < c->count; i++) {
        size_t of_null;
        gate_cell *of = &c->at[i];
        of->null = against_base(of, GATE_NULL, threshold, scratch, &of_null);
        of->head = against_base(of, GATE_HEAD, threshold, scratch, &of->dropped);
    }
    free(scratch);
    return ATTN_OK;
}

/* The least and the greatest logarithm of an arm's count over the base's, of any block over any. */
static verdict range_of(const gate_cell *c, size_t arm)
{
    verdict v = {.blocks = c->blocks, .lo = (double)INFINITY, .hi = -(double)INFINITY, .p = (double)NAN};
    for (size_t b = 0; b < c->blocks; b++)
        for (size_t a = 0; a < c->blocks; a++) {
            const double ratio = log(c->cost[arm][a] / c->cost[GATE_BASE][b]);
            v.lo = fmin(v.lo, ratio);
            v.hi = fmax(v.hi, ratio);
        }
    v.median = (v.lo + v.hi) / 2;
    return v;
}

bool gate_judge_counts(gate_cells *c, double threshold)
{
    bool exact = true;
    for (size_t i = 0; i < c->count; i++) {
        gate_cell *of = &c->at[i];
        of->null = range_of(of, GATE_NULL);
        of->head = range_of(of, GATE_HEAD);
        const bool same = of->null.lo >= -VERDICT_EXACT && of->null.hi <= VERDICT_EXACT && of->head.hi - of->head.lo <= 2 * VERDICT_EXACT;
        of->null.kind = same ? VERDICT_PASS : VERDICT_INCONCLUSIVE;
        of->head.kind = !same                                   ? VERDICT_INCONCLUSIVE
                        : of->head.lo > log1p(threshold)        ? VERDICT_REGRESSED
                        : of->head.hi < -log1p(threshold)       ? VERDICT_IMPROVED
                                                                : VERDICT_PASS;
        exact &= same;
    }
    return exact;
}
