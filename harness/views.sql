-- Views of the store, for queries and plots. They hold no data: they are dropped and made anew whenever the
-- schema changes. All can be read with a plain sqlite3 shell.
--
--   results       one row for each finished measurement: the cell, the run, and what was measured
--   latest        of these, the newest of each cell on each host, as the time lane measured it, nothing injected: what
--                 plots want
--   observations  every sample with its names: long form
--   failures      cells that could not be measured, and why
--   limits        of each host, what `attnlab doctor --peaks` found last: the best of the samples
--
-- Two more are steps on the way:
--   scalars       the first sample of each series of a measurement, by name
--   measured      results without the ratios

CREATE VIEW observations AS
SELECT r.run_id, m.measurement_id, c.pattern, c.spec, c.spec_resolved, c.n, c.heads, c.kv_heads, c.dim,
       c.batch, c.dtype, c.direction, c.kernel, c.isa, c.threads, c.input, c.seed,
       x.name AS series, x.unit, s.rep, s.value, s.reason
FROM samples s
JOIN series x ON x.id = s.series
JOIN measurements m ON m.id = s.measurement
JOIN cells c ON c.id = m.cell
JOIN runs r ON r.id = m.run
WHERE m.status = 'finished';

CREATE VIEW failures AS
SELECT r.run_id, m.measurement_id, c.pattern, c.spec, c.spec_resolved, c.n, c.heads, c.kv_heads, c.dim,
       c.batch, c.dtype, c.direction, c.kernel, c.isa, c.threads, c.input, c.seed,
       m.started, m.finished, m.reason
FROM measurements m JOIN cells c ON c.id = m.cell JOIN runs r ON r.id = m.run
WHERE m.status = 'failed';

CREATE VIEW scalars AS
SELECT s.measurement, x.name, s.value, s.reason
FROM series x JOIN samples s ON s.series = x.id
WHERE s.rep = 0;

-- Medians are order statistics of the samples, and so is the interval that holds the true median with 95%
-- confidence: x(r) .. x(count+1-r) with r the largest rank that keeps P(Binomial(count, 1/2) < r) <= 2.5%
-- (1 below 6 samples, where no rank does). In closed form
--     r = max(1, floor((count+1)/2 - z/2 sqrt(count) + 0.23/sqrt(count))),   z/2 = 0.979982
-- which equals the exact rank for every count up to 3000 and those tried beyond.
CREATE VIEW measured AS
SELECT
    r.run_id, m.measurement_id, r.label, r.started AS run_started, m.started, m.finished, m.metrics,
    h.fingerprint AS host, h.model AS host_model, h.isa AS host_isa, h.cpus AS host_cpus, h.cores AS host_cores,
    b.version, b.revision, b.dirty, b.compiler, b.flags, b.mode, b.binary_hash, r.command, r.environment,
    c.pattern, c.spec, c.spec_resolved, c.n, c.heads, c.kv_heads, c.dim, c.batch, c.dtype, c.direction,
    c.kernel, c.isa, c.threads, c.input, c.seed, c.pairs_total,

    (SELECT value FROM scalars WHERE measurement = m.id AND name = 'lowering') AS lowering,
    (SELECT value FROM scalars WHERE measurement = m.id AND name = 'plan') AS plan,
    coalesce((SELECT value FROM scalars WHERE measurement = m.id AND name = 'lane'), 'time') AS lane,
    (SELECT value FROM scalars WHERE measurement = m.id AND name = 'inject') AS inject, -- share of the work repeated

    (SELECT avg(value) FROM
        (SELECT value, row_number() OVER (ORDER BY value) AS rank, count(*) OVER () AS count FROM samples
         WHERE measurement = m.id AND series = (SELECT id FROM series WHERE name = 'time_ns')
           AND value IS NOT NULL)
     WHERE rank IN ((count + 1) / 2, count / 2 + 1)) AS time_ns_median,
    (SELECT min(value) FROM samples
     WHERE measurement = m.id AND series = (SELECT id FROM series WHERE name = 'time_ns')) AS time_ns_min,
    (SELECT value FROM
        (SELECT value, row_number() OVER (ORDER BY value) AS rank, count(*) OVER () AS count FROM samples
         WHERE measurement = m.id AND series = (SELECT id FROM series WHERE name = 'time_ns')
           AND value IS NOT NULL)
     WHERE rank = max(1, CAST((count + 1) / 2.0 - 0.979981992 * sqrt(count) + 0.23 / sqrt(count) AS INTEGER)))
        AS time_ns_ci_lo,
    (SELECT value FROM
        (SELECT value, row_number() OVER (ORDER BY value DESC) AS rank, count(*) OVER () AS count FROM samples
         WHERE measurement = m.id AND series = (SELECT id FROM series WHERE name = 'time_ns')
           AND value IS NOT NULL)
     WHERE rank = max(1, CAST((count + 1) / 2.0 - 0.979981992 * sqrt(count) + 0.23 / sqrt(count) AS INTEGER)))
        AS time_ns_ci_hi,
    (SELECT count(value) FROM samples
     WHERE measurement = m.id AND series = (SELECT id FROM series WHERE name = 'time_ns')) AS time_ns_samples,

    (SELECT max(value) FROM samples
     WHERE measurement = m.id AND series = (SELECT id FROM series WHERE name = 'peak_gflops')) AS peak_gflops,

    (SELECT value FROM scalars WHERE measurement = m.id AND name = 'flops_useful') AS flops_useful,
    (SELECT value FROM scalars WHERE measurement = m.id AND name = 'flops_executed') AS flops_executed,
    (SELECT value FROM scalars WHERE measurement = m.id AND name = 'flops_measured') AS flops_measured,
    (SELECT value FROM scalars WHERE measurement = m.id AND name = 'workspace_bytes') AS workspace_bytes,
    (SELECT value FROM scalars WHERE measurement = m.id AND name = 'peak_rss_bytes') AS peak_rss_bytes,
    (SELECT value FROM scalars WHERE measurement = m.id AND name = 'bytes_model') AS bytes_model,
    (SELECT value FROM scalars WHERE measurement = m.id AND name = 'max_abs_err') AS max_abs_err,
    (SELECT value FROM scalars WHERE measurement = m.id AND name = 'rel_err') AS rel_err,
    (SELECT value FROM scalars WHERE measurement = m.id AND name = 'worst_row_err') AS worst_row_err,
    (SELECT value FROM scalars WHERE measurement = m.id AND name = 'rows_checked') AS rows_checked,
    (SELECT value FROM scalars WHERE measurement = m.id AND name = 'pattern_rel_err') AS pattern_rel_err,
    (SELECT value FROM scalars WHERE measurement = m.id AND name = 'pattern_mass') AS pattern_mass,
    (SELECT value FROM scalars WHERE measurement = m.id AND name = 'pattern_mass_min') AS pattern_mass_min,
    (SELECT value FROM scalars WHERE measurement = m.id AND name = 'pattern_mass_q01') AS pattern_mass_q01,
    (SELECT value FROM scalars WHERE measurement = m.id AND name = 'pattern_kl') AS pattern_kl,
    (SELECT value FROM scalars WHERE measurement = m.id AND name = 'empty_rows') AS empty_rows,
    (SELECT value FROM scalars WHERE measurement = m.id AND name = 'instructions') AS instructions,
    (SELECT value FROM scalars WHERE measurement = m.id AND name = 'data_reads') AS data_reads,
    (SELECT value FROM scalars WHERE measurement = m.id AND name = 'data_writes') AS data_writes,
    (SELECT json_group_object(substr(name, 9), value) FROM
        (SELECT name, value FROM scalars WHERE measurement = m.id AND name GLOB 'counter.*' ORDER BY name))
        AS counters,                               -- {"cycles": 123, "instructions": null}
    (SELECT json_group_object(substr(name, 9), value) FROM
        (SELECT name, value FROM scalars WHERE measurement = m.id AND name GLOB 'derived.*' ORDER BY name))
        AS derived,                                -- {"ipc": 2.1, "bytes_per_flop": null}
    (SELECT value FROM scalars WHERE measurement = m.id AND name = 'derived.ipc') AS ipc,
    (SELECT value FROM scalars WHERE measurement = m.id AND name = 'derived.cache_miss_rate') AS cache_miss_rate,
    (SELECT value FROM scalars WHERE measurement = m.id AND name = 'derived.bytes_per_flop') AS bytes_per_flop,
    (SELECT value FROM scalars WHERE measurement = m.id AND name = 'derived.flops_measured_over_model') AS flops_measured_over_model,
    (SELECT value FROM scalars WHERE measurement = m.id AND name = 'counters_status') AS counters_status,
    (SELECT value FROM scalars WHERE measurement = m.id AND name = 'counters_running') AS counters_running,
    (SELECT value FROM scalars WHERE measurement = m.id AND name = 'counters_scaled') AS counters_scaled,
    (SELECT value FROM scalars WHERE measurement = m.id AND name = 'counters_events') AS counters_events,
    (SELECT value FROM scalars WHERE measurement = m.id AND name = 'stop_reason') AS stop_reason,
    (SELECT json_group_object(name, reason) FROM
        (SELECT name, reason FROM scalars WHERE measurement = m.id AND reason IS NOT NULL ORDER BY name))
        AS reasons                                 -- {"flops_measured": "no PMU"}
