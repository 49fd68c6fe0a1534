-- What all plots start from, made anew for each program run in temporary tables.
--
--   shown    the newest measurement of each cell with the setting (heads, d, dtype, direction, threads, input,
--            seed) and on the machine of the newest measurement of all (a comparison with peers decides only where
--            there is nothing else); `style` numbers the specs from 1,
--            dense first, the same in every plot
--   curves   of these, one for each spec and n: where several of attnlab's kernels were measured, the fastest
--   kernels  of `shown`, attnlab's with a rate, as one curve for each spec and kernel: `curve` is its name, the spec alone
--            where there is one kernel; `place` 1 for the kernel that was fastest anywhere

CREATE TEMP TABLE IF NOT EXISTS shown AS
WITH last AS (SELECT * FROM latest ORDER BY label = 'peers', finished DESC, measurement_id DESC LIMIT 1)
SELECT l.*,
       dense_rank() OVER (ORDER BY
           CASE l.pattern WHEN 'dense' THEN 1 WHEN 'local' THEN 2 WHEN 'strided' THEN 3 WHEN 'fixed' THEN 4 ELSE 5 END,
           l.pattern, l.spec) AS style,
       4.0 * l.pairs_total * l.dim * CASE l.direction WHEN 'bwd' THEN 2.5 ELSE 1 END AS flops
FROM latest l JOIN last USING (host, heads, kv_heads, dim, batch, dtype, direction,
                               threads, input, seed);

CREATE TEMP TABLE IF NOT EXISTS curves AS
SELECT * FROM (
    SELECT *, row_number() OVER (PARTITION BY spec, n
                                 ORDER BY time_ns_median IS NULL, time_ns_median, finished DESC) AS place
    FROM shown WHERE isa <> 'external')
WHERE place = 1;

CREATE TEMP TABLE IF NOT EXISTS kernels AS
WITH ranked AS (
    SELECT spec, kernel, row_number() OVER (PARTITION BY spec ORDER BY max(flops / time_ns_median) DESC, kernel) AS place,
           count(*) OVER (PARTITION BY spec) AS rivals
    FROM shown WHERE time_ns_median > 0 AND flops > 0 AND isa <> 'external' GROUP BY spec, kernel)
SELECT s.*, r.place, s.spec || CASE WHEN r.rivals > 1 THEN ', ' || s.kernel ELSE '' END AS curve,
       flops / time_ns_median AS rate
FROM shown s JOIN ranked r USING (spec, kernel) WHERE s.time_ns_median > 0 AND s.flops > 0;

-- Arrays for all plots: what drew them, and for those of results where, from what source, and when.
SELECT program() AS program;

SELECT host_model || ', ' || host_cpus || ' CPUs · commit '
       || (SELECT group_concat(name, ', ') FROM (
               SELECT CASE revision WHEN '' THEN 'unknown' ELSE substr(revision, 1, 12) END || CASE WHEN max(dirty) THEN '+' ELSE '' END AS name
               FROM shown GROUP BY revision ORDER BY max(finished) DESC LIMIT 3))
       || ' · ' || (SELECT substr(max(finished), 1, 10) FROM shown) AS provenance,
       heads || CASE WHEN heads = 1 THEN ' head' ELSE ' heads' END
       || CASE WHEN kv_heads < heads THEN ' (' || kv_heads || ' of keys)' ELSE '' END
       || ', d = ' || dim || CASE WHEN batch > 1 THEN ', batch ' || batch ELSE '' END
       || ', ' || dtype
       || CASE direction WHEN 'fwd' THEN ', forward' WHEN 'bwd' THEN ', backward' ELSE ', ' || direction END
       || ', ' || threads || CASE WHEN threads = 1 THEN ' thread' ELSE ' threads' END || ', ' || input AS setting
FROM shown LIMIT 1;
