/* The pieces of run: metric lists, the lines between processes, the sweep. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/run.h"

Test(run, metrics_by_name)
{
    metric_set set;
    attn_error err = {{0}};
    cr_assert(metric_set_parse(&set, "all", LANE_TIME, &err) == ATTN_OK && set.count >= 5, "all: %zu", set.count);
    cr_assert(strncmp(set.names, "time,flops,memory,accuracy", 26) == 0, "%s", set.names);
    cr_assert(metric_set_parse(&set, "memory,time,memory", LANE_TIME, &err) == ATTN_OK, "%s", err.message);
    cr_assert(strcmp(set.names, "time,memory") == 0 && set.count == 2, "in the order of the registry: %s",
              set.names);
    metric_set together = metric_set_split(&set, false), alone = metric_set_split(&set, true);
    cr_assert(strcmp(together.names, "time") == 0 && strcmp(alone.names, "memory") == 0, "%s|%s",
              together.names, alone.names);
    static const char *const bad[] = {
        "",
        ",",
        "time,",
        ",time",
        "time,,flops",
        "tim",
        "all,time",
        "time flops",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_assert(metric_set_parse(&set, bad[i], LANE_TIME, &err) == ATTN_EINVAL, "'%s' passes", bad[i]);
}

/* What is sent arrives: every kind, and text with anything in it. */
Test(run, wire_round_trip)
{
    static const char *const texts[] = {"", "plain", "tab\tand\nline\\end", "\\t", "\\", "na\xc3\xafve\r"};
    static const double reals[] = {0, -0.0, 0.1, 1e308, 5e-324, (double)INFINITY};
    char *sent = NULL;
    size_t size;
    FILE *out = open_memstream(&sent, &size);
    samples list = {0};
    recorder r = samples_recorder(&list);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        record_text(&r, "words", texts[i]);
        record_absent(&r, "gone", "a\tunit", texts[i]);
    }
    for (size_t i = 0; i < sizeof reals / sizeof reals[0]; i++)
        record_real(&r, "reals", "ns", reals[i]);
    record_int(&r, "integers", "", INT64_MIN);
    record_int(&r, "integers", "", INT64_MAX);
    for (size_t i = 0; i < list.count; i++)
        wire_send_sample(out, list.series[list.at[i].series].name, list.series[list.at[i].series].unit,
                         &list.at[i]);
    fclose(out);

    samples back = {0};
    char *rest = sent;
    for (char *line; (line = strsep(&rest, "\n")) && *line;) {
        wire_line got;
        cr_assert(wire_read(line, &got) && got.kind == WIRE_SAMPLE, "not understood: %s", line);
        samples_add(&back, &got.sample);
    }
    cr_assert(back.count == list.count && back.series_count == list.series_count, "%zu of %zu arrived",
              back.count, list.count);
    for (size_t i = 0; i < list.count; i++) {
        const sample *a = &list.at[i], *b = &back.at[i];
        cr_assert(a->kind == b->kind && a->rep == b->rep && a->integer == b->integer &&
                      memcmp(&a->real, &b->real, sizeof a->real) == 0 && !a->text == !b->text &&
                      (!a->text || strcmp(a->text, b->text) == 0),
                  "sample %zu arrived as another", i);
        cr_assert(strcmp(list.series[a->series].unit, back.series[b->series].unit) == 0, "unit of %zu", i);
    }
    samples_free(&list);
    samples_free(&back);
    free(sent);
}

/* Reals of one series, whatever stands between; none is no number. */
Test(run, least_of_a_series)
{
    samples list = {0};
    recorder r = samples_recorder(&list);
    cr_assert(isnan(samples_least(&list, "time_ns")), "of nothing");
    record_real(&r, "time_ns", "ns", 9);
    record_real(&r, "other", "ns", 1);
    record_real(&r, "time_ns", "ns", 4);
    record_real(&r, "time_ns", "ns", 5);
    cr_assert(samples_least(&list, "time_ns") == 4, "%g", samples_least(&list, "time_ns"));
    samples_free(&list);
}

