#!/bin/bash
# run-in-vm.sh [OPTIONS] SHARED_DIR COMMAND [ARG...]
#
# Boots a throw-away QEMU guest (Debian 12, kernel 6.1, pure cgroup v2, systemd + D-Bus, AppArmor), runs
# COMMAND in it with SHARED_DIR mounted read-only as /mnt/host (and as working directory), prints the
# command's stdout/stderr on ours as it comes, and exits with the command's status.
#   124  the overall timeout hit (output so far is still printed)     125  the guest died without a status
# One COMMAND argument is taken as a shell line ("cd x && make test"); several are run as given.
#
# Options:
#   -t SECS   overall wall-clock limit, boot included (default 300)
#   -u        run as user "tester" (uid 1000) inside its systemd user manager (lingering, delegated cgroup)
#   -l        run as root, but with tester's user manager started (user@1000.service, /run/user/1000/bus)
#   -e N=V    set an environment variable for the command (repeatable)
#   -w DIR    share DIR read-write as /mnt/rw (files appear on the host as root's)
#   -o DIR    keep the control/output directory: stdout stderr status uptime console.log (and anything the
#             command leaves in /mnt/out)
#   -m MEM    guest memory (default 2G)      -p CPUS   virtual CPUs (default 2)
#   -M TYPE   machine: q35 (default) | pc | microvm
#   -A ACCEL  tcg (default) | kvm            -K ARGS   extra kernel command line
#   -v        print the console log at the end too (always printed, last 40 lines, when the guest died)
# Environment: VM_IMAGE (default ${XDG_CACHE_HOME:-~/.cache}/pyrunc-vm, from build-image.sh), VM_CPU (QEMU -cpu), QEMU
set -uo pipefail
IMG=${VM_IMAGE:-${XDG_CACHE_HOME:-$HOME/.cache}/pyrunc-vm}; QEMU=${QEMU:-qemu-system-x86_64}
T=300 MEM=2G CPUS=2 MACH=q35 ACCEL=tcg USERM=0 LINGER=0 KEEP= RW= XK= VERB=0; ENVS=()
usage() { sed -n '2,/^set -/p' "$0" | sed 's/^# \{0,1\}//; /^set -/d' >&2; exit 2; }
while getopts "+t:ule:w:o:m:p:M:A:K:vh" o; do case $o in
  t) T=$OPTARG;; u) USERM=1 LINGER=1;; l) LINGER=1;; e) ENVS+=("$OPTARG");; w) RW=$OPTARG;; o) KEEP=$OPTARG;;
  m) MEM=$OPTARG;; p) CPUS=$OPTARG;; M) MACH=$OPTARG;; A) ACCEL=$OPTARG;; K) XK=$OPTARG;; v) VERB=1;; *) usage;;
esac; done
shift $((OPTIND-1)); [ $# -ge 2 ] || usage
SHARE=$(readlink -f "$1"); shift
[ -d "$SHARE" ] || { echo "run-in-vm: no such directory: $SHARE" >&2; exit 2; }
[ -f "$IMG/rootfs.ext4" ] || { echo "run-in-vm: no image in $IMG, run build-image.sh first" >&2; exit 2; }
# QEMU's option syntax splits at commas; they are escaped by doubling
q() { printf '%s' "${1//,/,,}"; }

if [ -n "$KEEP" ]; then mkdir -p "$KEEP"; D=$(readlink -f "$KEEP"); rm -f "$D"/{stdout,stderr,status,uptime,cmd,conf}
else D=$(mktemp -d "${TMPDIR:-/tmp}/run-in-vm.XXXXXX"); fi
: > "$D/stdout"; : > "$D/stderr"; chmod 755 "$D"
printf 'VM_USER=%s\nVM_LINGER=%s\n' $USERM $LINGER > "$D/conf"
{ for e in ${ENVS[@]+"${ENVS[@]}"}; do printf 'export %s=%q\n' "${e%%=*}" "${e#*=}"; done
  if [ $# = 1 ]; then printf '%s\n' "$1"; else printf '%q ' "$@"; echo; fi; } > "$D/cmd"

# ---- machine
case $ACCEL in
  tcg) AC=tcg,thread=multi,tb-size=512; CPU=${VM_CPU:-max,la57=off};;
  kvm) AC=kvm; CPU=${VM_CPU:-host};;
  *) usage;;
