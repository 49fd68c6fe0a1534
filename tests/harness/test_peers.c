/* The comparison with other kernels (harness/peers/), with arms that run anywhere: plain NumPy as the peer, and arms
 * written here that are wrong, crash, or are not to be had. Skipped where no Python has NumPy. */
#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/program.h"

static const char *python(void)
{
    static char found[256];
    static const char *const commands[] = {"python3", "/usr/bin/python3"};
    const char *named = getenv("PYTHON");
    for (size_t i = 0; i < 3 && !*found; i++) {
        const char *command = i == 0 ? named : commands[i - 1];
        if (!command)
            continue;
        outcome o = shell("%s -c 'import numpy'", command);
        if (o.exit_code == 0)
            snprintf(found, sizeof found, "%s", command);
        outcome_free(&o);
    }
    if (!*found)
        cr_skip_test("no python3 with NumPy (apt install python3-numpy)");
    return found;
}

/* Runs the driver on a database of the test's own. */
__attribute__((format(printf, 2, 3))) static outcome peers(const char *arms, const char *format, ...)
{
    char more[512];
    va_list list;
    va_start(list, format);
    vsnprintf(more, sizeof more, format, list);
    va_end(list);
    return shell("%s -B harness/peers/peers.py --program \"$ATTNLAB\" "
                 "--python %s --db %s/peers.db --blocks 2 --max-time 0.01 --look 0.01 --only threads=1 --arms %s %s",
                 python(), python(), scratch_folder(), arms, more);
}

static outcome sql(const char *query)
{
    return attnlab("db sql \"%s\" --db %s/peers.db -o csv", query, scratch_folder());
}

/* An arm of one's own: `body` is what run() does with `o`, a right answer. */
static const char *write_arm(const char *name, const char *body)
{
    char text[2048], *path = (char *)(size_t)scratch_path(name);
    int length = snprintf(text, sizeof text,
                          "import arms, os\n"
                          "plain = arms.load('numpy_plain')\n"
                          "NAME, GET = '%.*s', 'look under the sofa'\n"
                          "load = plain.load\n"
                          "def setups(task):\n"
                          "    def make(t):\n"
                          "        right, fetch = plain.setups(t)['plain'](t)\n"
                          "        def run():\n"
                          "            o = right()\n"
                          "            %s\n"
                          "            return o\n"
                          "        return run, fetch\n"
                          "    return {'own': make}\n",
                          (int)strcspn(name, "."), name, body);
    write_whole_file(path, text, (size_t)length);
    return path;
}

Test(peers, agreement_then_ratios_then_the_store)
{
    static const char few[] = "--only n=48 --only 'spec=dense' --only 'spec=fixed:l=128,c=8'";
    outcome o = peers("numpy_plain", "%s", few);
    cr_assert(o.exit_code == 0, "exit %d: %s", o.exit_code, o.err);
    cr_assert(strstr(o.out, "numpy-plain, plain") && strstr(o.out, "4 cells on "), "%s%s", o.out, o.err);
    outcome_free(&o);

    o = attnlab("db check --db %s/peers.db", scratch_folder());
    cr_assert(o.exit_code == 0, "%s", o.err);
    outcome_free(&o);
    /* Both sides of each cell in as many blocks, with the same inputs, and each peer checked against the oracle. */
    o = sql("SELECT count(*), count(DISTINCT spec || dtype), sum(isa = 'external'), count(DISTINCT seed) FROM results "
            "WHERE label LIKE 'peers %' AND label NOT LIKE '% look'");
    cr_assert(strstr(o.out, "\n16,4,8,1"), "%s%s", o.out, o.err);
    outcome_free(&o);
    o = sql("SELECT count(*), max(rel_err) < 0.02, min(rel_err) > 0, sum(isa = 'external') FROM results "
            "WHERE label LIKE '% look'");
    cr_assert(strstr(o.out, "\n8,1,1,4"), "%s%s", o.out, o.err);
    outcome_free(&o);
    o = peers("numpy_plain", "%s --resume -o md", few);
    cr_assert(o.exit_code == 0 && !strstr(o.err, "[1/") && strstr(o.out, "| dense "), "%s%s", o.out, o.err);
    outcome_free(&o);
}

/* The edges: d that no vector divides, l that does not divide n, two directions, l beyond n. */
Test(peers, odd_sizes_agree)
{
    outcome o = peers("numpy_plain", "--only n=37 --only 'spec=strided*' --only dtype=f32");
    cr_assert(o.exit_code == 0 && strstr(o.out, "2 cells on "), "exit %d: %s%s", o.exit_code, o.out, o.err);
    outcome_free(&o);
    o = peers("numpy_plain", "--only dim=21 --only 'spec=local*' --only n=130");
    cr_assert(o.exit_code == 2 && strstr(o.err, "no cell"), "exit %d: %s", o.exit_code, o.err);
    outcome_free(&o);
    o = peers("numpy_plain", "--only set=edge --only n=256 --only dtype=f32");
    cr_assert(o.exit_code == 0 && strstr(o.out, "3 cells on "), "exit %d: %s%s", o.exit_code, o.out, o.err);
    outcome_free(&o);
}

