-- what the processor and the kernel counted, against n: hardware counters where there are any
-- needs: attnlab run -p dense -p local -n 1k:16k*2 --metrics time,counters

-- Means of the samples of a run. Up to four panels are drawn, hardware first.
CREATE TEMP TABLE IF NOT EXISTS counted AS
WITH means AS (
    SELECT c.spec, c.style, c.n, c.pairs_total, c.time_ns_median, o.series, avg(o.value) AS value
    FROM curves c JOIN observations o USING (measurement_id)
    WHERE (o.series GLOB 'counter.*' OR o.series GLOB 'derived.*') AND o.value IS NOT NULL GROUP BY c.measurement_id, o.series),
wide AS (
    SELECT spec, style, n, pairs_total AS pairs, time_ns_median AS time,
           max(value) FILTER (WHERE series = 'counter.cycles') AS cycles,
           max(value) FILTER (WHERE series = 'counter.instructions') AS instructions,
           max(value) FILTER (WHERE series = 'counter.branches') AS branches,
           max(value) FILTER (WHERE series = 'counter.branch_misses') AS branch_misses,
           max(value) FILTER (WHERE series = 'counter.cache_misses') AS cache_misses,
           max(value) FILTER (WHERE series = 'derived.bytes_per_flop') AS bytes_per_flop,
           max(value) FILTER (WHERE series = 'derived.flops_measured_over_model') AS over_model,
           max(value) FILTER (WHERE series = 'counter.task_clock_ns') AS task_clock,
           max(value) FILTER (WHERE series = 'counter.page_faults') AS page_faults,
           max(value) FILTER (WHERE series = 'counter.context_switches') AS context_switches
    FROM means GROUP BY spec, n),
long AS (
    SELECT 1 AS panel, 'instructions per cycle' AS title, spec, style, n, instructions / cycles AS y FROM wide
    UNION ALL SELECT 2, 'cache misses per 1000 pairs', spec, style, n, 1000 * cache_misses / pairs FROM wide
    UNION ALL SELECT 3, 'bytes from memory per FLOP', spec, style, n, bytes_per_flop FROM wide
    UNION ALL SELECT 4, 'FLOPs counted, over those of the model', spec, style, n, over_model FROM wide
    UNION ALL SELECT 5, 'cycles per pair', spec, style, n, cycles / pairs FROM wide
    UNION ALL SELECT 6, 'branch misses per 1000 branches', spec, style, n, 1000 * branch_misses / branches FROM wide
    UNION ALL SELECT 7, 'CPUs busy: task clock over time', spec, style, n, task_clock / time FROM wide
    UNION ALL SELECT 8, 'CPU time per pair (ns)', spec, style, n, task_clock / pairs FROM wide
    UNION ALL SELECT 9, 'page faults per run', spec, style, n, page_faults FROM wide
    UNION ALL SELECT 10, 'context switches per run', spec, style, n, context_switches FROM wide)
SELECT *, dense_rank() OVER (ORDER BY panel) AS place FROM long WHERE y IS NOT NULL;

SELECT place || ' ' || spec AS series, n, y, style, place FROM counted WHERE place <= 4 ORDER BY place, style, n;

SELECT title AS panel_title, min(y) AS panel_least, max(y) AS panel_most FROM counted WHERE place <= 4
GROUP BY place ORDER BY place;

SELECT place AS block_panel, style AS block_style FROM counted WHERE place <= 4
GROUP BY place, style ORDER BY place, style;

SELECT spec, style AS end_style FROM counted WHERE place <= 4 GROUP BY style ORDER BY style;

-- Why hardware counters are missing, where they are.
SELECT coalesce((SELECT min(o.reason) FROM curves c JOIN observations o USING (measurement_id)
                 WHERE o.series = 'counter.instructions' AND o.value IS NULL), '') AS reason;
