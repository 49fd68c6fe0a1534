/* Runs and measurements into the store. A measurement is one transaction, begun when it is over. */
#include "harness/store_sql.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static const char *const direction_names[] = {[FORWARD] = "fwd", [BACKWARD] = "bwd", [DECODE] = "decode"};

void store_now(char out[STORE_TIME_LENGTH + 1])
{
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    char day[64];
    strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(out, STORE_TIME_LENGTH + 1, "%.19s.%03dZ", day, (int)(now.tv_nsec / 1000000));
}

attn_status store_new_id(char out[STORE_ID_LENGTH + 1], attn_error *err)
{
    unsigned char bytes[STORE_ID_LENGTH / 2];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return attn_fail(err, ATTN_EIO, "the system has no random numbers for a run id");
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
    return ATTN_OK;
}

/* ---- hosts, builds, runs ---- */

enum { HOST_FIELDS = 10, BUILD_FIELDS = 7, CELL_FIELDS = 16 };

static void host_fields(const host *h, field out[HOST_FIELDS])
{
    const field all[HOST_FIELDS] = {
        field_text("fingerprint", h->fingerprint),     field_text("model", h->model),
        field_text("stepping", h->stepping),           field_text("isa", h->isa),
        field_int("l1d_bytes", (int64_t)h->l1d_bytes), field_int("l2_bytes", (int64_t)h->l2_bytes),
        field_int("l3_bytes", (int64_t)h->l3_bytes),   field_int("cpus", (int64_t)h->cpus),
        field_int("cores", (int64_t)h->cores),         field_int("memory_gib", (int64_t)h->memory_gib),
    };
    memcpy(out, all, sizeof all);
}

static void build_fields(const build_info *b, field out[BUILD_FIELDS])
{
    const field all[BUILD_FIELDS] = {
        field_text("version", b->version),    field_text("revision", b->commit), field_int("dirty", b->dirty),
        field_text("compiler", b->compiler),  field_text("flags", b->flags),     field_text("mode", b->mode),
        field_text("binary_hash", b->binary),
    };
    memcpy(out, all, sizeof all);
}

static void cell_fields(const store_cell *c, field out[CELL_FIELDS])
{
    const cell *k = c->cell;
    const field all[CELL_FIELDS] = {
        field_text("pattern", c->pattern),
        field_text("spec", k->spec),
        field_text("spec_resolved", c->spec_resolved),
        field_int("n", (int64_t)k->n),
        field_int("heads", (int64_t)k->heads),
        field_int("kv_heads", (int64_t)k->kv_heads),
        field_int("dim", (int64_t)k->dim),
        field_int("batch", (int64_t)k->batch),
        field_text("dtype", attn_dtype_name(k->dtype)),
        field_text("direction", direction_names[k->direction]),
        field_text("kernel", k->kernel),
        field_text("isa", c->isa),
        field_int("threads", k->threads),
        field_text("input", k->input),
        field_int("seed", (int64_t)k->seed),
        field_int("pairs_total", (int64_t)c->pairs_total),
    };
    memcpy(out, all, sizeof all);
}

attn_status store_run_begin(store *s, const store_run *about, run_ticket *out, attn_error *err)
{
    run_ticket ticket = {.about = about};
    field at_host[HOST_FIELDS], of_build[BUILD_FIELDS];
    host_fields(about->host, at_host);
    build_fields(about->build, of_build);
    store_now(ticket.started);
    attn_status status = store_new_id(ticket.run_id, err);
    if (!status)
        status = store_seek(s, "hosts", at_host, HOST_FIELDS, &ticket.host, err);
    if (!status)
        status = store_seek(s, "builds", of_build, BUILD_FIELDS, &ticket.build, err);
    if (!status)
        *out = ticket;
    return status;
}

