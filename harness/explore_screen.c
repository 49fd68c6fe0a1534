/* The explorer's screen, by ncurses. See explore.h. */
#include "harness/explore.h"

#include <langinfo.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NCURSES_WIDECHAR 1
#include <curses.h>

enum { LINES_OF_TEXT = 6, LEAST_COLUMNS = 20 };

typedef struct screen {
    explore *x;
    bool colour, utf8, help, leave;
    int rows, columns;    /* of the picture */
    float *cells;         /* [rows][columns] */
    uint64_t work;
    bool exact;
} screen;

/* ---- the picture ---- */

/* Ten grades from nothing to all; without UTF-8 by how much ink they take. */
static const char *grade(const screen *s, float share)
{
    static const char *const ink[] = {" ", ".", ":", "-", "=", "+", "*", "#", "%", "@"};
    static const char *const blocks[] = {" ", "░", "░", "░", "▒", "▒", "▒", "▓", "▓", "█"};
    const int at = share <= 0 ? 0 : share >= 1 ? 9 : 1 + (int)(share * 8);
    return s->utf8 ? blocks[at] : ink[at];
}

static void draw_picture(screen *s)
{
    const explore *x = s->x;
    const size_t rows = (size_t)s->rows, columns = (size_t)s->columns, at_row = (x->at_row - x->row) / x->cell, at_key = (x->at_key - x->key) / x->cell;
    s->work = explore_cells(x, rows, columns, s->cells, &s->exact);
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < columns; c++) {
            const float share = s->cells[r * columns + c];
            const bool cursor = r == at_row && c == at_key, diagonal = share == 0 && x->row + r * x->cell < x->n &&
                                                                       (x->row / x->cell + r) == (x->key / x->cell + c);
            if (cursor)
                attron(A_REVERSE | A_BOLD);
            else if (s->colour && share > 0)
                attron(COLOR_PAIR(1));
            mvaddstr((int)r, (int)c, share < 0 ? " " : cursor && share == 0 ? "x" : diagonal ? (s->utf8 ? "·" : "'") : grade(s, share));
            attrset(A_NORMAL);
        }
}

/* ---- the lines below ---- */

static void percent(char *out, size_t size, double share)
{
    if (isnan(share))
        snprintf(out, size, "-");
    else
        snprintf(out, size, "%.3g%%", 100 * share);
}

static void draw_params(const screen *s, int y)
{
    const explore *x = s->x;
    const size_t count = explore_params(x);
    char value[64];
    move(y, 0);
    for (size_t k = 0; k < count; k++) {
        if (k == x->param)
            attron(A_REVERSE);
        printw("%s=%s", explore_param_name(x, k), explore_param_value(x, k, value, sizeof value));
        attrset(A_NORMAL);
        addstr("  ");
    }
    if (!count)
        addstr("no parameters to step through; : writes another spec");
}

static void draw_text(const screen *s)
{
    const explore *x = s->x;
    const int y = s->rows;
    char why[EXPLORE_TEXT], once[24], residual[24];
    const double n = (double)x->n, all = attn_layout_causal(x->layout) ? n * (n + 1) / 2 : n * n;
    attron(A_BOLD);
    mvprintw(y, 0, "%.*s", COLS - 1, attn_layout_text(x->layout));
    attrset(A_NORMAL);
    mvprintw(y + 1, 0, "n=%zu  %llu pairs, %.3g%% of %s", x->n, (unsigned long long)x->pairs, 100 * (double)x->pairs / all,
             attn_layout_causal(x->layout) ? "the causal ones" : "all");
    if (attn_layout_distinct_heads(x->layout) > 1)
        printw("  head %zu of %zu", x->head, attn_layout_distinct_heads(x->layout));
    percent(once, sizeof once, x->reach[0]);
    percent(residual, sizeof residual, x->reach[1]);
    move(y + 2, 0);
    if (isnan(x->predicted_ms))
        addstr("no prediction at this size");
    else
        printw("predicted %.3g ms, dense %.3g: %.2fx", x->predicted_ms, x->dense_ms, x->dense_ms / x->predicted_ms);
    printw("  2 hops reach %s, with residual %s", once, residual);
    draw_params(s, y + 3);
    explore_why(x, why, sizeof why);
    mvprintw(y + 4, 0, "%.*s", COLS - 1, x->message[0] ? x->message : why);
    mvprintw(y + 5, 0, "%zu x %zu pairs a cell%s, %llu row cells looked at  ? keys  q quits", x->cell, x->cell, s->exact ? "" : ", sampled",
             (unsigned long long)s->work);
}

static void draw_help(void)
{
    static const char *const lines[] = {
        "arrows           move the cursor        PgUp PgDn        a screen up, down",
        "Home End         first, last key        g G              first, last query",
        "+ -              finer, coarser         f                fit all",
        "Tab              next parameter         [ ]              less, more",
        "{ }              half, double           n N              half, double n",
        "h                next head              :                another spec",
        "                                        q                quit"};
    for (int k = 0; k < (int)(sizeof lines / sizeof lines[0]); k++)
        mvaddnstr(k, 0, lines[k], COLS - 1);
}

