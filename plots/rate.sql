-- useful GFLOP/s by pattern, kernel and dtype, at the largest n each was measured at
-- needs: attnlab run -p dense -p local -n 4k --metrics time

-- One bar for each pattern, kernel and dtype, from the top down, patterns a space apart. As `shown`, but of all dtypes; a dtype is named where there
-- are several.
CREATE TEMP TABLE rated AS
SELECT l.*, 4.0 * l.pairs_total * l.dim * CASE l.direction WHEN 'bwd' THEN 2.5 ELSE 1 END AS flops
FROM latest l JOIN (SELECT host, heads, kv_heads, dim, batch, direction, threads, input, seed FROM shown LIMIT 1)
     USING (host, heads, kv_heads, dim, batch, direction, threads, input, seed)
WHERE time_ns_median > 0;

WITH bars AS (
    SELECT spec, coalesce((SELECT style FROM shown WHERE shown.spec = latest_of.spec LIMIT 1), (SELECT max(style) FROM shown) + 1) AS style,
           kernel || CASE WHEN (SELECT count(DISTINCT dtype) FROM rated) > 1 THEN ' ' || dtype ELSE '' END AS kernel,
           n, flops / time_ns_median AS rate, flops / coalesce(time_ns_ci_hi, time_ns_median) AS lo,
           flops / coalesce(time_ns_ci_lo, time_ns_median) AS hi
    FROM (SELECT *, row_number() OVER (PARTITION BY spec, kernel, dtype ORDER BY n DESC) AS place FROM rated WHERE flops > 0) AS latest_of
    WHERE place = 1)
SELECT rate, lo, hi, style,
       -(row_number() OVER (ORDER BY style, rate DESC, kernel) + 0.7 * style) AS position,
       row_number() OVER (PARTITION BY style ORDER BY rate DESC, kernel) AS place,
       CASE WHEN row_number() OVER (PARTITION BY style ORDER BY rate DESC, kernel) = 1 THEN spec ELSE '' END AS spec,
       kernel || ', n = ' || CASE WHEN n >= 1024 AND n % 1024 = 0 THEN (n / 1024) || 'k' ELSE n END AS kernel
FROM bars ORDER BY position DESC LIMIT 60;

-- For the caption, whose setting has one dtype.
SELECT (SELECT dtype FROM shown LIMIT 1) AS one_dtype, (SELECT group_concat(dtype, ' and ') FROM (SELECT DISTINCT dtype FROM rated ORDER BY dtype)) AS all_dtypes;
