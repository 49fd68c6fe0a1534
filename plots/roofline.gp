# Two kinds of ceilings: slanted ones, bandwidth times intensity, and flat ones, multiply-adds. A curve is one pattern
# over n; its name stands in the margin, at the end of a thread from its last point.
eval canvas(920, 560)
stats data using c_x nooutput name 'at_x'
stats data using c_y nooutput name 'at_y'
roofs = 0; bands = 0
if (exists("roof_value")) { roofs = |roof_value| } else { array roof_value[1] = [NaN] }
if (exists("band_value")) { bands = |band_value| } else { array band_value[1] = [NaN] } # `for` of none looks at the first
top = 1. * (roofs ? roof_value[roofs] : at_y_max) # not an integer, which would divide like one
x_min = at_x_min; x_max = at_x_max * 1.5
# The slanted lines are to be seen up to where they meet the highest roof.
if (roofs) { do for [k = 1:bands] { x_min = top / band_value[k] / 1.5 < x_min ? top / band_value[k] / 1.5 : x_min } }
x_min = x_min / 1.7
y_min = (at_y_min < top / 15 ? at_y_min : top / 15) / 1.5
y_max = (top > at_y_max ? top : at_y_max) * 1.9
set logscale xy 10
set xrange [x_min : x_max]
set yrange [y_min : y_max]
set format xy '%g'
set xlabel 'useful FLOPs per byte that must move (q, k, v, o once)'
set ylabel 'useful GFLOP/s'

ends = |spec|
longest = 18
do for [k = 1:ends] { longest = strlen(short(spec[k])) > longest ? strlen(short(spec[k])) : longest }
left = beside(0.085); right = 1 - (longest * 6 + 36.) / canvas_width; low = 0.17; high = 0.96
set lmargin at screen left; set rmargin at screen right; set bmargin at screen low; set tmargin at screen high

# Names, from the lowest curve up, apart by `gap`.
gap = ends > 11 ? 0.97 / ends : 0.08
text_of(k) = short(spec[k]).(ends > 11 ? '' : "\n".rate_text(end_y[k]).' at '.label_n(end_n[k]))
array name_at[ends]; array order[ends]
do for [k = 1:ends] { name_at[k] = level(end_y[k]); order[k] = k }
do for [p = 1:ends] { do for [k = 1:ends - 1] { if (name_at[order[k]] > name_at[order[k + 1]]) { swap = order[k]; order[k] = order[k + 1]; order[k + 1] = swap } } }
# First they are kept apart upwards, then all are lowered so that they stand around their curves.
do for [k = 2:ends] { if (name_at[order[k]] < name_at[order[k - 1]] + gap) { name_at[order[k]] = name_at[order[k - 1]] + gap } }
lift = 0.0
do for [k = 1:ends] { lift = lift + (name_at[k] - level(end_y[k])) / ends }
do for [k = 1:ends] { name_at[k] = name_at[k] - lift }
if (name_at[order[ends]] > 0.97) { lower = name_at[order[ends]] - 0.97; do for [k = 1:ends] { name_at[k] = name_at[k] - lower } }
if (name_at[order[1]] < 0.02) { raise = 0.02 - name_at[order[1]]; do for [k = 1:ends] { name_at[k] = name_at[k] + raise } }
do for [k = 1:ends] {
    set label 100 + k text_of(k) at graph 1, graph name_at[k] left offset character 1.6, character 0.3 tc lt end_style[k] font ',10'
    set arrow 100 + k from first end_x[k], first end_y[k] to graph 1.012, graph name_at[k] nohead lt end_style[k] lw 0.5 dt (1,4)
}

# Roofs: a name above each line, at its left end; lines that lie together have their names together. Bands: a name along each, in a row of their own so that none meet.
turn = atan2((high - low) * 560 * (size eq 'column' ? 1.12 : 1) / log(y_max / y_min), (right - left) * 920 / log(x_max / x_min)) * 180 / pi
joined = ''
do for [k = 1:roofs] {
    joined = joined.(strlen(joined) ? ', ' : '').sprintf(size eq 'wide' ? '%s: %.4g' : '%s %.3g', roof_name[k], roof_value[k])
    near = k < roofs ? level(roof_value[k + 1]) - level(roof_value[k]) < 0.03 : 0
    if (!near) {
        set label 200 + k joined.(size eq 'wide' ? ' GFLOP/s' : '') at first (bands ? roof_value[k] / band_value[1] : x_min) * 1.15, first roof_value[k] left offset 0, character 0.5 font ',9' tc rgb '#505050'
        joined = ''
    }
}
band_level(k) = exp(log(y_min) + log(top / y_min) * (0.12 + 0.62 * (k - 1) / (bands > 1 ? bands - 1 : 1)))
do for [k = 1:bands] {
    at_level = band_level(k) > x_min * band_value[k] * 1.2 ? band_level(k) : x_min * band_value[k] * 1.2
    set label 220 + k sprintf('%s: %.3g GB/s', band_name[k], band_value[k]) at first at_level / band_value[k], first at_level left rotate by turn offset character -0.4, character 0.45 font ',9' tc rgb '#505050'
}
eval note(roofs + bands ? 'ceilings: attnlab doctor --peaks' : 'no ceilings stored for this machine and these threads; attnlab doctor --peaks --db FILE keeps them')
roof(x, k) = bands && x * band_value[bands] < roof_value[k] ? NaN : roof_value[k]
band(x, k) = x * band_value[k] > top * 1.0001 ? NaN : x * band_value[k]
set samples 1000
plot for [k = 1:bands] band(x, k) with lines lc rgb '#a0a0a0' dt 1 lw 1, \
     for [k = 1:roofs] roof(x, k) with lines lc rgb '#606060' dt 1 lw 1.2, \
     for [k = 0:blocks - 1] data index k using c_x:c_y with linespoints lt end_style[k + 1] lw end_width[k + 1]
