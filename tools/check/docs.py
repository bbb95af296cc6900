#!/usr/bin/env python3
"""Checks the pages: relative links lead somewhere, quoted programs are the compiled ones, dependencies are explained,
the tests that docs/internals/semantics.md names exist.

A code block that follows the line `<!-- snippet: examples/x.cc -->` must hold that file, or the lines between
`// [name]` and `// [/name]` in it for `<!-- snippet: examples/x.cc name -->`. usage: docs.py [--fix] [ROOT]
"""
import argparse
import os
import re
import sys
import textwrap

import repo

LINK = re.compile(r"(?<!\\)!?\[[^\]\n]*\]\(\s*<?([^)\s>]+)>?[^)\n]*\)")
HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*$", re.M)
FENCE = re.compile(r"^(```|~~~).*?^\1[ \t]*$", re.M | re.S)
SNIPPET = re.compile(r"(<!-- snippet: (\S+)(?: (\S+))? -->\n)(```\w*\n)(.*?)(^```$)", re.M | re.S)
DEPENDENCIES = "docs/dependencies.md"
SEMANTICS = "docs/internals/semantics.md"


def anchors(text):
    """GitHub's anchors of a page's headings."""
    found = set()
    for heading in HEADING.findall(FENCE.sub("", text)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        while slug in found:
            slug += "-1"
        found.add(slug)
    return found


def check_links(root, name, text):
    bare = FENCE.sub(lambda m: "\n" * m[0].count("\n"), text)
    for match in LINK.finditer(bare):
        link = match[1]
        if re.match(r"[a-z][a-z0-9+.-]*:", link):
            continue
        path, _, anchor = link.partition("#")
        target = os.path.normpath(os.path.join(os.path.dirname(name), path)) if path else name
        where = f"{name}:{bare.count(chr(10), 0, match.start()) + 1}"
        if not os.path.exists(os.path.join(root, target)):
            yield f"{where}: link to {link}: no such file"
        elif anchor and target.endswith(".md") and anchor not in anchors(repo.read(root, target) or ""):
            yield f"{where}: link to {link}: no such heading"


def wanted(root, path, region):
    """The text a snippet must hold, or None."""
    full = os.path.join(root, path)
    text = repo.read(root, path) if os.path.isfile(full) else None
    if text is None or not region:
        return text
    match = re.search(rf"^[ \t]*// \[{re.escape(region)}\]\n(.*?)^[ \t]*// \[/{re.escape(region)}\]$", text, re.M | re.S)
    return textwrap.dedent(match[1]) if match else None


def check_snippets(root, name, text):
    for match in SNIPPET.finditer(text):
        where = f"{name}:{text.count(chr(10), 0, match.start()) + 1}"
        want = wanted(root, match[2], match[3])
        if want is None:
            yield f"{where}: snippet {match[2]} {match[3] or ''}: no such file or region"
        elif want != match[5]:
            yield f"{where}: differs from {match[2]}; run tools/check/docs.py --fix"
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("<!-- snippet:") and line not in {m[1].rstrip("\n") for m in SNIPPET.finditer(text)}:
            yield f"{name}:{number}: a snippet line with no code block below it"


def check_dependencies(root):
    """Every package that tools/setup installs has its reason in docs/dependencies.md, and none is named there in vain."""
    page = repo.read(root, DEPENDENCIES) if os.path.isfile(os.path.join(root, DEPENDENCIES)) else ""
    explained = {name for row in re.findall(r"^\| (`[^|]*)\|", page, re.M) for name in re.findall(r"`([^`]+)`", row)}
    installed = set()
    for name in repo.files(root):
        if re.fullmatch(r"tools/setup/packages-\w+\.txt", name):
            installed |= {line for line in repo.read(root, name).split("\n") if line and not line.startswith("#")}
    for package in sorted(installed - explained):
        yield f"{DEPENDENCIES}:1: {package} is installed by tools/setup but not explained"
    for package in sorted(explained - installed):
        yield f"{DEPENDENCIES}:1: {package} is explained but not installed by tools/setup"


def check_named_tests(root, name, text):
    """`Suite.Name` in a table of that page is a test; `Suite.*` a suite with tests."""
    if name != SEMANTICS:
        return
    tests = set()
    for source in repo.files(root):
        if source.endswith("_test.cc"):
            for suite, test in re.findall(r"^\s*(?:TYPED_)?TEST(?:_[FP])?\(\s*(\w+),\s*(\w+)\)", repo.read(root, source), re.M):
                tests |= {f"{suite}.{test}", f"{suite}.*"}
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith("|"):
            for named in re.findall(r"`([A-Z]\w*\.(?:[A-Z]\w*|\*))`", line):
                if named not in tests:
                    yield f"{name}:{number}: no such test: {named}"


def fix(root, name, text):
    def put(match):
        want = wanted(root, match[2], match[3])
        return match[0] if want is None else match[1] + match[4] + want + match[6]
    fixed = SNIPPET.sub(put, text)
    if fixed != text:
        with open(os.path.join(root, name), "w") as f:
            f.write(fixed)
    return fixed


def check(root, fixing=False):
    findings = []
    for name in repo.files(root):
        if name.endswith(".md"):
            text = repo.read(root, name) or ""
            if fixing:
                text = fix(root, name, text)
            findings += check_links(root, name, text)
            findings += check_snippets(root, name, text)
            findings += check_named_tests(root, name, text)
    return findings + list(check_dependencies(root))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fix", action="store_true", help="put the current text of each file into its snippets")
    parser.add_argument("root", nargs="?", default=repo.default_root())
    args = parser.parse_args()
    sys.exit(repo.report("docs", check(args.root, args.fix)))
