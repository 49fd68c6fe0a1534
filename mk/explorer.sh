#!/bin/bash
# Writes the explorer page: harness/explorer/page.html with its parts in place of the lines that name them.
#
#   mk/explorer.sh MODULE.wasm
set -euo pipefail
here=harness/explorer
while IFS= read -r line; do
    case $line in
    @STYLE@) cat $here/page.css ;;
    @SIDES@) for name in A B; do sed "s/@ID@/${name,}/g; s/@NAME@/$name/g" $here/side.html; done ;;
    @MODULE@) cat $here/module.js ;;
    @WORKER@) cat $here/worker.js ;;
    @SCRIPT@) for part in state picture save numbers page; do cat $here/$part.js; done ;;
    *@WASM@*) printf '%s%s%s\n' "${line%%@WASM@*}" "$(base64 -w0 "$1")" "${line##*@WASM@}" ;;
    *) printf '%s\n' "$line" ;;
    esac
done <$here/page.html
