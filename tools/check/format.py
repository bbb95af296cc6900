#!/usr/bin/env python3
"""Checks C++ with clang-format 14 (Debian 12's; other versions format differently). usage: format.py [--fix]"""
import argparse
import os
import shutil
import subprocess
import sys

import repo

BATCH = 16


def tool():
    for name in ("clang-format-14", "clang-format"):
        path = shutil.which(name)
        if path and "version 14." in subprocess.run([path, "--version"], capture_output=True, text=True).stdout:
            return path
    sys.exit("format: no clang-format 14 here; run tools/setup/install.sh check")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fix", action="store_true", help="rewrite the files instead of complaining")
    args = parser.parse_args()
    root = repo.default_root()
    names = [n for n in repo.files(root) if n.endswith((".h", ".cc"))]
    clang_format = tool()
    mode = ["-i"] if args.fix else ["--dry-run", "-Werror", "--ferror-limit=1"]
    batches = [names[i:i + BATCH] for i in range(0, len(names), BATCH)]
    running = []
    failed = False
    while batches or running:
        while batches and len(running) < (os.cpu_count() or 1):
            running.append(subprocess.Popen([clang_format, *mode, *batches.pop()], cwd=root))
        failed |= running.pop(0).wait() != 0
    if failed:
        print("format: run 'make format'", file=sys.stderr)
    return failed


if __name__ == "__main__":
    sys.exit(main())
