/* Composed specs as text, with no more parentheses than it needs. See compose.h. */
#include <stdio.h>

#include "patterns/compose.h"

/* How tightly a composition binds; what stands in parentheses of its own binds tightest. */
static int level(const composition *c)
{
    if (!c)
        return 4;
    switch (c->kind) {
    case COMPOSE_OR:
    case COMPOSE_MINUS: return 1;
    case COMPOSE_AND: return 2;
    case COMPOSE_NOT: return 3;
    default: return 4;
    }
}

static void part(FILE *out, const char *text, const composition *as, int least)
{
    const bool loose = level(as) < least;
    fprintf(out, "%s%s%s", loose ? "(" : "", text, loose ? ")" : "");
}

char *compose_write(const composition *c, const char *const *parts, const composition *const *as)
{
    static const char *const words[] = {
        [COMPOSE_OR] = " | ",       [COMPOSE_AND] = " & ",       [COMPOSE_MINUS] = " - ",         [COMPOSE_NOT] = "~",
        [COMPOSE_HEADS] = "heads(", [COMPOSE_LAYERS_OF] = "layers(", [COMPOSE_BLOCKS] = "blocks(", [COMPOSE_SHIFT] = "shift(",
        [COMPOSE_TRANSPOSE] = "transpose(", [COMPOSE_HOPS] = "hops("};
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    const int own = level(c);
    if (own < 3) { /* left to right: a right operand that binds as loosely is in parentheses */
        part(out, parts[0], as[0], own);
        fputs(words[c->kind], out);
        part(out, parts[1], as[1], own + 1);
    } else if (own == 3) {
        fputs(words[c->kind], out);
        part(out, parts[0], as[0], own);
    } else {
        fputs(words[c->kind], out);
        for (size_t k = 0; k < c->count; k++) {
            fputs(k ? ", " : "", out);
            if (c->times[k] > 1)
                fprintf(out, "%zu*", c->times[k]);
            part(out, parts[k], as[k], c->times[k] > 1 ? 3 : 1);
        }
        if (c->number)
            fprintf(out, ", %zu", c->number);
        fputc(')', out);
    }
    return fclose(out) == 0 ? text : NULL;
}
