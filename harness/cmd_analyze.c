/* analyze: what patterns cost, reach, and how they tile, before anything is run. */
#include <stdlib.h>
#include <string.h>

#include "harness/analyze.h"
#include "harness/cli.h"
#include "harness/input.h"
#include "harness/progress.h"
#include "harness/slow_rows.h"

enum { MOST_SPECS = 64 };

static const option options[] = {
    {"n", OPTION_SIZE, "N", "sequence length", "1k", 1, ATTN_MAX_N, NULL, false},
    {"heads", OPTION_SIZE, "H", "query heads", "8", 1, 65536, NULL, false},
    {"kv-heads", OPTION_SIZE, "H", "key and value heads; divides --heads (default: as many)", NULL, 1, 65536, NULL, false},
    {"d", OPTION_SIZE, "D", "head dimension", "64", ATTN_MIN_DIM, ATTN_MAX_DIM, NULL, false},
    {"layers", OPTION_FLAG, NULL, "the SPECs are the layers of one stack, the first applied first", NULL, 0, 0, NULL, false},
    {"sections", OPTION_TEXT, "LIST", "only these, of pairs,reach,graph,tiles,time (default: all)", NULL, 0, 0, NULL, false},
    {"hops", OPTION_SIZE, "H", "steps through the layers that are listed", "4", 1, ATTN_LISTED_HOPS, NULL, false},
    {"steps", OPTION_SIZE, "P", "within how many steps the pattern should be valid (default: layers; 2 for one)", NULL, 1,
     ATTN_LISTED_HOPS, NULL, false},
    {"max-hops", OPTION_SIZE, "T", "where the search for full reach gives up (default: by n, 16 to 512)", NULL, 1,
     ATTN_MAX_HOPS, NULL, false},
    {"sample", OPTION_SIZE, "KEYS", "keys that reach is looked at for, above n = 16k", "512", 1, ATTN_MAX_N, NULL, false},
    {"blocks", OPTION_AXIS, "AXIS", "sides of tiles, at most 16 of them", "16:256*2", 1, 65536, NULL, false},
    {"input", OPTION_TEXT, "INPUT", "q, k and v to compare with dense attention on: text:PATH, npy:DIR or gauss", NULL, 0, 0,
     NULL, false},
    {"rows", OPTION_SIZE, "R", "query rows of the input looked at (default: what fits some seconds)", NULL, 1, ATTN_MAX_N,
     NULL, false},
    {"seed", OPTION_SEED, "SEED", "seed of samples and inputs", "1", 0, 0, NULL, false},
    CLI_OPTION_FORMAT,
    {0},
};

/* The names of a comma-separated list. */
static attn_status choose_sections(bool *wanted, const char *list, attn_error *err)
{
    for (size_t s = 0; s < ANALYZE_SECTIONS; s++)
        wanted[s] = !list;
    while (list) {
        const size_t length = strcspn(list, ",");
        size_t s = 0;
        while (s < ANALYZE_SECTIONS &&
               (strlen(analyze_sections[s]) != length || strncmp(analyze_sections[s], list, length) != 0))
            s++;
        if (s == ANALYZE_SECTIONS)
            return attn_fail(err, ATTN_EINVAL, "--sections: '%.*s' is none; they are pairs, reach, graph, tiles and time",
                             (int)(length < 40 ? length : 40), list);
        wanted[s] = true;
        list = list[length] ? list + length + 1 : NULL;
    }
    return ATTN_OK;
}

