# Each point is held against a peak of its own seconds, measured with the threads and instruction set of its kernel.
eval canvas(860, 540)
stats data using c_n nooutput name 'at_n'
stats data using c_y nooutput name 'at_y'
set xlabel 'sequence length n'
set ylabel 'share of the multiply-add peak'
set format y '%g%%'
# Above 100%: a busy machine gave the kernel what it refused the multiply-adds.
y_min = 0; y_max = at_y_max > 160 ? 160 : at_y_max > 100 ? at_y_max * 1.05 : at_y_max > 70 ? 105 : at_y_max * 1.3
set yrange [y_min : y_max]
if (y_max > 100) { set arrow 1 from graph 0, first 100 to graph 1, first 100 nohead ls 100 }
eval axis_n(at_n_min, at_n_max)
ends = |spec|
level(y) = (y - y_min) / (y_max - y_min)
one_line = 0.05 / shrink < 0.96 / ends ? 0.05 / shrink : 0.96 / ends
gap = ends > 11 ? one_line : 0.085
lift = 2.2
label_text(k) = short(spec[k]).(ends > 11 ? '' : sprintf("\n%.0f%% of ", end_y[k]).rate_text(end_peak[k]))
longest = 24
do for [k = 1:ends] { longest = strlen(short(spec[k])) > longest ? strlen(short(spec[k])) : longest }
set rmargin at screen 1 - (longest * 6 + 30.) / canvas_width
set lmargin at screen beside(0.1); set bmargin at screen 0.175; set tmargin at screen 0.95
eval label_curves
eval note('peak: multiply-adds out of registers, beside each point')
plot for [k = 0:blocks - 1] data index k using c_n:c_y with linespoints lt end_style[k + 1] lw end_width[k + 1]
