#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# kmod_cost.sh [SECONDS [ROUNDS]]: what iovm.ko adds to an exit, beside perf record; see kmod.md.
# Runs as root on a host with KVM and tests/bed/kmod_build's module for its kernel, or in the bed:
#   tests/bed/kmod_build && tests/bed/bed --bin build/release --timeout 1500 bench/kmod_cost.sh
set -eu
: "${BED_DIR:=$(cd "$(dirname "${BASH_SOURCE[0]}")/../tests/bed" && pwd)}"
: "${BED_OUT:=$(mktemp -d)}"
export BED_DIR BED_OUT
# shellcheck source=/dev/null
. "$BED_DIR/kmod_lib.sh"
command -v perf >/dev/null || skip "perf is not installed"
command -v iovm >/dev/null || skip "iovm is not in PATH"
window=${1:-3} rounds=${2:-7}

kmod_load
kmod_guest cost storm --count 2000000000
kmod_go cost
vcpu=$(grep -l 'CPU 0/KVM' "/proc/$VMM_PID"/task/*/comm); vcpu=${vcpu%/comm}
exits=$(ls -d /sys/kernel/debug/kvm/"$VMM_PID"-*)/io_exits

cpu_ns() { cut -d' ' -f1 "$1/schedstat"; }
# ns of the vCPU thread's CPU time for one exit, over one window.
measure() {
  local t0 e0 t1 e1
  t0=$(cpu_ns "$vcpu") e0=$(<"$exits")
  sleep "$window"
  t1=$(cpu_ns "$vcpu") e1=$(<"$exits")
  ((e1 - e0 > 100)) || fail "the guest stands"
  echo $(((t1 - t0) / (e1 - e0))) $((e1 - e0))
}
recorder_ns() { awk '{ printf "%.0f\n", ($14 + $15) * 1e7 }' "/proc/$1/stat"; }  # ticks of 10 ms

start_none() { RECORDER=''; }
start_perf() {
  perf record -q -e kvm:kvm_pio,kvm:kvm_mmio -o /run/perf.data -p "$VMM_PID" >/dev/null 2>&1 &
  RECORDER=$!
}
start_iovm() {  # source
  iovm record --source "$1" --vm "$VMM_PID" -o "/run/$1.iovm" 2>/run/iovm.err &
  RECORDER=$!
  wait_for 30 grep -q 'Ctrl-C ends it' /run/iovm.err || fail "iovm record --source $1: $(cat /run/iovm.err)"
}
start() { case $1 in none) start_none ;; perf) start_perf ;; iovm-perf) start_iovm perf ;; *) start_iovm kmod ;; esac; }
median() { sort -n "$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

arms="none perf iovm-perf iovm-kmod"
for ((round = 0; round < rounds; round++)); do
  for arm in $arms; do
    start "$arm"
    sleep 2
    cpu=0; [[ -z $RECORDER ]] || cpu=$(recorder_ns "$RECORDER")
    read -r ns events < <(measure)
    echo "$ns" >> "/run/$arm.ns"
    if [[ $RECORDER ]]; then
      echo $((($(recorder_ns "$RECORDER") - cpu) / events)) >> "/run/$arm.cpu"
      kill -TERM "$RECORDER"; wait "$RECORDER" || true
      rm -f /run/*.iovm /run/perf.data
    fi
  done
done
kill -KILL "$VMM_PID"

none=$(median /run/none.ns)
echo "median of $rounds windows of $window s; an exit without a recorder: $none ns"
for arm in perf iovm-perf iovm-kmod; do
  echo "$arm: $(($(median "/run/$arm.ns") - none)) ns more an exit, recorder $(median "/run/$arm.cpu") ns an event"
done
for arm in $arms; do echo "all, $arm: $(tr '\n' ' ' < "/run/$arm.ns")"; done
kmod_expect_quiet_kernel
