/* attnlab run --lane callgrind and --inject. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/lane_callgrind.h"
#include "support/program.h"

#define CELL "-p dense -n 200 --heads 2 -d 32 --kernel portable"

static void need_valgrind(void)
{
    const char *why = callgrind_unavailable();
    if (why)
        cr_skip_test("%s", why);
}

/* The instructions of the only row, and what else it has to say. */
static double counted(const char *options, const char *has)
{
    outcome o = attnlab("run --db %s --lane callgrind " CELL " %s -o jsonl", scratch_path("lanes.db"), options);
    cr_assert(o.exit_code == 0, "exit %d: %s", o.exit_code, o.err);
    const char *at = strstr(o.out, "\"instructions\": ");
    cr_assert(at && strstr(o.out, "\"lane\": \"callgrind\"") && strstr(o.out, has), "row: %s", o.out);
    const double value = strtod(at + strlen("\"instructions\": "), NULL);
    outcome_free(&o);
    return value;
}

Test(cli_lanes, counts_exactly_and_sees_half_a_percent, .timeout = 240)
{
    need_valgrind();
    const double first = counted("", "\"inject\": null");
    cr_assert(first > 1e6, "counted %g", first);
    for (int i = 0; i < 2; i++) {
        const double again = counted("", "\"median\": null");
        cr_assert(again == first, "counted %.0f, then %.0f", first, again);
    }
    const double more = counted("--inject 0.5", "\"inject\": 0.005");
    cr_assert(more > first * 1.002 && more < first * 1.02, "0.5%% more is %g", more / first);
}

/* Rows of the lane, and rows of changed programs, are no times. */
Test(cli_lanes, are_kept_apart, .timeout = 240)
{
    need_valgrind();
    counted("", "\"flops_useful\"");
    outcome o = attnlab("fit --db %s", scratch_path("lanes.db"));
    cr_assert(o.exit_code == 2 || o.exit_code == 11 || o.exit_code == 13, "fit takes a lane for times: %d %s%s", o.exit_code, o.out, o.err);
    outcome_free(&o);
    o = attnlab("run --db %s " CELL " --resume -o jsonl", scratch_path("lanes.db"));
    cr_assert(o.exit_code == 0 && strstr(o.out, "\"lane\": \"time\"") && strstr(o.out, "\"instructions\": null"), "resumed: %s", o.out);
    outcome_free(&o);
    o = attnlab("run --db %s --lane callgrind " CELL " --resume -o jsonl", scratch_path("lanes.db"));
    cr_assert(o.exit_code == 0 && strstr(o.out, "\"lane\": \"callgrind\"") && strstr(o.out, "\"samples\": 0"), "resumed: %s", o.out);
    outcome_free(&o);
    o = attnlab("db --db %s sql 'SELECT count(*) FROM results'", scratch_path("lanes.db"));
    cr_assert(o.exit_code == 0 && strstr(o.out, "2"), "resuming measured again: %s", o.out);
    outcome_free(&o);
}

/* Counts have verdicts from one block on, times are never held against them, and repeated work is marked. */
Test(cli_lanes, are_compared_by_counts, .timeout = 240)
{
    need_valgrind();
    counted("--label plain", "\"flops_useful\"");
    counted("--label more --inject 5", "\"inject\": 0.05");
    outcome o = attnlab("compare --db %s plain more -o jsonl", scratch_path("lanes.db"));
    cr_assert(o.exit_code == 0 && strstr(o.out, "\"verdict\": \"regressed\"") && strstr(o.out, "on purpose"), "%d %s%s", o.exit_code, o.out, o.err);
    cr_assert(strstr(o.out, "\"time_ns_a\": null") && !strstr(o.out, "\"instructions_a\": null"), "%s", o.out);
    outcome_free(&o);
    o = attnlab("compare --db %s plain plain -o jsonl", scratch_path("lanes.db"));
    cr_assert(o.exit_code == 0 && strstr(o.out, "\"verdict\": \"pass\"") && !strstr(o.out, "on purpose"), "%d %s%s", o.exit_code, o.out, o.err);
    outcome_free(&o);
    o = attnlab("run --db %s " CELL " --metrics time --label timed -o jsonl", scratch_path("lanes.db"));
    cr_assert(o.exit_code == 0, "%s", o.err);
    outcome_free(&o);
    o = attnlab("compare --db %s plain timed", scratch_path("lanes.db"));
    cr_assert(o.exit_code == 2 && one_complaint(&o, "no cell in common", NULL), "%d %s", o.exit_code, o.err);
    outcome_free(&o);
}