esac
case $MACH in
  # microvm has neither HPET, PM timer nor the speaker port that gates PIT channel 2, so a kernel under TCG cannot
  # calibrate its TSC and hangs right after "APIC: Switch to symmetric I/O mode".  TCG's TSC is the host's: tell it.
  microvm) M=microvm,acpi=on,rtc=on,pit=on,pic=on,isa-serial=on,x-option-roms=off,usb=off; BUS=device
    mhz=$(dmesg 2>/dev/null | sed -n 's/.*tsc: Refined.*: \([0-9.]*\) MHz.*/\1/p;s/.*tsc: Detected \([0-9.]*\) MHz.*/\1/p' | tail -1)
    [ -n "$mhz" ] || mhz=$(awk -F: '/^cpu MHz/{print $2+0; exit}' /proc/cpuinfo)
    XK="tsc_early_khz=$(awk -v m="$mhz" 'BEGIN{printf "%d", m*1000}') $XK";;
  pc|q35)  M=$MACH,usb=off,vmport=off; [ $MACH = pc ] || M=$M,smbus=off,sata=off; BUS=pci;;
  *) usage;;
esac
# quiet boot, no mitigations, no 5-level paging/KASLR: all worth time under TCG.  lsm= names apparmor only once;
# systemd.unified_cgroup_hierarchy=1 + cgroup_no_v1=all: pure cgroup v2.
APPEND="console=ttyS0 root=/dev/vda rw quiet loglevel=3 panic=-1 mitigations=off nokaslr no_timer_check \
tsc=reliable random.trust_cpu=on audit=0 rcupdate.rcu_expedited=1 psi=1 \
systemd.unified_cgroup_hierarchy=1 cgroup_no_v1=all apparmor=1 lsm=landlock,yama,apparmor,bpf \
systemd.show_status=false systemd.log_target=kmsg systemd.log_level=warning $XK"
ARGS=(-accel "$AC" -cpu "$CPU" -smp "$CPUS" -m "$MEM" -M "$M" -nodefaults -no-user-config -display none -no-reboot
  -kernel "${VM_KERNEL:-$IMG/vmlinux}" -initrd "$IMG/initrd.cpio" -append "$APPEND"
  -serial "file:$(q "$D/console.log")" -monitor none
  -drive "if=none,id=r,format=raw,file=$(q "$IMG/rootfs.ext4"),snapshot=on,cache=unsafe,aio=threads"
  -device virtio-blk-$BUS,drive=r
  -fsdev "local,id=h,path=$(q "$SHARE"),security_model=none,readonly=on,multidevs=remap"
  -device virtio-9p-$BUS,fsdev=h,mount_tag=vmhost
  -fsdev "local,id=o,path=$(q "$D"),security_model=none"
  -device virtio-9p-$BUS,fsdev=o,mount_tag=vmout
  -object rng-random,id=g,filename=/dev/urandom -device virtio-rng-$BUS,rng=g)
[ -z "$RW" ] || ARGS+=(-fsdev "local,id=w,path=$(q "$(readlink -f "$RW")"),security_model=none,multidevs=remap"
  -device virtio-9p-$BUS,fsdev=w,mount_tag=vmrw)

# ---- go.  timeout(1) sends TERM (QEMU quits at once), KILL 5 s later.
S0=$(date +%s.%N)
timeout --foreground -k 5 "$T" "$QEMU" "${ARGS[@]}" </dev/null >"$D/qemu.log" 2>&1 & qp=$!
trap 'kill $qp 2>/dev/null; wait $qp 2>/dev/null; [ -n "$KEEP" ] || rm -rf "$D"; exit 130' INT TERM HUP
tail -q -c +1 -s 0.1 -f --pid=$qp "$D/stdout" & t1=$!          # live output; tail ends by itself after QEMU
tail -q -c +1 -s 0.1 -f --pid=$qp "$D/stderr" >&2 & t2=$!
wait $qp; qs=$?
wait $t1 $t2
S1=$(date +%s.%N)
echo "wall $(echo "$S1 $S0" | awk '{printf "%.2f", $1-$2}')" >> "$D/uptime"
[ "$VERB" = 0 ] || { echo "---- console"; cat "$D/console.log"; echo "---- uptime"; cat "$D/uptime"; } >&2
if [ -s "$D/status" ]; then rc=$(cat "$D/status")
elif [ $qs = 124 ] || [ $qs = 137 ]; then echo "run-in-vm: timed out after $T s" >&2; rc=124
else echo "run-in-vm: guest ended without a status (qemu exit $qs); console:" >&2
  tail -n 40 "$D/qemu.log" "$D/console.log" >&2; rc=125; fi
[ -n "$KEEP" ] || rm -rf "$D"
exit "$rc"
