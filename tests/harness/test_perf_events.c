/* Events files: those built in, what a user's may say and how it is told what is wrong; formulas. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/perf_events.h"
#include "support/program.h"

static perf_events list;
static char pmus[PERF_LINE_LENGTH];

static attn_status read_text(const char *text, attn_error *err)
{
    return perf_events_read(&list, pmus, "f.txt", text, strlen(text), err);
}

/* ---- formulas ---- */

static double value_of(const char *text)
{
    static const struct { const char *name; double value; } known[] = {{"a", 3}, {"b", 5}, {"zero", 0}, {"a_long_name2", 7}};
    perf_formula f;
    attn_error err;
    cr_assert(perf_formula_parse(&f, text, &err) == ATTN_OK, "'%s': %s", text, err.message);
    double operands[PERF_FORMULA_NAMES], out = (double)NAN;
    for (size_t n = 0; n < f.name_count; n++)
        for (size_t k = 0; k < sizeof known / sizeof *known; k++)
            if (strcmp(known[k].name, f.names[n]) == 0)
                operands[n] = known[k].value;
    return perf_formula_value(&f, operands, &out) ? (double)NAN : out;
}

Test(perf_formula, values)
{
    static const struct { const char *text; double value; } table[] = {
        {"1", 1}, {"  a ", 3}, {"a+b*2", 13}, {"(a+b)*2", 16}, {"a-b-1", -3}, {"b/a/5", 1.0 / 3}, {"-a", -3}, {"--a", 3},
        {"2*-a", -6}, {"-(a-b)*-1", -2}, {"64 * (a + b) / a_long_name2", 64 * 8.0 / 7}, {"1.5e2+0.25", 150.25}, {"1e-3", 1e-3},
        {"a/b*b", 3}, {"a*a*a", 27}, {"((((1))))", 1}, {"zero/a", 0},
    };
    for (size_t t = 0; t < sizeof table / sizeof *table; t++)
        cr_assert(fabs(value_of(table[t].text) - table[t].value) < 1e-12, "'%s' is %.17g, not %.17g", table[t].text,
                  value_of(table[t].text), table[t].value);
}

Test(perf_formula, no_value_where_there_is_none)
{
    cr_assert(isnan(value_of("a/zero")) && isnan(value_of("zero/zero")) && isnan(value_of("1e300*1e300")),
              "a value from nothing");
    perf_formula f;
    double out = 1, zero = 0;
    cr_assert(perf_formula_parse(&f, "1/x", NULL) == ATTN_OK, "does not parse");
    const char *why = perf_formula_value(&f, &zero, &out);
    cr_assert(why && strstr(why, "divides by a count of 0"), "%s", why ? why : "no reason");
}

Test(perf_formula, what_is_refused)
{
    static const struct { const char *text, *word; } table[] = {
        {"", "ends where it needs a number"}, {"a +", "ends where it needs a number"}, {"(a", "ends where it needs ')'"},
        {"a b", "'b' where"}, {"a)", "')' where"}, {"a ^ b", "'^ b' where"}, {"A", "'A' where"}, {"nan", ""}, {"1e999", "range"},
        {"0x10", "'x10' where"}, {".5", "'.5' where"}, {"1..2", "'..2' where"}, {"$(x)", "'$(x)' where"}, {"(a))", "')' where"},
        {"()", "')' where"}, {"*a", "'*a' where"}, {"1e", "'e' where"},
    };
    for (size_t t = 0; t < sizeof table / sizeof *table; t++) {
        perf_formula f;
        attn_error err = {0};
        if (!*table[t].word) /* a name like any other */
            continue;
        cr_assert(perf_formula_parse(&f, table[t].text, &err) == ATTN_EINVAL && strstr(err.message, table[t].word),
                  "'%s': '%s' lacks '%s'", table[t].text, err.message, table[t].word);
        cr_assert(f.step_count == 0, "'%s' leaves %zu steps", table[t].text, f.step_count);
    }
}

