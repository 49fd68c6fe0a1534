-- share of the causal pairs that patterns keep, against n
-- needs: nothing; this picture is drawn from the definitions

CREATE TEMP TABLE density AS
WITH RECURSIVE lengths (n) AS (VALUES (256) UNION ALL SELECT 2 * n FROM lengths WHERE n < 65536),
specs (style, spec) AS (VALUES
    (1, 'local:k=128'), (2, 'strided:l=sqrt(n)'), (3, 'fixed:l=sqrt(n),c=8'), (4, 'sinks:s=4,k=252'),
    (5, 'bigbird:b=64'), (6, 'logsparse:k=0'), (7, 'butterfly:b=32'), (8, 'axial'))
SELECT style, spec, n, 100.0 * pattern_pairs(spec, n) / (0.5 * n * (n + 1)) AS share FROM specs, lengths;

SELECT spec AS series, n, share, style FROM density WHERE share IS NOT NULL ORDER BY style, n;

SELECT spec, style AS end_style, max(n) AS end_x, share AS end_y FROM density WHERE share IS NOT NULL GROUP BY style ORDER BY style;
