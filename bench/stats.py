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


class Notes:
    """What went wrong in a measurement."""

    def __init__(self):
        self.failed = []     # commands that ended badly or not at all; not run again
        self.disturbed = 0   # runs kept although other processes were busy, since every try was disturbed

    def text(self):
        return f" {self.disturbed} runs were disturbed by other processes in every try and kept." if self.disturbed else ""


def run_quietly(command, quiet, timeout_s, notes, warm_up=False):
    """Output of one run that nobody disturbed; the last one, with a note, when all were disturbed. "" when it fails."""
    for attempt in range(TRIES):
        machine.wait_quiet(quiet)
        try:
            if warm_up:
                subprocess.run(command, capture_output=True, timeout=timeout_s)
            busy, own, started = machine.machine_seconds()[0], machine.children_seconds(), time.monotonic()
            done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s)
            failure = f"exit code {done.returncode}\n{done.stderr[-2000:]}" if done.returncode != 0 else None
        except subprocess.TimeoutExpired:
            failure = f"not done after {timeout_s} s"
        if failure is not None:
            print(f"{' '.join(command)}: {failure}", file=sys.stderr)
            notes.failed.append(" ".join(command))
            return ""
        spent = machine.machine_seconds()[0] - busy - (machine.children_seconds() - own)
        others = spent / (time.monotonic() - started)
        if others <= quiet:
            break
        last = attempt == TRIES - 1
        notes.disturbed += last
        print(f"{'kept all the same' if last else 'thrown away'}: others used {others:.2f} cores during {' '.join(command)}",
              file=sys.stderr)
    return done.stdout


def measure(commands, rounds, quiet=machine.QUIET_CORES, timeout_s=120, notes=None, warm_up=None):
    """[{name: (unit, [value of each round])} for each command]; every command runs once a round, until it fails.

    Every other round goes backwards, so that nobody always comes after the same one. warm_up: for each command, whether an
    unmeasured run comes right before the measured one. A virtual machine hands what it freed back to its host, and fetching
    a page again costs several times what clearing it does: after a program that needed less memory, it would pay for that.
    """
    notes = notes or Notes()
    results = [{} for _ in commands]
    work = list(zip(commands, results, warm_up or [False] * len(commands)))
    for number in range(rounds):
        for command, result, warm in work if number % 2 == 0 else reversed(work):
            if " ".join(command) in notes.failed:
                continue
            print(f"round {number + 1}/{rounds}: {' '.join(command)}", file=sys.stderr, flush=True)
            for line in run_quietly(command, quiet, timeout_s, notes, warm).splitlines():
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
    notes = Notes()
    for result in measure(commands, args.n, args.quiet, notes=notes):
        for name, (unit, values) in result.items():
            print(f"{name} {show(statistics.median(values))} {unit} "
                  f"(range {show(min(values))}..{show(max(values))}, n={len(values)})")
    if notes.disturbed or notes.failed:
        sys.exit(f"stats: failed: {notes.failed};{notes.text()}")


if __name__ == "__main__":
    main()
