#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the house to its plan: the include diagram, third-party headers, licences, sizes.

usage: check_includes.py SOURCE_DIR

 1. src/A may include src/B only if the diagram says so (directly or through others), and the link
    lines of CMakeLists.txt say the same.
 2. A third-party header is included by one .cc of a folder that owns the library; never by a header.
 3. Every source file starts with its SPDX licence; kmod/, the tests' guest modules and the BPF program are GPL-2.0, all
    else Apache-2.0.
 4. No source file is longer than LONGEST lines.
"""
import pathlib
import re
import sys

DIAGRAM = {
    "base": [],
    "trace": ["base"],
    "record": ["trace"],
    "model": ["trace"],
    "train": ["model"],
    "detect": ["model"],
    "analyze": ["detect"],
    "lib": ["detect"],
    "cli": ["record", "train", "analyze"],
}

PROGRAMS = ("cli", "lib")  # no library that another folder could use; their link lines are their own

# header prefix -> folders that own the library; each includes it in one .cc only.
THIRD_PARTY = {
    "zstd": ["trace", "record"],
    "xxhash": ["trace", "model"],
    "boost/": ["trace", "model", "train"],
    "traceevent/": ["record"],
    "event-parse.h": ["record"],
    "trace-cmd/": ["record"],
    "tracefs/": ["record"],
    "bpf/": ["record"],
    "libvirt/": [],
    "CLI/": ["cli"],
    "rapidjson/": ["base"],
    "fmt/": ["base"],
    "openssl/": ["base"],
    "archive": ["analyze"],
}
ALLOWED_IN_HEADER = {"src/base/format.h"}  # std::format's stand-in, a header by nature
LONGEST = 500


def reachable(folder):
    found, todo = {folder}, [folder]
    while todo:
        for below in DIAGRAM[todo.pop()]:
            if below not in found:
                found.add(below)
                todo.append(below)
    return found


def check_file(root, path, problems, owners):
    name = path.relative_to(root).as_posix()
    lines = path.read_text(encoding="utf-8").splitlines()
    in_kernel = name.startswith(("kmod/", "src/record/bpf/"))
    wants_gpl = in_kernel or name.startswith(("tests/bed/jobs/", "tests/bed/field/module/"))
    licence = "GPL-2.0" if wants_gpl else "Apache-2.0"
    if not lines or licence not in "".join(lines[:2]) or "SPDX-License-Identifier" not in "".join(lines[:2]):
        problems.append(f"{name}:1: no 'SPDX-License-Identifier: {licence}' at the top")
    if len(lines) > LONGEST:
        problems.append(f"{name}: {len(lines)} lines; more than {LONGEST} is two files")
    if in_kernel or not name.startswith("src/"):
        return
    folder = name.split("/")[1]
    allowed = reachable(folder)
    for number, line in enumerate(lines, 1):
        quoted = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
        if quoted and "/" in quoted[1]:
            target = quoted[1].split("/")[0]
            if target in DIAGRAM and target not in allowed:
                problems.append(f"{name}:{number}: {folder} may not include {target}")
        angled = re.match(r"\s*#\s*include\s+<([^>]+)>", line)
        if not angled:
            continue
        for prefix, homes in THIRD_PARTY.items():
            if not angled[1].startswith(prefix):
                continue
            if folder not in homes:
                problems.append(f"{name}:{number}: <{angled[1]}> belongs to {', '.join(homes) or 'nobody'}")
            elif name.endswith(".h") and name not in ALLOWED_IN_HEADER:
                problems.append(f"{name}:{number}: a third-party header in a header of ours")
            else:
                owners.setdefault((folder, prefix), set()).add(name)


def check_links(root, problems):
    text = (root / "CMakeLists.txt").read_text(encoding="utf-8")
    linked = {}
    for name, below in re.findall(r"^iovm_folder\((\w+)((?: \w+)*)\)", text, re.M):
        linked[name] = below.split()
    for folder, below in DIAGRAM.items():
        if folder not in PROGRAMS and linked.get(folder) != below:
            problems.append(f"CMakeLists.txt: {folder} links {linked.get(folder)}, the diagram says {below}")


def main():
    root = pathlib.Path(sys.argv[1])
    problems, owners = [], {}
    files = []
    for top in ("src", "tests", "bench", "fuzz", "kmod", "guest"):
        for ending in ("*.cc", "*.h", "*.c", "*.S"):
            files += (root / top).rglob(ending)
    for path in sorted(files):
        check_file(root, path, problems, owners)
    for (folder, prefix), names in sorted(owners.items()):
        if len(names) > 1:
            problems.append(f"{prefix} is included by {len(names)} files of {folder}: {', '.join(sorted(names))}")
    check_links(root, problems)
    for problem in problems:
        print(problem)
    print(f"{len(files)} files checked, {len(problems)} problems")
    return 1 if problems or not files else 0


if __name__ == "__main__":
    sys.exit(main())
