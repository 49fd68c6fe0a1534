# A panel a cell: points are visits of a program, the line is the level, a dashed line where it changed.
panels = |panel_cell|
each = 118
height = each * panels + 66
eval canvas(900, height)
set multiplot
set border 3
set lmargin at screen beside(0.1); set rmargin at screen 0.97
set xlabel ''
set key off
do for [panel = 1:panels] {
    set tmargin at screen 1 - (each * (panel - 1) + 28.) / height
    set bmargin at screen 1 - (each * panel - 22.) / height
    spread = panel_most[panel] - panel_least[panel]
    room = spread > 0 ? 0.15 * spread : 0.1 * panel_most[panel]
    set xrange [0.5 : panel_visits[panel] + 0.5]
    set yrange [panel_least[panel] - room : panel_most[panel] + room]
    set ytics autofreq panel_least[panel], (spread > 0 ? spread : 1) font ',8'
    set format y (spread < 0.02 * panel_most[panel] ? '%.3s %cs' : '%.1s %cs')
    unset xtics
    set xtics (panel_first[panel] 1, panel_last[panel] panel_visits[panel]) nomirror font ',8'
    set label 90 short(panel_cell[panel]) at graph 0, graph 1 left offset character 0.3, character 0.6 font ',10'
    do for [k = 1:|change_panel|] {
        if (change_panel[k] == panel) {
            set arrow 100 + k from first change_at[k] - 0.5, graph 0 to first change_at[k] - 0.5, graph 1 nohead lt change_style[k] dt 2 lw 1
            set label 200 + k change_said[k] at first change_at[k] - 0.5, graph 1 left offset character 0.4, character 0.6 font ',9' tc lt change_style[k]
        } else {
            unset arrow 100 + k
            unset label 200 + k
        }
    }
    plot data index panel - 1 using (column(c_visit) - 0.5):c_level:(1):(0) with vectors nohead lt 8 dt 1 lw 1.6, \
         data index panel - 1 using c_visit:c_y with points lt 2
    eval once
}
unset multiplot