/* Arms measured in this lane: 5% more of one is told and marked, and the same without is not. */
Test(cli_lanes, compare_counts_and_injects, .timeout = 240)
{
    need_valgrind();
    static const struct { const char *options, *verdict; bool marked; } tries[] = {
        {"--inject 2:5", "\"verdict\": \"regressed\"", true}, {"--inject 1:5", "\"verdict\": \"improved\"", true}, {"", "\"verdict\": \"pass\"", false}};
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        outcome o = attnlab("compare --db %s --lane callgrind --kernel portable --kernel portable -p dense -n 200 --heads 2 -d 32 --blocks 1 %s -o jsonl",
                            scratch_path("compared.db"), tries[i].options);
        cr_assert(o.exit_code == 0 && strstr(o.out, tries[i].verdict), "%s: %d %s%s", tries[i].options, o.exit_code, o.out, o.err);
        cr_assert(tries[i].marked == (strstr(o.out, "on purpose") && strstr(o.out, " +5%")), "%s: %s", tries[i].options, o.out);
        cr_assert(strstr(o.out, "\"time_ns_a\": null") && strstr(o.out, "\"blocks\": 1,"), "%s", o.out);
        outcome_free(&o);
    }
}

Test(cli_lanes, compare_refuses)
{
    static const struct { const char *options, *why, *also; } wrong[] = {
        {"--inject 5", "--inject 5", "2:5"}, {"--inject 2:", "--inject 2:", "2:5"}, {"--inject :5", "--inject :5", "2:5"},
        {"--inject 2:-5", "--inject 2:-5", "2:5"}, {"--inject 0:5", "no arm 0", "1 to 2"}, {"--inject 3:5", "no arm 3", "1 to 2"},
        {"--inject 2:101", "--inject 2:101", "100"}, {"--inject 2:1 --inject 2:3", "--inject 2:3", "already"},
        {"--lane perf", "--lane perf", "callgrind"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        outcome o = attnlab("compare --db %s -p dense -p local -n 64 %s", scratch_path("refused.db"), wrong[i].options);
        cr_assert(o.exit_code == 2 && one_complaint(&o, wrong[i].why, wrong[i].also, NULL), "%s: %d %s", wrong[i].options, o.exit_code, o.err);
        outcome_free(&o);
    }
    outcome o = attnlab("compare --db %s --kernel auto --kernel ext:mine --ext mine=true --inject 2:5 -p dense -n 64", scratch_path("refused.db"));
    cr_assert(o.exit_code == 2 && one_complaint(&o, "--inject 2:5", "ext:mine", NULL), "%d %s", o.exit_code, o.err);
    outcome_free(&o);
    need_valgrind();
    o = attnlab("compare --db %s --lane callgrind --kernel auto --kernel avx512 -p dense -n 64", scratch_path("refused.db"));
    cr_assert(o.exit_code == 2 && one_complaint(&o, "--kernel avx512", "AVX-512", NULL), "%d %s", o.exit_code, o.err);
    outcome_free(&o);
}

Test(cli_lanes, refuses)
{
    const struct { const char *options, *why, *also; } wrong[] = {
        {"--lane callgrind --threads 2 -p dense", "--threads 2", "one thread"},
        {"--lane callgrind --kernel avx512 -p dense", "--kernel avx512", "AVX-512"},
        {"--lane perf -p dense", "--lane perf", "callgrind"},
        {"--inject 101 -p dense", "--inject 101", "100"},
        {"--inject 5 --resume -p dense", "--inject 5", "--resume"},
        {"--lane callgrind --metrics time -p dense", "time", "lane"},
    };
    need_valgrind();
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        outcome o = attnlab("run --db %s -n 64 %s", scratch_path("refused.db"), wrong[i].options);
        cr_assert(o.exit_code == 2 && one_complaint(&o, wrong[i].why, wrong[i].also, NULL), "%s: %d %s", wrong[i].options, o.exit_code, o.err);
        outcome_free(&o);
    }
}

