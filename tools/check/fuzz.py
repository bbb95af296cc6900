#!/usr/bin/env python3
"""Runs every fuzz target of a build for some seconds each. A finding is kept under the build folder and fails the run.

Seeds are read from corpus/<target>/ beside the target's source when there is such a folder; what the run adds stays in
the build folder. usage: fuzz.py --build build/fuzz [--seconds 60] [--jobs 2]
"""
import argparse
import concurrent.futures
import glob
import os
import subprocess
import sys

import repo

LOG_TAIL_LINES = 40


def targets(build):
    found = glob.glob(os.path.join(build, "**", "degu_*_fuzz"), recursive=True)
    return sorted(path for path in found if os.path.isfile(path) and os.access(path, os.X_OK))


def seeds_of(name):
    """degu_http_request_parser_fuzz -> degu/http/corpus/request_parser, when there is one."""
    layer, _, noun = name.removeprefix("degu_").removesuffix("_fuzz").partition("_")
    folder = os.path.join(repo.default_root(), "degu", layer, "corpus", noun)
    return [folder] if os.path.isdir(folder) else []


def run(path, build, seconds):
    """(target, exit code, log)"""
    name = os.path.basename(path)
    corpus = os.path.join(build, "corpus", name)
    findings = os.path.join(build, "findings", "")
    os.makedirs(corpus, exist_ok=True)
    os.makedirs(findings, exist_ok=True)
    command = [os.path.abspath(path), f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=2048",
               "-print_final_stats=1", f"-artifact_prefix={findings}{name}-", corpus, *seeds_of(name)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return name, done.returncode, done.stdout.decode(errors="replace").splitlines()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    args = parser.parse_args()
    ninja = subprocess.run(["ninja", "-C", args.build, "-t", "targets", "all"], capture_output=True, text=True, check=True)
    names = sorted({line.split(":")[0] for line in ninja.stdout.splitlines()})
    wanted = [n for n in names if n.startswith("degu_") and n.endswith("_fuzz")]
    if not wanted:
        sys.exit("fuzz: no fuzz targets in this build")
    if subprocess.run(["ninja", "-C", args.build, f"-j{args.jobs}", *wanted]).returncode != 0:
        sys.exit("fuzz: the build failed")
    failed = False
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        for name, code, log in pool.map(lambda p: run(p, args.build, args.seconds), targets(args.build)):
            runs = next((line.split()[-1] for line in log if "number_of_executed_units" in line), "?")
            print(f"{name}: {'ok' if code == 0 else 'FINDING'}, {runs} inputs in {args.seconds} s", flush=True)
            if code != 0:
                failed = True
                print("\n".join(log[-LOG_TAIL_LINES:]))
    return failed


if __name__ == "__main__":
    sys.exit(main())
