-- Version 1 of the store: what is measured, where, by which program, and every sample of it.
--
-- Names.  `id` is a key of this file alone. `run_id` and `measurement_id` are random 128-bit numbers in
-- hexadecimal, the same in every copy. Hosts, builds, cells and series have no number of their own: their
-- content is their key. So databases can be merged in any order, by several people, with one result.
-- Times are UTC, "2024-05-01T12:00:00.000Z". What was not measured is NULL with a reason, never 0.

-- A machine, by what does not wobble: no clock rate of the moment, no load, no name. 0: unknown.
CREATE TABLE hosts (
    id          INTEGER PRIMARY KEY,
    fingerprint TEXT NOT NULL,                     -- hash of all the rest
    model       TEXT NOT NULL,                     -- of the CPU
    stepping    TEXT NOT NULL,
    isa         TEXT NOT NULL,                     -- the instruction set extensions that matter here
    l1d_bytes   INTEGER NOT NULL,                  -- one instance of each cache
    l2_bytes    INTEGER NOT NULL,
    l3_bytes    INTEGER NOT NULL,
    cpus        INTEGER NOT NULL,                  -- logical
    cores       INTEGER NOT NULL,                  -- physical
    memory_gib  INTEGER NOT NULL,
    UNIQUE (fingerprint, model, stepping, isa, l1d_bytes, l2_bytes, l3_bytes, cpus, cores, memory_gib)
) STRICT;

-- A program, by source, compiler and the bytes that came out.
CREATE TABLE builds (
    id          INTEGER PRIMARY KEY,
    version     TEXT NOT NULL,
    revision    TEXT NOT NULL,                     -- commit; '' outside a repository
    dirty       INTEGER NOT NULL CHECK (dirty IN (0, 1)),
    compiler    TEXT NOT NULL,
    flags       TEXT NOT NULL,
    mode        TEXT NOT NULL,                     -- release, debug, ...
    binary_hash TEXT NOT NULL,
    UNIQUE (version, revision, dirty, compiler, flags, mode, binary_hash)
) STRICT;

-- One invocation of `attnlab run`.
CREATE TABLE runs (
    id          INTEGER PRIMARY KEY,
    run_id      TEXT NOT NULL UNIQUE CHECK (length(run_id) = 32),
    started     TEXT NOT NULL,
    finished    TEXT,                              -- NULL: still going, or killed
    outcome     TEXT CHECK (outcome IN ('complete', 'incomplete', 'interrupted')),
    host        INTEGER NOT NULL REFERENCES hosts (id),
    build       INTEGER NOT NULL REFERENCES builds (id),
    environment TEXT NOT NULL,                     -- JSON: the state of the machine, which may wobble
    command     TEXT NOT NULL,                     -- the line that repeats it, quoted for a shell
    label       TEXT NOT NULL,                     -- --label, or ''
    CHECK ((finished IS NULL) = (outcome IS NULL))
) STRICT;

-- One point of a sweep: everything that decides what is measured, and what follows from it on that machine
-- and in that version (the key holds both, so that a changed meaning makes a new cell, not a false old one).
CREATE TABLE cells (
    id            INTEGER PRIMARY KEY,
    pattern       TEXT NOT NULL,
    spec          TEXT NOT NULL,                   -- canonical, as written: fixed:l=sqrt(n),c=8
    spec_resolved TEXT NOT NULL,                   -- every parameter a number: fixed:l=64,c=8,head=merged,sub=0
    n             INTEGER NOT NULL CHECK (n > 0),
    heads         INTEGER NOT NULL CHECK (heads > 0),
    kv_heads      INTEGER NOT NULL CHECK (kv_heads > 0),
    dim           INTEGER NOT NULL CHECK (dim > 0),
    batch         INTEGER NOT NULL CHECK (batch > 0),
    dtype         TEXT NOT NULL,                   -- f32, bf16, f16
    direction     TEXT NOT NULL,                   -- fwd, bwd, decode
    kernel        TEXT NOT NULL,                   -- as chosen, never "auto"
    isa           TEXT NOT NULL,                   -- of the kernel
    threads       INTEGER NOT NULL CHECK (threads > 0),
    input         TEXT NOT NULL,                   -- gauss, text:FILE, npy:DIR
    seed          INTEGER NOT NULL,                -- 64 bits; from 2^63 up stored less 2^64
    pairs_total   INTEGER NOT NULL,                -- allowed pairs over batch and heads
    UNIQUE (spec, n, dim, heads, kv_heads, batch, dtype, direction, kernel, threads, input, seed,
            pattern, spec_resolved, isa, pairs_total)
) STRICT;

-- A cell measured in a run, once. Rows are written when the cell is over and never change.
CREATE TABLE measurements (
    id             INTEGER PRIMARY KEY,
    measurement_id TEXT NOT NULL UNIQUE CHECK (length(measurement_id) = 32),
    run            INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    cell           INTEGER NOT NULL REFERENCES cells (id),
    ordinal        INTEGER NOT NULL DEFAULT 0,     -- 0, 1, ... where a run measures a cell more than once
    started        TEXT NOT NULL,
    finished       TEXT NOT NULL,
    metrics        TEXT NOT NULL,                  -- those asked for: "time,flops,memory"
    status         TEXT NOT NULL CHECK (status IN ('finished', 'failed')),
    reason         TEXT,                           -- of a failure
    UNIQUE (run, cell, ordinal),
    CHECK ((status = 'failed') = (reason IS NOT NULL))
) STRICT;
CREATE INDEX measurements_by_cell ON measurements (cell, status);

-- A quantity with its one unit: "time_ns", "rel_err", "counter.cycles". A new metric is a new row.
CREATE TABLE series (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    unit TEXT NOT NULL                             -- '' for pure numbers and text
) STRICT;

-- Every sample, in order of recording.
CREATE TABLE samples (
    measurement INTEGER NOT NULL REFERENCES measurements (id) ON DELETE CASCADE,
    series      INTEGER NOT NULL REFERENCES series (id),
    rep         INTEGER NOT NULL CHECK (rep >= 0),
    value       ANY CHECK (typeof(value) IN ('integer', 'real', 'text', 'null')),
    reason      TEXT,                              -- why there is no value
    PRIMARY KEY (measurement, series, rep),
    CHECK ((value IS NULL) = (reason IS NOT NULL))
) STRICT, WITHOUT ROWID;