FROM measurements m
JOIN cells c ON c.id = m.cell
JOIN runs r ON r.id = m.run
JOIN hosts h ON h.id = r.host
JOIN builds b ON b.id = r.build
WHERE m.status = 'finished';

-- Useful FLOPs over nanoseconds are GFLOP/s; useful over executed FLOPs is the tile utilisation; GFLOP/s over those
-- of the multiply-adds timed beside the samples (the best: what disturbs them only takes away) are the share of the
-- peak.
CREATE VIEW results AS
SELECT *,
    CASE pairs_total % (batch * heads)
        WHEN 0 THEN pairs_total / (batch * heads)
        ELSE 1.0 * pairs_total / (batch * heads) END AS pairs, -- of one head, the mean over heads
    flops_useful / time_ns_median AS gflops,
    flops_useful / time_ns_median / peak_gflops AS share_of_peak,
    1.0 * flops_useful / flops_executed AS tile_utilisation
FROM measured;

CREATE VIEW latest AS
SELECT * FROM results
WHERE measurement_id IN (
    SELECT measurement_id FROM (
        SELECT m.measurement_id, row_number() OVER (
            PARTITION BY m.cell, r.host ORDER BY m.finished DESC, m.measurement_id DESC) AS age
        FROM measurements m JOIN runs r ON r.id = m.run
        WHERE m.status = 'finished'
          AND NOT EXISTS (SELECT 1 FROM scalars WHERE measurement = m.id AND name IN ('lane', 'inject')))
    WHERE age = 1);

CREATE VIEW limits AS
SELECT host, name, isa, threads, unit, bytes, max(value) AS value, count(value) AS samples, min(reason) AS reason,
       run_id, started
FROM (SELECT h.fingerprint AS host, p.*, r.run_id, r.started,
             dense_rank() OVER (PARTITION BY r.host, p.name, p.isa, p.threads
                                ORDER BY r.started DESC, r.run_id DESC) AS age
      FROM peaks p JOIN runs r ON r.id = p.run JOIN hosts h ON h.id = r.host)
WHERE age = 1
GROUP BY host, name, isa, threads;
