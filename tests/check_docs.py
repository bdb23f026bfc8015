#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the documentation against the tree and the binary.

usage: check_docs.py SOURCE_DIR IOVM

 1. Every path in backticks in the documents exists.
 2. Every command of `iovm --help` has a man page, whose NAME line is the first line of its --help and
    which names each of its options; and it has a CLI test.
 3. Man pages pass mandoc's lint, where mandoc is installed.
"""
import pathlib
import re
import shutil
import subprocess
import sys

TOPS = ("src", "tests", "docs", "man", "bench", "fuzz", "kmod", "guest", "scripts", "cmake", ".ci")


def check_paths(root, problems):
    documents = list(root.glob("*.md")) + list((root / "docs").rglob("*.md"))
    documents += [p for top in ("bench", "tests", "guest", "kmod") for p in (root / top).rglob("*.md")]
    for document in documents:
        text = re.sub(r"```.*?```", "", document.read_text(encoding="utf-8"), flags=re.S)
        for path in re.findall(r"`([\w.@/+-]+/[\w.@/+-]*)`", text):
            if path.split("/")[0] in TOPS and not (root / path).exists():
                problems.append(f"{document.relative_to(root)}: `{path}` does not exist")
    return len(documents)


def run(*words):
    return subprocess.run(words, capture_output=True, text=True, check=False)


def commands_in(help_text):
    part = help_text.partition("\nCommands:\n")[2].partition("\n\n")[0]
    return re.findall(r"^  (\w+) +\S", part, re.M)


def check_command(root, iovm, name, problems):
    page = root / "man" / f"iovm-{name}.1"
    if not page.exists():
        problems.append(f"man/iovm-{name}.1 does not exist")
        return
    text = page.read_text(encoding="utf-8")
    plain = re.sub(r"\\f.|\\&", "", text).replace(r"\-", "-").replace(r"\(aq", "'")
    help_text = run(iovm, name, "--help").stdout
    for part in commands_in(help_text):  # of a group: iovm model merge
        help_text += run(iovm, name, part, "--help").stdout
    summary = help_text.splitlines()[0]
    if summary not in plain:
        problems.append(f"man/iovm-{name}.1: its NAME line is not --help's first: {summary}")
    for option in set(re.findall(r"(?<![\w-])(--[a-z][a-z-]+)", help_text)):
        # mdoc writes --json as `Fl -json` or `Fl j , -json`, man macros as \-\-json. --help is in iovm(1).
        if option != "--help" and not re.search(rf"(?<![\w-]){option}\b|^\.\w\w .*[ ,]{option[1:]}\b", plain, re.M):
            problems.append(f"man/iovm-{name}.1 does not name {option}")
    if not (root / "tests" / "cli" / f"{name}.test").exists():
        problems.append(f"tests/cli/{name}.test does not exist")


def lint_pages(root, problems):
    if not shutil.which("mandoc"):
        print("mandoc is not installed: man pages not linted")
        return
    for page in sorted((root / "man").glob("iovm*.[15]")):
        result = run("mandoc", "-Tlint", "-Wwarning", str(page))
        problems += [line.replace(str(root) + "/", "") for line in result.stdout.splitlines()]


def main():
    root, iovm = pathlib.Path(sys.argv[1]), sys.argv[2]
    problems = []
    documents = check_paths(root, problems)
    commands = commands_in(run(iovm, "--help").stdout)
    for name in commands:
        check_command(root, iovm, name, problems)
    for page in ("iovm.1", "iovm-trace.5", "iovm-model.5", "iovm-rules.5"):
        if not (root / "man" / page).exists():
            problems.append(f"man/{page} does not exist")
    lint_pages(root, problems)
    for problem in problems:
        print(problem)
    print(f"{documents} documents and {len(commands)} commands checked, {len(problems)} problems")
    return 1 if problems or not commands else 0


if __name__ == "__main__":
    sys.exit(main())