static attn_status read_request(analyze_request *q, const args *a, attn_error *err)
{
    *q = (analyze_request){.n = cli_size(a, "n"), .heads = cli_size(a, "heads"), .dim = cli_size(a, "d"),
                           .input = cli_text(a, "input"), .seed = cli_seed(a, "seed"), .products = 400};
    q->kv_heads = cli_given(a, "kv-heads") ? cli_size(a, "kv-heads") : q->heads;
    q->rows = cli_given(a, "rows") ? cli_size(a, "rows") : 0;
    q->block_count = cli_axis(a, "blocks", &q->blocks);
    q->reach = (attn_reach_request){.hops = cli_size(a, "hops"), .sample = cli_size(a, "sample"), .exact_to = 16384,
                                    .steps = cli_given(a, "steps") ? cli_size(a, "steps") : 0, .seed = q->seed};
    q->reach.max_hops = cli_given(a, "max-hops") ? cli_size(a, "max-hops")
                                                 : analyze_default_hops(q->n, q->reach.exact_to, q->reach.sample);
    if (q->heads % q->kv_heads)
        return attn_fail(err, ATTN_EINVAL, "--kv-heads %zu does not divide --heads %zu", q->kv_heads, q->heads);
    if (q->block_count > ANALYZE_BLOCKS)
        return attn_fail(err, ATTN_EINVAL, "--blocks: %zu sizes; at most %d", q->block_count, ANALYZE_BLOCKS);
    if (q->rows && !q->input)
        return attn_fail(err, ATTN_EINVAL, "--rows goes with --input, whose rows they are");
    attn_status status = choose_sections(q->wanted, cli_text(a, "sections"), err);
    const input_shape shape = {1, q->heads, q->kv_heads, q->n, q->n, q->dim};
    if (status == ATTN_OK && q->input)
        status = input_check(q->input, &shape, err);
    return status;
}

static int run(const args *a)
{
    const char *const *specs;
    const size_t count = cli_operands(a, &specs), subjects = cli_flag(a, "layers") ? 1 : count;
    analyze_subject subject[MOST_SPECS] = {{0}};
    analyze_result *results = calloc(subjects, sizeof *results);
    analyze_request q;
    attn_error err;
    attn_status status = results ? read_request(&q, a, &err) : attn_fail(&err, ATTN_ENOMEM, "out of memory");
    for (size_t s = 0; s < subjects && status == ATTN_OK; s++) /* all are checked before the first is computed */
        status = analyze_subject_create(&subject[s], specs + s, subjects == count ? 1 : count, q.n, q.heads, &err);
    for (size_t s = 0; s < subjects && status == ATTN_OK; s++)
        for (size_t l = 0; l < subject[s].owned_count; l++)
            slow_rows_say(subject[s].owned[l]);
    progress bar = progress_start(stderr, subjects);
    for (size_t s = 0; s < subjects && status == ATTN_OK; s++, bar.done++) {
        progress_show(&bar, subject[s].spec, "");
        status = analyze(&results[s], &subject[s], &q, &err);
    }
    progress_clear(&bar);
    if (status == ATTN_OK && !analyze_print(stdout, (emit_format)cli_choice(a, "o"), &q, results, subjects) && !ferror(stdout))
        status = attn_fail(&err, ATTN_ENOMEM, "out of memory");
    for (size_t s = 0; s < subjects; s++) {
        analyze_subject_destroy(&subject[s]);
        if (results)
            analyze_result_destroy(&results[s]);
    }
    free(results);
    return status == ATTN_OK ? EXIT_FINE : cli_fail(status, &err);
}

const command cmd_analyze = {
    .name = "analyze",
    .operands = "SPEC...",
    .min_operands = 1,
    .max_operands = MOST_SPECS,
    .summary = "what patterns cost, what they reach and how they tile, side by side",
    .details =
        "Counts are exact, shares are of the pairs j <= i (of all pairs when bidirectional), and rows of several heads "
        "count together where a section is about connections.\n\n"
        "reach: after t steps through layers 1 ... t (in turn) query i is joined with key j when a path of t steps leads "
        "there; with the residual every layer also keeps what is held. Exact to n = 16k; above, for a stratified sample of "
        "keys, with 95% intervals. A pattern is valid when all pairs are joined after P steps; else the first pair that is "
        "not is shown. Path lengths take every layer to be the union of all.\n\n"
        "graph: paths of P steps, the position between their ends that carries the most, and the second-smallest "
        "eigenvalue of the normalised Laplacian of A or its transpose, with self-loops.\n\n"
        "tiles: those full, partial and empty, before and after the planner's permutation (combs that "
        "follow residue classes are tiled class by class, the rest in natural order: counts add up, so that there are more tiles, and "
        "blocks larger than a class are mostly empty); traffic reads the keys and values of "
        "each tile that is not empty. time: what the planner predicts on this machine, all layers together.\n\n"
        "--input compares with dense attention on data, as the metric accuracy does: attention mass kept, relative output "
        "error, KL and entropies, by head and by distance, on rows sampled where n is large.\n\n"
        "Rows are kept as runs of keys, 16 bytes each and at most 1 GiB; reach takes about 640 MiB at most, the spectrum 256 "
        "MiB.",
    .options = options,
    .run = run,
};
