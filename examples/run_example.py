#!/usr/bin/env python3
"""Runs an example and compares what it prints with a file of regular expressions, one a line.

Lines between "# any order" and "# in order" may come in any order. usage: run_example.py PROGRAM EXPECTED
"""
import re
import subprocess
import sys

LIMIT_S = 60


def groups(text):
    """[(in order?, [pattern])]"""
    found = [(True, [])]
    for line in text.splitlines():
        if line in ("# any order", "# in order"):
            found.append((line == "# in order", []))
        else:
            found[-1][1].append(line)
    return found


def differences(expected, lines):
    """What is wrong, as text lines; nothing when the output is as expected."""
    lines = list(lines)
    for in_order, patterns in groups(expected):
        for pattern in patterns:
            candidates = lines[:1] if in_order else lines
            hit = next((i for i, line in enumerate(candidates) if re.fullmatch(pattern, line)), None)
            if hit is None:
                yield f"expected a line like: {pattern}"
                yield f"             but got: {lines[0] if lines else 'the end of the output'}"
                return
            del lines[hit]
    for line in lines:
        yield f"more than expected: {line}"


def main():
    program, expected = sys.argv[1:]
    done = subprocess.run([program], capture_output=True, text=True, timeout=LIMIT_S, stdin=subprocess.DEVNULL)
    with open(expected) as f:
        wrong = list(differences(f.read(), done.stdout.splitlines()))
    if done.returncode != 0:
        wrong.append(f"exit code {done.returncode}")
    if wrong:
        print("\n".join(wrong), "\n--- output\n", done.stdout, "\n--- errors\n", done.stderr, sep="")
        sys.exit(1)


if __name__ == "__main__":
    main()