Test(cli_lanes, says_where_valgrind_comes_from)
{
    outcome o = shell("PATH=/nowhere \"$ATTNLAB\" run --db %s --lane callgrind -p dense -n 64", scratch_path("none.db"));
    if (callgrind_unavailable() && strstr(callgrind_unavailable(), "sanitizer"))
        cr_skip_test("a sanitizer");
    cr_assert(o.exit_code == 2 && one_complaint(&o, "valgrind is not installed", "apt-get install valgrind", NULL), "%d %s", o.exit_code, o.err);
    outcome_free(&o);
}

/* What is marked is marked in time as well. */
Test(cli_lanes, injects_into_times, .timeout = 60)
{
    outcome o = attnlab("run --db %s " CELL " --inject 20 --metrics time --max-time 0.05 -o jsonl", scratch_path("inject.db"));
    const char *at = strstr(o.out, "\"inject\": ");
    cr_assert(o.exit_code == 0 && at, "exit %d: %s%s", o.exit_code, o.out, o.err);
    cr_assert(strtod(at + strlen("\"inject\": "), NULL) == 0.2, "row: %s", o.out);
    outcome_free(&o);
}

/* Times of runs with cold caches are a lane of their own. */
Test(cli_lanes, cold_times_are_kept_apart, .timeout = 60)
{
    const char *db = scratch_path("cold.db");
    char path[300];
    snprintf(path, sizeof path, "%s", db);
    outcome o = attnlab("run --db %s " CELL " --cache cold --max-time 0.05 --label cold -o jsonl", path);
    cr_assert(o.exit_code == 0 && strstr(o.out, "\"lane\": \"cold\"") && !strstr(o.out, "\"median\": null") && strstr(o.out, "\"rel_err\": null"), "%d %s%s",
              o.exit_code, o.out, o.err);
    outcome_free(&o);
    o = attnlab("run --db %s " CELL " --resume --max-time 0.05 --label hot --metrics time -o jsonl", path);
    cr_assert(o.exit_code == 0 && strstr(o.out, "\"lane\": \"time\""), "%s", o.out);
    outcome_free(&o);
    o = attnlab("db sql 'SELECT count(*) FROM latest' -o csv --db %s", path);
    cr_assert(strstr(o.out, "\n1"), "plots want hot times alone: %s", o.out);
    outcome_free(&o);
    o = attnlab("compare hot cold --db %s", path);
    cr_assert(o.exit_code == 2 && strstr(o.err, "no cell in common"), "hot and cold compared: %d %s%s", o.exit_code, o.out, o.err);
    outcome_free(&o);
    o = attnlab("run --db %s -p dense -n 64 --cache cold --lane callgrind", path);
    cr_assert(o.exit_code == 2 && strstr(o.err, "--cache cold has no meaning"), "%d %s", o.exit_code, o.err);
    outcome_free(&o);
    o = attnlab("run --db %s -p dense -n 64 --cache cold --metrics accuracy", path);
    cr_assert(o.exit_code == 2 && one_complaint(&o, "accuracy", "--cache cold", NULL), "%d %s", o.exit_code, o.err);
    outcome_free(&o);
}

Test(cli_lanes, stops_as_told, .timeout = 60)
{
    static const struct { const char *rule, *has; } rules[] = {
        {"count:7", "\"samples\": 7"}, {"time:0.03", "\"stop_reason\": \"time\""}, {"stdrel:90%", "\"stop_reason\": \"stdrel\""}};
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        outcome o = attnlab("run --db %s " CELL " --threads 1 --metrics time --max-time 4 --stop %s -o jsonl", scratch_path("stop.db"), rules[i].rule);
        cr_assert(o.exit_code == 0 && strstr(o.out, rules[i].has), "%s: %d %s%s", rules[i].rule, o.exit_code, o.out, o.err);
        outcome_free(&o);
    }
    outcome o = attnlab("run --db %s " CELL " --stop soon", scratch_path("stop.db"));
    cr_assert(o.exit_code == 2 && one_complaint(&o, "--stop soon", "ci:1%", NULL), "%d %s", o.exit_code, o.err);
    outcome_free(&o);
}
