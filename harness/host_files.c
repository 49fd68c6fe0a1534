/* Small reads from /proc and /sys. */
#include "harness/host_files.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

ATTN_PRINTF(2, 0) static FILE *open_file(const char *root, const char *format, va_list arguments)
{
    char path[512];
    int n = snprintf(path, sizeof path, "%s", root);
    if (n < 0 || (size_t)n >= sizeof path)
        return NULL;
    int m = vsnprintf(path + n, sizeof path - (size_t)n, format, arguments);
    return m < 0 || (size_t)(n + m) >= sizeof path ? NULL : fopen(path, "re");
}

FILE *host_open(const char *root, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    FILE *file = open_file(root, format, arguments);
    va_end(arguments);
    return file;
}

bool host_line(char *out, size_t size, const char *root, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    FILE *file = open_file(root, format, arguments);
    va_end(arguments);
    *out = '\0';
    if (!file)
        return false;
    bool read = fgets(out, (int)size, file);
    if (!read)
        *out = '\0';
    out[strcspn(out, "\n")] = '\0';
    fclose(file);
    return read;
}

bool host_field(char *out, size_t size, const char *root, const char *path, const char *key)
{
    FILE *file = host_open(root, "%s", path);
    char *line = NULL;
    size_t room = 0, length = strlen(key);
    bool found = false;
    *out = '\0';
    while (file && !found && getline(&line, &room, file) > 0) {
        if (strncmp(line, key, length) != 0)
            continue;
        const char *at = line + length;
        at += strspn(at, " \t");
        if (*at != ':' && *at != '=')
            continue; /* a longer key */
        at++;
        at += strspn(at, " \t");
        snprintf(out, size, "%.*s", (int)strcspn(at, "\n"), at);
        found = true;
    }
    free(line);
    if (file)
        fclose(file);
    return found;
}

bool host_has_program(const char *path, const char *name)
{
    for (const char *folder = path; folder; folder = *folder ? folder + 1 : NULL) {
        int length = (int)strcspn(folder, ":");
        char file[512];
        int n = snprintf(file, sizeof file, "%.*s/%s", length, folder, name);
        if (length > 0 && n > 0 && (size_t)n < sizeof file && access(file, X_OK) == 0)
            return true;
        folder += length;
    }
    return false;
}

size_t host_list_count(const char *list)
{
    size_t count = 0;
    for (const char *at = list; isdigit((unsigned char)*at);) {
        char *end;
        unsigned long first = strtoul(at, &end, 10), last = first;
        if (*end == '-')
            last = strtoul(end + 1, &end, 10);
        if (last < first || (*end && *end != ',' && *end != '\n'))
            return 0;
        count += last - first + 1;
        at = *end == ',' ? end + 1 : end;
    }
    return count;
}