static attn_status write_run(store *s, run_ticket *ticket, attn_error *err)
{
    const store_run *about = ticket->about;
    field at_host[HOST_FIELDS], of_build[BUILD_FIELDS];
    host_fields(about->host, at_host);
    build_fields(about->build, of_build);
    attn_status status = store_intern(s, "hosts", at_host, HOST_FIELDS, &ticket->host, err);
    if (!status)
        status = store_intern(s, "builds", of_build, BUILD_FIELDS, &ticket->build, err);
    const field run[] = {
        field_text("run_id", ticket->run_id),
        field_text("started", ticket->started),
        field_int("host", ticket->host),
        field_int("build", ticket->build),
        field_text("environment", about->environment),
        field_text("command", about->command),
        field_text("label", about->label ? about->label : ""),
    };
    return status ? status : store_insert(s, "runs", run, LENGTH(run), &ticket->run, err);
}

attn_status store_run_end(store *s, const run_ticket *ticket, const char *outcome, attn_error *err)
{
    if (!ticket->run)
        return ATTN_OK;
    char now[STORE_TIME_LENGTH + 1];
    store_now(now);
    char *sql = sqlite3_mprintf("UPDATE runs SET finished = %Q, outcome = %Q WHERE id = %lld", now, outcome,
                                (long long)ticket->run);
    attn_status status =
        sql ? store_exec(s, sql, err) : attn_fail(err, ATTN_ENOMEM, "out of memory ending the run");
    sqlite3_free(sql);
    return status;
}

/* ---- measurements ---- */

static field value_of(const sample *x)
{
    switch (x->kind) {
    case RECORD_REAL: return (field){.column = "value", .kind = FIELD_REAL, .real = x->real};
    case RECORD_INT: return field_int("value", x->integer);
    case RECORD_TEXT: return field_text("value", x->text);
    case RECORD_ABSENT: break;
    }
    return field_text("value", NULL);
}

static attn_status write_samples(store *s, int64_t measurement, const samples *list, attn_error *err)
{
    for (size_t i = 0; i < list->series_count; i++) {
        const series *x = &list->series[i];
        int64_t id;
        attn_status status = store_series(s, x->name, x->unit, &id, err);
        for (size_t j = 0; j < list->count && !status; j++) {
            const sample *y = &list->at[j];
            if (y->series != i)
                continue;
            const bool absent = y->kind == RECORD_ABSENT;
            status = store_sample(s, measurement, id, (int64_t)y->rep, value_of(y),
                                  !absent    ? NULL
                                  : *y->text ? y->text
                                             : "not said",
                                  err);
        }
        if (status)
            return status;
    }
    return ATTN_OK;
}

static attn_status write_measurement(store *s, const run_ticket *ticket, const store_measurement *m,
                                     const char *id, attn_error *err)
{
    field key[CELL_FIELDS];
    int64_t at, row;
    cell_fields(m->cell, key);
    attn_status status = store_intern(s, "cells", key, CELL_FIELDS, &at, err);
    const field fields[] = {
        field_text("measurement_id", id),
        field_int("run", ticket->run),
        field_int("cell", at),
        field_text("started", m->started),
        field_text("finished", m->finished),
        field_text("metrics", m->metrics),
        field_text("status", m->failure ? "failed" : "finished"),
        field_text("reason", m->failure),
    };
    if (!status)
        status = store_insert(s, "measurements", fields, LENGTH(fields), &row, err);
    return status || m->failure ? status : write_samples(s, row, m->samples, err);
}

attn_status store_put(store *s, run_ticket *run, const store_measurement *m,
                      char measurement_id[STORE_ID_LENGTH + 1], attn_error *err)
{
    run_ticket ticket = *run; /* what a rollback undoes is forgotten */
    if (m->samples && m->samples->failed)
        return attn_fail(err, ATTN_ENOMEM, "out of memory for the samples of a cell");
    attn_status status = store_new_id(measurement_id, err);
    if (status || (status = store_exec(s, "BEGIN IMMEDIATE", err)))
        return status;
    if (!ticket.run)
        status = write_run(s, &ticket, err);
    if (!status)
        status = write_measurement(s, &ticket, m, measurement_id, err);
    if (!status)
        status = store_exec(s, "COMMIT", err);
    store_rollback(s);
    if (!status)
        *run = ticket;
    return status;
}

