#!/usr/bin/env python3
"""Times parts of the HTTP layer beside Go: routing the GitHub API's routes beside Gin, JSON beside encoding/json.

The routes are those of Gin's own benchmark, read from Debian's source of it.
usage: parts_table.py --build build/release [--rounds 5] [--only routes]
"""
import os
import re
import sys
import tempfile

import go_twins
import runtime_table

PROGRAMS = {"routes": [""], "json": [""]}
ROUTES = os.path.join(go_twins.GIN_TREE, "src/github.com/gin-gonic/gin/githubapi_test.go")
ROUTE = re.compile(r'^\s*\{http\.Method(\w+), "([^"]+)"\},', re.M)


def routes():
    """"METHOD PATH" lines; what is commented out there is left out."""
    try:
        with open(ROUTES) as f:
            found = ROUTE.findall(f.read())
    except OSError as error:
        sys.exit(f"bench: no list of routes: {error}; run tools/setup/install.sh bench")
    return "".join(f"{method.upper()} {path}\n" for method, path in found)


def main():
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as listed:
        listed.write(routes())
        listed.flush()
        os.environ["BENCH_ROUTES"] = listed.name
        runtime_table.main(PROGRAMS, "parts", __doc__)


if __name__ == "__main__":
    main()
