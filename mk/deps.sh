#!/bin/bash
# Installs the Debian packages that are missing, where that is allowed.
#
#   mk/deps.sh GROUP...      groups: build test plots cov tidy emulate explorer browser ci
#
# DEPS=never   do nothing
# DEPS=auto    apt-get when root (or with passwordless sudo); otherwise print the command and stop
set -euo pipefail

build=(gcc make libc6-dev libsqlite3-dev libpfm4-dev libpng-dev libncurses-dev pkg-config)
test=(libcriterion-dev libsimde-dev git)
plots=(gnuplot-nox)
cov=(gcovr)
tidy=(clang-tidy)
emulate=(bochs bochs-term bochsbios vgabios isolinux syslinux-common genisoimage busybox-static cpio bsdutils)
explorer=(clang-14 lld-14 wasi-libc libclang-rt-14-dev-wasm32)
browser=(chromium python3)
ci=(clang-14 libomp-14-dev libclang-rt-14-dev g++ valgrind git python3-numpy)

[ "${DEPS:-auto}" = never ] && exit 0

missing=()
for group in "$@"; do
    declare -n packages=$group
    for package in "${packages[@]}"; do
        dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
    done
done
[ ${#missing[@]} -eq 0 ] && exit 0

command="apt-get install -y --no-install-recommends ${missing[*]}"
if [ "$(id -u)" = 0 ]; then
    as_root=()
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root=(sudo -n)
else
    echo "attnlab: missing packages; install them with: sudo $command   (DEPS=never skips this check)" >&2
    exit 2
fi
command -v apt-get >/dev/null || { echo "attnlab: no apt-get here; install the equivalents of: ${missing[*]}   (DEPS=never skips this check)" >&2; exit 2; }

echo "attnlab: installing missing packages: ${missing[*]}" >&2
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" $command >/dev/null || { "${as_root[@]}" apt-get update >/dev/null && "${as_root[@]}" $command >/dev/null; } ||
    { echo "attnlab: could not install; run: apt-get update && $command   (DEPS=never skips this check)" >&2; exit 2; }
