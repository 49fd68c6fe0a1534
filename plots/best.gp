# A tile for each pattern and n: pale colours stand for kernels, whose names are written in the tiles.
tile_rows = |row_spec|; tile_columns = |column_n|
longest = 10
do for [k = 1:tile_rows] { longest = strlen(short(row_spec[k])) > longest ? strlen(short(row_spec[k])) : longest }
left = longest * 6.5 + 20
sheet_width = left + 20 + (tile_columns < 4 ? 480 : tile_columns * 120)
sheet_height = tile_rows * 58 + 100
eval canvas(sheet_width, sheet_height)
side = left * (size eq 'wide' ? 1 : 1 / shrink) / sheet_width
set lmargin at screen (side > 0.45 ? 0.45 : side); set rmargin at screen 1 - 12. / sheet_width
set tmargin at screen 1 - 10. / sheet_height; set bmargin at screen 84. / sheet_height
unset grid; unset border
set tics scale 0
set xrange [0.5 : tile_columns + 0.5]
set yrange [-tile_rows - 0.5 : -0.5]
set xtics (); do for [k = 1:tile_columns] { set xtics add (label_n(column_n[k]) k) }
set ytics (); do for [k = 1:tile_rows] { set ytics add (short(row_spec[k]) row_position[k]) }
set xlabel 'sequence length n'
eval note('useful GFLOP/s; ?: a lead within the 95% intervals')
set style fill solid noborder
set linetype 31 lc rgb '#b9def5'
set linetype 32 lc rgb '#f3d48c'
set linetype 33 lc rgb '#8cd0ba'
set linetype 34 lc rgb '#eec4dc'
set linetype 35 lc rgb '#eeb896'
set linetype 36 lc rgb '#d4d4d4'
pale(colour) = 31 + (int(colour) - 1) % 6
letters = size eq 'column' || tile_columns > 8 ? ',7' : ',9'
plot data using c_across:c_position:(column(c_across) - 0.485):(column(c_across) + 0.485):(column(c_position) - 0.47):(column(c_position) + 0.47):(pale(column(c_colour))) with boxxyerror lc variable, \
     data using c_across:(column(c_position) + 0.2):c_kernel with labels font letters tc rgb '#101010', \
     data using c_across:(column(c_position) - 0.16):(rate_text(column(c_rate))."\n".stringcolumn(c_lead)) with labels font letters tc rgb '#303030'
