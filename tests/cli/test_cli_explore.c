/* attnlab explore: what it looks at, without a terminal; and the screen, on a pseudo-terminal of 80 x 24. */
#include <criterion/criterion.h>
#include <math.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/explore.h"
#include "support/program.h"

static explore opened(const char *spec, size_t n)
{
    explore x;
    attn_error err;
    cr_assert(explore_open(&x, spec, n, 4, 64, &err) == ATTN_OK, "%s: %s", spec, err.message);
    return x;
}

/* Cells are the shares that counting pairs gives, where every row is looked at. */
Test(explore, cells_are_exact, .timeout = 60)
{
    static const char *const specs[] = {"fixed:l=9,c=2", "strided:l=7,causal=0", "dense - local:k=5", "natten2d:w=10,k=3,causal=0"};
    enum { ROWS = 12, COLUMNS = 17 };
    float cells[ROWS * COLUMNS];
    for (size_t s = 0; s < 4; s++)
        for (size_t cell = 1; cell <= EXPLORE_SAMPLED; cell++) {
            explore x = opened(specs[s], 95);
            bool exact;
            x.cell = cell;
            x.row = 2 * cell;
            x.key = cell;
            const uint64_t work = explore_cells(&x, ROWS, COLUMNS, cells, &exact);
            cr_assert(exact && work > 0, "%s: not exact at %zu", specs[s], cell);
            for (size_t r = 0; r < ROWS; r++)
                for (size_t c = 0; c < COLUMNS; c++) {
                    size_t pairs = 0, all = 0;
                    for (size_t i = x.row + r * cell; i < x.row + (r + 1) * cell && i < 95; i++)
                        for (size_t j = x.key + c * cell; j < x.key + (c + 1) * cell && j < 95; j++, all++)
                            pairs += attn_layout_allows(x.layout, 0, i, j);
                    const float got = cells[r * COLUMNS + c];
                    cr_assert(all ? fabs((double)got - (double)pairs / (double)all) < 1e-5 : got < 0, "%s cell %zu: %zu,%zu is %g of %zu/%zu", specs[s], cell,
                              r, c, (double)got, pairs, all);
                }
            explore_close(&x);
        }
}

/* Rows that only testing pairs gives are not asked for whole. */
Test(explore, single_pairs_where_rows_cost_n, .timeout = 60)
{
    enum { ROWS = 30, COLUMNS = 40 };
    static float cells[ROWS * COLUMNS];
    for (size_t n = 120; n <= 1u << 20; n *= 16) {
        explore x = {.n = n, .heads = 1, .dim = 64, .cell = 2, .row = 30, .key = 10}; /* counting the pairs of 2^20 positions would take hours */
        attn_error err;
        bool exact;
        cr_assert(attn_spec_parse(&x.spec, "expr:\"(i * i + j * j) % 101 < 37\"", &err) == ATTN_OK && attn_layout_create(&x.layout, x.spec, n, n, 1, &err) == ATTN_OK);
        x.by_pairs = explore_asks_pairs(&x);
        cr_assert(x.by_pairs);
        cr_assert(explore_cells(&x, ROWS, COLUMNS, cells, &exact) <= ROWS * COLUMNS * 4 && exact, "n=%zu", n);
        for (size_t r = 0; r < ROWS; r++)
            for (size_t c = 0; c < COLUMNS; c++) {
                size_t pairs = 0;
                for (size_t p = 0; p < 4; p++)
                    pairs += attn_layout_allows(x.layout, 0, x.row + 2 * r + p / 2, x.key + 2 * c + p % 2);
                cr_assert(cells[r * COLUMNS + c] == (float)pairs / 4, "n=%zu: %zu,%zu is %g", n, r, c, (double)cells[r * COLUMNS + c]);
            }
        x.row = x.key = 0;
        x.cell = n / COLUMNS;
        cr_assert(explore_cells(&x, ROWS, COLUMNS, cells, &exact) <= ROWS * COLUMNS * EXPLORE_SAMPLED, "n=%zu", n);
        float early = 0, late = 0;
        for (size_t c = 0; c < COLUMNS; c++)
            *(c < 20 ? &early : &late) += c == 20 ? 0 : cells[20 * COLUMNS + c];
        cr_assert(early > 3 && late == 0, "n=%zu: not a causal mask of %g and %g", n, (double)early, (double)late);
        explore_close(&x);
    }
}

