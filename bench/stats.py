#!/usr/bin/env python3
"""Runs commands that print "name value unit" lines several times, interleaved, and gives median and range of each name.

A run during which other processes used more than --quiet cores is thrown away and done again.
usage: stats.py [-n 5] [--quiet 0.15] -- CMD ARGS... [';;' CMD ARGS...]
"""
import argparse
import re
import statistics
import subprocess
import sys
import time

import machine

TRIES = 6
LINE = re.compile(r"^(\S+) (-?[0-9.]+) (\S+)$")


def run_quietly(command, quiet, timeout_s):
    """Output of one run that nobody disturbed; the last one, with a note, when all were disturbed."""
    for attempt in range(TRIES):
        machine.wait_quiet(quiet)
        busy, own, started = machine.machine_seconds()[0], machine.children_seconds(), time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s)
        if done.returncode != 0:
            sys.exit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr[-2000:]}")
        spent = machine.machine_seconds()[0] - busy - (machine.children_seconds() - own)
        others = spent / (time.monotonic() - started)
        if others <= quiet:
            break
        last = attempt == TRIES - 1
        print(f"{'kept all the same' if last else 'thrown away'}: others used {others:.2f} cores during {' '.join(command)}",
              file=sys.stderr)
    return done.stdout


def measure(commands, rounds, quiet=machine.QUIET_CORES, timeout_s=300):
    """[{name: (unit, [value of each round])} for each command]; every command runs once a round."""
    results = [{} for _ in commands]
    for number in range(rounds):
        for command, result in zip(commands, results):
            print(f"round {number + 1}/{rounds}: {' '.join(command)}", file=sys.stderr, flush=True)
            for line in run_quietly(command, quiet, timeout_s).splitlines():
                match = LINE.match(line)
                if match:
                    result.setdefault(match[1], (match[3], []))[1].append(float(match[2]))
    return results


def show(value):
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=5)
    parser.add_argument("--quiet", type=float, default=machine.QUIET_CORES)
    parser.add_argument("commands", nargs=argparse.REMAINDER)
    args = parser.parse_args()
    commands = [[]]
    for word in args.commands[args.commands[:1] == ["--"]:]:
        if word == ";;":
            commands.append([])
        else:
            commands[-1].append(word)
    for result in measure(commands, args.n, args.quiet):
        for name, (unit, values) in result.items():
            print(f"{name} {show(statistics.median(values))} {unit} "
                  f"(range {show(min(values))}..{show(max(values))}, n={len(values)})")


if __name__ == "__main__":
    main()
