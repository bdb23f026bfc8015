#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""attribution_check.py CONSOLE <EVENTS.jsonl - what a recording says of l2_jobs.c's accesses.

Each access of it says in what is written who makes it. One line a class on standard output:

    CLASS EVENTS RIGHT UNKNOWN WRONG_LOW WRONG_HIGH LIVES

LIVES is how many lives of processes were told apart, or "mixed" if two of one pid were taken for
one. Exit 1 if a class is right in less than 99.5 %, has a wrong process with high confidence, or
mixed lives; or if the console tells of jobs of a class, and no event of it is there. Examples of what was wrong go to standard error.
"""
import collections
import json
import sys

# class -> (kinds of process, comm's beginning, by eight bytes)
CLASSES = {
    "5a00": ("user", "ring3", False),
    "mmio": ("user", "mmio", False),
    "5a10": ("user", "long", True),
    "5a20": ("user", "short", True),
    "5a30": ("user", "thread", True),
    "5a40": ("kernel", "jobs-kthread", False),
    "5a50": ("kernel", "kworker/", False),
    "5a60": ("interrupt", "hardirq", False),
    "5a70": ("interrupt", "softirq", False),
    "5a80": ("user", "started", True),
    "5aa0": ("idle", "swapper/", False),
}
NAMES = {
    "5a00": "ring3-port", "mmio": "ring3-mmio", "5a10": "syscall-long", "5a20": "syscall-5ms",
    "5a30": "threads", "5a40": "kthread", "5a50": "kworker", "5a60": "hardirq", "5a70": "softirq",
    "5a80": "exec-5ms", "5aa0": "idle",
}


# Those of iovm_jobs.ko that every guest with it runs (an idle task needs an idle CPU).
OF_THE_MODULE = {"5a40", "5a50", "5a60", "5a70"}

# Registers of edu's PCI configuration that stand for the ports where there is no /dev/port.
REGISTERS = {0x00: "5a10", 0x08: "5a20", 0x28: "5a30", 0x2C: "5a80"}


def read_console(path):
    bar, config, jobs = 0, 0, collections.defaultdict(set)
    with open(path, errors="replace") as console:
        for line in console:
            words = line.split()
            if line.startswith("@edu"):
                bar, config = int(words[1], 16), int(words[2], 16)
            if line.startswith("@job") and len(words) == 4:
                jobs[words[1]].add(int(words[2]))
    return bar, config, jobs


class Class:
    def __init__(self):
        self.events = self.right = self.unknown = self.low = self.high = 0
        self.lives = collections.defaultdict(set)  # (pid, start) -> lives


class Checker:
    def __init__(self, bar, config, jobs):
        self.bar, self.config, self.jobs = bar, config, jobs
        self.classes = collections.defaultdict(Class)
        self.words = {}  # class, process -> the bytes of a /dev/port write so far
        self.selected = {}  # vCPU -> what it wrote to 0xcf8
        self.examples = 0

    def class_of(self, event):
        """Class, and which byte of a /dev/port write, or None: the pid and life are whole."""
        if event["direction"] != "write" or "value" not in event:
            return None, None
        address = int(event["address"], 16)
        if event["kind"] == "mmio":
            return "mmio" if self.bar and address == self.bar + 4 else None, None
        if address == 0xCF8:
            self.selected[event["vcpu"]] = int(event["value"], 16)
        if address == 0xCFC and event["size"] == 4:
            return REGISTERS.get(self.selected.get(event["vcpu"], 0) - self.config), None
        name = "%x" % (address & ~7)
        if name not in CLASSES:
            return None, None
        return name, address & 7 if CLASSES[name][2] else None

    def is_right(self, name, byte, value, process):
        kind, comm, by_bytes = CLASSES[name]
        if process["kind"] != kind or not process["comm"].startswith(comm):
            return False
        if kind == "interrupt":
            return True
        pid = process["pid"]
        if kind == "user" and pid not in self.jobs[name]:
            return False
        if byte is None:
            return pid == (value & 0xFFFF if by_bytes else value)
        # The second word is the life, which is compared with the others of the process.
        return byte >= 4 or pid >> 8 * byte & 0xFF == value

    def see(self, event):
        name, byte = self.class_of(event)
        if not name:
            return
        value = int(event["value"], 16)
        process = event.get("process", {})
        found = self.classes[name]
        found.events += 1
        if "kind" not in process or process["confidence"] == "none":
            found.unknown += 1
            return
        good = self.is_right(name, byte, value, process)
        if good:
            found.right += 1
        elif process["confidence"] == "high":
            found.high += 1
        else:
            found.low += 1
        if not good and self.examples < 5:
            self.examples += 1
            print("wrong:", name, json.dumps(event), file=sys.stderr)
        if CLASSES[name][2]:
            self.see_life(name, byte, value, process)

    def see_life(self, name, byte, value, process):
        key = (process.get("pid"), process.get("start_ns"))
        if byte is None:
            self.classes[name].lives[key].add(value >> 16)
            return
        if byte == 0:
            self.words[name, key] = []
        word = self.words.setdefault((name, key), [])
        if len(word) != byte:
            return
        word.append(value)
        if byte == 7:
            life = sum(b << 8 * i for i, b in enumerate(word[4:]))
            self.classes[name].lives[key].add(life)

    def missing(self):
        wanted = {name for name in self.jobs if name in CLASSES}
        if "5a00" in wanted:
            wanted |= OF_THE_MODULE
        return sorted(NAMES[name] for name in wanted if not self.classes[name].events)

    def report(self):
        bad = bool(self.missing())
        if bad:
            print("no event of:", ", ".join(self.missing()), file=sys.stderr)
        for name in CLASSES:
            found = self.classes.get(name)
            if not found or not found.events:
                continue
            mixed = any(len(lives) > 1 for lives in found.lives.values())
            lives = "mixed" if mixed else len(found.lives) if found.lives else "-"
            print(NAMES[name], found.events, found.right, found.unknown, found.low, found.high, lives)
            bad |= found.right < 0.995 * found.events or found.high > 0 or mixed
        return 1 if bad or not self.classes else 0


def main():
    checker = Checker(*read_console(sys.argv[1]))
    for line in sys.stdin:
        event = json.loads(line)
        if event["kind"] != "loss":
            checker.see(event)
    return checker.report()


if __name__ == "__main__":
    sys.exit(main())
