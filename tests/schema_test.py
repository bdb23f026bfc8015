#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the commands print as JSON against the published schemas (docs/schema/).

usage: schema_test.py IOVM SOURCE_DIR

Real recordings, a hostile one, alerts of every kind, alerts from a file. Each schema also has to refuse: of an output that
it accepts, every key that it requires is left out once. Exit 77: no python3-jsonschema here.
"""
import copy
import json
import pathlib
import subprocess
import sys
import tarfile
import tempfile

try:
    import jsonschema
except ImportError:
    print("SKIP: python3-jsonschema is not here (scripts/install-deps test)")
    sys.exit(77)

COLUMNS = "# columns: t_ns vcpu pid comm kind dir addr size value cr3 rip count cpl\n"
HOSTILE = "# name: <b>%22\n" + COLUMNS + "".join(
    f"{1000000 + i * 9000} 0 266 %3Cimg%3E%1b[2J%ff pio w 0x3f5 1 0x8e 0xf6e0000 0x401000 1 3\n" for i in range(100)
) + "9000000 - -1 - loss - 0x0 - 0x7 - - - -\n"


def disk(commands, every_ns):
    """A process reads a disk, a command every so often."""
    accesses = (("w", 0x1f2), ("w", 0x1f3), ("w", 0x1f4), ("w", 0x1f5), ("w", 0x1f6), ("w", 0x1f7), ("r", 0x1f7))
    lines = []
    for i in range(commands):
        values = (8, i % 256, i // 256 % 256, 0, 0xe0, 0xc8, 0x58)
        for k, ((way, port), value) in enumerate(zip(accesses, values)):
            time = 10**9 + i * every_ns + k * 2000
            lines.append(f"{time} 0 153 dd pio {way} {port:#x} 1 {value:#x} 0xf736000 0xffffffff81000030 1 0\n")
    return COLUMNS + "".join(lines)


# Registers of a device that no training saw, by the kernel.
def strange(start):
    return "".join(f"{start + i * 9000} 0 153 dd pio w {0x3f0 + i % 6:#x} 1 0x8e 0xf736000 0xffffffff81000030 1 0\n"
                   for i in range(20))


def numbers(odd):
    return odd + "".join(" ".join(str((k + i) % 7) for k in range(40)) + "\n" for i in range(330))


class Checker:
    def __init__(self, root):
        self.schemas = {}
        for path in sorted((root / "docs/schema").glob("*.schema.json")):
            schema = json.loads(path.read_text(encoding="utf-8"))
            jsonschema.Draft202012Validator.check_schema(schema)
            self.schemas[path.name.split(".")[0]] = jsonschema.Draft202012Validator(schema)
        self.problems, self.accepted = [], {}

    def check(self, name, value, what):
        for error in self.schemas[name].iter_errors(value):
            self.problems.append(f"{what}: {error.json_path}: {error.message[:300]}")
        self.accepted.setdefault(name, []).append(value)

    # Every kind of alert that there is has been held against it.
    def check_kinds(self):
        kinds = self.schemas["alert"].schema["properties"]["iovm"]["properties"]["alert_kind"]["enum"]
        seen = {alert["iovm"]["alert_kind"] for alert in self.accepted.get("alert", [])}
        self.problems += [f"no alert of kind {kind} was made" for kind in kinds if kind not in seen]

    # A schema that accepts everything would be no promise.
    def check_refusal(self):
        for name, validator in self.schemas.items():
            if name not in self.accepted:
                self.problems.append(f"{name}: nothing was held against it")
                continue
            value = self.accepted[name][0]
            body = validator.schema
            required = body.get("required") or body["$defs"][body["anyOf"][0]["$ref"].split("/")[-1]]["required"]
            for key in required:
                less = copy.deepcopy(value)
                less.pop(key, None)
                if validator.is_valid(less):
                    self.problems.append(f"{name}: it does not miss {key}")


def main():
    iovm, root = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
    demo = root / "tests/data/demo"
    checker = Checker(root)

    def run(*words, text=None, code=0):
        done = subprocess.run([str(iovm), *map(str, words)], input=text, capture_output=True, text=True, check=False)
        if done.returncode != code:
            checker.problems.append(f"{words}: {done.stderr}")
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]

    with tempfile.TemporaryDirectory() as name:
        place = pathlib.Path(name)
        model, hostile = place / "m.iovmm", place / "hostile.iovm"
        run("train", *sorted(demo.glob("normal-*.iovm")), "-o", model, "--false-alarms", "1/hour")
        run("import", "-", "--from", "events", "-o", hostile, text=HOSTILE)
        traces = [demo / "attack.iovm", demo / "control.iovm", hostile]
        layout = root / "tests/data/trace/good-layout.iovm"
        checker.check("info", run("info", layout, "--json")[0], "info of a PCI layout")
        for trace in traces:
            checker.check("explain", run("explain", trace, "-m", model, "--json")[0], f"explain {trace.name} -m")
            checker.check("explain", run("explain", trace, "--json")[0], f"explain {trace.name}")
            checker.check("info", run("info", trace, "--json")[0], f"info {trace.name}")
            for alert in run("detect", "-m", model, trace, "--json"):
                checker.check("alert", alert, f"detect {trace.name}")
            for score in run("detect", "-m", model, trace, "--json", "--scores"):
                checker.check("scores", score, f"detect --scores {trace.name}")
        def made(name, text, source="events"):
            run("import", "-", "--from", source, "-o", place / name, text=text)
            return place / name

        # Trained on one, told of the other: far too much work, accesses never seen, an odd session.
        for kind, source, promise, normal, odd in (
                ("volume", "events", (), disk(600, 5 * 10**8), disk(6000, 5 * 10**6)),
                ("unseen", "events", (), disk(600, 5 * 10**8), disk(300, 5 * 10**8) + strange(200 * 10**9)),
                ("session", "sequences", ("--false-alarms", "1%"), numbers(""),
                 numbers(" ".join(str(k * 5 % 7) for k in range(40)) + "\n"))):
            other = place / f"{kind}.iovmm"
            run("train", made(f"{kind}-normal.iovm", normal, source), "-o", other, *promise)
            trace = made(f"{kind}.iovm", odd, source)
            alerts = run("detect", "-m", other, trace, "--json")
            for alert in alerts:
                checker.check("alert", alert, f"an alert of {kind}")
            if kind not in {alert["iovm"]["alert_kind"] for alert in alerts}:
                checker.problems.append(f"{trace.name}: no alert of kind {kind}")
            checker.check("explain", run("explain", trace, "-m", other, "--json")[0], f"explain an alert of {kind}")
        for event in run("dump", hostile, "--format", "jsonl") + run("export", traces[0], "--to", "jsonl"):
            checker.check("event", event, "events")
        checker.check("verify", run("verify", hostile, "--json")[0], "verify")
        golden = root / "tests/data/trace"
        for bad in [golden / "good.iovm", *golden.glob("bad-chain-*.iovm")]:
            checker.check("verify", run("verify", bad, "--json", code=3)[0], f"verify {bad.name}")
        case = place / "case.tar"
        run("bundle", hostile, "-m", model, "-o", case)
        checker.check("verify", run("verify", case, "--json")[0], "verify of a case")
        with tarfile.open(case) as members:
            checker.check("manifest", json.load(members.extractfile("iovm-case/manifest.json")), "a manifest")
        checker.check("info", run("info", model, "--json")[0], "info of a model")
        checker.check("explain", run("explain", traces[0], "--compare", traces[1], "--json")[0], "explain --compare")
        truth = place / "truth.txt"
        truth.write_text(f"{traces[0].name} first 0 2000\n{traces[0].name} second 3000 3001 device=fdc user\n")
        for words in ([], ["--truth", truth]):
            judged = run("eval", "-m", model, "--normal", traces[1], "--attack", traces[0], "--json", *words)[0]
            checker.check("eval", judged, "eval")
        lines = subprocess.run([str(iovm), "detect", "-m", str(model), str(hostile), "--json"], capture_output=True,
                               text=True, check=False).stdout
        checker.check("explain", run("explain", "-", "--json", text=lines)[0], "explain of alerts")
        stopped = lines.replace('"alert_kind"', '"stopped":{"how":"signal","resume":"kill -CONT 7"},"alert_kind"')
        for line in stopped.splitlines():
            checker.check("alert", json.loads(line), "an alert with a stopped VM")
        checker.check("explain", run("explain", "-", "--json", text=stopped)[0], "explain of a stopped VM")
    checker.check_kinds()
    checker.check_refusal()
    for problem in checker.problems:
        print(problem)
    count = sum(map(len, checker.accepted.values()))
    print(f"{count} outputs against {len(checker.schemas)} schemas, {len(checker.problems)} problems")
    return 1 if checker.problems else 0


if __name__ == "__main__":
    sys.exit(main())