Test(perf_formula, bounds)
{
    char text[4096];
    attn_error err;
    perf_formula f;
    for (size_t depth = 1; depth < 1000; depth += 7) {
        memset(text, '(', depth);
        text[depth] = '1';
        memset(text + depth + 1, ')', depth);
        text[2 * depth + 1] = '\0';
        attn_status status = perf_formula_parse(&f, text, &err);
        cr_assert((status == ATTN_OK) == (depth <= PERF_FORMULA_DEPTH), "depth %zu: %s", depth, err.message);
    }
    for (size_t terms = 1; terms < 100; terms++) { /* a + a + a: two steps for each after the first */
        size_t used = (size_t)sprintf(text, "a");
        for (size_t i = 1; i < terms; i++)
            used += (size_t)sprintf(text + used, "+a");
        attn_status status = perf_formula_parse(&f, text, &err);
        cr_assert((status == ATTN_OK) == (2 * terms - 1 <= PERF_FORMULA_STEPS), "%zu terms: %s", terms, err.message);
    }
    for (size_t names = 1; names < 30; names++) {
        size_t used = (size_t)sprintf(text, "n0");
        for (size_t i = 1; i < names; i++)
            used += (size_t)sprintf(text + used, "+n%zu", i);
        attn_status status = perf_formula_parse(&f, text, &err);
        cr_assert((status == ATTN_OK) == (names <= PERF_FORMULA_NAMES), "%zu names: %s", names, err.message);
    }
    memset(text, 'n', 60);
    text[60] = '\0';
    cr_assert(perf_formula_parse(&f, text, &err) == ATTN_EINVAL, "a name of 60 characters");
}

/* ---- the files built in ---- */

/* Each file of the folder is built in under its name, and nothing else is. */
Test(perf_events, the_folder_is_what_is_built_in)
{
    size_t there = 0, built = 0;
    DIR *folder = opendir("harness/metrics/events");
    cr_assert(folder, "no harness/metrics/events in the working folder");
    for (const struct dirent *entry; (entry = readdir(folder));) {
        const char *end = strstr(entry->d_name, ".txt");
        if (!end)
            continue;
        there++;
        char path[300];
        snprintf(path, sizeof path, "harness/metrics/events/%s", entry->d_name);
        char *text = read_whole_file(path, NULL);
        bool found = false;
        for (const perf_file *f = perf_files; f->name; f++)
            if (strlen(f->name) == (size_t)(end - entry->d_name) && strncmp(f->name, entry->d_name, strlen(f->name)) == 0)
                found = strcmp(f->text, text) == 0;
        cr_assert(found, "%s is not built in, or another text is", entry->d_name);
        free(text);
    }
    closedir(folder);
    for (const perf_file *f = perf_files; f->name; f++)
        built++;
    cr_assert(there == built && there >= 5, "%zu files, %zu built in", there, built);
}

/* At most four programmable events in a set on Intel and six on AMD; cycles and instructions have counters of their
 * own on Intel. A file names its sources. */
Test(perf_events, sets_fit_the_counters)
{
    for (const perf_file *f = perf_files; f->name; f++) {
        attn_error err;
        cr_assert(perf_events_read(&list, pmus, f->name, f->text, strlen(f->text), &err) == ATTN_OK, "%s", err.message);
        cr_assert(strstr(f->text, "# Source: "), "%s names no source", f->name);
        const size_t most = strncmp(f->name, "amd", 3) == 0 ? 6 : 4;
        for (size_t s = 0; s < list.set_count; s++) {
            size_t programmable = 0;
            for (size_t i = 0; i < list.sets[s].count; i++)
                programmable += strcmp(list.sets[s].events[i].event, "perf::CYCLES") != 0 &&
                                strcmp(list.sets[s].events[i].event, "perf::INSTRUCTIONS") != 0;
            cr_assert(programmable <= most, "%s, set %s: %zu programmable events", f->name, list.sets[s].name, programmable);
        }
    }
}

