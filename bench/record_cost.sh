#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# record_cost.sh [ACCESSES [RUNS]]: what recording a real guest costs, against perf record; see
# record.md. Runs as root on a host with KVM, or in the bed:
#   tests/bed/bed --bin build/release --timeout 1500 bench/record_cost.sh
set -eu
: "${BED_DIR:=$(cd "$(dirname "${BASH_SOURCE[0]}")/../tests/bed" && pwd)}"
# shellcheck source=/dev/null
. "$BED_DIR/record_lib.sh"
command -v perf >/dev/null || skip "perf is not installed"
accesses=${1:-${IOVM_STORM:-30000}} runs=${2:-5}
TIMEFORMAT='%U %S'

# Runs the guest and prints its CPU time in ms: run-tiny's children, mostly the VMM. What is not the
# VMM's is the same for all arms.
one_guest() {  # command that starts a recorder of $VMM, or true
  rm -f "$tmp/cost.go"
  { time "$bed_repo/guest/run-tiny" storm --name cost --accel kvm --image "$image" --debugcon /dev/null \
      --count "$accesses" --hold "$tmp/cost.go" >/dev/null 2>&1; } 2>"$tmp/vm.time" &
  local guest=$!
  wait_for 60 vmm_is_there cost || fail "the guest did not start"
  VMM=$(vmm_of cost)
  "$@"
  go cost
  wait "$guest" || fail "the guest"
}
start_perf() {
  { time perf record -q -e kvm:kvm_pio,kvm:kvm_mmio -o "$tmp/perf.data" -p "$VMM" >/dev/null 2>&1 || true; } 2>"$tmp/recorder.time" &
  sleep 3
}
start_iovm() {
  { time iovm record --source perf --vm "$VMM" -o "$tmp/cost.iovm" >/dev/null 2>"$tmp/cost.err"; } 2>"$tmp/recorder.time" &
  wait_for 30 grep -q 'Ctrl-C ends it' "$tmp/cost.err" || fail "iovm record"
}
ms() { awk '{ printf "%d\n", ($1 + $2) * 1000 }' "$1"; }
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

for arm in none perf iovm; do : >"$tmp/vm.$arm"; : >"$tmp/recorder.$arm"; done
for ((i = 0; i < runs; i++)); do
  for arm in none perf iovm; do
    case $arm in
      none) one_guest true ;;
      *) : >"$tmp/cost.err"; one_guest "start_$arm"; wait; ms "$tmp/recorder.time" >>"$tmp/recorder.$arm" ;;
    esac
    ms "$tmp/vm.time" >>"$tmp/vm.$arm"
  done
done
grep -q ', 0 lost' "$tmp/cost.err" || fail "the recording lost events: $(tail -n 1 "$tmp/cost.err")"

base=$(median <"$tmp/vm.none")
echo "$accesses accesses, median of $runs; a guest without a recorder: $base ms"
for arm in perf iovm; do
  vm=$(median <"$tmp/vm.$arm") recorder=$(median <"$tmp/recorder.$arm")
  echo "$arm: guest $((vm - base)) ms more ($(((vm - base) * 1000000 / accesses)) ns/access), recorder $recorder ms ($((recorder * 1000000 / accesses)) ns/access)"
done
echo "all, in ms: none $(tr '\n' ' ' <"$tmp/vm.none")/ perf $(tr '\n' ' ' <"$tmp/vm.perf")/ iovm $(tr '\n' ' ' <"$tmp/vm.iovm")"
echo "recorders: perf $(tr '\n' ' ' <"$tmp/recorder.perf")/ iovm $(tr '\n' ' ' <"$tmp/recorder.iovm")"
