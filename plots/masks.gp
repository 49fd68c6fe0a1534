# Eight panels, two rows of four; keys to the right, queries downwards, as in a matrix.
eval canvas(960, 570)
unset grid
set border 15 lc rgb '#808080' lw 0.6
set label 1 (size eq 'wide' ? program[1].'  ·  causal, n = 64; share: of the dense causal pairs' : '')
set multiplot
unset logscale
set xrange [-0.5:63.5]
set yrange [63.5:-0.5]
set ytics 0, 16, 63 font ',9'
set style fill solid 1 noborder
width = 0.205; height = 0.345 # square
do for [panel = 1:8] {
    column = (panel - 1) % 4; line = (panel - 1) / 4
    left = 0.062 + column * 0.236; top = 0.925 - line * 0.445
    set lmargin at screen left; set rmargin at screen left + width
    set tmargin at screen top; set bmargin at screen top - height
    set title sprintf("%s\n%d pairs, %.0f%%", title[panel], pairs[panel], share[panel]) font (size eq 'column' ? ',7' : ',10') offset 0, character -0.6
    set xtics 0, 16, 63 font ',9' format (line == 1 ? '%g' : '') offset 0, character 0.4
    set xlabel (line == 1 ? 'key j' : '')
    set ylabel (column == 0 ? 'query i' : '') offset character 1.6, 0
    plot data using (column(c_panel) == panel && column(c_layer) == 2 ? column(c_first) - 0.5 : NaN):(column(c_row) - 0.5) \
             :(column(c_first) - 0.5):(column(c_last) + 0.5):(column(c_row) - 0.55):(column(c_row) + 0.55) with boxxyerror lc rgb '#e69f00', \
         data using (column(c_panel) == panel && column(c_layer) == 1 ? column(c_first) - 0.5 : NaN):(column(c_row) - 0.5) \
             :(column(c_first) - 0.5):(column(c_last) + 0.5):(column(c_row) - 0.55):(column(c_row) + 0.55) with boxxyerror lc rgb '#00568f'
    eval once
}
unset multiplot
