-- useful GFLOP/s by pattern and kernel, at the largest n each was measured at
-- needs: attnlab run -p dense -p local -n 4k --metrics time

-- One bar for each pattern and kernel, from the top down, patterns a space apart.
WITH bars AS (
    SELECT spec, style, kernel, isa, n, flops / time_ns_median AS rate, flops / coalesce(time_ns_ci_hi, time_ns_median) AS lo,
           flops / coalesce(time_ns_ci_lo, time_ns_median) AS hi
    FROM (SELECT *, row_number() OVER (PARTITION BY spec, kernel ORDER BY n DESC) AS place
          FROM shown WHERE time_ns_median > 0 AND flops > 0)
    WHERE place = 1)
SELECT rate, lo, hi, style,
       -(row_number() OVER (ORDER BY style, rate DESC, kernel) + 0.7 * style) AS position,
       row_number() OVER (PARTITION BY style ORDER BY rate DESC, kernel) AS place,
       CASE WHEN row_number() OVER (PARTITION BY style ORDER BY rate DESC, kernel) = 1 THEN spec ELSE '' END AS spec,
       kernel || ', n = ' || CASE WHEN n >= 1024 AND n % 1024 = 0 THEN (n / 1024) || 'k' ELSE n END AS kernel
FROM bars ORDER BY position DESC LIMIT 60;
