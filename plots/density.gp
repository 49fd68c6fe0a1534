# Counts are exact: lines that join the points, each named at its end.
eval canvas(820, 500)
set label 1 (size eq 'wide' ? program[1] : '')
set lmargin at screen beside(0.11)
set rmargin at screen 0.76
set bmargin at screen 0.17
set tmargin at screen 0.95
ends = |spec|
n_max = 65536
eval axis_n(256, 65536)
eval axis_y(0.02, 100 / 1.6)
set ytics ('0.01%%' 0.01, '0.1%%' 0.1, '1%%' 1, '10%%' 10, '100%%' 100)
set xlabel 'sequence length n'
set ylabel 'pairs, of the causal n(n + 1)/2'
gap = 0.05 / shrink
label_text(k) = short(spec[k])
eval label_curves
plot for [k = 0:blocks - 1] data index k using c_n:c_share with linespoints lt end_style[k + 1]
