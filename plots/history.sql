-- time of the same cells from commit to commit, with the levels and the points where they changed
-- needs: attnlab run -p dense -n 4k --metrics time, at several commits

-- The eight cells with most points, those with a change first; a panel each.
CREATE TEMP TABLE points AS
SELECT value ->> 'series' AS cell, value ->> 'style' AS id, value ->> 'at' AS visit, value ->> 'value' AS value, value ->> 'level' AS level,
       value ->> 'change' AS change, substr(value ->> 'revision', 1, 7) AS revision
FROM json_each(history_json());

CREATE TEMP TABLE panels AS
SELECT id, cell, row_number() OVER (ORDER BY count(change) DESC, count(*) DESC, id) AS panel, count(*) AS visits, min(value) AS least, max(value) AS most
FROM points GROUP BY id HAVING count(*) > 1 ORDER BY panel LIMIT 8;

SELECT p.cell AS series, p.visit, p.value / 1e9 AS y, coalesce(p.level, (SELECT avg(value) FROM points WHERE id = p.id)) / 1e9 AS level, g.panel
FROM points p JOIN panels g USING (id) ORDER BY g.panel, p.visit;

SELECT cell AS panel_cell, visits AS panel_visits, least / 1e9 AS panel_least, most / 1e9 AS panel_most,
       (SELECT revision FROM points WHERE id = panels.id ORDER BY visit LIMIT 1) AS panel_first,
       (SELECT revision FROM points WHERE id = panels.id ORDER BY visit DESC LIMIT 1) AS panel_last
FROM panels ORDER BY panel;

SELECT g.panel AS change_panel, p.visit AS change_at, printf('%+.1f%%', 100 * p.change) || ' at ' || CASE p.revision WHEN '' THEN 'visit ' || p.visit ELSE p.revision END AS change_said,
       CASE WHEN p.change > 0 THEN 3 ELSE 4 END AS change_style
FROM points p JOIN panels g USING (id) WHERE p.change IS NOT NULL AND abs(p.change) < 1e9
UNION ALL SELECT 0, 0, '', 1 ORDER BY 1, 2;
