/* --plan measure and `attnlab db wisdom`: what is learned is kept, used, merged and forgotten. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/program.h"

#define CELL "-p strided:l=16 -n 300 --heads 2 -d 16 --threads 1 --kernel portable --max-time 0.01 --metrics flops"

/* Runs a command in the test's folder, with $a for the program; it must succeed. */
static outcome in_folder(const char *command)
{
    outcome o = shell("cd '%s' && export ATTNLAB_DB=x.db && a=$ATTNLAB && %s", scratch_folder(), command);
    cr_assert(o.exit_code == 0, "%s: exit %d: %s%s", command, o.exit_code, o.out, o.err);
    return o;
}

static void expect(const char *command, const char *out)
{
    outcome o = in_folder(command);
    cr_assert(strstr(o.out, out), "%s: no '%s' in %s", command, out, o.out);
    outcome_free(&o);
}

static void done(const char *command)
{
    outcome o = in_folder(command);
    outcome_free(&o);
}

Test(cli_wisdom, measuring_is_kept_and_used)
{
    expect("$a run " CELL " --plan measure -o jsonl", "\"plan\": \"measurement\"");
    expect("$a db wisdom", "pattern=strided:l=16,head=merged lowering=");
    expect("$a run " CELL " -o jsonl", "\"plan\": \"wisdom\"");
    expect("$a run " CELL " --explain", "by wisdom");
    expect("$a run -p strided:l=17 -n 300 --explain", "by estimate");
    done("test $($a db wisdom | wc -l) = 2");
    done("$a db wisdom forget");
    done("test $($a db wisdom | wc -l) = 1");
    expect("$a run " CELL " -o jsonl", "\"plan\": \"estimate\"");
    expect("$a run " CELL " -o jsonl", "\"lowering\": \"");
}

/* Explaining measures when asked to, and writes nothing. */
Test(cli_wisdom, explaining_shows_what_was_tried)
{
    expect("$a run " CELL " --plan measure --explain", "by measurement");
    done("test ! -e x.db");
}

/* Copies of the text and of the database lead to the same wisdom, in any order. */
Test(cli_wisdom, merges_in_any_order)
{
    done("$a run " CELL " --plan measure && $a db wisdom > text");
    done("sed 's/ns=.*/ns=77/' text > other && $a db wisdom import other --db y.db");
    done("$a db wisdom --db y.db | cmp - other");
    done("$a db export > 1 && $a db export --db y.db > 2");
    done("$a db import 1 --db p.db && $a db import 2 --db p.db && $a db import 2 --db q.db && $a db import 1 --db q.db");
    done("$a db export --db p.db > 3 && $a db export --db q.db | cmp - 3");
    done("$a db import 3 --db p.db && $a db export --db p.db | cmp - 3");
    done("$a db export --db p.db -o csv > 4 && $a db import 4 --db r.db && $a db export --db r.db | cmp - 3");
    done("$a db wisdom --db p.db > 5 && $a db wisdom --db q.db | cmp - 5");
    expect("cat 5", "ns=77"); /* learned last */
    done("test $(wc -l < 5) = 2");
    done("$a db check --db p.db");
}

Test(cli_wisdom, refuses_what_is_not_wisdom)
{
    write_whole_file(scratch_path("bad"), "attn-wisdom 1\nkernel=portable isa=what\n", 39);
    static const struct { const char *command, *mention; } wrong[] = {
        {"wisdom import bad", "line 2"}, {"wisdom import missing", "missing"}, {"wisdom import", "usage"},
        {"wisdom learn", "usage"}, {"wisdom export -o json", "usage"}, {"wisdom forget all", "usage"}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        outcome o = shell("cd '%s' && $ATTNLAB db %s --db x.db", scratch_folder(), wrong[i].command);
        cr_assert(o.exit_code == 2 && one_complaint(&o, wrong[i].mention, NULL), "%s: exit %d: %s", wrong[i].command,
                  o.exit_code, o.err);
        outcome_free(&o);
    }
    /* an export whose wisdom was edited */
    done("$a run " CELL " --plan measure && $a db export | sed 's/\"lowering\": \"[a-z]*/\"lowering\": \"diagonal/' > edited");
    outcome o = shell("cd '%s' && $ATTNLAB db import edited --db z.db", scratch_folder());
    cr_assert(o.exit_code == 2 && one_complaint(&o, "diagonal", NULL), "exit %d: %s", o.exit_code, o.err);
    outcome_free(&o);
}
