# Horizontal bars: the fastest kernel of a pattern in full colour, others lighter. Text beside each bar.
stats data using c_position nooutput name 'at'
stats data using c_hi nooutput name 'rate'
plot_height = 24 * (at_max - at_min + 1)
height = plot_height + 100
eval canvas(860, height)
set bmargin at screen 84. / height
one = ', '.one_dtype[1].','
at = strstrt(setting[1], one)
if (at && size eq 'wide') { set label 1 provenance[1]."\n".setting[1][1:at + 1].all_dtypes[1].setting[1][at + strlen(one) - 1:*] }
set tmargin at screen 1 - 16. / height
set lmargin at screen 0.22
set rmargin at screen 0.96
set border 1
set yrange [at_min - 0.7 : at_max + 0.7]
beyond = 1 / (1 - 165. / (0.74 * canvas_width)) # room for a bar's text
set xrange [0 : rate_max > 0 ? rate_max * beyond : 1]
unset ytics
set grid xtics
set xlabel 'useful GFLOP/s (median, 95% interval)'
eval note('useful: masked and padded lanes do not count')
set style fill solid noborder
tint(style, place) = place == 1 ? style : style + 20
set linetype 1 lc rgb '#707070' # not black: the interval must be seen
set linetype 21 lc rgb '#c3c3c3'
set linetype 22 lc rgb '#94b8d0'
set linetype 23 lc rgb '#e6b894'
set linetype 24 lc rgb '#94bcb1'
set linetype 25 lc rgb '#e0b6ce'
set linetype 26 lc rgb '#bbac94'
set linetype 27 lc rgb '#a3c8df'
set linetype 28 lc rgb '#bababa'
shade(style) = (int(style) - 1) % 8 + 1
plot data using (column(c_rate) / 2):c_position:(0):c_rate:(column(c_position) - 0.4):(column(c_position) + 0.4):(tint(shade(column(c_style)), column(c_place))) with boxxyerror lc variable, \
     data using c_rate:c_position:c_lo:c_hi with xerrorbars lt 1 lc rgb '#ffffff' lw 3 pt 0, \
     data using c_rate:c_position:c_lo:c_hi with xerrorbars lt 1 lc rgb '#202020' lw 1 pt 0, \
     data using c_hi:c_position:(sprintf('%.3g  %s', column(c_rate), stringcolumn(c_kernel))) with labels left offset character 0.8, 0 font ',9' tc rgb '#303030', \
     data using (0):c_position:(short(stringcolumn(c_spec))) with labels right offset character -0.8, 0 font ',10'