static void draw(screen *s)
{
    erase();
    if (s->help)
        draw_help();
    else
        draw_picture(s);
    draw_text(s);
    move(s->rows + 4, 0);
    refresh();
}

/* ---- keys ---- */

static void ask_spec(screen *s)
{
    char text[EXPLORE_TEXT] = "";
    move(s->rows + 4, 0);
    clrtoeol();
    addch(':');
    echo();
    curs_set(1);
    if (getnstr(text, (int)sizeof text - 1) == OK && *text)
        (void)explore_set(s->x, text, s->x->n);
    noecho();
    curs_set(0);
}

static void press(screen *s, int key)
{
    explore *x = s->x;
    const size_t rows = (size_t)s->rows, columns = (size_t)s->columns;
    const long far = (long)ATTN_MAX_N;
    x->message[0] = '\0';
    s->help = key == '?' && !s->help;
    switch (key) {
    case 'q': s->leave = true; break;
    case KEY_UP: case 'k': explore_move(x, -1, 0, rows, columns); break;
    case KEY_DOWN: case 'j': explore_move(x, 1, 0, rows, columns); break;
    case KEY_LEFT: explore_move(x, 0, -1, rows, columns); break;
    case KEY_RIGHT: case 'l': explore_move(x, 0, 1, rows, columns); break;
    case KEY_PPAGE: explore_move(x, -s->rows, 0, rows, columns); break;
    case KEY_NPAGE: explore_move(x, s->rows, 0, rows, columns); break;
    case KEY_HOME: explore_move(x, 0, -far, rows, columns); break;
    case KEY_END: explore_move(x, 0, far, rows, columns); break;
    case 'g': explore_move(x, -far, 0, rows, columns); break;
    case 'G': explore_move(x, far, 0, rows, columns); break;
    case '+': case '=': explore_zoom(x, 1, rows, columns); break;
    case '-': explore_zoom(x, -1, rows, columns); break;
    case 'f': explore_fit(x, rows, columns); break;
    case '\t': x->param = explore_params(x) ? (x->param + 1) % explore_params(x) : 0; break;
    case '[': explore_change(x, -1, 0); break;
    case ']': explore_change(x, 1, 0); break;
    case '{': explore_change(x, 0, -1); break;
    case '}': explore_change(x, 0, 1); break;
    case 'n': (void)explore_set(x, attn_spec_text(x->spec), x->n / 2); break;
    case 'N': (void)explore_set(x, attn_spec_text(x->spec), x->n * 2); break;
    case 'h': x->head = (x->head + 1) % attn_layout_distinct_heads(x->layout); break;
    case ':': ask_spec(s); break;
    default: break;
    }
    explore_move(x, 0, 0, rows, columns);
}

/* The picture takes what the text leaves. */
static bool measure(screen *s)
{
    const int rows = LINES > LINES_OF_TEXT ? LINES - LINES_OF_TEXT : 1, columns = COLS > LEAST_COLUMNS ? COLS - 1 : LEAST_COLUMNS;
    float *cells = realloc(s->cells, (size_t)rows * (size_t)columns * sizeof *cells);
    if (!cells)
        return false;
    s->cells = cells;
    s->rows = rows;
    s->columns = columns;
    explore_move(s->x, 0, 0, (size_t)rows, (size_t)columns);
    return true;
}

attn_status explore_run(explore *x, attn_error *err)
{
    const char *terminal = getenv("TERM"), *plain = getenv("NO_COLOR");
    screen s = {.x = x};
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
        return attn_fail(err, ATTN_EINVAL, "explore needs a terminal; 'attnlab show' draws into files and pipes");
    setlocale(LC_CTYPE, ""); /* for ncurses, which knows what the terminal can show */
    SCREEN *of = newterm(NULL, stdout, stdin);
    if (!of)
        return attn_fail(err, ATTN_EINVAL, "explore cannot draw on TERM=%s; try TERM=vt100, or 'attnlab show'", terminal ? terminal : "");
    s.utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    s.colour = !(plain && *plain) && has_colors() && start_color() == OK && use_default_colors() == OK && init_pair(1, COLOR_CYAN, -1) == OK;
    cbreak();
    noecho();
    keypad(stdscr, TRUE);
    curs_set(0);
    bool fine = measure(&s);
    if (fine)
        explore_fit(x, (size_t)s.rows, (size_t)s.columns);
    while (fine && !s.leave) {
        draw(&s);
        const int key = getch();
        if (key == ERR)
            break; /* the terminal is gone */
        if (key == KEY_RESIZE)
            fine = measure(&s);
        else
            press(&s, key);
    }
    endwin();
    delscreen(of);
    setlocale(LC_CTYPE, "C");
    free(s.cells);
    return fine ? ATTN_OK : attn_fail(err, ATTN_ENOMEM, "out of memory");
}
