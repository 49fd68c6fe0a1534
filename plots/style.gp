# What all plots share: one look, on paper and on screens, in colour and without.
#
#   eval canvas(width, height)   opens the picture; sizes are pixels of the SVG, the PNG has twice as many; with size = 'column' or
#                                'slide' (of a paper, of a talk) there are fewer, so that letters are larger beside the rest
#   eval once                    after the first of several panels: page and caption are drawn only once
#   eval axis_n(least, most)     the x axis: n, logarithmic, labelled 1k 4k 16k
#   eval axis_y(least, most)     a logarithmic y axis with room; axis_bytes(least, most) in powers of two
#   eval legend                  a line of names above the panels, from the arrays spec and end_style
#   eval scaling                 all of a curve against n but the plot command; below
#   eval label_curves            names at the ends of curves; the plot may redefine level() and label_text()
#   note(text)                   a remark in the lower right corner: eval note('...')

if (!exists("format")) format = 'svg'
if (!exists("size")) size = 'wide'
if (!exists("suffix")) suffix = ''
set encoding utf8

identifier = 'attnlab_'.name
do for [at = 1:strlen(identifier)] { if (identifier[at:at] eq '-') { identifier = identifier[1:at-1].'_'.identifier[at+1:] } }

terminal_svg(w, h) = sprintf("set terminal svg size %d,%d dynamic mouse standalone noenhanced font 'sans-serif,12' name '%s'; set pointsize 0.6", w, h, identifier)
terminal_png(w, h) = sprintf("set terminal pngcairo size %d,%d noenhanced font 'sans-serif,12' fontscale 1.5 linewidth 2 pointscale 2; set pointsize 0.9", 2 * w, 2 * h)
# The caption starts right of the button that the SVG's script draws in the corner.
# For paper the same picture so many inches wide, letters and lines as large as they come out on a screen.
inches = size eq 'column' ? 3.35 : size eq 'slide' ? 10. : 7.
terminal_pdf(w, h) = sprintf("set terminal pdfcairo size %gin,%gin noenhanced font 'sans-serif,12' fontscale %g linewidth %g; set pointsize %g", inches, inches * h / w, inches * 72 / w, inches * 72 / w * 1.2, inches * 72 / w * 0.8)
terminal(w, h) = format eq 'png' ? terminal_png(w, h) : format eq 'pdf' ? terminal_pdf(w, h) : terminal_svg(w, h)
# A column and a slide have fewer pixels for the same letters.
shrink = size eq 'column' ? 0.6 : size eq 'slide' ? 0.75 : 1.
canvas(w, h) = sheet(int(w * shrink), int(h * shrink * (size eq 'column' ? 1.12 : 1)))
beside(share) = share / shrink # room for the labels of an axis: as many pixels at every size, this share of a wide picture
sheet(w, h) = terminal(w, h).sprintf("; set output '%s.%s%s'; set label 1 at screen %g, screen %g; set label 2 at screen %g, screen %g; canvas_width = %d; key_y = %g", name, format, suffix, 36. / w, 22. / h, 1 - 12. / w, 22. / h, w, 1 - 20. / h)

# A white page behind all (the terminal's own has a black frame).
set object 1000 rectangle from screen 0, screen 0 to screen 1, screen 1 fillcolor rgb 'white' fillstyle solid noborder behind
once = "unset label 1; unset label 2; unset object 1000; if (exists(\"keys\")) { do for [k = 1:keys] { unset label 300 + k } }"

set datafile separator "\t"
set datafile missing 'NaN'
set border 3 lc rgb '#404040'
set tics nomirror out scale 0.7 textcolor rgb '#202020' font ',10'
set grid back lc rgb '#e4e4e4' lt 1 lw 0.6
set key off
set bars 0.6
set xlabel font ',11' offset 0, character 0.4
set ylabel font ',11' offset character 0.6, 0

# Dark and light in turn, so that neighbours differ in grey and to colour-blind eyes, and all dark enough for letters; points and dashes tell
# any two apart. tests/harness/test_palette.c holds these lines to that.
set linetype 1 lc rgb '#000000' pt 7 dt 1 lw 1.4
set linetype 2 lc rgb '#00568f' pt 5 dt (10,4) lw 1.4
set linetype 3 lc rgb '#c45500' pt 9 dt (3,3) lw 1.4
set linetype 4 lc rgb '#005f45' pt 13 dt (12,3,2,3) lw 1.4
set linetype 5 lc rgb '#b5528a' pt 11 dt (6,2) lw 1.4
set linetype 6 lc rgb '#5e3a00' pt 15 dt (2,2) lw 1.4
set linetype 7 lc rgb '#257cb3' pt 6 dt (12,3,2,3,2,3) lw 1.4
set linetype 8 lc rgb '#5a5a5a' pt 4 dt (16,4) lw 1.4
set linetype cycle 8
set style line 100 lc rgb '#a8a8a8' dt (2,3) lw 1

