-- every sample of the time, pattern by pattern and kernel by kernel, at the largest n each pattern was measured at
-- needs: attnlab run -p dense -p local -n 4k --kernel avx2, and again with --kernel portable

-- A strip for each pattern and kernel, from the top down. Times are held against the median of the fastest kernel of the pattern.
-- Fewer than six samples have no interval of 95%.
CREATE TEMP TABLE IF NOT EXISTS strips AS
WITH largest AS (
    SELECT *, max(n) OVER (PARTITION BY spec) AS most FROM shown WHERE time_ns_median > 0)
SELECT measurement_id, spec, style, n, kernel, time_ns_median,
       CASE WHEN time_ns_samples >= 6 THEN time_ns_ci_lo END AS lo, CASE WHEN time_ns_samples >= 6 THEN time_ns_ci_hi END AS hi,
       min(time_ns_median) OVER (PARTITION BY spec) AS least,
       row_number() OVER (PARTITION BY spec ORDER BY time_ns_median, kernel) AS place,
       -(row_number() OVER (ORDER BY style, spec, time_ns_median, kernel) + dense_rank() OVER (ORDER BY style, spec)) AS position
FROM largest WHERE n = most;

-- Samples lie in the strip in the order they were taken, from its lower edge to the upper one: a drift shows as a slope.
-- Of a strip with more than 400 every k-th is drawn.
SELECT s.spec || ' ' || s.kernel AS series, round(o.value / s.least, 5) AS ratio,
       round(s.position - 0.3 + 0.6 * (o.rep + 0.5) / o.count, 3) AS height, s.style
FROM (SELECT *, row_number() OVER (ORDER BY position DESC) AS line FROM strips) s
JOIN (SELECT measurement_id, rep, value, count(*) OVER (PARTITION BY measurement_id) AS count
      FROM observations WHERE series = 'time_ns' AND value > 0) o USING (measurement_id)
WHERE s.line <= 30 AND o.rep % ((o.count + 399) / 400) = 0 ORDER BY s.position DESC, o.rep;

SELECT CASE place WHEN 1 THEN spec || ', n = ' || CASE WHEN n >= 1024 AND n % 1024 = 0 THEN (n / 1024) || 'k' ELSE n END ELSE '' END AS strip_spec,
       substr(kernel, 1, 24) AS strip_kernel, position AS strip_position, time_ns_median / least AS strip_ratio,
       coalesce(lo, time_ns_median) / least AS strip_lo, coalesce(hi, time_ns_median) / least AS strip_hi,
       CASE WHEN time_ns_median < 999.5e3 THEN printf('%.3g µs', time_ns_median / 1e3) WHEN time_ns_median < 999.5e6 THEN printf('%.3g ms', time_ns_median / 1e6)
            ELSE printf('%.3g s', time_ns_median / 1e9) END AS strip_time
FROM strips ORDER BY position DESC LIMIT 30;
