/* External kernels through the command line: one that computes, and many that do not. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/program.h"

/* A run on a database of the test's own. `before` sets variables; two words make a shell line of it. */
#define MEASURE "TMPDIR=%s %s \"$ATTNLAB\" run --db %s/x.db --max-time 0.005 --threads 2 --heads 2 -d 8 -o jsonl %s"

static outcome measure(const char *before, const char *arguments)
{
    return shell(MEASURE, scratch_folder(), before, scratch_folder(), arguments);
}

static outcome sql(const char *query)
{
    return attnlab("db sql \"%s\" --db %s/x.db -o csv", query, scratch_folder());
}

static bool leftovers(void)
{
    outcome o = shell("ls -d %s/attnlab-ext-* 2>/dev/null", scratch_folder());
    bool some = o.out_size > 0;
    outcome_free(&o);
    return some;
}

static const char *script(const char *name, const char *text)
{
    write_whole_file(scratch_path(name), text, strlen(text));
    return scratch_path(name);
}

/* Answers hello and prepare, and then does what is put in its place. */
#define POLITE                                                                                                         \
    "read hello; echo '{\"ok\": true, \"protocol\": 1}'; read prepare; echo '{\"ok\": true}'; read request; "

Test(cli_external, a_library_is_measured_and_stored_like_any_kernel)
{
    static const char specs[] = "-p dense -p dense:causal=0 -p strided:l=5 -p fixed:l=8,c=3,head=summary "
                                "-p 'expr:\"i-j<4 || h==1\"' -n 33,40 --batch 2";
    char arguments[512];
    snprintf(arguments, sizeof arguments, "--kernel ext:plain --ext plain=\"$ATTN_BUILD\"/examples/external/plain.so %s",
             specs);
    outcome o = measure("", arguments);
    cr_assert(o.exit_code == 0 && !*o.err, "exit %d: %s", o.exit_code, o.err);
    cr_assert(strstr(o.out, "\"kernel\": \"ext:plain\"") && strstr(o.out, "\"isa\": \"external\""), "%s", o.out);
    cr_assert(strstr(o.out, "\"flops_executed\": null") && strstr(o.out, "what an external kernel executes is not known"),
              "%s", o.out);
    outcome_free(&o);
    o = measure("", specs);
    cr_assert(o.exit_code == 0, "%s", o.err);
    outcome_free(&o);
    o = sql("SELECT count(*), sum(e.pairs_total = a.pairs_total AND e.flops_useful = a.flops_useful AND e.pairs = a.pairs), "
            "sum(e.time_ns_median > 0 AND e.gflops > 0), sum(e.rel_err < 1e-5), sum(e.pattern_rel_err = a.pattern_rel_err) "
            "FROM results e JOIN results a ON a.spec = e.spec AND a.n = e.n AND a.isa <> 'external' "
            "WHERE e.kernel = 'ext:plain'");
    cr_assert(strstr(o.out, "\n10,10,10,10,10"), "%s%s", o.out, o.err);
    outcome_free(&o);
    o = sql("SELECT count(*), min(o.value) FROM observations o WHERE o.series = 'version'");
    cr_assert(strstr(o.out, "\n10,1"), "%s%s", o.out, o.err);
    outcome_free(&o);
    o = measure("", "--resume --kernel ext:plain --ext plain=\"$ATTN_BUILD\"/examples/external/plain.so -p dense -n 33 --batch 2");
    cr_assert(o.exit_code == 0 && strstr(o.out, "ext:plain"), "%s", o.err);
    outcome_free(&o);
    o = sql("SELECT count(*) FROM results WHERE kernel = 'ext:plain'");
    cr_assert(strstr(o.out, "\n10"), "measured again: %s", o.out);
    outcome_free(&o);
    cr_assert(!leftovers(), "operands were left behind");
}

