# Everything a plan allocates for running, over all threads.
eval canvas(860, 540)
set xlabel 'sequence length n'
set ylabel 'workspace of a plan'
eval scaling
eval axis_bytes(at_y_min / 2, at_y_max)
eval label_curves
eval label_references
plot for [k = 1:3] reference(x, ref_p[k]) with lines ls 100, \
     for [k = 0:blocks - 1] data index k using c_n:c_y with linespoints lt end_style[k + 1]
