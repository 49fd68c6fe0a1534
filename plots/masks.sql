-- masks of the four families: which keys each query sees, n = 64
-- needs: nothing; this picture is drawn from the definitions

-- A panel is drawn in layers, so that a union shows its two parts.
WITH layers (series, panel, layer, spec) AS (VALUES
    ('dense', 1, 1, 'dense'),
    ('strided:l=8,head=local', 2, 1, 'strided:l=8,head=local'),
    ('strided:l=8,head=column', 3, 2, 'strided:l=8,head=column'),
    ('strided:l=8 a', 4, 1, 'strided:l=8,head=local'),
    ('strided:l=8 b', 4, 2, 'strided:l=8,head=column'),
    ('local:k=8', 5, 1, 'local:k=8'),
    ('fixed:l=8,c=2,head=block', 6, 1, 'fixed:l=8,c=2,head=block'),
    ('fixed:l=8,c=2,head=summary', 7, 2, 'fixed:l=8,c=2,head=summary'),
    ('fixed:l=8,c=2 a', 8, 2, 'fixed:l=8,c=2,head=summary'),
    ('fixed:l=8,c=2 b', 8, 1, 'fixed:l=8,c=2,head=block'))
SELECT l.series, l.panel, l.layer, m.row, m.first, m.last FROM layers l, mask(l.spec, 64) m
ORDER BY l.panel, l.series, m.row, m.first;

WITH panels (id, spec) AS (VALUES
    (1, 'dense'), (2, 'strided:l=8,head=local'), (3, 'strided:l=8,head=column'), (4, 'strided:l=8'),
    (5, 'local:k=8'), (6, 'fixed:l=8,c=2,head=block'), (7, 'fixed:l=8,c=2,head=summary'), (8, 'fixed:l=8,c=2'))
SELECT spec AS title, pattern_pairs(spec, 64) AS pairs, 100.0 * pattern_pairs(spec, 64) / pattern_pairs('dense', 64) AS share
FROM panels ORDER BY id;