Test(cli_external, grouped_heads_and_a_command_in_words)
{
    outcome o = measure("", "--kv-heads 1 --kernel ext:p -p local:k=3 -n 21 "
                            "--ext p='HOSTILE=none exec \"$ATTNLAB\" adapter \"$ATTN_BUILD\"/examples/external/plain.so'");
    cr_assert(o.exit_code == 0 && strstr(o.out, "\"kernel\": \"ext:p\""), "exit %d: %s", o.exit_code, o.err);
    outcome_free(&o);
}

/* What went wrong is one line, the exit code says which kind, and the other cell is there. */
static const struct fault {
    char how[360], complaint[120]; /* no pointers: each test is a process of its own */
    int exit_code;
} faults[] = {
    {"last row", "wrong numbers from ext:h: batch 0 head 1 row 15 of o is off the fp64 oracle", 14},
    {"write nothing", "of o is not finite, or was not written", 14},
    {"refuse", "ext:h refused to prepare: not on a Sunday", 2},
    {"crash in prepare", "ext:h crashed (Aborted) when asked to prepare", 2},
    {"crash later", "ext:h crashed (Aborted) when asked to run: the last words", 2},
    {"hang later", "ext:h did not answer within 0.3 s when asked to run; --ext-timeout gives it longer", 2},
};

ParameterizedTestParameters(cli_external, libraries_that_go_wrong)
{
    return cr_make_param_array(struct fault, (void *)(size_t)faults, sizeof faults / sizeof faults[0]);
}

ParameterizedTest(const struct fault *f, cli_external, libraries_that_go_wrong)
{
    char before[400];
    snprintf(before, sizeof before, "HOSTILE='%s' HOSTILE_PATTERN=fixed", f->how);
    outcome o = measure(before, "--kernel ext:h --ext h=\"$ATTN_BUILD\"/tests/external/hostile.so --ext-timeout 0.3 -n 16 "
                                "-p fixed:l=1,head=block -p strided:l=16,head=column");
    cr_assert(o.exit_code == f->exit_code, "%s: exit %d, not %d: %s", f->how, o.exit_code, f->exit_code, o.err);
    cr_assert(strstr(o.err, f->complaint), "%s: %s", f->how, o.err);
    cr_assert(strstr(o.err, "1 of 2 measurements failed"), "%s: %s", f->how, o.err);
    cr_assert(strstr(o.out, "\"pattern\": \"strided\"") && !strstr(o.out, "\"pattern\": \"fixed\""), "%s: %s", f->how, o.out);
    outcome_free(&o);
    o = sql("SELECT kernel, spec, reason FROM failures");
    cr_assert(strstr(o.out, "\next:h,") && strstr(o.out, "fixed:l=1"), "%s: not stored: %s%s", f->how, o.out, o.err);
    outcome_free(&o);
    cr_assert(!leftovers(), "%s: operands were left behind", f->how);
}

/* Wrong numbers weigh more than what else fails, whichever came first. */
Test(cli_external, wrong_numbers_decide_the_exit_code)
{
    outcome o = measure("HOSTILE=none", "--kernel ext:h --ext h=\"$ATTN_BUILD\"/tests/external/hostile.so -n 16 "
                                        "-p 'expr:\"i==j\"' -p dense");
    cr_assert(o.exit_code == 14 && strstr(o.err, "1 of 2 measurements failed"), "exit %d: %s", o.exit_code, o.err);
    outcome_free(&o);
}

/* Before anything is measured. */
static const struct fault strangers[] = {
    {"exit 3", "ext:h ended with code 3 when asked to say hello", 2},
    {"echo no such thing >&2; exit 1", "when asked to say hello: no such thing", 2},
    {"read x; echo good morning", "answered 'say hello' with 'good morning', which is no JSON object", 2},
    {"read x; echo '[1, 2]'", "answered 'say hello' with '[1, 2]'", 2},
    {"read x; echo '{\"ok\": 1}'", "which is no JSON object with \"ok\": true or false", 2},
    {"read x; echo '{\"ok\": true, \"protocol\": 2}'", "ext:h speaks protocol 2, not 1", 2},
    {"read x; echo '{\"ok\": false, \"error\": \"no sofa\", \"get\": \"buy one\"}'",
     "ext:h is not available: no sofa; buy one", 2},
    {"read x; kill -KILL $$", "ext:h crashed (Killed) when asked to say hello", 2},
    {"yes | tr -d '\\n'", "with a line of more than 1 MiB", 2},
    {"read x; sleep 600", "ext:h did not answer within 0.5 s when asked to say hello", 2},
    {"/nonexistent/adapter", "not found", 2},
};

