# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# For scripts about iovm.ko: `. "$BED_DIR/kmod_lib.sh"`. Loads the module that kmod_build built.
# shellcheck source=tests/bed/lib.sh
. "$BED_DIR/lib.sh"

kmod_built=${IOVM_BED_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/iovm/bed}/kmod
[[ -s $kmod_built/iovm.ko ]] || skip "no iovm.ko: run tests/bed/kmod_build first, outside the bed"
reader=$kmod_built/kmod_reader

# A script before this one that failed may have left it loaded.
kmod_load() {
  [[ ! -e /sys/module/iovm ]] || kmod_unload
  busybox insmod "$kmod_built/iovm.ko"
}
kmod_unload() { busybox rmmod iovm; }

# What the kernel says of itself after a test: no warning, no bug, nothing held.
kmod_expect_quiet_kernel() {
  if dmesg | grep -E 'WARNING|BUG|Oops|RIP:|general protection|refcount|rcu.*stall|use-after' >&2; then
    fail "the kernel complains"
  fi
}

# kmod_guest NAME MODE [OPTION...]: the tiny guest, held before its first instruction; the VMM's
# pid in VMM_PID. kmod_go NAME lets it run, l2_wait waits for its end.
kmod_guest() {
  local name=$1 mode=$2; shift 2
  rm -f "/run/$name.pid" "/run/$name.go"
  l2_tiny "$name" "$mode" --hold "/run/$name.go" "$@" -- -pidfile "/run/$name.pid"
  wait_for 30 test -s "/run/$name.pid" || fail "$name: no VM"
  VMM_PID=$(<"/run/$name.pid")
}
kmod_go() { touch "/run/$1.go"; }

# kmod_field NAME LINE: the number after the word NAME in the reader's line.
kmod_field() { sed -n "s/.*\b$1 \([0-9]*\).*/\1/p" <<<"$2"; }

# kmod_read [OPTION...]: the reader in the background, once it records; kmod_result waits for its line.
kmod_read() {
  rm -f /run/reader.out /run/reader.err
  "$reader" "$@" >/run/reader.out 2>/run/reader.err &
  READER_PID=$!
  wait_for 10 grep -q features /run/reader.err || { cat /run/reader.err >&2; fail "the reader does not start"; }
}
kmod_result() {
  local rc=0
  wait "$READER_PID" || rc=$?
  cat /run/reader.err /run/reader.out >&2
  ((rc == 0)) || fail "the reader: exit $rc"
  RESULT=$(</run/reader.out)
}

# KVM out and in again, with the bed's own parameters.
kmod_kvm_out() { busybox rmmod kvm_amd && busybox rmmod kvm; }
kmod_kvm_in()  { busybox modprobe kvm-amd vgif=0 vls=0 nested=0; }
