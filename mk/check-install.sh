#!/bin/bash
# Installs into a fresh folder, then lives only from what was installed: the program runs and finds its plots,
# the example plugin builds through pkg-config and passes the conformance check, and the C program of the
# README compiles, links both ways and runs.
set -euo pipefail
cd "$(dirname "$0")/.."
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT

make --no-print-directory install PREFIX="$stage/usr" >/dev/null
export PKG_CONFIG_PATH="$stage/usr/lib/pkgconfig" LD_LIBRARY_PATH="$stage/usr/lib"
attnlab=$stage/usr/bin/attnlab

cp -r examples "$stage/examples"
make --no-print-directory -C "$stage/examples/plugin" >/dev/null
plugin=$(ls "$stage"/examples/plugin/*.so)
"$attnlab" check --quick --plugin "$plugin" >/dev/null
(cd "$stage" && "$attnlab" list plots >/dev/null)
${CC:-gcc} -O1 -shared -fPIC "$stage/examples/external/plain.c" $(pkg-config --cflags attn) -lm -o "$stage/plain.so"
"$attnlab" run --kernel ext:plain --ext plain="$stage/plain.so" -p local:k=3 -n 16 --max-time 0.01 --db "$stage/x.db" >/dev/null
(cd "$stage" && ! "$attnlab" list externals -o jsonl | grep -q 'no adapter.py')
echo "install: program, example plugin and example external kernel work"

# The first block of C in the README that contains the word $1.
readme_block() {
    awk -v word="$1" '/^```c$/ {inside = 1; text = ""; next}
        /^```$/ {if (inside && index(text, word)) {printf "%s", text; exit} inside = 0}
        inside {text = text $0 "\n"}' README.md
}

readme_block ATTN_PLUGIN >"$stage/sevens.c"
${CC:-gcc} -shared -fPIC "$stage/sevens.c" $(pkg-config --cflags attn) -o "$stage/sevens.so"
"$attnlab" check --quick --plugin "$stage/sevens.so" >/dev/null
echo "install: the README's pattern compiles and passes the check"

readme_block 'int main' >"$stage/program.c"
${CC:-gcc} -std=c17 "$stage/program.c" $(pkg-config --cflags --libs attn) -o "$stage/shared"
${CC:-gcc} -std=c17 "$stage/program.c" $(pkg-config --cflags attn) "$stage/usr/lib/libattn.a" -fopenmp -lm -ldl -o "$stage/static"
"$stage/shared" >"$stage/shared.out" && "$stage/static" >"$stage/static.out"
[ -s "$stage/shared.out" ] && cmp -s "$stage/shared.out" "$stage/static.out"
echo "install: the README's program compiles and runs"
man -l "$stage/usr/share/man/man1/attnlab.1" >/dev/null 2>&1 || test -s "$stage/usr/share/man/man1/attnlab.1"
