#!/bin/bash
# Runs attnlab on an emulated CPU with AVX-512 or AMX, for machines that have none: Bochs boots Debian's kernel with the
# program in its initial RAM disk, and the serial port brings back what it prints. About a minute to boot, and some
# ten million instructions a second after that: for right or wrong, never for speed.
#
#   mk/emulate.sh PROGRAM ARGUMENT...      the exit code is the program's
#
# EMULATE_CPU     a model of `bochs --help cpu` (default corei7_skylake_x: AVX-512 F, CD, BW, DQ, VL)
# EMULATE_TIME    seconds until it is given up (default 1500)
# EMULATE_BOCHS   another bochs: version 3 has the model sapphire_rapids, with AMX (Debian 12 has 2.7, without)
# EMULATE_LINUX   options for Linux instead of those that 2.7 needs; for version 3, "" (see below)
set -euo pipefail
cd "$(dirname "$0")/.."
program=$1
shift
work=build/emulate
mkdir -p "$work"
DEPS=${DEPS:-auto} mk/deps.sh emulate

# The kernel is unpacked, not installed: this machine's own boot is none of our business.
if [ ! -f "$work/vmlinuz" ]; then
    package=$(apt-cache depends linux-image-cloud-amd64 | awk '/Depends: linux-image-/ {print $2; exit}')
    (cd "$work" && apt-get -q download "$package" >/dev/null 2>&1 && dpkg-deb -x "$package"_*.deb kernel && cp kernel/boot/vmlinuz-* vmlinuz && rm -rf kernel ./*.deb)
fi

run=$(mktemp -d)
trap 'rm -rf "$run"' EXIT
root=$run/root
mkdir -p "$root"/{bin,proc,sys,dev,tmp} "$run/iso/isolinux"
cp /bin/busybox "$root/bin/"
cp "$program" "$root/bin/program"
{ ldd "$program" 2>/dev/null || true; } | { grep -oE '/[^ ]+' || true; } | while read -r library; do
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
done
printf '%q ' /bin/program "$@" >"$root/command"
cat >"$root/init" <<'END'
#!/bin/busybox sh
/bin/busybox mount -t proc none /proc
/bin/busybox mount -t sysfs none /sys
/bin/busybox mount -t devtmpfs none /dev
export PATH=/bin LD_LIBRARY_PATH=/lib/x86_64-linux-gnu NO_COLOR=1
echo "=== begin"
. /command </dev/null
echo "=== end $?"
/bin/busybox sleep 1
/bin/busybox poweroff -f
END
chmod +x "$root/init"
(cd "$root" && find . | cpio -o -H newc --quiet | gzip -1) >"$run/iso/initrd.gz"
cp "$work/vmlinuz" /usr/lib/ISOLINUX/isolinux.bin "$run/iso/" && mv "$run/iso/isolinux.bin" "$run/iso/isolinux/"
cp /usr/lib/syslinux/modules/bios/ldlinux.c32 "$run/iso/isolinux/"
# Bochs 2.7 reports a compacted XSAVE area of the wrong size; without XSAVEC Linux uses the plain one and keeps AVX-512.
cat >"$run/iso/isolinux/isolinux.cfg" <<END
DEFAULT run
PROMPT 0
LABEL run
 KERNEL /vmlinuz
 APPEND initrd=/initrd.gz console=ttyS0 quiet mitigations=off nokaslr tsc=reliable lpj=1000000 audit=0 ${EMULATE_LINUX-noxsaves clearcpuid=xsavec,xsaves}
END
genisoimage -quiet -o "$run/boot.iso" -b isolinux/isolinux.bin -c isolinux/boot.cat -no-emul-boot -boot-load-size 4 \
    -boot-info-table "$run/iso"
cat >"$run/bochsrc" <<END
display_library: term
cpu: model=${EMULATE_CPU:-corei7_skylake_x}, count=1, ips=50000000, reset_on_triple_fault=0
memory: guest=1024, host=1024
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
ata0-master: type=cdrom, path=$run/boot.iso, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev=$run/serial
sound: waveoutdrv=dummy, waveindrv=dummy, midioutdrv=dummy
log: $run/bochs.log
panic: action=fatal
clock: sync=none, time0=1577836800
END
echo c >"$run/debugger"
TERM=xterm timeout "${EMULATE_TIME:-1500}" script -qec "${EMULATE_BOCHS:-bochs} -q -f $run/bochsrc -rc $run/debugger" /dev/null \
    >"$run/screen" 2>&1 </dev/null || true

tr -d '\r' <"$run/serial" | sed -n '/^=== begin/,/^=== end/p' | grep -vE '^===|^\[ *[0-9]+\.[0-9]+\]' || true
code=$(tr -d '\r' <"$run/serial" | sed -nE 's/^=== end ([0-9]+).*/\1/p')
[ -n "$code" ] || { echo "emulate: no result within ${EMULATE_TIME:-1500} s; the end of the console:" >&2; tail -5 "$run/serial" >&2; exit 70; }
exit "$code"
