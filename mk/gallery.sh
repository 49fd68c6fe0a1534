#!/bin/sh
# gallery.sh PICTURES PAGE: takes the plots drawn in the folder PICTURES to pictures/gallery beside PAGE, and writes PAGE: of each plot
# what it shows (the first line of its query), how to get data for it, the command that draws it, and the picture.
set -eu

drawn=$1 page=$2
folder=$(dirname "$page")/pictures/gallery
most=204800 # bytes of a picture
trap 'rm -f "$page.part" "$folder"/*.whole' EXIT

mkdir -p "$folder"
rm -f "$folder"/*.svg "$folder"/*.png
{
    echo '# Gallery'
    echo
    echo 'All plots that `attnlab plot` knows, one command each. `attnlab plot all` draws them all; `--size column` and `--size slide` draw'
    echo 'them for a paper and for a talk, and each is written as SVG, PNG and PDF. This page is made by `make gallery`, which measures'
    echo 'for about a minute on whatever else the machine does: look at it for the plots, not for the times.'
    for query in plots/*.sql; do
        name=$(basename "$query" .sql)
        [ "$name" = style ] && continue
        shows=$(sed -n '1s/^-- //p' "$query") needs=$(sed -n '2s/^-- needs: //p' "$query")
        case $needs in attnlab*) needs="\`$needs\`" ;; *) needs="$needs." ;; esac
        printf '\n## %s\n\n%s.\n\n    attnlab plot %s\n\nData: %s\n' "$name" "$shows" "$name" "$needs"
        if [ ! -e "$drawn/$name.svg" ]; then # one revision has no history
            printf '\nNot drawn here: there are no such runs.\n'
            continue
        fi
        # Without gnuplot's script, which pages that show a picture do not run.
        sed -e '/<script/,/<\/script>/d' -e 's/\bon[a-z]*="[^"]*gnuplot_svg[^"]*"//g' "$drawn/$name.svg" >"$folder/$name.svg.whole"
        cp "$drawn/$name.png" "$folder/$name.png.whole"
        picture=
        for file in "$name.svg" "$name.png"; do
            if [ -z "$picture" ] && [ "$(wc -c <"$folder/$file.whole")" -le $most ]; then
                mv "$folder/$file.whole" "$folder/$file"
                picture=$file
            fi
        done
        [ -n "$picture" ] || { echo "gallery.sh: $drawn has no picture $name of at most $most bytes" >&2; exit 1; }
        printf '\n![%s](pictures/gallery/%s)\n' "$shows" "$picture"
    done
} >"$page.part"
mv "$page.part" "$page"
