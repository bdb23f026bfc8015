# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What the record_*.bed scripts share: guests that wait for their word, recordings in the background,
# and what came of them. The scripts also run directly, as root, on a host with /dev/kvm:
#   tests/bed/on-kvm build/dev tests/bed/record_ends.bed
: "${BED_DIR:=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)}"
export BED_DIR
# shellcheck source=/dev/null
. "$BED_DIR/lib.sh"
[[ -e /dev/kvm ]] || skip "no /dev/kvm"
command -v iovm >/dev/null || skip "iovm is not in PATH"

tmp=$(mktemp -d)
clean_up() {
  local left
  left=$(jobs -p)
  [[ -z $left ]] || kill $left 2>/dev/null || true
  wait
  rm -rf "$tmp"
}
trap clean_up EXIT
iovm record --source perf --vm all --wait --duration 10ms -q -o "$tmp/probe.iovm" 2>"$tmp/probe.err" \
  || skip "$(<"$tmp/probe.err")"
image=$tmp/tiny.bin
"$bed_repo/guest/build.sh" "$image"

# guest NAME MODE [OPTION...]: a tiny guest that is there but stopped; its VMM's pid in VMM.
guest() {
  local name=$1 mode=$2; shift 2
  rm -f "$tmp/$name.go"
  l2_tiny "$name" "$mode" --image "$image" --hold "$tmp/$name.go" "$@"
  wait_for 60 vmm_is_there "$name" || fail "guest $name did not start"
  VMM=$(vmm_of "$name")
}
vmm_of() { pgrep -f -- "qemu-system-x86_64 -name $1 " | head -n 1; }
vmm_is_there() { iovm list 2>/dev/null | grep -q " $1 "; }
go() { touch "$tmp/$1.go"; }

# recorder OPTION...: iovm record in the background, to $tmp/out.iovm unless -o is among the
# options; returns once it records. Its pid in RECORDER.
recorder() {
  local out=(-o "$tmp/out.iovm")
  [[ " $* " != *" -o "* ]] || out=()
  : >"$tmp/record.err"  # what the recorder before said is not this one's word
  iovm record "${out[@]}" "$@" 2>"$tmp/record.err" &
  RECORDER=$!
  wait_for 30 grep -q 'Ctrl-C ends it' "$tmp/record.err" || { cat "$tmp/record.err" >&2; fail "iovm record $*"; }
}

# recorder_ends STATUS: waits for it; its totals in EVENTS and LOST.
recorder_ends() {
  local status=0
  wait "$RECORDER" || status=$?
  [[ $status == "$1" ]] || { cat "$tmp/record.err" >&2; fail "iovm record ended with $status, wanted $1"; }
  local last
  last=$(grep -E '^[0-9]+ events, [0-9]+ lost' "$tmp/record.err") || last='0 events, 0 lost'
  EVENTS=${last%% events*}
  LOST=${last#*, }; LOST=${LOST%% lost*}
}

# How many events of the trace are like that: accesses TRACE KIND DIRECTION ADDRESS
accesses() {
  iovm dump --format events "$1" | awk -v k="$2" -v d="$3" -v a="$4" \
    '$5 == k && $6 == d && $7 == a { n++ } END { print n + 0 }'
}

# Times never go back, and a line of the summary is what the file says too.
expect_sound() {  # trace
  iovm dump --format events "$1" | awk '!/^#/ { if ($1 < last) bad++; last = $1 } END { exit bad > 0 }' \
    || fail "$1: times go back"
  iovm info "$1" >"$tmp/info" || fail "$1: iovm info"
}
