# SPDX-License-Identifier: Apache-2.0
#
# What every tests/cli/*.test stands on:
#
#   . "$(dirname "$0")/lib.sh"
#   fixture_trace boot.iovm              # a small trace in $TMP, which is also the work directory
#   run "$IOVM" dump boot.iovm           # keeps its output, its errors and its exit code
#   expect_status 0
#   expect_out  'pio +w +0x1f7'          # an extended regular expression that some line matches
#   expect_err  'see iovm dump --help'
#
# A test goes on after a failed expectation and fails at its end, with every failure told by the line
# that expected it. skip REASON ends a test as skipped, not as passed.
set -u
: "${IOVM:?the iovm program to test}"
: "${IOVM_SOURCE_DIR:=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}"

TMP=$(mktemp -d "${TMPDIR:-/tmp}/iovm-cli.XXXXXX")
failures=0
expectations=0
# shellcheck disable=SC2317  # called by the trap
finish() {
  local status=$?
  cd / && rm -rf "$TMP"
  if [ "$status" -eq 0 ] && [ "$expectations" -eq 0 ]; then
    echo "FAIL: the test expects nothing" >&2
    status=1
  fi
  [ "$failures" -gt 0 ] && status=1
  exit "$status"
}
trap finish EXIT
cd "$TMP" || exit 1

skip() { echo "SKIP: $*"; expectations=1; exit 77; }

# The line of the test file that called an expectation.
caller_line() { echo "${BASH_SOURCE[2]##*/}:${BASH_LINENO[1]}"; }

# fail PLACE WHAT: tells it with what the last run printed.
fail() {
  failures=$((failures + 1))
  { echo "FAIL $1: $2"
    echo "  after: ${last_command:-nothing was run}"
    echo "  status: ${status:-}"
    sed 's/^/  out: /' "$TMP/.out" | head -n 20
    sed 's/^/  err: /' "$TMP/.err" | head -n 20
  } >&2 2>/dev/null
}
: >"$TMP/.out"; : >"$TMP/.err"

# run CMD...: standard input is empty unless redirected; what comes out is in $TMP/.out and .err.
run() {
  last_command="$*"
  "$@" >"$TMP/.out" 2>"$TMP/.err" </dev/null
  status=$?
}
# run_in FILE CMD...: the same with FILE as standard input.
run_in() {
  local input=$1; shift
  last_command="$* <$input"
  "$@" >"$TMP/.out" 2>"$TMP/.err" <"$input"
  status=$?
}

expect_status() {
  expectations=$((expectations + 1))
  [ "$status" -eq "$1" ] || fail "$(caller_line)" "expected exit status $1, got $status"
}
expect_out() {
  expectations=$((expectations + 1))
  grep -Eq -e "$1" "$TMP/.out" || fail "$(caller_line)" "no line of the output matches: $1"
}
expect_err() {
  expectations=$((expectations + 1))
  grep -Eq -e "$1" "$TMP/.err" || fail "$(caller_line)" "no line of the errors matches: $1"
}
expect_no_out() {
  expectations=$((expectations + 1))
  ! grep -Eq -e "$1" "$TMP/.out" || fail "$(caller_line)" "a line of the output matches: $1"
}
expect_no_err() {
  expectations=$((expectations + 1))
  ! grep -Eq -e "$1" "$TMP/.err" || fail "$(caller_line)" "a line of the errors matches: $1"
}
# The output as a whole, or as many lines.
expect_out_is() {
  expectations=$((expectations + 1))
  [ "$(cat "$TMP/.out")" = "$1" ] || fail "$(caller_line)" "the output is not: $1"
}
expect_out_lines() {
  expectations=$((expectations + 1))
  local lines; lines=$(wc -l <"$TMP/.out")
  [ "$lines" -eq "$1" ] || fail "$(caller_line)" "expected $1 lines of output, got $lines"
}
# Any condition: expect_true "what is promised" test -s FILE
expect_true() {
  expectations=$((expectations + 1))
  local what=$1; shift
  "$@" || fail "$(caller_line)" "not so: $what"
}
# Each line of the output is JSON, and `FILTER` (of jq) is true of all of it taken as an array.
expect_json() {
  expectations=$((expectations + 1))
  if ! command -v jq >/dev/null; then echo "note: jq is not here; JSON is not looked at" >&2; return; fi
  jq -es "$1" "$TMP/.out" >/dev/null 2>&1 || fail "$(caller_line)" "not true of the JSON output: $1"
}

# Makes a trace of a dozen accesses: a PIC, a keyboard, an IDE disk by process 153 "dd", an MMIO
# store, a doorbell and a loss. `fixture_events` is its text.
fixture_events() {
  cat <<'EVENTS'
# name: fixture
# columns: t_ns vcpu pid comm kind dir addr size value cr3 rip count
1000000000 0 1 init pio w 0x21 1 0xff 0x1000 0xffffffff81000010 1
1000001000 0 1 init pio r 0x64 1 0x1c 0x1000 0xffffffff81000020 1
1000250000 0 153 dd pio w 0x1f2 1 0x8 0xf736000 0xffffffff81000030 1
1000251000 0 153 dd pio w 0x1f3 1 0x0 0xf736000 0xffffffff81000031 1
1000252000 0 153 dd pio w 0x1f7 1 0xc8 0xf736000 0xffffffff81000032 1
1000253000 0 153 dd pio r 0x1f7 1 0x58 0xf736000 0xffffffff81000033 1
1000254000 0 153 dd pio r 0x1f0 2 0x4241 0xf736000 0xffffffff81000034 256
2000000000 1 -1 - mmio w 0xfee00300 4 0x40000 0x2000 0xffffffff81000040 -
2000001000 1 -1 - mmio r 0xfec00010 4 0x0 0x2000 0xffffffff81000041 -
2500000000 - -1 - loss - 0x0 - 0x7 - - -
3000000000 1 -1 - fast w 0xfe003000 - - 0x2000 0xffffffff81000042 -
3000001000 1 266 evil%20one pio w 0x3f5 1 0x8e 0xf6e0000 0x401000 1
EVENTS
}
fixture_trace() {
  fixture_events | "$IOVM" import - --from events -o "$1" >/dev/null 2>"$TMP/.err" ||
    { cat "$TMP/.err" >&2; fail "${FUNCNAME[0]}" "the fixture could not be imported"; exit 1; }
}

# A whole case from the demo's recordings: model.iovmm, attack.iovm, and alerts.jsonl, what detect
# says about it.
fixture_case() {
  local demo=$IOVM_SOURCE_DIR/tests/data/demo
  cp "$demo/attack.iovm" . && "$IOVM" train -q "$demo"/normal-*.iovm -o model.iovmm 2>"$TMP/.err" &&
    "$IOVM" detect -q -m model.iovmm attack.iovm --json >alerts.jsonl 2>"$TMP/.err" && [ -s alerts.jsonl ] ||
    { cat "$TMP/.err" >&2; fail "${FUNCNAME[0]}" "there is no case to look at"; exit 1; }
}

# As root a file without rights is still readable: run such a case as nobody, or not at all.
without_rights() {
  if [ "$(id -u)" -ne 0 ]; then "$@"; return; fi
  command -v setpriv >/dev/null || return 125
  setpriv --reuid=65534 --regid=65534 --clear-groups -- "$@"
}