/* Every list there can be: formulas name what exists, and every PMU has one file of its own. */
Test(perf_events, every_cpu_has_a_sound_list)
{
    size_t lists = 0;
    for (const perf_file *f = perf_files; f->name; f++) {
        attn_error err;
        cr_assert(perf_events_read(&list, pmus, f->name, f->text, strlen(f->text), &err) == ATTN_OK, "%s", err.message);
        for (char *rest = pmus, *pmu; (pmu = strsep(&rest, " ")); lists++) {
            perf_events *chosen;
            const bool any = strcmp(pmu, "any") == 0;
            cr_assert(perf_events_choose(&chosen, any ? NULL : pmu, NULL, &err) == ATTN_OK, "%s: %s", pmu, err.message);
            char files[100];
            snprintf(files, sizeof files, any ? "any" : "any %s", f->name);
            cr_assert(strcmp(chosen->files, files) == 0, "%s: files '%s', not '%s'", pmu, chosen->files, files);
            bool flops = false, bytes = false;
            for (size_t s = 0; s < chosen->set_count; s++)
                for (size_t i = 0; i < chosen->sets[s].count; i++)
                    flops = flops || chosen->sets[s].events[i].flops > 0;
            for (size_t i = 0; i < chosen->derived_count; i++)
                bytes = bytes || strcmp(chosen->derived[i].name, "bytes_per_flop") == 0;
            cr_assert(flops != any && bytes, "%s: FLOPs %d, bytes per FLOP %d", pmu, flops, bytes);
            free(chosen);
        }
    }
    cr_assert(lists >= 14, "only %zu lists", lists);
}

/* ---- reading ---- */

Test(perf_events, what_a_file_says)
{
    attn_error err;
    cr_assert(read_text("# about\r\n\tfor  skx\tclx # two\n\nset mine\n event  x1  count  skx::A:B=1 flops=4 kernel\n"
                        "event y ns perf::C\nderive r bytes/flop = x1 / y\nabsent z % no such thing # why\nset last\nevent w count D",
                        &err) == ATTN_OK, "%s", err.message);
    cr_assert(strcmp(pmus, "skx clx") == 0, "PMUs '%s'", pmus);
    cr_assert(list.set_count == 2 && list.sets[0].count == 2 && list.sets[1].count == 1 && list.derived_count == 2, "counts");
    const perf_event *e = &list.sets[0].events[0];
    cr_assert(strcmp(e->name, "x1") == 0 && strcmp(e->unit, "count") == 0 && strcmp(e->event, "skx::A:B=1") == 0 && e->kernel &&
                  e->flops == 4 && e->line == 5, "event %s %s %s, kernel %d, flops %g, line %zu", e->name, e->unit, e->event,
              e->kernel, e->flops, e->line);
    cr_assert(!list.sets[0].events[1].kernel && list.sets[0].events[1].flops == 0, "options of another event");
    cr_assert(strcmp(list.derived[0].name, "r") == 0 && list.derived[0].formula.name_count == 2, "no formula");
    cr_assert(strcmp(list.derived[1].why, "no such thing") == 0, "reason '%s'", list.derived[1].why);
}

Test(perf_events, whole_names_of_pmus_only)
{
    cr_assert(perf_events_fit("bdw_ep skl", "skl") && perf_events_fit("bdw_ep skl", "bdw_ep") && perf_events_fit("any", NULL),
              "named PMUs do not fit");
    cr_assert(!perf_events_fit("bdw_ep skl", "bdw") && !perf_events_fit("bdw_ep skl", "ep") && !perf_events_fit("bdw_ep skl", "") &&
                  !perf_events_fit("bdw_ep skl", NULL), "others fit");
}

#define OPEN "for skx\nset s\nevent a count A\n"

