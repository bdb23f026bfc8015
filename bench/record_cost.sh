#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# record_cost.sh [ACCESSES [RUNS]]: what recording costs a real guest, by source, against perf record and
# trace-cmd record; see record.md. Runs as root on a host with KVM, or in the bed, there with iovm.ko too:
#   PATH=build/release:$PATH bench/record_cost.sh
#   IOVM_ARMS="none perf iovm-kmod": only those
#   tests/bed/prepare && tests/bed/bed --bin build/release --timeout 1800 'bench/record_cost.sh 50000 5'
set -eu
: "${BED_DIR:=$(cd "$(dirname "${BASH_SOURCE[0]}")/../tests/bed" && pwd)}"
# shellcheck source=tests/bed/record_lib.sh
. "$BED_DIR/record_lib.sh"
command -v perf >/dev/null || skip "perf is not installed"
accesses=${1:-${IOVM_STORM:-150000}} runs=${2:-7}
TIMEFORMAT='%U %S'

arms="none perf"
traced() { trace-cmd record -q -e kvm:kvm_pio -e kvm:kvm_mmio -o "$tmp/trace.dat" "$@" >/dev/null 2>"$tmp/probe"; }
if command -v trace-cmd >/dev/null && traced true; then
  arms+=" trace-cmd"
else
  say "not trace-cmd: $(tail -n 1 "$tmp/probe" 2>/dev/null)"
fi
arms+=" iovm-perf"
works() { iovm record --source "$1" --vm nobody --wait --duration 10ms -o "$tmp/probe.iovm" 2>"$tmp/probe"; }
module=${IOVM_BED_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/iovm/bed}/kmod/iovm.ko
[[ -e /dev/iovm || ! -s $module || ! ${BED_RELEASE:-} ]] || busybox insmod "$module"
for source in bpf kmod; do
  if works "$source"; then arms+=" iovm-$source"; else say "not $source: $(tail -n 1 "$tmp/probe")"; fi
done

arms=${IOVM_ARMS:-$arms}

# Runs the guest and takes its CPU time from its first instruction on: of run-tiny and its children, less
# what the VMM had used by then (its start takes longer than a thousand accesses).
one_guest() {  # arm
  rm -f "$tmp/cost.go"
  { time "$bed_repo/guest/run-tiny" storm --name cost --accel kvm --image "$image" --debugcon /dev/null \
      --count "$accesses" --hold "$tmp/cost.go" >/dev/null 2>&1; } 2>"$tmp/vm.time" &
  local guest=$!
  wait_for 60 vmm_is_there cost || fail "the guest did not start"
  VMM=$(vmm_of cost)
  start "$1"
  cat "/proc/$VMM"/task/*/schedstat | awk '{ ns += $1 } END { printf "%d\n", ns / 1e6 }' >"$tmp/before"
  go cost
  [[ $1 != iovm-bpf ]] || program_ns &
  wait "$guest" || fail "the guest"
  wait
}
# It opened its events and has gone to sleep over them.
perf_is_ready() {
  local pid
  pid=$(pgrep -n -x perf) && ls -l "/proc/$pid/fd" 2>/dev/null | grep -q perf_event && sleep 1 \
    && grep -q '^State:.S' "/proc/$pid/status"
}
# What perf lost, or never saw, cost the guest nothing and must not be taken for cheap.
check_perf() {
  perf report --stats -i "$tmp/perf.data" 2>/dev/null >"$tmp/perf.stats"
  local seen
  seen=$(awk '/SAMPLE events:/ { n = $3 } END { print n + 0 }' "$tmp/perf.stats")
  ((seen >= accesses)) || fail "perf record saw $seen of $accesses accesses"
}
start() {  # arm
  case $1 in
    none) ;;
    perf)
      { time perf record -q -e kvm:kvm_pio,kvm:kvm_mmio -o "$tmp/perf.data" -p "$VMM" >/dev/null 2>&1 || true; } 2>"$tmp/recorder.time" &
      wait_for 60 perf_is_ready || fail "perf record" ;;
    trace-cmd)
      { time traced tail --pid="$VMM" -s 0.1 -f /dev/null || true; } 2>"$tmp/recorder.time" &
      wait_for 30 grep -q 1 /sys/kernel/tracing/events/kvm/kvm_pio/enable || fail "trace-cmd" ;;
    *)
      : >"$tmp/cost.err"
      { time iovm record --source "${1#iovm-}" --vm "$VMM" -o "$tmp/cost.iovm" >/dev/null 2>"$tmp/cost.err"; } 2>"$tmp/recorder.time" &
      wait_for 30 grep -q 'Ctrl-C ends it' "$tmp/cost.err" || fail "iovm record: $(cat "$tmp/cost.err")" ;;
  esac
}
# The program's own time, by the kernel's statistics: of half a second only, for they cost time too.
program_ns() {
  command -v bpftool >/dev/null || return 0
  sleep 0.5
  sysctl -q kernel.bpf_stats_enabled=1
  sleep 0.5
  bpftool prog show name see_pio 2>/dev/null | sed -n 's/.*run_time_ns \([0-9]*\) run_cnt \([0-9]*\).*/\1 \2/p' \
    | awk '{ printf "%d\n", $1 / $2 }' >>"$tmp/program"
  sysctl -q kernel.bpf_stats_enabled=0
}
ms() { awk '{ printf "%d\n", ($1 + $2) * 1000 }' "$1"; }
median() { sort -n "$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

sysctl -q kernel.bpf_stats_enabled=0 2>/dev/null || true
for ((i = 0; i < runs; i++)); do
  for arm in $arms; do
    one_guest "$arm"
    echo $(($(ms "$tmp/vm.time") - $(<"$tmp/before"))) | tee -a "$tmp/vm.$arm" | sed "s/^/$arm /" >&2
    [[ $arm == none ]] || ms "$tmp/recorder.time" >>"$tmp/recorder.$arm"
    [[ $arm != perf ]] || check_perf
    [[ $arm != iovm-* ]] || grep -q ', 0 lost' "$tmp/cost.err" || fail "$arm: $(tail -n 1 "$tmp/cost.err")"
  done
done
[[ ! ${BED_RELEASE:-} || ! -e /dev/iovm ]] || busybox rmmod iovm

least() { sort -n "$1" | head -n 1; }

base=$(median "$tmp/vm.none") base_least=$(least "$tmp/vm.none")
echo "$accesses accesses, median of $runs; a guest without a recorder: $base ms ($((base * 1000000 / accesses)) ns/access)"
for arm in $arms; do
  [[ $arm != none ]] || continue
  more=$(($(median "$tmp/vm.$arm") - base)) recorder=$(median "$tmp/recorder.$arm")
  more_least=$(($(least "$tmp/vm.$arm") - base_least))
  echo "$arm: guest $((more * 1000000 / accesses)) ns/access more (by the least of each: $((more_least * 1000000 / accesses)))," \
    "recorder $((recorder * 1000000 / accesses)) ns/access"
done
[[ ! -s $tmp/program ]] || echo "the BPF program by the kernel's statistics: $(median "$tmp/program") ns"
for arm in $arms; do echo "all, $arm, ms: $(tr '\n' ' ' <"$tmp/vm.$arm")"; done
