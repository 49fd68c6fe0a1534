-- ratios of the two labels measured last, cell by cell, with their intervals and verdicts
-- needs: attnlab run -p dense -p local -n 1k,4k --processes 8 --label before, and again with --label after

CREATE TEMP TABLE arms AS
WITH labels AS (SELECT label, max(finished) AS finished FROM results WHERE label <> '' AND lane = 'time' GROUP BY label
                ORDER BY max(finished) DESC, label DESC LIMIT 2)
SELECT (SELECT label FROM labels ORDER BY finished, label LIMIT 1) AS a, (SELECT label FROM labels ORDER BY finished DESC, label DESC LIMIT 1) AS b
WHERE (SELECT count(*) FROM labels) = 2;

CREATE TEMP TABLE forest AS
SELECT value ->> 'spec' AS spec, value ->> 'n' AS n, value ->> 'kernel_a' AS kernel_a, value ->> 'kernel_b' AS kernel_b,
       value ->> 'ratio' AS ratio, value ->> 'lo' AS lo, value ->> 'hi' AS hi, value ->> 'verdict' AS verdict, value ->> 'blocks' AS blocks
FROM arms, json_each(comparison_json(a, b)) WHERE (value ->> 'ratio') IS NOT NULL;

-- One line a cell, from the top down; lines of one pattern stand together.
CREATE TEMP TABLE forest_lines AS
SELECT *, -(row_number() OVER (ORDER BY spec, n, kernel_b)) AS position,
       CASE verdict WHEN 'regressed' THEN 3 WHEN 'improved' THEN 4 WHEN 'pass' THEN 2 ELSE 8 END AS style
FROM forest ORDER BY spec, n, kernel_b LIMIT 40;

SELECT ratio, coalesce(lo, ratio) AS lo, coalesce(hi, ratio) AS hi, position, style FROM forest_lines ORDER BY position DESC;

SELECT spec AS line_spec, CASE WHEN n >= 1024 AND n % 1024 = 0 THEN (n / 1024) || 'k' ELSE n END AS line_n, position AS line_position,
       CASE WHEN kernel_a = kernel_b THEN '' ELSE kernel_b || ' / ' || kernel_a END AS line_kernels,
       printf('%.3f', ratio) || CASE WHEN lo IS NULL THEN '' ELSE printf('  [%.3f, %.3f]', lo, hi) END || '  ' || verdict AS line_said, style AS line_style
FROM forest_lines ORDER BY position DESC;

SELECT a AS arm_a, b AS arm_b, (SELECT min(min(ratio, coalesce(lo, ratio))) FROM forest_lines) AS least,
       (SELECT max(max(ratio, coalesce(hi, ratio))) FROM forest_lines) AS most FROM arms;