Test(perf_events, what_is_wrong_is_told_with_its_line)
{
    static const struct { const char *text, *line, *word; } table[] = {
        {"", "f.txt: ", "nothing derived"},
        {"# only\n# comments\n", "f.txt: ", "no set"},
        {"set s\n", "f.txt:1: ", "which PMUs"},
        {"\n\nevents a count B\n", "f.txt:3: ", "did you mean 'event'"},
        {"hello\n", "f.txt:1: ", "'hello' begins no line"},
        {"for\n", "f.txt:1: ", "without a PMU"},
        {"for skx any\n", "f.txt:1: ", "one or the other"},
        {"for sk-x\n", "f.txt:1: ", "'sk-x' is no PMU"},
        {OPEN "for clx\n", "f.txt:4: ", "second 'for'"},
        {"for skx\nevent a count A\n", "f.txt:2: ", "before any set"},
        {"for skx\nset\n", "f.txt:2: ", "'' is no name"},
        {"for skx\nset A\n", "f.txt:2: ", "'A' is no name"},
        {"for skx\nset a b\n", "f.txt:2: ", "'b' is left over"},
        {"for skx\nset s\nset t\nevent a count A\n", "f.txt:2: ", "set s has no event"},
        {OPEN "set t\n", "f.txt:4: ", "set t has no event"},
        {OPEN "set s\nevent b count B\n", "f.txt:4: ", "there already, on line 2"},
        {OPEN "event b\n", "f.txt:4: ", "'' is no unit"},
        {OPEN "event b count\n", "f.txt:4: ", "b has no event"},
        {OPEN "event b co-unt B\n", "f.txt:4: ", "'co-unt' is no unit"},
        {OPEN "event counter.b count B\n", "f.txt:4: ", "'counter.b' is no name"},
        {OPEN "event b count B user\n", "f.txt:4: ", "'user' after the event"},
        {OPEN "event b count B flops=x\n", "f.txt:4: ", "flops=N takes"},
        {OPEN "event b count B flops=-1\n", "f.txt:4: ", "flops=N takes"},
        {OPEN "event b count B flops=nan\n", "f.txt:4: ", "flops=N takes"},
        {OPEN "event b count B flops=1e9\n", "f.txt:4: ", "flops=N takes"},
        {"for any\nset s\nevent a count CYCLES\n", "f.txt:3: ", "names the PMU"},
        {OPEN "event b count B\nevent c count C\nevent d count D\nevent e count E\nevent f count F\nevent g count G\n"
              "event h count H\nevent i count I\n", "f.txt:11: ", "more than 8 events"},
        {OPEN "derive r 1 a / b\n", "f.txt:4: ", "NAME UNIT = FORMULA"},
        {OPEN "derive r 1 = a /\n", "f.txt:4: ", "r: the formula ends"},
        {OPEN "derive r 1 = a\nderive r 1 = a\n", "f.txt:5: ", "there already, on line 4"},
        {OPEN "absent r 1\n", "f.txt:4: ", "wants a reason"},
        {OPEN "event \xc3\xa9t\xc3\xa9 count B\n", "f.txt:4: ", "is no name"},
        {OPEN "event b\x01 count B\n", "f.txt:4: ", "byte 0x01"},
        {OPEN "\x7f" "ELF\n", "f.txt:4: ", "byte 0x7f"},
    };
    for (size_t t = 0; t < sizeof table / sizeof *table; t++) {
        attn_error err = {0};
        cr_assert(read_text(table[t].text, &err) == ATTN_EINVAL, "'%s' is taken", table[t].text);
        cr_assert(strncmp(err.message, table[t].line, strlen(table[t].line)) == 0 && strstr(err.message, table[t].word),
                  "'%s': '%s' lacks '%s%s'", table[t].text, err.message, table[t].line, table[t].word);
    }
}

