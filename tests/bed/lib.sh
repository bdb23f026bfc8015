# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Helpers for scripts that run in the bed: `. "$BED_DIR/lib.sh"`. Sets -eu.
# In the environment: BED_OUT (the outputs, shared with the host), BED_DIR (this
# folder), BED_KERNEL, BED_RELEASE and BED_MODULES (L1's own kernel, for an L2).
# Outside the bed, where nobody gave BED_OUT, it is a new folder in /tmp.
set -eu
: "${BED_OUT:=$(mktemp -d "${TMPDIR:-/tmp}/iovm-bed-out.XXXXXX")}"
[[ -d $BED_OUT ]] || { echo "BED_OUT: $BED_OUT is no folder" >&2; exit 2; }
export BED_OUT

bed_repo=$(cd "$BED_DIR/../.." && pwd)

say()  { echo "$*" >&2; }
fail() { say "FAILED: $*"; exit 1; }
skip() { say "skipped: $*"; exit 77; }

# wait_for SECONDS COMMAND...: until it succeeds; fails when the time is up.
wait_for() {
  local deadline=$((SECONDS + $1)); shift
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < deadline)) || return 1
    sleep 0.1
  done
}

# expect_eq WHAT GOT WANTED
expect_eq() {
  [[ $2 == "$3" ]] || fail "$1: got $2, wanted $3"
  say "$1: $2"
}

# The tiny guest's image, built once in each L1: GNU as takes seconds there.
tiny_image=/run/tiny.bin
build_tiny() { [[ -s $tiny_image ]] || "$bed_repo/guest/build.sh" "$tiny_image"; }

# l2_tiny NAME MODE [OPTION...]: the tiny guest under real KVM, in the
# background; its pid in L2_PID, what it says in $BED_OUT/NAME.debugcon.
l2_tiny() {
  local name=$1 mode=$2; shift 2
  build_tiny
  "$bed_repo/guest/run-tiny" "$mode" --name "$name" --accel kvm --image "$tiny_image" \
    --debugcon "$BED_OUT/$name.debugcon" "$@" &
  L2_PID=$!
}

# l2_wait: the end of the guest that was started last, and its verdict.
l2_wait() { wait "$L2_PID"; }
