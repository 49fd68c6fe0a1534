-- roofline: GFLOP/s against arithmetic intensity, under the measured ceilings of the machine
-- needs: attnlab run -p dense -p local -n 1k:16k*2 --metrics time,flops,memory; ceilings: attnlab doctor --peaks --db FILE

-- Bytes are those that must move: each tensor once. What a kernel reads again comes out of caches, hence their lines.
CREATE TEMP TABLE IF NOT EXISTS roofed AS
SELECT curve, style, place, n, isa, kernel, 1.0 * flops / bytes_model AS x, rate AS y,
       last_value(n) OVER one AS last_n, first_value(n) OVER one AS first_n
FROM kernels WHERE bytes_model > 0
WINDOW one AS (PARTITION BY curve ORDER BY n ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING);

SELECT curve AS series, n, x, y, style FROM roofed ORDER BY style, place, n;

SELECT curve AS spec, style AS end_style, CASE place WHEN 1 THEN 1.4 ELSE 0.7 END AS end_width, x AS end_x, y AS end_y,
       n AS end_n
FROM roofed WHERE n = last_n ORDER BY style, place;

-- Ceilings of this machine with this number of threads: multiply-adds of the kernels shown, and bandwidths.
SELECT CASE name WHEN 'fma.f32' THEN 'fp32 ' || isa WHEN 'fma.f16' THEN 'fp16 ' || isa ELSE 'bf16 ' || isa END AS roof_name,
       value AS roof_value
FROM limits WHERE host = (SELECT host FROM shown LIMIT 1) AND threads = (SELECT threads FROM shown LIMIT 1)
              AND unit = 'GFLOP/s' AND value > 0 AND isa IN (SELECT isa FROM roofed)
ORDER BY value;

SELECT CASE name WHEN 'read.l1' THEN 'L1' WHEN 'read.l2' THEN 'L2' WHEN 'read.l3' THEN 'L3' ELSE 'memory' END AS band_name,
       value AS band_value
FROM limits WHERE host = (SELECT host FROM shown LIMIT 1) AND threads = (SELECT threads FROM shown LIMIT 1)
              AND name GLOB 'read.*' AND value > 0
ORDER BY value;