caption = exists("provenance") ? provenance[1]."\n".setting[1] : program[1]
# A column and a slide have no room below the axis, and captions of their own: where the data come from stays in NAME.gp and NAME.svg of
# the wide picture.
set label 1 (size eq 'wide' ? caption : '') left font ',8' tc rgb '#505050'
set label 2 '' right font ',8' tc rgb '#505050'
note(text) = size eq 'wide' ? "set label 2 '".text."'" : "set label 2 ''"

# One line above the panels that says which curve is whose: spec[k] with the point of end_style[k].
legend = "keys = |spec|; key_x = 40. / canvas_width; do for [k = 1:keys] { set label 300 + k short(spec[k]) at screen key_x, screen key_y left offset character 1.4, 0 font ',10' tc rgb '#202020' point lt end_style[k]; key_x = key_x + (strlen(short(spec[k])) + 5) * 6.4 / canvas_width }"

# ---- axes ----

label_n(n) = n >= 1048576 ? sprintf('%gM', n / 1048576.) : n >= 1024 ? sprintf('%gk', n / 1024.) : sprintf('%g', n)
rate_text(g) = sprintf(g < 10 ? '%.1f GFLOP/s' : '%.0f GFLOP/s', g)
label_bytes(b) = b >= 2.**30 ? sprintf('%g GiB', b / 2.**30) : b >= 2.**20 ? sprintf('%g MiB', b / 2.**20) : b >= 1024 ? sprintf('%g KiB', b / 1024.) : sprintf('%g B', b)

# Every second power of two is labelled, every one when there are few.
axis_n(least, most) = sprintf("n_min = %g; n_max = %g; ", least, most).axis_n_body
axis_n_body = "if (n_min == n_max) { n_min = n_min / 2; n_max = n_max * 2 }; octaves = log(n_max / n_min) / log(2); each = octaves > 4.5 ? 2 : 1; set logscale x 2; set xrange [n_min / 1.15 : n_max * 1.15]; set xtics (); do for [e = 0:24] { if (2. ** e >= n_min / 1.15 && 2. ** e <= n_max * 1.15) { if (e % each == 0) { set xtics add (label_n(2. ** e) 2. ** e) } else { set xtics add ('' 2. ** e 1) } } }"

axis_y(least, most) = sprintf("y_min = %g; y_max = %g; ", least / 1.6, most * 1.6)."set logscale y 10; set yrange [y_min : y_max]"
axis_bytes(least, most) = sprintf("y_min = %g; y_max = %g; ", least / 1.6, most * 1.6).axis_bytes_body
axis_bytes_body = "octaves = log(y_max / y_min) / log(2); each = octaves > 10 ? 4 : octaves > 5 ? 2 : 1; set logscale y 2; set yrange [y_min : y_max]; set ytics (); do for [e = 0:50] { if (2. ** e >= y_min && 2. ** e <= y_max) { if (e % each == 0) { set ytics add (label_bytes(2. ** e) 2. ** e) } else { set ytics add ('' 2. ** e 1) } } }"

# ---- curves against n ----
#
# From the data's columns n and y and the arrays spec, end_style, begin_x, begin_y, end_x, end_y, slope and either
# slope_lo and slope_hi or class, one element per curve.

fitted(n, k) = begin_y[k] * (n / begin_x[k]) ** (end_x[k] > begin_x[k] ? log(end_y[k] / begin_y[k]) / log(end_x[k] / begin_x[k]) : 0)
measured_text(k) = slope_hi[k] > slope_lo[k] ? sprintf('n^%.2f  [%.2f, %.2f]', slope[k], slope_lo[k], slope_hi[k]) : slope[k] == slope[k] ? sprintf('n^%.2f', slope[k]) : 'too few points to fit'
class_text(k) = (slope[k] == slope[k] ? sprintf('n^%.2f here, ', slope[k]) : '').sprintf('Θ(%s)', class[k])
slope_text(k) = exists("class") ? class_text(k) : measured_text(k)

