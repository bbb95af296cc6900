#!/usr/bin/env python3
"""Compiles every public header alone, and measures what including it costs.

Each header is compiled as the only line of a file, with the include roots of its own layer and what that may use, so
a header that leans on its includers or reaches upward fails. Parse time is CPU time over an empty file, the best of
several runs, because other work on the machine only ever makes it longer. usage: headers.py [--no-time] [--all]
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
BUDGET_S = {"degu/degu.h": 0.6}
LAYER_BUDGET_S = 0.3
RUNS = 3
RUNS_WHEN_OVER = 8


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
        self.folder = folder
        self.command = command
        self.allowed = layers.parse(repo.read(root, "layers.txt"))
        make_roots(root, folder, self.allowed)

    def arguments(self, header):
        source = os.path.join(self.folder, (header or "empty").replace("/", "_") + ".cc")
        with open(source, "w") as f:
            f.write(f"#include <{header}>\n#include <{header}>\n" if header else "")
        includes = [f"-I{os.path.join(self.folder, r)}" for r in roots_of(header, self.allowed)] if header else []
        return [self.command, *FLAGS, *includes, source]

    def errors(self, header):
        """What the compiler says about this header alone; empty when it is fine."""
        run = subprocess.run(self.arguments(header), capture_output=True, text=True)
        return "" if run.returncode == 0 else "\n".join(run.stderr.splitlines()[:12])

    def seconds(self, header, runs, good_enough=0.0):
        """CPU seconds of the best run; stops early once a run is good enough."""
        arguments = self.arguments(header)
        best = float("inf")
        for _ in range(runs):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run(arguments, check=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            best = min(best, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
            if best <= good_enough:
                break
        return best


def time_findings(compiler, headers, show_all):
    empty = compiler.seconds(None, RUNS)
    for header in headers:
        budget = BUDGET_S.get(header, LAYER_BUDGET_S)
        cost = compiler.seconds(header, RUNS, 0 if show_all else empty + budget) - empty
        if cost > budget:
            cost = min(cost, compiler.seconds(header, RUNS_WHEN_OVER, empty + budget) - empty)
        if show_all:
            print(f"{cost:.2f} s  {header}")
        if cost > budget:
            yield f"{header}:1: takes {cost:.2f} s to parse, at most {budget} s"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--no-time", action="store_true", help="only compile")
    parser.add_argument("--all", action="store_true", help="print the parse time of every header")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--compiler", default="g++")
    args = parser.parse_args()
    root = repo.default_root()
    headers = [n for n in repo.files(root) if n.startswith("degu/") and n.endswith(".h") and "/internal/" not in n]
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
