#!/bin/bash
# Includes point one way: base <- patterns <- kernels <- harness. include/attn/ stands below all of them and
# includes nothing but itself and the C library.
set -euo pipefail
cd "$(dirname "$0")/.."

declare -A allowed=(
    [include]="attn"
    [base]="attn base"
    [patterns]="attn base patterns"
    [kernels]="attn base patterns kernels"
    [harness]="attn base patterns kernels harness"
    [examples]="attn"
)
bad=0
for folder in "${!allowed[@]}"; do
    [ -d "$folder" ] || continue
    while IFS=: read -r file line include; do
        target=$(sed -E 's/.*"([^"]+)".*/\1/' <<<"$include")
        top=${target%%/*}
        if [[ "$target" != */* || " ${allowed[$folder]} " != *" $top "* ]]; then
            echo "$file:$line: $folder/ may not include \"$target\" (allowed: ${allowed[$folder]})"
            bad=1
        fi
    done < <(grep -rnE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' "$folder" --include='*.[ch]' --include='*.inc' || true)
done
[ $bad = 0 ] && echo "includes: one way" || exit 1