Test(peers, a_wrong_peer_is_refused_before_it_is_timed)
{
    static const struct {
        const char *name, *body, *complaint;
    } wrong[] = {
        {"slightly.py", "o[0, 0] *= 1.001", "row 0 of o is off the fp64 oracle by 1.0e-03"},
        {"elsewhere.py", "o[3, 47, 1] += 0.01", "head 3 row 47 of o is off the fp64 oracle"},
        {"unfinite.py", "o[7, 47, 2] = float('nan')", "head 7 row 47 of o"},
        {"misshapen.py", "o = o[:, :40]", "ValueError"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        const char *path = write_arm(wrong[i].name, wrong[i].body);
        outcome o = peers(path, "--only n=48 --only spec=dense --only dtype=f32");
        cr_assert(strstr(o.err, wrong[i].complaint) && strstr(o.err, "no peer computes it"), "%s: %s", wrong[i].name,
                  o.err);
        outcome_free(&o);
    }
    outcome o = sql("SELECT (SELECT count(*) FROM failures WHERE isa = 'external'), "
                    "(SELECT count(*) FROM observations WHERE series = 'time_ns')");
    cr_assert(strstr(o.out, "\n4,0"), "%s%s", o.out, o.err);
    outcome_free(&o);
}

Test(peers, a_crash_costs_one_arm)
{
    const char *path = write_arm("crashing.py", "os.abort()");
    char both[512];
    snprintf(both, sizeof both, "%s,numpy_plain", path);
    outcome o = peers(both, "--only n=48 --only spec=local:k=255 --only dtype=f32");
    cr_assert(o.exit_code == 0 && strstr(o.err, "crashing: preparing: ext:crashing crashed (Aborted)") && strstr(o.out, "1 cells on") &&
                  strstr(o.out, "crashing has no result for 1 cell"),
              "exit %d: %s%s", o.exit_code, o.out, o.err);
    outcome_free(&o);
    path = write_arm("hanging.py", "import time; time.sleep(60)");
    o = peers(path, "--only n=48 --only spec=dense --only dtype=f32 --timeout 2");
    cr_assert(strstr(o.err, "hanging: preparing: ext:hanging did not answer within 2 s"), "%s", o.err);
    outcome_free(&o);
}

Test(peers, absent_peers_are_named_with_how_to_get_them)
{
    write_arm("absent.py", "");
    outcome o = shell("sed -i 's/^load = .*/def load():\\n    raise ImportError(\"No module named sofa\")/' %s/absent.py",
                      scratch_folder());
    outcome_free(&o);
    o = peers(scratch_path("absent.py"), "--only n=48");
    cr_assert(o.exit_code == 0 && !*o.out &&
                  strstr(o.err, "absent absent (No module named sofa): look under the sofa\n") &&
                  strstr(o.err, "nothing to compare with"),
              "exit %d: %s%s", o.exit_code, o.out, o.err);
    outcome_free(&o);
    o = peers("numpy_plain", "--only n=48 --python /nonexistent/python3");
    cr_assert(o.exit_code == 0 && strstr(o.err, "does /nonexistent/python3 work?"), "exit %d: %s", o.exit_code, o.err);
    outcome_free(&o);
}

/* Hopeless arms are left out at larger n, but nothing is concluded from far or from larger lengths. */
Test(peers, advice_comes_from_near_lengths)
{
    outcome o = shell("cd harness/peers && %s -B -c 'import cells, peers\n"
                      "def row(ns, setup): return {\"time_ns\": ns, \"setup\": setup}\n"
                      "past = {(\"local\", 64, \"f32\"): {(1024, 1): {\"fast\": row(10, \"a\"), \"slow\": row(31, \"b\")},\n"
                      "    (2048, 1): {\"fast\": row(10, \"c\"), \"far\": row(3e9, \"d\")}, (16384, 1): {\"late\": row(9, \"e\")}}}\n"
                      "for n, t in ((1024, 1), (1024, 2), (4096, 1), (4096, 2), (8192, 1), (16384, 2)):\n"
                      "    print(n, t, sorted(peers.advice(cells.Cell(\"main\", \"local\", n, 64, \"f32\", t), past)))'",
                      python());
    cr_assert(strcmp(o.out, "1024 1 []\n"
                            "1024 2 ['slow']\n"
                            "4096 1 ['far', 'slow']\n"
                            "4096 2 []\n"
                            "8192 1 ['far']\n"
                            "16384 2 []\n") == 0,
              "%s%s", o.out, o.err);
    outcome_free(&o);
}
