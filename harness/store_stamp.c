/* The record of a run that other programs make: who measures here, as an export says it. Scripts that time
 * other people's kernels put it before their measurements and hand both to `attnlab db import`, so that host,
 * build and environment are told by one program only. */
#include "harness/store_records.h"

#include <assert.h>

#include "harness/emit.h"

attn_status store_stamp(const store_run *about, FILE *out, attn_error *err)
{
    const host *h = about->host;
    const build_info *b = about->build;
    char run_id[STORE_ID_LENGTH + 1], started[STORE_TIME_LENGTH + 1];
    attn_status status = store_new_id(run_id, err);
    if (status)
        return status;
    store_now(started);
    const struct {
        const char *name;
        emit_value value;
    } row[] = {
        {"run_id", emit_text(run_id)},
        {"started", emit_text(started)},
        {"finished", emit_null()},
        {"outcome", emit_null()},
        {"label", emit_text(about->label ? about->label : "")},
        {"command", emit_text(about->command)},
        {"environment", emit_text(about->environment)},
        {"host_fingerprint", emit_text(h->fingerprint)},
        {"host_model", emit_text(h->model)},
        {"host_stepping", emit_text(h->stepping)},
        {"host_isa", emit_text(h->isa)},
        {"host_l1d_bytes", emit_int((int64_t)h->l1d_bytes)},
        {"host_l2_bytes", emit_int((int64_t)h->l2_bytes)},
        {"host_l3_bytes", emit_int((int64_t)h->l3_bytes)},
        {"host_cpus", emit_int((int64_t)h->cpus)},
        {"host_cores", emit_int((int64_t)h->cores)},
        {"host_memory_gib", emit_int((int64_t)h->memory_gib)},
        {"version", emit_text(b->version)},
        {"revision", emit_text(b->commit)},
        {"dirty", emit_int(b->dirty)},
        {"compiler", emit_text(b->compiler)},
        {"flags", emit_text(b->flags)},
        {"mode", emit_text(b->mode)},
        {"binary_hash", emit_text(b->binary)},
    };
    enum { COUNT = sizeof row / sizeof row[0] };
    emit_column columns[COUNT + 1] = {{.name = "record"}};
    emit_value values[COUNT + 1] = {emit_text(record_shapes[RECORD_RUN].name)};
    assert(record_shapes[RECORD_RUN].count == COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        columns[i + 1].name = row[i].name;
        values[i + 1] = row[i].value;
    }
    emitter *e = emit_open(out, EMIT_JSONL, columns, COUNT + 1);
    if (!e)
        return attn_fail(err, ATTN_ENOMEM, "out of memory");
    emit_row(e, values);
    return emit_close(e) ? ATTN_OK : attn_fail(err, ATTN_EIO, "standard output could not be written");
}