ParameterizedTestParameters(cli_external, strangers_are_turned_away)
{
    return cr_make_param_array(struct fault, (void *)(size_t)strangers, sizeof strangers / sizeof strangers[0]);
}

ParameterizedTest(const struct fault *f, cli_external, strangers_are_turned_away)
{
    char arguments[512];
    snprintf(arguments, sizeof arguments, "--kernel ext:h --ext h='sh %s' --ext-timeout 0.5 -p dense -n 16",
             script("stranger.sh", f->how));
    outcome o = measure("", arguments);
    cr_assert(o.exit_code == 2 && one_complaint(&o, f->complaint, NULL), "%s: exit %d: %s%s", f->how, o.exit_code, o.out,
              o.err);
    cr_assert(!file_exists(scratch_path("x.db")), "%s: a database was written", f->how);
    outcome_free(&o);
}

/* Those that greet well and go wrong later. */
static const struct fault later[] = {
    {"echo '{\"ok\": true}'", "answered 'run' without \"ns\"", 2},
    {"echo '{\"ok\": true, \"ns\": \"fast\"}'", "answered 'run' without \"ns\"", 2},
    {"echo '{\"ok\": true, \"ns\": -5}'", "answered 'run' without \"ns\"", 2},
    {"echo '{\"ok\": true, \"ns\": 1e15}'", "says that its run took 1e+06 s", 2},
    {"echo '{\"ok\": false}'", "ext:h refused to run: it does not say why", 2},
    {"o=$(echo \"$prepare\" | sed 's/.*\"o\": {\"file\": \"\\([^\"]*\\)\".*/\\1/'); "
     "\"$ATTNLAB\" input gauss --out \"$TMPDIR\" -n 3 -d 8 --heads 2; cp \"$TMPDIR/q.npy\" \"$o\"; "
     "echo '{\"ok\": true, \"ns\": 5}'",
     "ext:h wrote o as [1,2,3,8] float32, not [1,2,16,8] float32", 2},
    {"o=$(echo \"$prepare\" | sed 's/.*\"o\": {\"file\": \"\\([^\"]*\\)\".*/\\1/'); echo rubbish >\"$o\"; "
     "echo '{\"ok\": true, \"ns\": 5}'",
     "ext:h wrote an o that cannot be read", 2},
    {"echo '{\"ok\": true, \"ns\": 5}'; exit", "of o is not finite, or was not written", 14},
};

ParameterizedTestParameters(cli_external, answers_are_not_believed)
{
    return cr_make_param_array(struct fault, (void *)(size_t)later, sizeof later / sizeof later[0]);
}

ParameterizedTest(const struct fault *f, cli_external, answers_are_not_believed)
{
    char arguments[512], text[1024];
    snprintf(text, sizeof text, POLITE "%s", f->how);
    snprintf(arguments, sizeof arguments, "--kernel ext:h --ext h='sh %s' -p dense -n 16", script("later.sh", text));
    outcome o = measure("", arguments);
    cr_assert(o.exit_code == f->exit_code && strstr(o.err, f->complaint), "%s: exit %d: %s%s", f->how, o.exit_code, o.out,
              o.err);
    outcome_free(&o);
    cr_assert(!leftovers(), "%s: operands were left behind", f->how);
}

/* What an adapter started goes with it. */
Test(cli_external, nobody_is_left_running)
{
    script("family.sh", "read x; sleep 987.6543 & sleep 987.6543");
    char arguments[512];
    snprintf(arguments, sizeof arguments, "--kernel ext:h --ext h='sh %s' --ext-timeout 0.2 -p dense -n 16",
             scratch_path("family.sh"));
    outcome o = measure("", arguments);
    cr_assert(o.exit_code == 2, "exit %d: %s", o.exit_code, o.err);
    outcome_free(&o);
    o = shell("grep -lz 987[.]6543 /proc/[0-9]*/cmdline 2>/dev/null");
    cr_assert(!*o.out, "still there: %s", o.out);
    outcome_free(&o);
}

