#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Turns what perf script or trace-cmd report say of a recording into the lines of events text that
`iovm dump --format events` must give for its import. Knows nothing of iovm's code.

  expected.py REPORT > NAME.events
"""
import re
import sys

LINE = re.compile(r"(?P<tid>\d+)\s+(?:\[\d+\]\s+)?(?P<s>\d+)\.(?P<ns>\d{9}):\s+(?:kvm:)?kvm_(?P<event>pio|mmio|fast_mmio):\s+(?P<text>.*)$")
LOST = re.compile(r"(?P<s>\d+)\.(?P<ns>\d{9}):\s+PERF_RECORD_LOST lost (?P<count>\d+)")
DROPPED = re.compile(r"CPU:\d+ \[(?:(?P<count>\d+) )?EVENTS DROPPED\]")
PIO = re.compile(r"pio_(read|write) at (0x[0-9a-f]+|0) size (\d+) count (\d+) val (0x[0-9a-f]+|0)")
MMIO = re.compile(r"mmio (unsatisfied-read|read|write) len (\d+) gpa (0x[0-9a-f]+|0) val (0x[0-9a-f]+|0)")
FAST = re.compile(r"fast mmio at gpa (0x[0-9a-f]+|0)")


def read(lines):
    """(time, tid, kind, direction, address, size, value, count) of each event; a loss has tid -1."""
    events, open_reads, dropped = [], {}, None
    for line in lines:
        if found := DROPPED.search(line):
            dropped = int(found["count"] or 0)
            continue
        if found := LOST.search(line):
            events.append((int(found["s"] + found["ns"]), -1, "loss", "-", 0, None, int(found["count"]), None))
            continue
        if not (found := LINE.search(line)):
            continue
        time, tid, text = int(found["s"] + found["ns"]), int(found["tid"]), found["text"]
        if dropped is not None:
            events.append((time, -1, "loss", "-", 0, None, dropped, None))
            dropped = None
        if match := PIO.match(text):
            way, address, size, count, value = match.groups()
            events.append((time, tid, "pio", way[0], int(address, 16), int(size), int(value, 16), int(count)))
        elif match := MMIO.match(text):
            way, size, address, value = match.groups()
            event = [time, tid, "mmio", "w" if way == "write" else "r", int(address, 16), int(size), int(value, 16), 1]
            if way == "unsatisfied-read":
                event[6] = None
                open_reads[tid] = event
                events.append(event)
            elif way == "read" and tid in open_reads and open_reads[tid][4] == event[4]:
                open_reads.pop(tid)[5:7] = event[5:7]
            else:
                events.append(event)
        elif match := FAST.match(text):
            events.append((time, tid, "fast", "w", int(match[1], 16), None, None, 1))
    return events


def main():
    with open(sys.argv[1], encoding="utf-8", errors="replace") as report:
        events = read(report)
    ranks = {tid: rank for rank, tid in enumerate(sorted({e[1] for e in events} - {-1}))}
    number = lambda value, form: "-" if value is None else format(value, form)
    for time, tid, kind, way, address, size, value, count in sorted(events, key=lambda e: e[0]):
        print(time, ranks.get(tid, "-"), -1, "-", kind, way, f"{address:#x}", number(size, "d"),
              number(value, "#x"), "-", "-", number(count, "d"), "-")


if __name__ == "__main__":
    main()
