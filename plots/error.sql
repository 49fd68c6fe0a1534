-- pattern error and attention mass kept against cost, both relative to dense attention
-- needs: attnlab run -p dense -p local -n 1k:16k*2 --metrics flops,accuracy --input text:/usr/share/common-licenses

CREATE TEMP TABLE costs AS
SELECT *, 100.0 * pairs_total / (pattern_pairs(CASE WHEN spec LIKE '%causal=0%' THEN 'dense:causal=0' ELSE 'dense' END, n)
                                 * heads * batch) AS cost
FROM curves WHERE pattern_rel_err IS NOT NULL OR pattern_mass IS NOT NULL;

SELECT spec AS series, n, cost, pattern_rel_err AS error, pattern_mass AS mass,
       CASE WHEN n IN (max(n) OVER one, min(n) OVER one) AND max(cost) OVER one > 1.2 * min(cost) OVER one
            THEN CASE WHEN n >= 1024 AND n % 1024 = 0 THEN (n / 1024) || 'k' ELSE n END ELSE '' END AS tag,
       style
FROM costs WINDOW one AS (PARTITION BY spec) ORDER BY style, n;

SELECT spec, style AS end_style FROM curves WHERE pattern_rel_err IS NOT NULL OR pattern_mass IS NOT NULL
GROUP BY style ORDER BY style;

-- The Pareto front of the largest n: patterns that no cheaper or equally dear one beats. Two points and more, or none.
CREATE TEMP TABLE front AS
SELECT n, cost, pattern_rel_err AS error FROM costs AS c
WHERE n = (SELECT max(n) FROM costs) AND pattern_rel_err IS NOT NULL
      AND NOT EXISTS (SELECT 1 FROM costs AS other WHERE other.n = c.n AND other.cost <= c.cost AND other.pattern_rel_err <= c.pattern_rel_err
                      AND (other.cost < c.cost OR other.pattern_rel_err < c.pattern_rel_err));
SELECT cost AS front_cost, error AS front_error, n AS front_n FROM front WHERE (SELECT count(*) FROM front) > 1 ORDER BY cost;
