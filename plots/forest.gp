# One line a cell: the median of the ratios of its blocks, its interval, what it is, and the verdict. The band is the threshold, 1%.
lines = |line_spec|
height = 26 * (lines + 1.2) + 96
eval canvas(900, height)
set bmargin at screen 84. / height; set tmargin at screen 1 - 14. / height
set lmargin at screen 0.27; set rmargin at screen 0.68
set border 1
unset ytics
set grid xtics
set yrange [-lines - 0.8 : -0.2]
x_max = most[1] > 1.02 ? most[1] : 1.02
x_min = least[1] < 0.98 ? least[1] : 0.98
set logscale x 2
if (x_max / x_min <= 1.6) { unset logscale x }
set xrange [x_min / 1.02 : x_max * 1.02]
set xtics autofreq
if (x_max / x_min > 40) { set xtics 2. ** -20, 4 } # every second power of two
set format x (x_max / x_min > 4 ? '%.3g×' : '%.2f×')
# Kernels are named once where they are the same in all lines.
kernels_differ = 0
do for [k = 2:lines] { if (line_kernels[k] ne line_kernels[1]) { kernels_differ = 1 } }
set xlabel sprintf('time of %s over that of %s', short(arm_b[1]), short(arm_a[1])).(kernels_differ || !strlen(line_kernels[1]) ? '' : ' ('.line_kernels[1].')')
eval note('median over blocks, 95% interval of the sign test; band: 1%')
set object 1 rectangle from first 1 / 1.01, graph 0 to first 1.01, graph 1 fillcolor rgb '#ececec' fillstyle solid noborder behind
set arrow 1 from first 1, graph 0 to first 1, graph 1 nohead ls 100
do for [k = 1:lines] {
    same = k > 1 ? line_spec[k] eq line_spec[k - 1] : 0
    called = (same ? '' : short(line_spec[k])).'   '.line_n[k]
    set label 300 + k called at graph 0, first line_position[k] right offset character -0.8, 0 font ',9'
    set label 500 + k line_said[k] at graph 1, first line_position[k] left offset character 0.8, 0 font ',9' tc lt line_style[k]
    if (kernels_differ && strlen(line_kernels[k])) { set label 700 + k line_kernels[k] at graph 0, first line_position[k] left offset character 0.6, character 0.7 font ',7' tc rgb '#707070' }
}
array verdicts[4] = [2, 3, 4, 8] # each with the point of its style
plot for [k = 1:4] data using (column(c_style) == verdicts[k] ? column(c_ratio) : NaN):c_position:c_lo:c_hi with xerrorbars lt verdicts[k] dt 1 lw 1.6
