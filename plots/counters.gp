# Up to four panels, two by two, over the same n.
panels = |panel_title|
eval canvas(920, panels > 2 ? 620 : 400)
stats data using c_n nooutput name 'at_n'
eval axis_n(at_n_min, at_n_max)
if (reason[1] ne '') { eval note('no hardware counters: '.reason[1]) }
bottom = panels > 2 ? 0.14 : 0.22
rows_of = panels > 2 ? 2 : 1
high = (0.95 - bottom) / rows_of
set multiplot
eval legend
do for [p = 1:panels] {
    line = (p - 1) / 2; side = (p - 1) % 2
    set lmargin at screen 0.08 + 0.49 * side; set rmargin at screen 0.49 + 0.49 * side
    set tmargin at screen bottom + (rows_of - line) * high - 0.06
    set bmargin at screen bottom + (rows_of - line - 1) * high + 0.05
    set title panel_title[p] font ',10' offset 0, character -0.6
    set xlabel (line == rows_of - 1 || p + 2 > panels ? 'sequence length n' : '')
    unset logscale y
    set yrange [0 : panel_most[p] > 0 ? panel_most[p] * 1.1 : 1]
    if (panel_least[p] > 0 && panel_most[p] > 30 * panel_least[p]) {
        set yrange [panel_least[p] / 1.5 : panel_most[p] * 1.5]
        set logscale y 10
    }
    set format y (panel_most[p] >= 10000 ? '%.0s%c' : '%g')
    plot for [k = 1:blocks] data index k - 1 using c_n:(block_panel[k] == p ? column(c_y) : NaN) with linespoints lt block_style[k]
    eval once
}
unset multiplot
