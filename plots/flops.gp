# Counts are exact: no intervals, and lines that join the points.
eval canvas(860, 540)
set xlabel 'sequence length n'
set ylabel 'useful floating-point operations of a run'
set format y '%.0s %c'
eval scaling
plot for [k = 1:3] reference(x, ref_p[k]) with lines ls 100, \
     for [k = 0:blocks - 1] data index k using c_n:c_y with linespoints lt end_style[k + 1]
