#!/usr/bin/env python3
"""Checks every #include against layers.txt.

A layer may include itself and what layers.txt allows it, directly or through another layer. Everything outside degu/
sees public headers only, not internal/. usage: layers.py [ROOT]
"""
import os
import re
import sys

import repo

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)
SOURCES = (".h", ".cc", ".cpp", ".S", ".inc")
UMBRELLA = "degu/degu.h"
UMBRELLA_LAYERS = {"base", "rt", "sync", "context"}
# The generator checks the route patterns that the library it generates for matches, with the library's own code; routing is
# timed without a socket.
MAY_SEE_INTERNAL = {"tools/protoc-gen-degu/": "degu/rpc/internal/", "bench/degu/routes.cc": "degu/http/internal/"}


def parse(text):
    """layers.txt -> {layer: every layer it may include}. A layer stands after those it uses."""
    allowed = {}
    for number, line in enumerate(text.splitlines(), 1):
        line = line.split("#")[0].strip()
        if not line:
            continue
        layer, colon, uses = line.partition(":")
        if not colon or not re.fullmatch("[a-z]+", layer):
            raise ValueError(f"layers.txt:{number}: want 'layer: use use'")
        below = {layer}
        for use in uses.split():
            if use not in allowed:
                raise ValueError(f"layers.txt:{number}: {layer} uses {use}, which does not stand above it")
            below |= allowed[use]
        allowed[layer] = below
    return allowed


def target(includer, quote, path):
    """The included path seen from the repository's root; None when it is not ours to judge (generated from .proto)."""
    if path.endswith(".pb.h"):
        return None
    if path.startswith("degu/"):
        return path
    if quote == '"':
        return os.path.normpath(os.path.join(os.path.dirname(includer), path))
    return None


def judge(includer, quote, path, allowed):
    """Why this include is wrong, or None."""
    included = target(includer, quote, path)
    if included is None or not included.startswith("degu/"):
        return None
    inside = includer.startswith("degu/") and includer != UMBRELLA
    own = includer.split("/")[1] if inside else None
    if included == UMBRELLA:
        return "a layer includes what it needs, not degu/degu.h" if inside else None
    theirs = included.split("/")[1]
    if theirs not in allowed:
        return f"there is no layer {theirs} in layers.txt"
    if quote == '"':
        return f"write #include <{included}>"
    friend = any(includer.startswith(f) and included.startswith(t) for f, t in MAY_SEE_INTERNAL.items())
    if "/internal/" in included and not includer.startswith("degu/") and not friend:
        return f"{included} is internal to degu/{theirs}"
    if inside and theirs not in allowed.get(own, set()):
        return f"layer {own} may not use layer {theirs} (layers.txt)"
    if includer == UMBRELLA and theirs not in UMBRELLA_LAYERS:
        return f"degu/degu.h holds the names of {', '.join(sorted(UMBRELLA_LAYERS))} only"
    return None


def check(root):
    allowed = parse(repo.read(root, "layers.txt"))
    findings = []
    for name in repo.files(root):
        if not name.endswith(SOURCES):
            continue
        text = repo.read(root, name) or ""
        if name.startswith("degu/") and name != UMBRELLA and name.split("/")[1] not in allowed:
            findings.append(f"{name}:1: folder {name.split('/')[1]} is not in layers.txt")
            continue
        for match in INCLUDE.finditer(text):
            why = judge(name, match[1], match[2], allowed)
            if why:
                findings.append(f"{name}:{text.count(chr(10), 0, match.start()) + 1}: {why}")
    return findings


if __name__ == "__main__":
    sys.exit(repo.report("layers", check(sys.argv[1] if len(sys.argv) > 1 else repo.default_root())))