/* The work of a picture depends on its size, not on n. */
Test(explore, work_is_bounded, .timeout = 60)
{
    enum { ROWS = 18, COLUMNS = 79 };
    static float cells[ROWS * COLUMNS];
    for (size_t n = 64; n <= 1u << 20; n *= 4) {
        explore x = opened("local:k=8 | strided:l=32,head=column", n);
        bool exact;
        explore_fit(&x, ROWS, COLUMNS);
        cr_assert(explore_cells(&x, ROWS, COLUMNS, cells, &exact) <= ROWS * COLUMNS * EXPLORE_SAMPLED, "n=%zu", n);
        cr_assert(cells[0] > 0, "n=%zu: the corner is empty", n);
        explore_close(&x);
    }
}

Test(explore, parameters_change)
{
    char value[40];
    explore x = opened("fixed:l=8,c=2", 64);
    cr_assert(explore_params(&x) == 5 && strcmp(explore_param_name(&x, 4), "causal") == 0, "%zu parameters", explore_params(&x));
    explore_change(&x, 1, 0);
    cr_assert(strcmp(explore_param_value(&x, 0, value, sizeof value), "9") == 0, "l is %s", value);
    explore_change(&x, 0, 1);
    cr_assert(strcmp(explore_param_value(&x, 0, value, sizeof value), "18") == 0, "l is %s", value);
    x.param = 2;
    explore_change(&x, 1, 0);
    cr_assert(strcmp(explore_param_value(&x, 2, value, sizeof value), "block") == 0, "head is %s", value);
    explore_change(&x, -1, 0);
    explore_change(&x, -1, 0);
    cr_assert(strcmp(explore_param_value(&x, 2, value, sizeof value), "summary") == 0, "head is %s", value);
    x.param = 4;
    explore_change(&x, 1, 0);
    cr_assert(!attn_layout_causal(x.layout), "causal stays");
    x.param = 1;
    for (int k = 0; k < 30; k++) /* c stops at l, with a word about it */
        explore_change(&x, 1, 0);
    cr_assert(strcmp(explore_param_value(&x, 1, value, sizeof value), "18") == 0 && strstr(x.message, "c=19"), "c is %s: %s", value, x.message);
    cr_assert(!explore_set(&x, "nothing", 64) && strstr(x.message, "nothing") && x.n == 64, "%s", x.message);
    cr_assert(!explore_set(&x, "dense", 0) && strstr(x.message, "at least 1"), "%s", x.message);
    cr_assert(explore_set(&x, "dense | local", 1000) && x.n == 1000 && explore_params(&x) == 0, "%s", x.message);
    explore_change(&x, 1, 0);
    cr_assert(strstr(x.message, "press :"), "%s", x.message);
    explore_close(&x);
}

Test(explore, moves_stay_on_the_mask)
{
    enum { ROWS = 10, COLUMNS = 20 };
    explore x = opened("dense", 1000);
    static const long ways[][2] = {{1, 1}, {50, -3}, {-7, 900}, {100000, 100000}, {-100000, -100000}, {3, 17}};
    for (size_t k = 0; k < 600; k++) {
        if (k % 7 == 3)
            explore_zoom(&x, k % 2 ? 1 : -1, ROWS, COLUMNS);
        explore_move(&x, ways[k % 6][0], ways[k % 6][1], ROWS, COLUMNS);
        cr_assert(x.at_row < 1000 && x.at_key < 1000 && x.cell >= 1 && x.row % x.cell == 0, "move %zu", k);
        cr_assert(x.at_row >= x.row && x.at_row < x.row + ROWS * x.cell && x.at_key >= x.key && x.at_key < x.key + COLUMNS * x.cell, "move %zu leaves the picture", k);
    }
    explore_close(&x);
}

