#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# inline_cost.sh [ROUNDS [RUNS]]: what the look for writes that stop a VM costs the BPF program; see record.md.
# Runs as root on a host with KVM:
#   PATH=build/release:$PATH bench/inline_cost.sh
set -eu
: "${BED_DIR:=$(cd "$(dirname "${BASH_SOURCE[0]}")/../tests/bed" && pwd)}"
# shellcheck source=tests/bed/record_lib.sh
. "$BED_DIR/record_lib.sh"
command -v bpftool >/dev/null || skip "bpftool is not installed"
rounds=${1:-20000} runs=${2:-5}

rule() { printf 'rule cost "A test"\n  technique T1611\n  ref "a test"\n  inline\n  step write %s\n' "$1" >"$tmp/$2.rules"; }
rule 'port 0x1234' elsewhere
rule 'port 0x80 value 0x100,0x101' beside # the guest's writes go there, and are none of these

arms="off elsewhere beside"
one_guest() {  # arm
  guest cost string --count "$rounds"
  local options=(--rules "$tmp/elsewhere.rules")
  [[ $1 == off ]] || options=(--inline --rules "$tmp/$1.rules")
  rm -f "$tmp/err" # of the guest before: it says that its detector is ready
  iovm detect --live --source bpf --vm cost --no-builtin-rules "${options[@]}" >"$tmp/out" 2>"$tmp/err" &
  local detector=$!
  wait_for 30 grep -q 'Ctrl-C ends it' "$tmp/err" || fail "iovm detect: $(<"$tmp/err")"
  local program
  program=$(bpftool prog show name see_pio | sed -n 's/^\([0-9]*\): .*/\1/p' | tail -n 1) # the newest is ours
  [[ $program ]] || fail "the kernel has no program of ours"
  bpftool prog dump xlated id "$program" | grep -cE '^ *[0-9]+:' >"$tmp/instructions.$1"
  sysctl -q kernel.bpf_stats_enabled=1
  go cost
  sleep 1
  bpftool prog show id "$program" | sed -n 's/.*run_time_ns \([0-9]*\) run_cnt \([0-9]*\).*/\1 \2/p' \
    | awk '$2 { printf "%d\n", $1 / $2 }' >>"$tmp/ns.$1"
  sysctl -q kernel.bpf_stats_enabled=0
  kill "$VMM" 2>/dev/null || true # it may have come to its end
  wait "$detector" || true
  wait "$L2_PID" || true
}
median() { sort -n "$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
for ((i = 0; i < runs; i++)); do
  for arm in $arms; do one_guest "$arm"; done
done
for arm in $arms; do
  echo "$arm: $(<"$tmp/instructions.$arm") instructions loaded, $(median "$tmp/ns.$arm") ns an access ($(sort -n "$tmp/ns.$arm" | xargs))"
done
