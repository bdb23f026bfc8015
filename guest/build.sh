#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# build.sh OUT - the tiny guest's BIOS image, by GNU binutils alone.
set -eu
[ $# -eq 1 ] || { echo "usage: build.sh OUT" >&2; exit 2; }
out=$1
here=$(cd "$(dirname "$0")" && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

for part in tiny cpu chipset fdc ide pci work; do
  as --32 -I "$here" -o "$tmp/$part.o" "$here/$part.S"
done
ld -m elf_i386 -T "$here/tiny.ld" -o "$tmp/tiny.elf" "$tmp"/*.o
objcopy -O binary "$tmp/tiny.elf" "$tmp/tiny.bin"
size=$(wc -c < "$tmp/tiny.bin")
[ "$size" -eq 65536 ] || { echo "build.sh: the image has $size bytes, not 65536" >&2; exit 1; }
mkdir -p "$(dirname "$out")"
mv "$tmp/tiny.bin" "$out"