Test(perf_events, bounds)
{
    static char text[PERF_FILE_BYTES + 1000];
    attn_error err;
    size_t used;
    for (size_t sets = 14; sets <= 18; sets++) {
        used = (size_t)sprintf(text, "for skx\n");
        for (size_t i = 0; i < sets; i++)
            used += (size_t)sprintf(text + used, "set s%zu\nevent e%zu count E\n", i, i);
        cr_assert((read_text(text, &err) == ATTN_OK) == (sets <= PERF_MOST_SETS), "%zu sets: %s", sets, err.message);
    }
    for (size_t derived = 30; derived <= 34; derived++) {
        used = (size_t)sprintf(text, "for skx\n");
        for (size_t i = 0; i < derived; i++)
            used += (size_t)sprintf(text + used, "derive d%zu 1 = 1\n", i);
        cr_assert((read_text(text, &err) == ATTN_OK) == (derived <= PERF_MOST_DERIVED), "%zu derived: %s", derived, err.message);
    }
    for (size_t length = 230; length <= 250; length++) {
        memset(text, '#', length);
        strcpy(text + length, "\n" OPEN);
        cr_assert((read_text(text, &err) == ATTN_OK) == (length <= PERF_LINE_LENGTH), "a line of %zu: %s", length, err.message);
    }
    for (size_t length = 185; length <= 195; length++) {
        used = (size_t)sprintf(text, OPEN "event b count ");
        memset(text + used, 'E', length);
        text[used + length] = '\0';
        cr_assert((read_text(text, &err) == ATTN_OK) == (length < PERF_EVENT_LENGTH), "an event of %zu: %s", length, err.message);
    }
    used = (size_t)sprintf(text, "for skx\nfor ");
    for (size_t i = 0; i < 57; i++)
        used += (size_t)sprintf(text + used, "a%zu ", i % 10 + 10);
    cr_assert(read_text(text, &err) == ATTN_EINVAL, "%s", err.message);
    memset(text, '\n', PERF_FILE_BYTES + 1);
    cr_assert(perf_events_read(&list, pmus, "f.txt", text, PERF_FILE_BYTES + 1, &err) == ATTN_EINVAL &&
                  strstr(err.message, "65536"), "%s", err.message);
    memcpy(text, OPEN, strlen(OPEN));
    text[3] = '\0'; /* a NUL */
    cr_assert(perf_events_read(&list, pmus, "f.txt", text, strlen(OPEN), &err) == ATTN_EINVAL && strstr(err.message, "byte 0x00"),
              "%s", err.message);
}

/* Every file with one byte replaced by each of some others, and cut short at each length: taken, or refused in words. */
Test(perf_events, damaged_files)
{
    static const char bytes[] = {'\0', '\n', ' ', '#', '=', '(', 'a', '0', '\x80', '\xff'};
    char text[4096];
    for (const perf_file *f = perf_files; f->name; f++) {
        const size_t size = strlen(f->text);
        cr_assert(size < sizeof text, "%s has %zu bytes", f->name, size);
        for (size_t at = 0; at < size; at++)
            for (size_t b = 0; b <= sizeof bytes; b++) {
                attn_error err = {0};
                memcpy(text, f->text, size);
                if (b < sizeof bytes)
                    text[at] = bytes[b];
                attn_status status = perf_events_read(&list, pmus, "f", text, b < sizeof bytes ? size : at, &err);
                if (!status)
                    status = perf_events_check(&list, &err);
                cr_assert((status != ATTN_OK) == (*err.message != '\0') && !strchr(err.message, '\n'), "%s at %zu: %s", f->name, at,
                          err.message);
            }
    }
}

/* ---- lists ---- */

static attn_status with_users(const char *text, perf_events **out, attn_error *err)
{
    write_whole_file(scratch_path("mine.txt"), text, strlen(text));
    return perf_events_choose(out, "skx", scratch_path("mine.txt"), err);
}

/* Events of a set; 0: there is none of the name. */
static size_t events_in(const perf_events *l, const char *name)
{
    for (size_t s = 0; s < l->set_count; s++)
        if (strcmp(l->sets[s].name, name) == 0)
            return l->sets[s].count;
    return 0;
}

Test(perf_events, a_users_file_adds_and_replaces)
{
    perf_events *l = NULL, *own = NULL;
    attn_error err;
    cr_assert(perf_events_choose(&own, "skx", NULL, &err) == ATTN_OK, "%s", err.message);
    cr_assert(with_users("for skx\nset cache\nevent cache_misses count perf::CACHE-MISSES\n"
                         "set mine\nevent l1_hits count MEM_LOAD_RETIRED:L1_HIT\n"
                         "derive cache_miss_rate fraction = cache_misses / (l1_hits + cache_misses)\n"
                         "derive early 1 = late * 2\nderive late 1 = ipc + l1_hits\n",
                         &l, &err) == ATTN_OK, "%s", err.message);
    cr_assert(l->set_count == own->set_count + 1 && l->derived_count == own->derived_count + 2, "%zu sets, %zu derived",
              l->set_count, l->derived_count);
    cr_assert(events_in(l, "cache") == 1 && events_in(own, "cache") == 2 && events_in(l, "mine") == 1, "sets");
    cr_assert(strstr(l->files, "any intel-skylake-server mine.txt:") == l->files, "files '%s'", l->files);
    for (size_t i = 0; i < l->derived_count; i++)
        if (strcmp(l->derived[i].name, "cache_miss_rate") == 0)
            cr_assert(strcmp(l->derived[i].formula.names[1], "l1_hits") == 0, "the formula is the old one");
    free(l);
    free(own);
}