static const struct fault requests[] = {
    {"--kernel ext:torch-sdqa", "--kernel ext:torch-sdqa: unknown; did you mean 'ext:torch-sdpa'?", 2},
    {"--kernel ext:zebra", "--ext NAME=COMMAND gives it a command", 2},
    {"--kernel ext:h --ext h", "--ext h: write NAME=COMMAND", 2},
    {"--ext 'a b=true'", "--ext a b=true: write NAME=COMMAND", 2},
    {"--kernel ext:h --ext h=/nonexistent/x.so", "/nonexistent/x.so cannot be read", 2},
    {"--kernel ext:h --ext h=\"$ATTN_BUILD\"/tests/external/old.so", "has ABI 2", 2},
    {"--kernel ext:h --ext h=\"$ATTN_BUILD\"/tests/plugins/good.so", "has no symbol attn_external_kernel", 2},
    {"--kernel ext:h --ext h=true --explain", "--explain has no meaning with --kernel ext:h", 2},
    {"--kernel ext:h --ext h=true --lowering natural", "--lowering has no meaning", 2},
};

ParameterizedTestParameters(cli_external, requests_are_checked)
{
    return cr_make_param_array(struct fault, (void *)(size_t)requests, sizeof requests / sizeof requests[0]);
}

ParameterizedTest(const struct fault *f, cli_external, requests_are_checked)
{
    outcome o = measure("", f->how);
    cr_assert(o.exit_code == 2 && one_complaint(&o, f->complaint, NULL), "%s: exit %d: %s%s", f->how, o.exit_code, o.out,
              o.err);
    outcome_free(&o);
}

Test(cli_external, the_list_says_why_one_is_not_to_be_had)
{
    script("python", "#!/bin/sh\nread hello\necho '{\"ok\": false, \"error\": \"no module named torch\", \"get\": \"look under "
                     "the sofa\"}'\n");
    outcome o = shell("PYTHON='sh %s' \"$ATTNLAB\" list externals -o jsonl", scratch_path("python"));
    cr_assert(o.exit_code == 0 && strstr(o.out, "\"name\": \"ext:torch-flex\""), "%s%s", o.out, o.err);
    cr_assert(strstr(o.out, "\"available\": false, \"reason\": \"no module named torch; look under the sofa\""), "%s", o.out);
    outcome_free(&o);
    o = shell("PYTHON=/nonexistent/python \"$ATTNLAB\" list externals -o jsonl");
    cr_assert(o.exit_code == 0 && strstr(o.out, "not found") && !strstr(o.out, "\"available\": true"), "%s%s", o.out, o.err);
    outcome_free(&o);
    o = shell("PYTHON='sh %s' \"$ATTNLAB\" run --kernel ext:torch-sdpa -p dense -n 16 --db %s/x.db", scratch_path("python"),
              scratch_folder());
    cr_assert(o.exit_code == 2 && one_complaint(&o, "ext:torch-sdpa is not available: no module named torch; look under", NULL),
              "exit %d: %s", o.exit_code, o.err);
    outcome_free(&o);
}

/* As an arm of a comparison: each block has both, and one that fails or is wrong costs its own cell. */
#define COMPARE "TMPDIR=%s HOSTILE='%s' HOSTILE_PATTERN=fixed \"$ATTNLAB\" compare --kernel auto --kernel ext:h --ext h=\"$ATTN_BUILD\"/" \
                "tests/external/hostile.so -p fixed:l=1,head=block -p strided:l=16,head=column -n 16 -d 8 --heads 2 --threads 1 " \
                "--blocks 2 --max-time 0.002 --keep-noisy -o jsonl --db %s/x.db"

