-- peak resident memory against n, with fitted slopes
-- needs: attnlab run -p dense -p local -n 1k:16k*2 --metrics memory

SELECT spec AS series, n, peak_rss_bytes AS y, style FROM curves WHERE peak_rss_bytes > 0 ORDER BY style, n;

-- The slope is that of what grows: the part that does not (program, libraries, stacks) is taken as what tensors and
-- workspace leave unexplained, on average.
WITH known AS (
    SELECT *, peak_rss_bytes - workspace_bytes
              - (SELECT value FROM observations o
                 WHERE o.measurement_id = c.measurement_id AND o.series = 'tensors_bytes' AND o.rep = 0) AS rest
    FROM curves c WHERE peak_rss_bytes > 0),
growing AS (SELECT *, peak_rss_bytes - max(0, coalesce(avg(rest) OVER (PARTITION BY spec), 0)) AS y FROM known)
SELECT spec, style AS end_style, min(n) AS begin_x, max(n) AS end_x,
       min(peak_rss_bytes) AS begin_y, max(peak_rss_bytes) AS end_y,
       fit_slope(n, y) AS slope, fit_lo(n, y) AS slope_lo, fit_hi(n, y) AS slope_hi
FROM growing GROUP BY style ORDER BY style;