Test(explore, says_why)
{
    char why[200];
    explore x = opened("strided:l=8", 64);
    x.at_row = 40;
    x.at_key = 8;
    explore_why(&x, why, sizeof why);
    cr_assert(strstr(why, "allowed: 1 keys from 0 on, every 8"), "%s", why);
    x.at_key = 9;
    explore_why(&x, why, sizeof why);
    cr_assert(strstr(why, "not allowed; the query sees"), "%s", why);
    x.at_key = 41;
    explore_why(&x, why, sizeof why);
    cr_assert(strstr(why, "the key is later"), "%s", why);
    explore_close(&x);
}

/* ---- on a terminal ---- */

/* Types `keys` one by one, waiting for the screen after each; what was written, and how the program ended. */
static char *typed(const char *options, const char *keys, const char *term, const char *locale, int *code)
{
    struct winsize size = {.ws_row = 24, .ws_col = 80};
    size_t used = 0, capacity = 1 << 20;
    char *seen = calloc(capacity, 1), command[600];
    int terminal, status;
    snprintf(command, sizeof command, "exec \"$ATTNLAB\" explore %s", options);
    const pid_t child = forkpty(&terminal, NULL, NULL, &size);
    cr_assert(seen && child >= 0, "no pseudo-terminal");
    if (child == 0) {
        setenv("TERM", term, 1);
        setenv("LC_ALL", locale, 1);
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    for (const char *key = keys;; key++) {
        struct pollfd ready = {.fd = terminal, .events = POLLIN};
        int quiet = key == keys ? 3000 : 400; /* until something comes, then until it pauses */
        while (used + 4096 < capacity && poll(&ready, 1, quiet) > 0) {
            const ssize_t got = read(terminal, seen + used, 4095);
            if (got <= 0)
                break;
            used += (size_t)got;
            quiet = 100;
        }
        if (!*key || write(terminal, key, 1) != 1)
            break;
    }
    for (int waited = 0; waited < 100 && waitpid(child, &status, WNOHANG) == 0; waited++) {
        usleep(50000);
        if (waited == 98)
            kill(child, SIGKILL);
    }
    close(terminal);
    *code = WIFEXITED(status) ? WEXITSTATUS(status) : 128;
    return seen;
}

Test(cli_explore, draws_and_leaves, .timeout = 60)
{
    static const char *const places[][2] = {{"xterm-256color", "C.UTF-8"}, {"vt100", "C"}, {"linux", "C.UTF-8"}};
    for (size_t p = 0; p < 3; p++) {
        int code;
        char *seen = typed("'fixed:l=16,c=4' -n 128", "}\t]f+?q", places[p][0], places[p][1], &code);
        cr_assert(code == 0, "%s: exit %d", places[p][0], code);
        static const char *const words[] = {"fixed:l=16,c=4", "2880 pairs", "2 hops reach", "l=16", "causal=1", "half, double"};
        for (size_t w = 0; w < sizeof words / sizeof *words; w++)
            cr_assert(strstr(seen, words[w]), "%s: no %s", places[p][0], words[w]);
        cr_assert((strstr(seen, "\xe2\x96\x88") != NULL) == (p != 1), "%s: blocks", places[p][0]);
        free(seen);
    }
}

Test(cli_explore, takes_another_spec, .timeout = 60)
{
    int code;
    char *seen = typed("dense -n 64", ":local:k=3\r:nope\rq", "xterm", "C.UTF-8", &code);
    cr_assert(code == 0 && strstr(seen, "local:k=3") && strstr(seen, "'nope' is not a known pattern"), "exit %d", code);
    free(seen);
}

Test(cli_explore, complaints, .timeout = 60)
{
    outcome o = attnlab("explore dense");
    cr_assert(o.exit_code == 2 && one_complaint(&o, "needs a terminal", "attnlab show", NULL), "%d %s", o.exit_code, o.err);
    outcome_free(&o);
    o = attnlab("explore nothing");
    cr_assert(o.exit_code == 2 && one_complaint(&o, "'nothing' is not a known pattern", NULL), "%d %s", o.exit_code, o.err);
    outcome_free(&o);
    int code;
    char *seen = typed("dense", "", "no-such-terminal", "C", &code);
    cr_assert(code == 2 && strstr(seen, "TERM=no-such-terminal"), "%d %s", code, seen);
    free(seen);
}
