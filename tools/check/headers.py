#!/usr/bin/env python3
"""Compiles every public header alone, and measures what including it costs.

Each header is compiled as the only line of a file, with the include roots of its own layer and what that may use, so
a header that leans on its includers or reaches upward fails. Parse time is CPU time over an empty file; the best of
several runs decides, because other work on the machine only ever makes it longer.

The unit is what <chrono>, <functional>, <memory>, <string> and <vector> take on the same machine, 0.4 s when this was
written: seconds differ by half between machines, and between hours. A header may take 0.75 of it. One that needs several of
those is judged by what Degu's own text adds to the foreign headers it includes, and by a total that holds for all,
degu/degu.h too. usage: headers.py [--no-time] [--all]
"""
import argparse
import concurrent.futures
import os
import resource
import shutil
import subprocess
import sys
import tempfile

import layers
import repo

FLAGS = ["-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Werror"]
# Times are told in those of REFERENCE, parsed by the same machine at the same time: 0.4 s where this was written.
REFERENCE = ["chrono", "functional", "memory", "string", "vector"]
BUDGET = 0.75
OWN_BUDGET = 0.35
TOTAL_BUDGET = 1.5
RUNS_WHEN_OVER = 5


def make_roots(root, folder, allowed):
    """One include root a layer, as cmake/Layer.cmake makes them, plus one for degu/degu.h."""
    for layer in [*allowed, "umbrella"]:
        os.makedirs(os.path.join(folder, layer, "degu"))
        source = "degu.h" if layer == "umbrella" else layer
        os.symlink(os.path.join(root, "degu", source), os.path.join(folder, layer, "degu", source))


def roots_of(header, allowed):
    if header == layers.UMBRELLA:
        return sorted(set().union(*(allowed[name] for name in layers.UMBRELLA_LAYERS)) | {"umbrella"})
    return sorted(allowed[header.split("/")[1]])


class Compiler:
    def __init__(self, root, folder, command):
        self.root = root
        self.folder = folder
        self.command = command
        self.allowed = layers.parse(repo.read(root, "layers.txt"))
        make_roots(root, folder, self.allowed)

    def arguments(self, header):
        """The call that compiles this header alone, twice included; None: an empty file."""
        roots = roots_of(header, self.allowed) if header else []
        return self.call(header or "empty", [header, header] if header else [], roots)

    def call(self, name, includes, roots):
        source = os.path.join(self.folder, name.replace("/", "_") + ".cc")
        with open(source, "w") as f:
            f.writelines(f"#include <{include}>\n" for include in includes)
        return [self.command, *FLAGS, *(f"-I{os.path.join(self.folder, root)}" for root in roots), source]

    def foreign_includes(self, header, seen):
        """Headers from elsewhere that this one brings in, through others of ours too."""
        seen.add(header)
        for match in layers.INCLUDE.finditer(repo.read(self.root, header) or ""):
            if match[2] not in seen and os.path.isfile(os.path.join(self.root, match[2])):
                self.foreign_includes(match[2], seen)
            seen.add(match[2])
        return sorted(name for name in seen if not name.startswith("degu/"))

    def errors(self, header):
        """What the compiler says about this header alone; empty when it is fine."""
        run = subprocess.run(self.arguments(header), capture_output=True, text=True)
        return "" if run.returncode == 0 else "\n".join(run.stderr.splitlines()[:12])

    def reference_seconds(self):
        return cpu_seconds(self.call("reference", REFERENCE, []), RUNS_WHEN_OVER)

    def own_seconds(self, header, total, runs):
        """What Degu's text in and below this header adds to the foreign headers."""
        floor = self.call(header + ".floor", self.foreign_includes(header, set()), [])
        return total - cpu_seconds(floor, runs)


def cpu_seconds(arguments, runs, good_enough=0.0):
    """CPU seconds of the best run; stops early once a run is good enough."""
    best = float("inf")
    for _ in range(runs):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(arguments, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        best = min(best, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        if best <= good_enough:
            break
    return best


def judge_time(compiler, header, empty, unit, runs):
    """(cost over an empty file, cost of our own text or None when that does not matter, what is wrong or None)"""
    total = cpu_seconds(compiler.arguments(header), runs, empty + BUDGET * unit)
    cost = (total - empty) / unit
    if cost <= BUDGET:
        return cost, None, None
    if cost > TOTAL_BUDGET:
        return cost, None, f"takes {cost:.2f} times as long to parse as <{'>, <'.join(REFERENCE)}>, at most {TOTAL_BUDGET}"
    own = compiler.own_seconds(header, total, runs) / unit if header != layers.UMBRELLA else 0
    wrong = f"its own text takes {own:.2f} of what those take, at most {OWN_BUDGET}" if own > OWN_BUDGET else None
    return cost, own, wrong


def time_findings(compiler, headers, show_all):
    empty = cpu_seconds(compiler.arguments(None), RUNS_WHEN_OVER)
    unit = compiler.reference_seconds()
    for header in headers:
        cost, own, wrong = judge_time(compiler, header, empty, unit, 1)
        if wrong:  # perhaps only disturbed: the best of several decides, beside a new look at the machine
            cost, own, wrong = judge_time(compiler, header, empty, compiler.reference_seconds(), RUNS_WHEN_OVER)
        if show_all:
            print(f"{cost:.2f}  {header}" + (f"  (own text {own:.2f})" if own is not None else ""), flush=True)
        if wrong:
            yield f"{header}:1: {wrong}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--no-time", action="store_true", help="only compile")
    parser.add_argument("--all", action="store_true", help="print the parse time of every header")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--compiler", default="g++")
    args = parser.parse_args()
    root = repo.default_root()
    headers = [n for n in repo.files(root) if n.startswith("degu/") and n.endswith(".h")
               and "/internal/" not in n and "/testing/" not in n]
    if not shutil.which(args.compiler):
        sys.exit(f"headers: no {args.compiler} here; run tools/setup/install.sh build")
    findings = []
    with tempfile.TemporaryDirectory() as folder:
        compiler = Compiler(root, folder, args.compiler)
        with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
            for header, errors in zip(headers, pool.map(compiler.errors, headers)):
                if errors:
                    findings.append(f"{header}:1: does not compile alone\n{errors}")
        if not findings and not args.no_time:
            findings += time_findings(compiler, headers, args.all)
    return repo.report("headers", findings)


if __name__ == "__main__":
    sys.exit(main())
