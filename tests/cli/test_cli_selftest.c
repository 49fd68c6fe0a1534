/* attnlab selftest through the command line: bad input. What it computes is tested in tests/harness/test_selftest.c. */
#include <criterion/criterion.h>
#include <string.h>

#include "support/program.h"

Test(cli_selftest, without_a_folder_nothing_is_tried)
{
    outcome o = shell("TMPDIR=/nowhere/at/all $ATTNLAB selftest --quick -o jsonl");
    cr_assert(o.exit_code == 74, "exit %d", o.exit_code);
    cr_assert(one_complaint(&o, "/nowhere/at/all", "TMPDIR", NULL), "%s", o.err);
    outcome_free(&o);
}

Test(cli_selftest, gates_are_counted_from_one)
{
    outcome o = attnlab("selftest --gates 0");
    cr_assert(o.exit_code == 2, "exit %d", o.exit_code);
    cr_assert(one_complaint(&o, "gates", "0", NULL), "%s", o.err);
    outcome_free(&o);
}

/* Interrupted while it measures: one line, and no folder left behind. */
Test(cli_selftest, interrupted_leaves_nothing)
{
    const char *folder = scratch_path("empty");
    outcome o = shell("mkdir %s; TMPDIR=%s timeout --preserve-status -s INT 2 $ATTNLAB selftest --gates 100 -o jsonl > /dev/null; "
                      "code=$?; ls -A %s; exit $code", folder, folder, folder);
    cr_assert(o.exit_code == 130, "exit %d", o.exit_code);
    cr_assert(*o.out == '\0', "left behind: %s", o.out);
    cr_assert(strstr(o.err, "interrupted") != NULL, "%s", o.err);
    outcome_free(&o);
}
