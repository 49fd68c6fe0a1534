-- time of a forward pass against n, with fitted slopes
-- needs: attnlab run -p dense -p local -n 1k:16k*2 --metrics time

SELECT spec AS series, n, time_ns_median / 1e9 AS y, coalesce(time_ns_ci_lo, time_ns_median) / 1e9 AS lo,
       coalesce(time_ns_ci_hi, time_ns_median) / 1e9 AS hi, style
FROM curves WHERE time_ns_median > 0 ORDER BY style, n;

SELECT spec, style AS end_style, count(*) AS points, min(n) AS begin_x, max(n) AS end_x,
       fit_at(n, y, least) AS begin_y, fit_at(n, y, most) AS end_y,
       fit_slope(n, y) AS slope, fit_lo(n, y) AS slope_lo, fit_hi(n, y) AS slope_hi,
       max(y) AS highest
FROM (SELECT *, time_ns_median / 1e9 AS y, min(n) OVER one AS least, max(n) OVER one AS most
      FROM curves WHERE time_ns_median > 0 WINDOW one AS (PARTITION BY spec))
GROUP BY style ORDER BY style;