Test(run, wire_messages)
{
    char *sent = NULL;
    size_t size;
    FILE *out = open_memstream(&sent, &size);
    wire_send(out, &(wire_line){.kind = WIRE_METRIC, .text = "time"});
    wire_send(out, &(wire_line){.kind = WIRE_ERROR, .status = ATTN_ENOMEM, .text = "out of\tmemory"});
    wire_send(out, &(wire_line){.kind = WIRE_DONE});
    fclose(out);
    char *rest = sent;
    wire_line got;
    cr_assert(wire_read(strsep(&rest, "\n"), &got) && got.kind == WIRE_METRIC && !strcmp(got.text, "time"),
              "metric");
    cr_assert(wire_read(strsep(&rest, "\n"), &got) && got.kind == WIRE_ERROR && got.status == ATTN_ENOMEM &&
                  !strcmp(got.text, "out of\tmemory"),
              "error");
    cr_assert(wire_read(strsep(&rest, "\n"), &got) && got.kind == WIRE_DONE, "done");
    free(sent);
}

Test(run, wire_refuses_noise)
{
    static const char *const noise[] = {
        "",
        "hello",
        "x\ty",
        "r",
        "r\ta",
        "r\ta\tb",
        "r\ta\tb\t",
        "r\ta\tb\tx",
        "r\t\tb\t1",
        "r\ta\tb\t1\t2",
        "i\ta\tb\t1.5",
        "i\ta\tb\t",
        "t\ta\tb",
        "t\ta\tb\tc\td",
        "a\ta",
        "m",
        "m\ta\tb",
        "e",
        "e\t1",
        "e\t0\tx",
        "e\t9\tx",
        "e\t11\tx",
        "e\t\tx",
        "d\t",
        "dd",
        "\t",
        "\\",
        "\\\t",
    };
    for (size_t i = 0; i < sizeof noise / sizeof noise[0]; i++) {
        char *line = strdup(noise[i]);
        wire_line got;
        cr_assert(!wire_read(line, &got), "'%s' is understood", noise[i]);
        free(line);
    }
}

static const size_t ns[] = {8, 16}, dims[] = {4, 8};

static run_request small_request(const char *const *specs, size_t count)
{
    run_request r = {.specs = specs,
                     .spec_count = count,
                     .ns = ns,
                     .n_count = 2,
                     .dims = dims,
                     .dim_count = 2,
                     .batch = 1,
                     .heads = 4,
                     .kv_heads = 2,
                     .kernel = "auto",
                     .threads = 1,
                     .input = "gauss",
                     .seed = 1,
                     .seconds = 0.1};
    return r;
}

Test(run, sweep_resolves_every_cell)
{
    static const char *const specs[] = {"fixed:c=4,l=sqrt(n)", "dense", "fixed:l=sqrt(n),c=4"};
    const run_request r = small_request(specs, 3);
    sweep s;
    attn_error err = {{0}};
    cr_assert(sweep_create(&s, &r, &err) == ATTN_OK, "%s", err.message);
    cr_assert(s.count == 8, "%zu cells: equal specs written differently are one", s.count);
    const sweep_cell *c = &s.cells[2];
    cr_assert(c->key.n == 16 && c->key.dim == 4 && strcmp(c->key.spec, "fixed:l=sqrt(n),c=4") == 0,
              "%s n=%zu d=%zu", c->key.spec, c->key.n, c->key.dim);
    cr_assert(strcmp(c->about.spec_resolved, "fixed:l=4,c=4,head=merged,sub=0") == 0, "%s",
              c->about.spec_resolved);
    cr_assert(strcmp(c->about.pattern, "fixed") == 0 && strcmp(c->key.kernel, "auto") != 0 &&
                  c->key.threads == 1,
              "%s %s %d", c->about.pattern, c->key.kernel, c->key.threads);
    cr_assert(c->about.pairs_total == 4 * 136, "%llu pairs", (unsigned long long)c->about.pairs_total);
    sweep_destroy(&s);
}

Test(run, sweep_needs_every_cell_to_be_right)
{
    static const char *const late[] = {"dense", "local:k=3", "fixed:l=2,c=3"};
    run_request r = small_request(late, 3);
    sweep s;
    attn_error err = {{0}};
    cr_assert(sweep_create(&s, &r, &err) == ATTN_EINVAL && strstr(err.message, "c=3"), "%s", err.message);
    r = small_request(late, 2);
    r.kv_heads = 3;
    cr_assert(sweep_create(&s, &r, &err) == ATTN_EINVAL && strstr(err.message, "--kv-heads 3"), "%s",
              err.message);
    r = small_request(late, 2);
    r.input = "npy:/nonexistent";
    cr_assert(sweep_create(&s, &r, &err) == ATTN_EINVAL, "%s", err.message);
    r = small_request(late, 2);
    r.batch = 65536, r.heads = 65536, r.kv_heads = 65536;
    cr_assert(sweep_create(&s, &r, &err) == ATTN_EINVAL && strstr(err.message, "memory"), "%s", err.message);
}
