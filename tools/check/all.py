#!/usr/bin/env python3
"""`make check`: every check, cheap ones first; runs all of them and fails when one did. usage: all.py [--jobs N]"""
import argparse
import os
import subprocess
import sys
import time

CHECKS = [
    ("the checks themselves", ["-m", "unittest", "discover", "-p", "*_test.py"]),
    ("the benchmark scripts", ["-m", "unittest", "discover", "-s", "../../bench", "-p", "*_test.py"]),
    ("layers", ["layers.py"]),
    ("tidy", ["tidy.py"]),
    ("docs", ["docs.py"]),
    ("format", ["format.py"]),
    ("headers", ["headers.py"]),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", default=str(os.cpu_count()))
    args = parser.parse_args()
    here = os.path.dirname(os.path.abspath(__file__))
    failed = []
    for name, command in CHECKS:
        print(f"check: {name}", flush=True)
        started = time.monotonic()
        extra = ["--jobs", args.jobs] if name == "headers" else []
        if subprocess.run([sys.executable, *command, *extra], cwd=here).returncode != 0:
            failed.append(name)
        print(f"check: {name}: {'FAILED' if name in failed else 'ok'} ({time.monotonic() - started:.1f} s)", flush=True)
    if failed:
        sys.exit("check: failed: " + ", ".join(failed))


if __name__ == "__main__":
    main()
