#!/usr/bin/env python3
"""Counts instructions per operation of Degu's runtime with valgrind; they repeat where times do not.

An operation runs N and 2 N times; the difference is what N operations cost. The least of some runs counts: on a loaded
machine, threads of the runtime step in for one that valgrind keeps waiting. With --profile it also prints where they go:
the instructions of each function itself, per operation. With --against, another build is counted too and what this one
costs beyond it: `make bench-flight` compares with a build that records no scheduling events. With --bar, it fails when
that is not below so many percent.
usage: instructions.py --build build/release [--against build/other [--bar 2]] [--only mutex,yield] [--profile]
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile

import tables

N = 20_000
CHEAP = {"mutex": 50, "select_default": 50}  # so many times N: what a run costs once would blur a few instructions
RUNS = 3
LEAST_SHOWN = 0.5  # instructions per operation
OPERATIONS = [
    "spawn_batch100", "spawn_join", "task_group_join", "yield", "chan_pingpong", "chan_unbuffered", "chan_spsc_128",
    "chan_same_goroutine", "select4_unbuffered", "select4_128", "select_default", "mutex", "context_timeout",
    "context_timeout_child", "after_func_stop",
]
FUNCTION = re.compile(r"^\s*([\d,]+)\s+\([ \d.]+%\)\s+(?:\S*?:)(.+?)(?: \[[^\]]*\])?$")


def short(name):
    """The function without its parameters; callgrind's marks of recursion, which a stack switch looks like, go too."""
    name = re.sub(r"'\d+$", "", name).replace("(anonymous namespace)::", "")
    if not name.endswith((")", ") const")):
        return name
    at = name.rindex(")")
    depth = 1
    while depth > 0 and at > 0:
        at -= 1
        depth += (name[at] == ")") - (name[at] == "(")
    return name[:at] or name


def functions(text):
    """{function: instructions of its own, what is inlined included} from what callgrind_annotate prints."""
    found = {}
    for line in text.splitlines():
        match = FUNCTION.match(line)
        if match:
            name = short(match[2])
            found[name] = found.get(name, 0) + int(match[1].replace(",", ""))
    return found


def count(program, operation, n, scratch):
    """{function: instructions} of one run."""
    profile = os.path.join(scratch, f"{operation}.{n}")
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=" + profile, program, operation, str(n)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr[-2000:]}")
    listing = subprocess.run(["callgrind_annotate", "--threshold=100", "--auto=no", profile],
                             capture_output=True, text=True, check=True)
    return functions(listing.stdout)


def per_operation(once, twice, n):
    """[(function, instructions per operation)], the dearest first."""
    each = {name: (twice.get(name, 0) - once.get(name, 0)) / n for name in {*once, *twice}}
    return sorted(each.items(), key=lambda item: -item[1])


def cost_of(build, operation, scratch):
    """per_operation() of that build's program."""
    program = os.path.join(build, "bench", "bench_instructions")

    def least(n):
        return min((count(program, operation, n, scratch) for _ in range(RUNS)), key=lambda each: sum(each.values()))

    n = N * CHEAP.get(operation, 1)
    return per_operation(least(n), least(2 * n), n)


def percent(own, other):
    return 100 * (own - other) / other


def row_of(operation, own, other, bar):
    """A row of the table; `other` is None when there is nothing to compare with, `bar` when no limit is set."""
    if other is None:
        return [operation, f"{own:.0f}"]
    row = [operation, f"{own:.0f}", f"{other:.0f}", f"{percent(own, other):+.1f} %"]
    return row if bar is None else row + ["yes" if percent(own, other) < bar else "NO"]


def verdict(rows, bar):
    """Whether all rows are below the bar, and what to say of it."""
    above = [f"{row[0]} ({row[-2]})" for row in rows if row[-1] == "NO"]
    return not above, f"not below {bar:g} %: {', '.join(above)}" if above else f"every row is below {bar:g} %"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True)
    parser.add_argument("--against", metavar="BUILD")
    parser.add_argument("--bar", metavar="PERCENT", type=float)
    parser.add_argument("--only", default=",".join(OPERATIONS))
    parser.add_argument("--profile", action="store_true")
    args = parser.parse_args()
    if args.bar is not None and args.against is None:
        parser.error("--bar needs --against")
    if shutil.which("valgrind") is None:
        sys.exit("instructions: no valgrind here; run tools/setup/install.sh bench")
    rows, profiles = [], []
    with tempfile.TemporaryDirectory() as scratch:
        for operation in args.only.split(","):
            print(f"counting: {operation}", file=sys.stderr, flush=True)
            each = cost_of(args.build, operation, scratch)
            other = sum(cost for _, cost in cost_of(args.against, operation, scratch)) if args.against else None
            rows.append(row_of(operation, sum(cost for _, cost in each), other, args.bar))
            profiles.append((operation, [(name, cost) for name, cost in each if cost >= LEAST_SHOWN]))
    caption = f"Instructions per operation on one P: difference of {2 * N} and {N} operations under callgrind, least of {RUNS}."
    header = ["operation", "instructions"] + (["without", "difference"] if args.against else [])
    header += [f"below {args.bar:g} %"] if args.bar is not None else []
    tables.publish(args.build, "instructions-against" if args.against else "instructions", caption, header, rows)
    for operation, functions_of in profiles if args.profile else []:
        print(f"\n{operation}")
        for name, cost in functions_of:
            print(f"{cost:10.1f}  {name}")
    if args.bar is not None:
        fits, said = verdict(rows, args.bar)
        print(f"instructions: {said}")
        sys.exit(0 if fits else 1)


if __name__ == "__main__":
    main()
