#!/usr/bin/env python3
"""Puts the tables of the last `make bench` into README.md and README.zh.md, between <!-- bench:NAME --> and
<!-- /bench:NAME -->: of the runtime's, the rows that have a target. usage: readme.py [--build build/release]
"""
import argparse
import os
import re
import sys

import tables

PAGES = ["README.md", "README.zh.md"]
NAMES = ["runtime", "http", "http2", "parts"]
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def insert(page, name, table):
    """The page with the table between its markers; None when it has no such markers."""
    marked = re.compile(rf"(<!-- bench:{name} -->\n).*?(<!-- /bench:{name} -->)", re.S)
    return marked.sub(lambda m: m[1] + table + m[2], page) if marked.search(page) else None


def with_targets(table):
    """The rows of a table that have a target; all of a table without that column."""
    lines = table.splitlines(keepends=True)
    names = [cell.strip() for cell in lines[0].split("|")]
    if "target" not in names:
        return table
    at = names.index("target")
    kept = [line for line in lines[2:] if not line.startswith("|") or line.split("|")[at].strip()]
    return "".join(lines[:2] + kept)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build/release")
    args = parser.parse_args()
    for page in PAGES:
        full = os.path.join(ROOT, page)
        with open(full) as f:
            text = f.read()
        for name in NAMES:
            if not os.path.exists(tables.path(args.build, name)):
                print(f"readme: no {name} table; run make bench-{name}", file=sys.stderr)
                continue
            with open(tables.path(args.build, name)) as f:
                changed = insert(text, name, with_targets(f.read()))
            if changed is None:
                sys.exit(f"readme: {page} has no <!-- bench:{name} --> markers")
            text = changed
        with open(full, "w") as f:
            f.write(text)


if __name__ == "__main__":
    main()
