# Points are medians with their 95% intervals; lines are power laws fitted to them.
eval canvas(860, 540)
set xlabel 'sequence length n'
set ylabel 'time of a run, median'
set format y '%.0s %cs'
eval scaling
eval note('bars and brackets: 95% intervals')
plot for [k = 1:3] reference(x, ref_p[k]) with lines ls 100, \
     for [k = 1:ends] [begin_x[k]:end_x[k]] fitted(x, k) with lines lt end_style[k], \
     for [k = 0:blocks - 1] data index k using c_n:c_y:c_lo:c_hi with yerrorbars lt end_style[k + 1] dt 1 lw 1