Test(perf_events, users_files_that_do_not_go)
{
    static const struct { const char *text, *word; } table[] = {
        {"for clx icx\nset s\nevent a count INST_RETIRED\n", "mine.txt: for clx icx, but the core PMU of this CPU is skx"},
        {"for skx\nset s\n\nevent a count NO_SUCH_EVENT\n", "mine.txt:4: NO_SUCH_EVENT: libpfm4 cannot encode it for skx"},
        {"for any\nset s\nevent cycles count perf::CYCLES\n", "mine.txt:3: cycles is an event of set core already"},
        {"for any\nset s\nevent a count perf::CYCLES\nevent a count perf::CYCLES\n", "mine.txt:4: a is twice in set s"},
        {"for any\nset s\nevent ipc count perf::CYCLES\n", "mine.txt:3: the unit of ipc is 1, not count"},
        {"for any\nset s\nevent ipc 1 perf::CYCLES\n", "mine.txt:3: ipc is derived"},
        {"for any\nset s\nevent flops_useful flop perf::CYCLES\n", "mine.txt:3: flops_useful is the program's own"},
        {"for any\nderive flops_measured flop = 1\n", "mine.txt:2: flops_measured is the program's own"},
        {"for any\nderive x 1 = cycels / 2\n", "mine.txt:2: x: nothing is called cycels; did you mean cycles?"},
        {"for any\nderive x 1 = qqqqqqqqqqqqqqqqqqqqqqqq\n", "mine.txt:2: x: nothing is called qqq"},
        {"for any\nderive x 1 = x\n", "mine.txt:2: x is derived from itself"},
        {"for any\nderive x 1 = y\nderive y 1 = z\nderive z 1 = x\n", "mine.txt:2: x is derived from itself"},
        {"for any\nderive ipc ratio = 1\n", "mine.txt:2: the unit of ipc is 1, not ratio"},
        {"for any\nset cache\nevent other count perf::CYCLES\n", "any.txt:30: cache_miss_rate: nothing is called cache_misses"},
    };
    for (size_t t = 0; t < sizeof table / sizeof *table; t++) {
        perf_events *l = NULL;
        attn_error err = {0};
        cr_assert(with_users(table[t].text, &l, &err) == ATTN_EINVAL && !l, "'%s' is taken", table[t].text);
        cr_assert(strstr(err.message, table[t].word), "'%s': '%s' lacks '%s'", table[t].text, err.message, table[t].word);
    }
}

Test(perf_events, paths_that_are_no_files)
{
    const char *pipe = scratch_path("pipe"), *huge = scratch_path("huge.txt");
    outcome o = shell("mkfifo '%s' && head -c 10000000 /dev/zero > '%s'", pipe, huge);
    cr_assert(o.exit_code == 0, "%s", o.err);
    outcome_free(&o);
    const struct { const char *path, *word; } table[] = {
        {scratch_folder(), "not a file"}, {"/dev/zero", "not a file"}, {pipe, "not a file"}, {"/nowhere/x.txt", "No such file"},
        {"", "No such file"}, {huge, "more than 65536 bytes"},
    };
    for (size_t t = 0; t < sizeof table / sizeof *table; t++) {
        perf_events *l = NULL;
        attn_error err = {0};
        cr_assert(perf_events_choose(&l, NULL, table[t].path, &err) == ATTN_EINVAL && !l && strstr(err.message, table[t].word),
                  "%s: '%s' lacks '%s'", table[t].path, err.message, table[t].word);
    }
}
