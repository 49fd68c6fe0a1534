/* A pattern that plans like causal dense and ends the process as soon as its definition is asked: what a
 * measuring process can meet.
 *
 *   fragile:end=none|segfault|kill|exit|abort|hang */
#include <attn/pattern.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { END };
enum { NONE, SEGFAULT, KILL, EXIT, ABORT, HANG };
static const attn_param params[] = {
    [END] = {"end", 0, 0, "none", "how the process ends", "none|segfault|kill|exit|abort|hang"},
    {0},
};

static bool allows(const attn_pattern_args *a, size_t head, size_t i, size_t j)
{
    (void)head;
    switch (a->v[END]) {
    case SEGFAULT:
        signal(SIGSEGV, SIG_DFL);
        raise(SIGSEGV);
        break;
    case KILL:
        raise(SIGKILL);
        break;
    case EXIT:
        _exit(3);
    case ABORT:
        fputs("fragile: giving up\n", stderr);
        signal(SIGABRT, SIG_DFL);
        abort();
    case HANG:
        for (;;)
            pause();
    default:
        break;
    }
    return j <= i || !a->causal;
}

static void row(const attn_pattern_args *a, size_t head, size_t i, attn_combs *out)
{
    (void)head;
    attn_emit(out, 0, a->causal ? i + 1 : a->nk, 1, 1);
}

static const attn_pattern fragile = {
    .name = "fragile",
    .summary = "ends the process",
    .params = params,
    .allows = allows,
    .row = row,
};

ATTN_PLUGIN(&fragile);
