-- Version 2: measured limits of the machine, by `attnlab doctor --peaks`, which is a run without cells.

-- Every sample of every limit. What could not be measured is one row of NULL with a reason.
CREATE TABLE peaks (
    run     INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    name    TEXT NOT NULL,                         -- fma.f32, dot.bf16, exp2, read.l2, copy.memory, clock, ...
    isa     TEXT NOT NULL,                         -- of the loop, as kernels name theirs
    threads INTEGER NOT NULL CHECK (threads > 0),
    rep     INTEGER NOT NULL CHECK (rep >= 0),
    unit    TEXT NOT NULL,                         -- GFLOP/s, GB/s, Gelem/s, GHz
    bytes   INTEGER NOT NULL,                      -- working set of a thread; 0: registers
    value   ANY CHECK (typeof(value) IN ('real', 'null')),
    reason  TEXT,                                  -- why there is no value
    PRIMARY KEY (run, name, isa, threads, rep),
    CHECK ((value IS NULL) = (reason IS NOT NULL))
) STRICT, WITHOUT ROWID;