Test(cli_external, arms_of_a_comparison)
{
    outcome o = shell(COMPARE, scratch_folder(), "none", scratch_folder());
    cr_assert(o.exit_code == 0, "exit %d: %s", o.exit_code, o.err);
    cr_assert(strstr(o.out, "\"kernel_b\": \"ext:h\"") && strstr(o.out, "\"blocks\": 2"), "%s%s", o.out, o.err);
    outcome_free(&o);
    o = sql("SELECT count(*), count(DISTINCT run_id) FROM results WHERE isa = 'external' AND time_ns_median > 0");
    cr_assert(strstr(o.out, "\n4,2"), "%s%s", o.out, o.err);
    outcome_free(&o);
    /* The same clock stands beside both arms, but is no peak of one who names no instructions. */
    o = sql("SELECT count(DISTINCT measurement_id) FROM observations WHERE series = 'sentinel_gflops' AND value > 0");
    outcome widest = sql("SELECT count(DISTINCT measurement_id) FROM observations WHERE series = 'peak_gflops' AND value > 0");
    cr_assert(strcmp(o.out, widest.out) == 0 || strstr(widest.out, "\n0"), "%s%s", o.out, widest.out);
    outcome_free(&widest);
    outcome_free(&o);
}

Test(cli_external, an_arm_that_fails_costs_its_cell)
{
    outcome o = shell(COMPARE, scratch_folder(), "last row", scratch_folder());
    cr_assert(o.exit_code == 14 && strstr(o.err, "wrong numbers from ext:h"), "exit %d: %s", o.exit_code, o.err);
    cr_assert(strstr(o.out, "\"spec\": \"strided:l=16,head=column\"") && !strstr(o.out, "\"spec\": \"fixed"), "%s", o.out);
    const char *first = strstr(o.err, "wrong numbers");
    cr_assert(!strstr(first + 1, "wrong numbers"), "tried again: %s", o.err);
    outcome_free(&o);
    o = shell(COMPARE, scratch_folder(), "crash later", scratch_folder());
    cr_assert(o.exit_code == 2 && strstr(o.err, "ext:h crashed (Aborted)"), "exit %d: %s", o.exit_code, o.err);
    outcome_free(&o);
    o = attnlab("compare --kernel auto --kernel ext:h --ext h=/bin/false -p dense -n 16 --db %s/y.db", scratch_folder());
    cr_assert(o.exit_code == 2 && one_complaint(&o, "ext:h ended with code 1 when asked to say hello", NULL), "%s", o.err);
    cr_assert(!file_exists(scratch_path("y.db")), "a database was written");
    outcome_free(&o);
}

/* The example of docs/EXTERNAL.md, where Python has NumPy; its text is the file's. */
Test(cli_external, the_example_is_whole_and_works)
{
    char *example = read_whole_file("examples/external/adapter.py", NULL), *docs = read_whole_file("docs/EXTERNAL.md", NULL);
    cr_assert(strstr(docs, strstr(example, "import json")), "docs/EXTERNAL.md does not quote examples/external/adapter.py");
    free(docs);
    free(example);
    outcome o = shell("${PYTHON:-python3} -c 'import numpy'");
    bool able = o.exit_code == 0;
    outcome_free(&o);
    if (!able)
        cr_skip_test("no python3 with NumPy (apt install python3-numpy)");
    o = measure("", "--kernel ext:small --ext small=\"${PYTHON:-python3} examples/external/adapter.py\" -p dense -p dense:causal=0 -n 33");
    cr_assert(o.exit_code == 0 && strstr(o.out, "\"rel_err\""), "exit %d: %s", o.exit_code, o.err);
    outcome_free(&o);
    o = measure("", "--kernel ext:numpy-plain -p dense -p 'expr:\"i-j<5\"' -p fixed:l=8,c=3 -n 33 --dtype bf16");
    cr_assert(o.exit_code == 0 && strstr(o.out, "\"kernel\": \"ext:numpy-plain\""), "exit %d: %s", o.exit_code, o.err);
    outcome_free(&o);
}
