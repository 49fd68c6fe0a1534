# Strips of points: x is the time over the fastest median of the pattern; the black mark is the strip's own median with its interval.
stats data using c_ratio nooutput name 'at_ratio'
strips = |strip_spec|
top = strip_position[1]; bottom = strip_position[strips]
height = 28 * (top - bottom + 1.6) + 100
eval canvas(860, height)
set bmargin at screen 84. / height; set tmargin at screen 1 - 12. / height
set lmargin at screen 150. / canvas_width; set rmargin at screen 1 - 70. / canvas_width
set border 1
unset ytics
set grid xtics
set yrange [bottom - 0.6 : top + 1.2]
x_max = at_ratio_max > 1.0001 ? at_ratio_max : 1.05
x_min = at_ratio_min < 0.9999 ? at_ratio_min : 0.95
set logscale x 2
set xrange [x_min / 1.03 : x_max * 1.03]
set format x (x_max / x_min > 4 ? '%.3g×' : '%.2f×')
if (x_max / x_min <= 1.6) { unset logscale x }
set xlabel 'time over the fastest median of the pattern'
eval note('points: samples, in the order taken upwards; black: median, 95% interval')
set arrow 1 from first 1, graph 0 to first 1, graph 1 nohead ls 100
do for [k = 1:strips] { set label 300 + k short(strip_spec[k]) at screen 12. / canvas_width, first strip_position[k] + 0.78 left font ',10' }
do for [k = 1:strips] { set label 400 + k strip_kernel[k] at graph 0, first strip_position[k] right offset character -0.8, 0 font ',9' tc rgb '#505050' }
do for [k = 1:strips] { set label 500 + k strip_time[k] at graph 1, first strip_position[k] left offset character 0.8, 0 font ',9' tc rgb '#303030' }
shade(style) = (int(style) - 1) % 8 + 1
set linetype 1 lc rgb '#707070' # not black: the median must be seen
do for [k = 1:strips] {
    set arrow 600 + k from first strip_lo[k], first strip_position[k] to first strip_hi[k], first strip_position[k] nohead front lc rgb '#000000' lw 2.5
    set arrow 700 + k from first strip_ratio[k], first strip_position[k] - 0.38 to first strip_ratio[k], first strip_position[k] + 0.38 nohead front lc rgb '#000000' lw 1.5
}
plot data using c_ratio:c_height:(shade(column(c_style))) with points lc variable pt 7 ps 0.25
