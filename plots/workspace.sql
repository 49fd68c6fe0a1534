-- workspace of the kernels against n: exact, with slopes
-- needs: attnlab run -p dense -p local -n 1k:16k*2 --metrics memory

SELECT spec AS series, n, workspace_bytes AS y, style FROM curves WHERE workspace_bytes > 0 ORDER BY style, n;

SELECT spec, style AS end_style, min(n) AS begin_x, max(n) AS end_x,
       min(workspace_bytes) AS begin_y, max(workspace_bytes) AS end_y, fit_slope(n, workspace_bytes) AS slope,
       NULL AS slope_lo, NULL AS slope_hi
FROM curves WHERE workspace_bytes > 0 GROUP BY style ORDER BY style;
