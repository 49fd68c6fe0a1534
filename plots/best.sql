-- the fastest kernel by pattern and n, with its rate and its lead over the next one
-- needs: attnlab run -p dense -p local -n 1k:4k*2 --kernel avx2, and again with --kernel portable

-- A tile for each pattern (rows, from the top down) and n (columns, one each, whatever lies between them). A lead is certain where
-- the 95% intervals of the two medians, of six samples at least, lie apart.
CREATE TEMP TABLE IF NOT EXISTS tiles AS
WITH ranked AS (
    SELECT spec, style, n, kernel, flops / time_ns_median AS rate,
           row_number() OVER one AS place, lead(time_ns_median) OVER one / time_ns_median AS lead,
           time_ns_samples >= 6 AND lead(time_ns_samples) OVER one >= 6
           AND time_ns_ci_hi < lead(time_ns_ci_lo) OVER one AS certain
    FROM shown WHERE time_ns_median > 0 AND flops > 0 AND isa <> 'external'
    WINDOW one AS (PARTITION BY spec, n ORDER BY time_ns_median, kernel)),
colours AS (
    SELECT kernel, row_number() OVER (ORDER BY count(*) DESC, kernel) AS colour FROM ranked WHERE place = 1 GROUP BY kernel)
SELECT spec, n, dense_rank() OVER (ORDER BY n) AS across, -dense_rank() OVER (ORDER BY style, spec) AS position,
       kernel, colour, rate, lead, certain
FROM ranked JOIN colours USING (kernel) WHERE place = 1;

SELECT across, position, colour, kernel, round(rate, 3) AS rate,
       CASE WHEN lead IS NULL THEN 'no rival' ELSE printf('%.2f× the next', lead) || CASE WHEN certain THEN '' ELSE '?' END END AS lead
FROM tiles WHERE across <= 12 AND position >= -24 ORDER BY position DESC, across;

SELECT spec AS row_spec, position AS row_position FROM tiles WHERE position >= -24 GROUP BY position ORDER BY position DESC;

SELECT n AS column_n FROM tiles WHERE across <= 12 GROUP BY n ORDER BY n;
