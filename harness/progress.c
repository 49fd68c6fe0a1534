/* A progress bar on a terminal. */
#include "harness/progress.h"

#include <string.h>
#include <unistd.h>

#include "harness/terminal.h"

enum { BAR = 20 };

progress progress_start(FILE *out, size_t total)
{
    return (progress){.out = out, .on = total && isatty(fileno(out)), .total = total};
}

void progress_show(const progress *p, const char *doing, const char *detail)
{
    if (!p->on)
        return;
    char line[512], bar[BAR + 1];
    const size_t full = p->done * BAR / p->total;
    memset(bar, '.', BAR);
    memset(bar, '#', full < BAR ? full : BAR);
    bar[BAR] = '\0';
    snprintf(line, sizeof line, "[%s] %zu/%zu  %s  %s", bar, p->done, p->total, doing, detail);
    fprintf(p->out, "\r\033[K%.*s", (int)terminal_columns(p->out) - 1, line); /* one that wraps could not be removed */
    fflush(p->out);
}

void progress_clear(const progress *p)
{
    if (!p->on)
        return;
    fputs("\r\033[K", p->out);
    fflush(p->out);
}
