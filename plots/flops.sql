-- useful FLOPs against n from exact pair counts, with slopes and growth classes
-- needs: attnlab run -p dense -p local -n 1k:16k*2 --metrics flops

SELECT spec AS series, n, flops AS y, style FROM curves WHERE flops > 0 ORDER BY style, n;

SELECT spec, style AS end_style, min(n) AS begin_x, max(n) AS end_x,
       min(flops) AS begin_y, max(flops) AS end_y, fit_slope(n, flops) AS slope,
       coalesce(pattern_class(spec), '?') AS class
FROM curves WHERE flops > 0 GROUP BY style ORDER BY style;
