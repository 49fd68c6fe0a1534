# Every layer has the same pattern and a residual. Curves are named at the first hop: at the last many are at 100%.
eval canvas(820, 500)
set label 1 (size eq 'wide' ? program[1] : '')
set lmargin at screen beside(0.1)
set rmargin at screen 0.7
set bmargin at screen 0.17
set tmargin at screen 0.95
unset logscale
set xrange [0.8 : 8.2]
set xtics 1, 1, 8
set yrange [0 : 102]
set ytics ('0%%' 0, '20%%' 20, '40%%' 40, '60%%' 60, '80%%' 80, '100%%' 100)
set xlabel 'layers'
set ylabel 'pairs joined by a path, of the causal pairs'
eval note('with the residual: every layer also keeps what is held')
said(k) = short(spec[k])."\n".(hops_to_full[k] > 0 ? sprintf('%.1f%% in 1, all in %d', first[k], hops_to_full[k]) : sprintf('%.1f%% in 1, %.3g%% in 8', first[k], most[k]))
do for [k = 1:|spec|] { set label 100 + k said(k) at screen 0.72, screen 0.93 - 0.095 * (k - 1) left offset character 1.4, 0 font ',9' tc lt end_style[k] point lt end_style[k] }
plot for [k = 0:blocks - 1] data index k using c_hop:c_share with linespoints lt end_style[k + 1]
