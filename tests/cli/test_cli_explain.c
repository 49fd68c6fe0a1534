/* attnlab run --explain: prints plans, measures nothing, and names lowerings that can be asked for. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/program.h"

Test(cli_explain, prints_every_cell_in_every_format)
{
    static const char *const formats[] = {"table", "json", "jsonl", "csv", "md"};
    for (size_t f = 0; f < sizeof formats / sizeof formats[0]; f++) {
        outcome o = attnlab("run --explain -p strided:l=16 -p dense -n 300,600 -d 20 --heads 2 -o %s", formats[f]);
        cr_assert(o.exit_code == 0 && !*o.err, "-o %s: exit %d: %s", formats[f], o.exit_code, o.err);
        static const char *const mentions[] = {"strided:l=16", "dense", "600", "residue classes mod 16", "oracle", "carried"};
        for (size_t m = 0; m < sizeof mentions / sizeof mentions[0]; m++)
            cr_assert(strstr(o.out, mentions[m]), "-o %s does not mention %s", formats[f], mentions[m]);
        outcome_free(&o);
    }
}

Test(cli_explain, json_can_be_read)
{
    outcome o = shell("$ATTNLAB run --explain -p strided:l=16 -n 600 --threads 1 -o jsonl | "
                      "sqlite3 :memory: \"WITH x(j) AS (SELECT rtrim(readfile('/dev/stdin'), char(10))) "
                      "SELECT j ->> '$.tile_utilisation' > 0.5, json_array_length(j, '$.parts'), "
                      "j ->> '$.candidates[0].chosen', j ->> '$.threads', "
                      "j ->> '$.lowering' = j ->> '$.candidates[0].lowering' FROM x\" 2>/dev/null || echo none");
    cr_assert(strcmp(o.out, "1|2|1|1|1\n") == 0 || strcmp(o.out, "none\n") == 0, "got %s", o.out);
    outcome_free(&o);
}

Test(cli_explain, needs_no_database)
{
    outcome o = shell("cd '%s' && $ATTNLAB run --explain -p dense -n 64 --db missing/x.db", scratch_folder());
    cr_assert(o.exit_code == 0, "exit %d: %s", o.exit_code, o.err);
    outcome_free(&o);
}

Test(cli_explain, lowerings_can_be_asked_for)
{
    static const char *const names[] = {"natural/3", "classes/8"};
    for (size_t i = 0; i < 2; i++) {
        outcome o = attnlab("run --explain -p strided:l=16 -n 600 --lowering %s", names[i]);
        char want[64];
        snprintf(want, sizeof want, "lowering %s, by request", names[i]);
        cr_assert(o.exit_code == 0 && strstr(o.out, want), "%s: %s%s", names[i], o.out, o.err);
        outcome_free(&o);
    }
    outcome o = attnlab("run --explain -p dense -n 64 --lowering diagonal");
    cr_assert(o.exit_code == 2 && one_complaint(&o, "diagonal", "natural", NULL), "exit %d: %s", o.exit_code, o.err);
    outcome_free(&o);
}

/* A measured row says which lowering it was and what chose it; the run's own command repeats it. */
Test(cli_explain, rows_record_the_lowering)
{
    static const char *const asked[] = {"--lowering natural/2", ""};
    for (size_t i = 0; i < 2; i++) {
        char name[32];
        snprintf(name, sizeof name, "%zu.db", i);
        outcome o = attnlab("run --db '%s' -p strided:l=16 -n 300 --heads 2 -d 16 --max-time 0.01 --metrics flops %s",
                            scratch_path(name), asked[i]);
        cr_assert(o.exit_code == 0, "exit %d: %s", o.exit_code, o.err);
        outcome_free(&o);
        o = attnlab("db sql --db '%s' -o csv \"SELECT series, value FROM observations WHERE series IN ('plan', 'lowering') "
                    "ORDER BY series\"", scratch_path(name));
        cr_assert(strstr(o.out, asked[0] + (i ? strlen(asked[0]) : 11)) && strstr(o.out, i ? "plan,estimate" : "plan,request"),
                  "%s%s", o.out, o.err);
        outcome_free(&o);
        o = attnlab("db sql --db '%s' \"SELECT command FROM runs\"", scratch_path(name));
        cr_assert(strstr(o.out, asked[i]), "not repeated by: %s", o.out);
        outcome_free(&o);
    }
}
