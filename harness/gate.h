/* attnlab gate, in pieces: building revisions, measuring a suite with their programs in turn, reports.
 *
 * Every revision measures with its own program, through the command line and the rows that it prints: so old ones can be
 * compared with new ones, whatever has changed inside. */
#ifndef HARNESS_GATE_H
#define HARNESS_GATE_H

#include <stdbool.h>
#include <stdio.h>

#include "attn/status.h"
#include "harness/lane.h"
#include "harness/verdict.h"

/* ---- revisions (harness/gate_build.c) ---- */

enum { GATE_COMMIT = 41, GATE_PATH = 4096 };

typedef struct gate_revision {
    char commit[GATE_COMMIT];
    char program[GATE_PATH];
} gate_revision;

/* Runs a command, found on PATH, without input, and waits. What it prints goes to the end of the file `log`, or, where `log` is
 * NULL, standard output to *output (malloc'ed, terminated; NULL on failure). false: it cannot be run, or fails. */
bool gate_command(const char *const *words, const char *log, char **output);

/* The commit that a revision means. EINVAL: none. */
attn_status gate_resolve(char commit[GATE_COMMIT], const char *repo, const char *rev, attn_error *err);

/* Whether files under version control differ from the commit checked out. */
bool gate_dirty(const char *repo);

/* Finds the commit in the repository `repo` and builds it in REPO/build/gate/COMMIT, unless it is there already: a
 * worktree, `make all` with DEPS=never and MODE=release, output in COMMIT.log beside it. Where CC, CPPFLAGS, CFLAGS, LDFLAGS or
 * LDLIBS are set, their hash is part of the folder's name. EINVAL: no such revision, or it does not build. */
attn_status gate_build(gate_revision *out, const char *repo, const char *rev, attn_error *err);

/* ---- a suite (harness/gate_measure.c) ---- */

typedef struct gate_suite {
    char **lines; /* options of `attnlab run` */
    size_t count;
} gate_suite;

/* Lines of a file without comments and empty ones. EINVAL: not to be read, or none left. */
attn_status gate_suite_read(gate_suite *out, const char *path, attn_error *err);
void gate_suite_free(gate_suite *s);

enum { GATE_BASE, GATE_HEAD, GATE_NULL /* the base again */, GATE_ARMS };

/* One cell over the blocks. */
typedef struct gate_cell {
    char *name;            /* "dense n=512 d=64 heads=2 f32 threads=1" */
    size_t line;           /* of the suite */
    lane lane;
    size_t blocks;
    double *cost[GATE_ARMS]; /* [blocks] what processes tell (stats_of_process()) in ns, or instructions; NaN: not measured */
    double *median[GATE_ARMS]; /* of the runs, in ns: what programs tell that are too old for the other */
    double *peak[GATE_ARMS]; /* GFLOP/s of multiply-adds beside it; NaN: not told */
    /* What follows from them: */
    verdict head, null;    /* against the base */
    size_t dropped;        /* disturbed blocks */
    bool confirmed;        /* judged on fresh blocks */
} gate_cell;

typedef struct gate_cells {
    gate_cell *at;
    size_t count;
} gate_cells;

/* For whom wants what the programs stored: each arm's database is left in an existing folder, its runs under the arm's label. */
typedef struct gate_keep {
    const char *folder, *labels[GATE_ARMS];
} gate_keep;

/* Of an arm. */
void gate_database(char out[GATE_PATH], const char *folder, size_t arm);

/* Runs the lines of the suite that `wanted` names (NULL: all) `blocks` times with each arm's program, in turn; `keep` may be NULL.
 * EINVAL: a line that a program refuses, with what it says. EIO with run_signals_look(): interrupted; what is measured is kept. */
attn_status gate_measure(gate_cells *out, const gate_suite *suite, const bool *wanted, const char *const programs[GATE_ARMS],
                         size_t blocks, double seconds, lane in, const gate_keep *keep, attn_error *err);
/* 'text' as a word of a line, whatever is in it. */
void gate_quote(FILE *out, const char *text);
/* Moves the cells of `more` behind those of `to`. ENOMEM: both stay as they are. */
attn_status gate_cells_append(gate_cells *to, gate_cells *more, attn_error *err);
void gate_cells_free(gate_cells *c);

/* Fills in the verdicts of all cells, which are times. */
attn_status gate_judge(gate_cells *c, double threshold, attn_error *err);

/* The same for counts of instructions, which need no statistics: the ratios of all blocks lie above the threshold, below it, or
 * not. Where counts of one program differ by more than VERDICT_EXACT from block to block, or from those of the base again, nothing can be told: then
 * false is returned, and the cell is inconclusive. */
enum { GATE_EXACT_BLOCKS = 2 };
bool gate_judge_counts(gate_cells *c, double threshold);

/* ---- reports (harness/gate_report.c) ---- */

typedef struct gate_result {
    const char *base, *head; /* as given */
    const gate_revision *base_at, *head_at;
    const char *suite;
    double threshold, count_threshold; /* of times, of instructions */
    const gate_cells *cells;
    bool void_run;           /* the null arm fired: nothing can be told */
    const char *verdict;
} gate_result;

void gate_print_table(FILE *out, const gate_result *r, bool markdown);
/* gate.json, gate.md, gate.xml (JUnit) and verdict in an existing folder. */
attn_status gate_write_reports(const char *folder, const gate_result *r, attn_error *err);
/* ::error and ::warning lines as GitHub Actions reads them. */
void gate_annotate(FILE *out, const gate_result *r);

#endif