short(text) = strlen(text) > 48 ? text[1:47].'…' : text
scaling = "ends = |spec|; longest = 24; do for [k = 1:ends] { longest = strlen(short(spec[k])) > longest ? strlen(short(spec[k])) : longest; longest = strlen(slope_text(k)) > longest ? strlen(slope_text(k)) : longest }; stats data using c_n nooutput name 'at_n'; stats data using c_y nooutput name 'at_y'; eval axis_n(at_n_min, at_n_max); eval axis_y(at_y_min / 2, at_y_max); ref_n = n_min; ref_y = at_y_min / 2; set rmargin at screen 1 - (longest * 6 + 30.) / canvas_width; set lmargin at screen (size eq 'wide' ? 0.12 : beside(0.095)); set bmargin at screen 0.175; set tmargin at screen 0.95; eval label_curves; eval label_references"

# Labels stand right of the last point of curves that reach the right edge, and above left of it for others, or right where that would not fit. In
# each of these two groups neighbours nearer than `gap` (a share of the axis) push each other apart, both as far,
# until none is; then from the lowest up and from the top down where they left the axis.
gap = 0.08 / shrink
lift = 0.9 # of labels above their curves, in lines; more where curves are flat
level(y) = log(y / y_min) / log(y_max / y_min) # on a logarithmic axis
label_text(k) = short(spec[k])."\n".slope_text(k)
group(k) = end_x[k] < n_max * 0.9 ? 10 : 0
is_early(k) = log(end_x[k] / n_min) < 0.3 * log(n_max / n_min) # a label left of it would not fit
label_curves = "array end_at[ends]; array order[ends]; do for [k = 1:ends] { end_at[k] = group(k) + level(end_y[k]); order[k] = k }; do for [p = 1:ends] { do for [k = 1:ends - 1] { if (end_at[order[k]] > end_at[order[k + 1]]) { swap = order[k]; order[k] = order[k + 1]; order[k + 1] = swap } } }; do for [p = 1:20 * ends] { do for [k = 2:ends] { lacking = gap - (end_at[order[k]] - end_at[order[k - 1]]); if (group(order[k]) == group(order[k - 1]) && lacking > 1e-4) { end_at[order[k]] = end_at[order[k]] + lacking / 2; end_at[order[k - 1]] = end_at[order[k - 1]] - lacking / 2 } } }; do for [k = 1:ends] { lowest = group(order[k]) + 0.02; if (k > 1) { if (group(order[k]) == group(order[k - 1])) { lowest = end_at[order[k - 1]] + gap } }; if (end_at[order[k]] < lowest) { end_at[order[k]] = lowest } }; do for [p = 1:ends] { k = ends + 1 - p; roof = group(order[k]) + 0.98; if (k < ends) { if (group(order[k]) == group(order[k + 1])) { roof = end_at[order[k + 1]] - gap } }; if (end_at[order[k]] > roof) { end_at[order[k]] = roof } }; do for [k = 1:ends] { if (group(k) == 0) { set label 100 + k label_text(k) at first end_x[k], graph end_at[k] left offset character 1.4, character 0.3 tc lt end_style[k] font ',10' } else { if (is_early(k)) { set label 100 + k label_text(k) at first end_x[k], graph end_at[k] - 10 left offset character 1.4, character 0.3 tc lt end_style[k] font ',10' } else { set label 100 + k label_text(k) at first end_x[k], graph end_at[k] - 10 right offset character -1.6, character lift tc lt end_style[k] font ',10' } } }"

# Grey lines of the growths n, n sqrt(n) and n^2 from one point, each labelled near where it leaves the picture.
reference(n, p) = n < ref_n * 0.999 || n > n_max * 1.001 ? NaN : ref_y * (n / ref_n) ** p
leaves_top(p) = exp(log(ref_n) + log(y_max / ref_y) / p)
reference_exit(p) = leaves_top(p) / 1.06 < n_max / 1.12 ? leaves_top(p) / 1.06 : n_max / 1.12
label_references = "array ref_p[3] = [1, 1.5, 2]; array ref_t[3] = ['n', 'n√n', 'n²']; do for [k = 1:3] { set label 200 + k ref_t[k] at first reference_exit(ref_p[k]), first reference(reference_exit(ref_p[k]), ref_p[k]) right offset character -0.3, character 0.4 tc rgb '#808080' font ',9' }"
