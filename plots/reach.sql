-- share of the causal pairs that some path joins after so many layers of one pattern, n = 1024
-- needs: nothing; this picture is drawn from the definitions

CREATE TEMP TABLE reach AS
WITH RECURSIVE steps (hop) AS (VALUES (1) UNION ALL SELECT hop + 1 FROM steps WHERE hop < 8),
specs (style, spec) AS (VALUES
    (1, 'local:k=64'), (2, 'strided:l=32'), (3, 'fixed:l=32,c=4'), (4, 'sinks:s=4,k=60'),
    (5, 'bigbird:b=32'), (6, 'logsparse:k=0'), (7, 'butterfly:b=32'), (8, 'dilated-local:k=16,step=4'))
SELECT style, spec, hop, 100.0 * pattern_reach(spec, 1024, hop) AS share FROM specs, steps;

SELECT spec AS series, hop, share, style FROM reach ORDER BY style, hop;

SELECT spec, style AS end_style, max(share) AS most, max(share) FILTER (WHERE hop = 1) AS first,
       coalesce(min(hop) FILTER (WHERE share >= 100), 0) AS hops_to_full
FROM reach GROUP BY style ORDER BY style;
