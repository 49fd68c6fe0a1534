-- Version 3: what planning by measurement has learned; `plan` and `lowering` in the views.

-- One measured choice, as libattn's text has it (see attn/wisdom.h). The content is the key, so databases merge
-- in any order with one result; of several choices for one problem the one learned last counts.
CREATE TABLE wisdom (
    id       INTEGER PRIMARY KEY,
    key      TEXT NOT NULL,                        -- kernel, CPU, threads, sizes and pattern of the problem
    lowering TEXT NOT NULL,                        -- the fastest
    ns       INTEGER NOT NULL CHECK (ns > 0),      -- of a run with it
    learned  TEXT NOT NULL,
    UNIQUE (key, lowering, ns, learned)
) STRICT;
