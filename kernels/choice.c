/* Names of lowerings. */
#include "kernels/choice.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct { const char *name; int classes; } ways[] = {
    {"natural", 0}, {"classes", 1}, {"classes2", 2}, {"classes3", 3}, {"mixed", CLASSES_ESTIMATED}};
enum { WAYS = sizeof ways / sizeof ways[0] };

void choice_name(choice c, char out[CHOICE_LENGTH])
{
    size_t w = 0;
    while (w + 1 < WAYS && ways[w].classes != c.classes)
        w++;
    if (c.group)
        snprintf(out, CHOICE_LENGTH, "%s/%u", ways[w].name, (unsigned)c.group);
    else
        snprintf(out, CHOICE_LENGTH, "%s", ways[w].name);
}

attn_status choice_parse(const char *name, choice *out, attn_error *err)
{
    size_t length = strcspn(name, "/");
    const char *digits = name[length] ? name + length + 1 : NULL;
    unsigned long group = digits ? strtoul(digits, NULL, 10) : 0;
    for (size_t w = 0; w < WAYS; w++)
        if (strlen(ways[w].name) == length && memcmp(ways[w].name, name, length) == 0) {
            if (digits && (group < 1 || group > MAX_GROUP || strspn(digits, "0123456789") != strlen(digits)))
                break;
            *out = (choice){ways[w].classes, (uint32_t)group};
            return ATTN_OK;
        }
    return attn_fail(err, ATTN_EINVAL,
                     "lowering \"%.40s\" is not natural, classes, classes2, classes3 or mixed, perhaps with a group "
                     "of 1 to %d tiles as in classes/8", name, MAX_GROUP);
}
