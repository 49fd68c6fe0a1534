-- share of the machine's peak against n: useful GFLOP/s over multiply-adds timed beside them
-- needs: attnlab run -p dense -p local -n 1k:16k*2 --metrics time,flops

SELECT curve AS series, n, 100 * share_of_peak AS y, style FROM kernels WHERE share_of_peak > 0 ORDER BY style, place, n;

SELECT curve AS spec, style AS end_style, CASE place WHEN 1 THEN 1.4 ELSE 0.7 END AS end_width, max(n) AS end_x,
       end_y, kernel AS end_kernel, peak AS end_peak
FROM (SELECT *, 100 * last_value(share_of_peak) OVER one AS end_y, last_value(peak_gflops) OVER one AS peak
      FROM kernels WHERE share_of_peak > 0
      WINDOW one AS (PARTITION BY curve ORDER BY n ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING))
GROUP BY curve ORDER BY style, place;
