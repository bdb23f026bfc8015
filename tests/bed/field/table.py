#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures what iovm makes of the field lab's recordings, with its own commands, and prints docs/field.md.

usage: table.py RECORDINGS_DIR [--iovm PROGRAM] [--alerts] [--check MOST_FALSE]

RECORDINGS_DIR has MACHINE-SEED.iovm: seeds 1 and 2 are normal boots, others have attackers. Where an attack begins and ends is
in the recording itself: the guest says so on its serial line. --alerts prints each alert; --check exits 1 if an attack by
registers was not found, or there are more false episodes in all than that.
"""
import argparse
import collections
import json
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile

SERIAL = "0x3f8"
BEGIN = re.compile(r"@begin (\S+) (user|module|driver) pid=\d+ cr3=(\w+) code=(\w+)-(\w+) device=(\S+)\r?\n")
Attack = collections.namedtuple("Attack", "run name how first last narrowed")


class Lab:
    def __init__(self, iovm, folder, work):
        self.iovm, self.folder, self.work = iovm, folder, work
        self.runs = collections.defaultdict(dict)
        for path in sorted(folder.glob("**/*-*.iovm")):
            machine, seed = path.stem.rsplit("-", 1)
            self.runs[machine][int(seed)] = path

    def run(self, *words):
        done = subprocess.run([self.iovm, *map(str, words)], capture_output=True, text=True, check=False)
        if done.returncode not in (0, 1):
            raise SystemExit(f"iovm {' '.join(map(str, words))}: {done.stderr.strip()}")
        return done.stdout

    def train(self, name, *traces):
        model = self.work / f"{name}.iovmm"
        self.run("train", *traces, "-o", model)
        return model

    def alerts(self, model, trace):
        return [json.loads(line) for line in self.run("detect", "-m", model, trace, "--json").splitlines()]

    def attacks(self, trace):
        """By what the guest wrote to its UART: text, and the number of the event of each character."""
        text, numbers, number = [], [], -1
        listing = subprocess.run([self.iovm, "dump", "--format", "events", trace], capture_output=True, text=True, check=True).stdout
        for line in listing.splitlines():
            if line.startswith("#"):
                continue
            number += 1
            words = line.split()
            if words[4] == "pio" and words[5] == "w" and words[6] == SERIAL:
                text.append(chr(int(words[8], 16) & 0xff))
                numbers.append(number)
        text = "".join(text)
        for begin in BEGIN.finditer(text):
            name, how, cr3, code_first, code_last, device = begin.groups()
            end = text.find(f"@end {name}", begin.end())
            narrowed = {"user": f"cr3={cr3} user", "module": f"code={code_first}-{code_last}", "driver": f"cr3={cr3} device={device}"}[how]
            yield Attack(trace.stem, name, how, numbers[begin.end() - 1] + 1, numbers[end] - 1 if end >= 0 else number, narrowed)

    def judge(self, model, normal, trace, attacks):
        truth = self.work / "truth"
        truth.write_text("".join(f"{trace.name} {a.name} {a.first} {a.last} {a.narrowed}\n" for a in attacks))
        return json.loads(self.run("eval", "--json", "-q", "-m", model, "--normal", normal, "--attack", trace, "--truth", truth))["truth"]


def told(alert):
    """An alert, as an operator has it before him."""
    iovm = alert["iovm"]
    extra = iovm.get("volume", {}).get("text", "")
    return f"{iovm['alert_kind']}: {alert['rule']['name']}" + (f" ({extra})" if extra else "")


def kinds(alerts, attack):
    """What the alerts are called that came while an attack went on."""
    names = collections.Counter(a["rule"]["name"] for a in alerts
                                if a["iovm"]["window"]["first"] <= attack.last and a["iovm"]["window"]["last"] >= attack.first)
    return ", ".join(f"{n}" if c == 1 else f"{n} ({c})" for n, c in names.most_common(3)) or "-"


def cell(outcome):
    if not outcome["alerts"]:
        return "not found"
    return "open before" if not outcome["accesses_to_alarm"] else str(outcome["accesses_to_alarm"])


def machine_rows(lab, machine, totals, show):
    runs = lab.runs[machine]
    one, both = lab.train("one", runs[1]), lab.train("both", runs[1], runs[2])
    rows = []
    for seed in sorted(set(runs) - {1, 2}):
        trace = runs[seed]
        attacks = list(lab.attacks(trace))
        results = [lab.judge(model, runs[2], trace, attacks) for model in (one, both)]
        alerts = lab.alerts(one, trace)
        for i, attack in enumerate(attacks):
            outcomes = [result["each"][i] for result in results]
            rows.append(f"| {trace.stem} | {attack.name} | {attack.how} | {outcomes[0]['accesses']} | {cell(outcomes[0])} | {cell(outcomes[1])} | "
                        f"{kinds(alerts, attack)} |")
            totals["attacks", attack.how] += 1
            for which, outcome in zip(("one", "both"), outcomes):
                totals["found", which, attack.how] += bool(outcome["alerts"])
                if outcome["accesses_to_alarm"] and attack.how != "driver":
                    totals.delays[which].append(outcome["accesses_to_alarm"])
        for which, result in zip(("one", "both"), results):
            totals["false", which] += result["false_alerts"]
            totals["spaced"] += result["address_space_known"]
            totals["named"] += result["address_space_named"]
        totals.false_rows.append(f"| {trace.stem} | {results[0]['false_alerts']} | {results[1]['false_alerts']} |")
        if show:
            show_alerts(f"{trace.stem} by {machine}-1", alerts, attacks)
    for trained, judged in ((1, 2), (2, 1)):
        alerts = lab.alerts(lab.train("held", runs[trained]), runs[judged])
        totals["held-out"] += len(alerts)
        totals.false_rows.append(f"| {runs[judged].stem}, by {machine}-{trained} | {len(alerts)} | |")
        if show:
            show_alerts(f"{runs[judged].stem} by {machine}-{trained}", alerts, [])
    return rows


def show_alerts(title, alerts, attacks):
    print(f"== {title}", file=sys.stderr)
    for attack in attacks:
        print(f"   {attack.name} {attack.how} {attack.first}-{attack.last}", file=sys.stderr)
    for alert in alerts:
        window = alert["iovm"]["window"]
        print(f"   {window['first']}-{window['last']} {told(alert)} | {json.dumps(alert['iovm'].get('device', ''))} "
              f"{json.dumps(alert['iovm'].get('process', {}).get('comm', ''))}", file=sys.stderr)


class Totals(collections.Counter):
    def __init__(self):
        super().__init__()
        self.delays, self.false_rows = collections.defaultdict(list), []


def page(rows, totals):
    out = ["# Own guests, attacks from public reproducers", "",
           "Made by `tests/bed/field_lab`: Linux guests under KVM (the nested bed) do seeded work on their disks, network, sound and console, and in its midst are",
           "attacked: by a process (ring 3), by a kernel module, or through the guest's own driver. The attacks are `tests/bed/field/attacks/`, after QEMU's own",
           "reproducers and advisories, which each file names; QEMU is a mended one. Nothing in iovm was tuned on these recordings. Each is judged by a model of one",
           "normal boot and by one of two, all options at their defaults; iovm.ko recorded. Figures: accesses of the attack until its alarm.", "",
           "| run | attack | by | accesses | one boot | two boots | alerts meanwhile |", "|---|---|---|---|---|---|---|", *rows, ""]
    hows = [h for h in ("user", "module", "driver") if totals["attacks", h]]
    parts = [f"{totals['found', 'one', h]} and {totals['found', 'both', h]} of {totals['attacks', h]} by {h}" for h in hows]
    medians = [f"{statistics.median(totals.delays[w] or [0]):g}" for w in ("one", "both")]
    out += [f"Found with one boot and with two: {'; '.join(parts)}. Median accesses to the alarm, by registers: {medians[0]} and {medians[1]}. "
            f"{totals['named']} of {totals['spaced']} alerts", "of attacks name the attacking address space.", "",
            "Alerts that hold no access of an attack:", "", "| recording | one boot | two boots |", "|---|---|---|", *totals.false_rows, ""]
    return "\n".join(out)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("recordings", type=pathlib.Path)
    parser.add_argument("--iovm", default="iovm")
    parser.add_argument("--alerts", action="store_true")
    parser.add_argument("--check", type=int)
    options = parser.parse_args()
    totals, rows = Totals(), []
    with tempfile.TemporaryDirectory() as work:
        lab = Lab(options.iovm, options.recordings, pathlib.Path(work))
        for machine, runs in lab.runs.items():
            if {1, 2} <= set(runs):
                rows += machine_rows(lab, machine, totals, options.alerts)
    print(page(rows, totals))
    if options.check is not None:
        missed = sum(totals["attacks", h] - totals["found", "one", h] for h in ("user", "module"))
        false = totals["false", "one"] + totals["held-out"]
        if not rows or missed or false > options.check:
            raise SystemExit(f"{len(rows)} attacks, {missed} by registers not found, {false} false episodes of {options.check} allowed")


if __name__ == "__main__":
    main()