/* ---- limits of the machine ---- */

static attn_status write_peak(store *s, int64_t run, const peak_result *r, size_t rep, attn_error *err)
{
    const bool measured = r->count > 0;
    const field fields[] = {
        field_int("run", run),
        field_text("name", r->name),
        field_text("isa", r->isa),
        field_int("threads", r->threads),
        field_int("rep", (int64_t)rep),
        field_text("unit", r->unit),
        field_int("bytes", (int64_t)r->bytes),
        {.column = "value", .kind = measured ? FIELD_REAL : FIELD_NULL, .real = r->samples[rep]},
        field_text("reason", measured ? NULL : *r->reason ? r->reason : "not said"),
    };
    return store_insert(s, "peaks", fields, LENGTH(fields), NULL, err);
}

attn_status store_put_peaks(store *s, run_ticket *run, const peak_report *report, attn_error *err)
{
    run_ticket ticket = *run; /* what a rollback undoes is forgotten */
    attn_status status = store_exec(s, "BEGIN IMMEDIATE", err);
    if (!status && !ticket.run)
        status = write_run(s, &ticket, err);
    for (size_t i = 0; i < report->count; i++) {
        const peak_result *r = &report->at[i];
        for (size_t rep = 0; !status && rep < (r->count ? r->count : 1); rep++)
            status = write_peak(s, ticket.run, r, rep, err);
    }
    if (!status)
        status = store_exec(s, "COMMIT", err);
    store_rollback(s);
    if (!status)
        *run = ticket;
    return status;
}

/* ---- what is there already ---- */

/* Whether each name in the list `few` is in the list `many`. */
static bool includes(const char *many, const char *few)
{
    while (*few) {
        const size_t length = strcspn(few, ",");
        const char *at = many;
        while (*at && !(strncmp(at, few, length) == 0 && (at[length] == ',' || !at[length]))) {
            at += strcspn(at, ",");
            at += *at == ',';
        }
        if (!*at)
            return false;
        few += length;
        few += *few == ',';
    }
    return true;
}

attn_status store_find(store *s, const run_ticket *run, const store_cell *c, const char *metrics, const char *lane,
                       char measurement_id[STORE_ID_LENGTH + 1], attn_error *err)
{
    static const char sql[] =
        "SELECT m.measurement_id, m.metrics FROM measurements m JOIN runs r ON r.id = m.run "
        "WHERE m.cell = ? AND m.status = 'finished' AND r.host = ? AND r.build = ? "
        "AND coalesce((SELECT value FROM scalars WHERE measurement = m.id AND name = 'lane'), 'time') = ? "
        "AND NOT EXISTS (SELECT 1 FROM scalars WHERE measurement = m.id AND name = 'inject') "
        "ORDER BY m.finished DESC, m.measurement_id DESC";
    field key[CELL_FIELDS];
    int64_t at;
    measurement_id[0] = '\0';
    cell_fields(c, key);
    attn_status status = store_seek(s, "cells", key, CELL_FIELDS, &at, err);
    if (status || !at)
        return status;
    sqlite3_stmt *query = NULL;
    int rc = sqlite3_prepare_v2(s->db, sql, -1, &query, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_bind_int64(query, 1, at);
        sqlite3_bind_int64(query, 2, run->host);
        sqlite3_bind_int64(query, 3, run->build);
        sqlite3_bind_text(query, 4, lane, -1, SQLITE_STATIC);
        while ((rc = sqlite3_step(query)) == SQLITE_ROW)
            if (includes((const char *)sqlite3_column_text(query, 1), metrics)) {
                snprintf(measurement_id, STORE_ID_LENGTH + 1, "%s",
                         (const char *)sqlite3_column_text(query, 0));
                rc = SQLITE_DONE;
                break;
            }
    }
    if (rc != SQLITE_DONE)
        status = store_sql_fail(s->db, rc, "read", s->path, err);
    sqlite3_finalize(query);
    return status;
}
