-- masks of patterns from the literature, n = 64
-- needs: nothing; this picture is drawn from the definitions

WITH panels (panel, spec) AS (VALUES
    (1, 'sinks:s=4,k=12'), (2, 'dilated-local:k=6,step=3'), (3, 'longformer:k=8,g=2'),
    (4, 'bigbird:b=4'), (5, 'logsparse:k=2'), (6, 'doubling:k=4'),
    (7, 'butterfly:b=4'), (8, 'expander:d=3'), (9, 'vertical-slash:v=16,s=16,k=4'),
    (10, 'prefix:p=16,causal=0'), (11, 'documents:l1=20,l2=8,l3=12'), (12, 'phi3:b=4,local=3,stride=3'),
    (13, 'deepspeed-fixed:b=4,l=4'), (14, 'deepspeed-variable:b=4,w1=2,w2=4,w3=1'), (15, 'axial:w=8'),
    (16, 'natten2d:w=8,k=3,causal=0'), (17, 'natten3d:w=4,h=4,k=3,kt=3'), (18, 'swin:w=8,m=4,causal=0'))
SELECT p.spec AS series, p.panel, m.row, m.first, m.last FROM panels p, mask(p.spec, 64) m ORDER BY p.panel, m.row, m.first;

WITH panels (panel, spec) AS (VALUES
    (1, 'sinks:s=4,k=12'), (2, 'dilated-local:k=6,step=3'), (3, 'longformer:k=8,g=2'),
    (4, 'bigbird:b=4'), (5, 'logsparse:k=2'), (6, 'doubling:k=4'),
    (7, 'butterfly:b=4'), (8, 'expander:d=3'), (9, 'vertical-slash:v=16,s=16,k=4'),
    (10, 'prefix:p=16,causal=0'), (11, 'documents:l1=20,l2=8,l3=12'), (12, 'phi3:b=4,local=3,stride=3'),
    (13, 'deepspeed-fixed:b=4,l=4'), (14, 'deepspeed-variable:b=4,w1=2,w2=4,w3=1'), (15, 'axial:w=8'),
    (16, 'natten2d:w=8,k=3,causal=0'), (17, 'natten3d:w=4,h=4,k=3,kt=3'), (18, 'swin:w=8,m=4,causal=0'))
SELECT spec AS title, pattern_pairs(spec, 64) AS pairs FROM panels ORDER BY panel;
