# Three rows of six panels; keys to the right, queries downwards, as in a matrix. One series a panel.
eval canvas(1040, 640)
unset grid
set border 15 lc rgb '#808080' lw 0.6
set label 1 (size eq 'wide' ? program[1].'  ·  n = 64; causal unless it says causal=0' : '')
set multiplot
unset logscale
set xrange [-0.5:63.5]
set yrange [63.5:-0.5]
unset xtics
unset ytics
set style fill solid 1 noborder
width = 0.142; height = 0.231 # square
cut(text) = strlen(text) > 26 ? text[1:25].'…' : text
do for [panel = 1:18] {
    across = (panel - 1) % 6; line = (panel - 1) / 6
    left = 0.022 + across * 0.163; top = 0.935 - line * 0.312
    set lmargin at screen left; set rmargin at screen left + width
    set tmargin at screen top; set bmargin at screen top - height
    set title sprintf("%s\n%d pairs", cut(title[panel]), pairs[panel]) font (size eq 'column' ? ',5' : ',9') offset 0, character -0.6
    plot data index panel - 1 using (column(c_first) - 0.5):(column(c_row) - 0.5):(column(c_first) - 0.5):(column(c_last) + 0.5) \
             :(column(c_row) - 0.55):(column(c_row) + 0.55) with boxxyerror lc rgb '#00568f'
    eval once
}
unset multiplot
