# Two panels over the same cost: what the output loses, and what of dense attention's mass the pattern keeps.
eval canvas(920, 470)
stats data using c_cost nooutput name 'at'
set multiplot
set logscale x 10
set xrange [at_min / 1.6 : (at_max > at_min ? at_max : at_min) * 1.5]
set xtics ('0.1%%' 0.1, '0.3%%' 0.3, '1%%' 1, '3%%' 3, '10%%' 10, '30%%' 30, '100%%' 100)
set xlabel (size eq 'wide' ? 'pairs, as a share of dense attention with the same n' : 'pairs, of dense')
set bmargin at screen 0.2; set tmargin at screen 0.9
set yrange [-0.03 : *]
eval legend
fronts = exists("front_n") ? |front_n| : 0
eval note('numbers beside points: n'.(fronts ? '; grey: Pareto front at n = '.label_n(front_n[1]) : ''))
do for [k = 1:fronts - 1] {
    set arrow 400 + k from first front_cost[k], first front_error[k] to first front_cost[k + 1], first front_error[k] nohead back lc rgb '#c8c8c8' lw 3
    set arrow 600 + k from first front_cost[k + 1], first front_error[k] to first front_cost[k + 1], first front_error[k + 1] nohead back lc rgb '#c8c8c8' lw 3
}

set lmargin at screen beside(0.08); set rmargin at screen 0.49
set ylabel 'relative error of the output'
plot for [k = 0:blocks - 1] data index k using c_cost:c_error with linespoints lt end_style[k + 1], \
     for [k = 0:blocks - 1] data index k using c_cost:c_error:(stringcolumn(c_tag)) with labels left offset character 0.7, character 0.5 font ',8' tc rgb '#505050'
eval once
unset arrow
set lmargin at screen 0.49 + beside(0.08); set rmargin at screen 0.98
set ylabel 'attention mass kept'
set yrange [-0.03 : 1.05]
plot for [k = 0:blocks - 1] data index k using c_cost:c_mass with linespoints lt end_style[k + 1], \
     for [k = 0:blocks - 1] data index k using c_cost:c_mass:(stringcolumn(c_tag)) with labels right offset character -0.6, character 0.5 font ',8' tc rgb '#505050'
unset multiplot
