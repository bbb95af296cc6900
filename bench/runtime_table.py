#!/usr/bin/env python3
"""Runs the runtime benchmarks of Degu and Go in turn and prints "name degu go ratio".

Each value is the median of --rounds runs; a ratio below 1 means that Degu is cheaper. The table is also kept under the
build folder for readme.py. usage: runtime_table.py --build build/release [--rounds 5] [--only chans,mutex]
"""
import argparse
import os
import statistics

import go_twins
import machine
import stats
import tables

BYTES_PER_PARKED = 16 * 1024  # room wanted before a million goroutines are parked
PROGRAMS = {"spawn": [[]], "chans": [[]], "mutex": [[]], "skynet": [[]], "parked": [["shared"], ["own"]]}


def parked_count():
    """A million, or a hundred thousand where that would not fit."""
    return 1_000_000 if machine.available_memory_bytes() > 1_000_000 * BYTES_PER_PARKED * 3 // 4 else 100_000


def commands(build, names):
    """Degu's and Go's command for each benchmark, in turn."""
    twins = dict(zip(names, go_twins.build(names, os.path.join(build, "bench", "go"))))
    for name in names:
        for arguments in PROGRAMS[name]:
            extra = [*arguments, str(parked_count())] if name == "parked" else arguments
            yield [os.path.join(build, "bench", f"bench_{name}"), *extra]
            yield [twins[name], *extra]


def rows(pairs, results):
    for degu, go in zip(results[::2], results[1::2]):
        for name, (unit, values) in degu.items():
            if name not in go:
                raise SystemExit(f"bench: {name} has no Go twin in {pairs}")
            ours, theirs = statistics.median(values), statistics.median(go[name][1])
            yield [name, stats.show(ours), stats.show(theirs), f"{ours / theirs:.2f}", unit]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default=",".join(PROGRAMS))
    args = parser.parse_args()
    pairs = list(commands(args.build, args.only.split(",")))
    results = stats.measure(pairs, args.rounds)
    header = ["name", "degu", "go", "ratio", "unit"]
    caption = f"Medians of {args.rounds} interleaved runs, {os.cpu_count()} CPUs, {go_twins.versions()[0]}; ratio = Degu / Go."
    tables.publish(args.build, "runtime", caption, header, list(rows(pairs, results)))


if __name__ == "__main__":
    main()
