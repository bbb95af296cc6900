#!/usr/bin/env python3
"""Checks sizes, banned calls, leftovers and dead files. usage: tidy.py [ROOT]

The limits are those of CONTRIBUTING.md. A rule that must be broken in one place is broken in this file, where the
reason can be read, not by a comment in the source.
"""
import ast
import os
import re
import sys

import cpp_text
import repo

MAX_FUNCTION_LINES = 70
MAX_FILE_LINES = 1000

CPP = (".h", ".cc", ".cpp")
COUNTED = CPP + (".py", ".go", ".js", ".css", ".html", ".cmake", ".proto", ".sh", ".S", ".txt")
BINARY_ALLOWED = (".png", ".ico", ".jpg", ".webp", ".woff2")

# (pattern, where it is allowed, what to use instead). Matched in code without comments and strings.
RUNTIME = r"degu/(rt|base)/"
BANNED = [
    (r"\bstd::(recursive_|shared_|timed_)*mutex\b", RUNTIME, "degu::Mutex"),
    (r"\bstd::(j?thread)\b(?!::(id|hardware))", RUNTIME + r"|.*_test\.cc", "degu::go"),
    (r"\bstd::condition_variable\w*\b", RUNTIME, "degu::Cond"),
    (r"\bstd::(async|future|promise)\b", r"$^", "degu::go and a channel"),
    # A test of the store blocks its thread on purpose, as a slow statement does.
    (r"\b(sleep_for|sleep_until|usleep|nanosleep)\s*\(", RUNTIME + r"|degu/store/database_test\.cc", "degu::sleep"),
    (r"\bthread_local\b", RUNTIME, "context values, or state in degu/rt"),
    # shop/main.cc: crash points for tests must not look like an option that a user may set.
    (r"\b(secure_)?getenv\s*\(", RUNTIME + r"|degu/app/|degu/sim/sim\.cc|tools/|tests/|.*_test(_main)?\.cc|bench/|shop/main\.cc",
     "an option of degu::App"),
    (r"\b(strcpy|strcat|sprintf|vsprintf|gets|strtok)\s*\(", r"$^", "fmt or std::string"),
    (r"\b(s?rand)\s*\(", r"$^", "degu::random_u64"),
    (r"\busing\s+namespace\s+std\s*;", r"$^", "qualified names"),
    (r"(?<![\w.])assert\s*\(", r"$^", "DEGU_ASSERT"),
]
BANNED_IN_HEADERS = {"iostream", "regex", "functional", "ranges"}

MARKERS = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"]) + r")\b")
MACHINE_PATH = re.compile(r"(?<![\w.$}])/(" + "|".join(["work", "ro" + "ot", "ho" + "me"]) + r"|tmp/peers)/\w")
GENERATED_NAME = re.compile(r"\.(pb\.(h|cc)|o|a|so|pyc|gcda|gcno|log|db|db-wal|db-shm)$|(^|/)(build|node_modules)/")
GENERATED_TEXT = re.compile(r"DO NOT" + r" EDIT|@gener" + r"ated")


def lines_at(text, index):
    return text.count("\n", 0, index) + 1


def check_sizes(name, text):
    lines = text.count("\n") + (not text.endswith("\n") and text != "")
    if name.endswith(COUNTED) and lines > MAX_FILE_LINES and name != "LICENSE":
        yield f"{name}:1: {lines} lines, at most {MAX_FILE_LINES}"
    spans = []
    if name.endswith(CPP):
        spans = cpp_text.functions(text)
    elif name.endswith(".py"):
        spans = [(n.lineno, n.end_lineno, n.name) for n in ast.walk(ast.parse(text))
                 if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))]
    for first, last, head in spans:
        if last - first + 1 > MAX_FUNCTION_LINES:
            yield f"{name}:{first}: function of {last - first + 1} lines, at most {MAX_FUNCTION_LINES}: {head[:60]}"


def check_banned(name, text):
    if not name.endswith(CPP):
        return
    code = cpp_text.code_only(text)
    for pattern, allowed, instead in BANNED:
        if re.match(allowed, name):
            continue
        for match in re.finditer(pattern, code):
            yield f"{name}:{lines_at(code, match.start())}: {match[0].rstrip('( ')} is banned here; use {instead}"
    if name.endswith(".h"):
        for match in re.finditer(r"^\s*#\s*include\s*<(\w+)>", text, re.M):
            if match[1] in BANNED_IN_HEADERS:
                yield f"{name}:{lines_at(text, match.start(1))}: <{match[1]}> does not belong in a header (parse time)"
        if "#pragma once" not in text:
            yield f"{name}:1: no #pragma once"


def check_leftovers(name, text):
    for pattern, what in ((MARKERS, "leftover marker"), (MACHINE_PATH, "path of one machine"),
                          (GENERATED_TEXT, "generated file")):
        for match in pattern.finditer(text):
            yield f"{name}:{lines_at(text, match.start())}: {what}: {match[0]}"
    for number, line in enumerate(text.splitlines(), 1):
        if line != line.rstrip() and not name.endswith(".md"):
            yield f"{name}:{number}: space at the end of the line"


def check_dead(texts):
    """Headers nobody includes, scripts nobody names, pages nobody links."""
    included = {m for t in texts.values() for m in re.findall(r'#\s*include\s*[<"]([^>"]+)[>"]', t)}
    endings = {os.path.basename(path) for path in included}
    for name, text in texts.items():
        base = os.path.basename(name)
        others = (t for n, t in texts.items() if n != name)
        if name.endswith(".h"):
            dead = base not in endings or not any(name.endswith(path.lstrip("./")) for path in included)
        elif name.endswith((".sh", ".md")) and base != "README.md":
            dead = not any(base in t for t in others)
        elif name.endswith(".py") and not base.endswith("_test.py"):
            stem = base[:-3]
            dead = not any(base in t or re.search(rf"\b(import|from) {stem}\b", t) or f"{stem}.py" in t for t in others)
        else:
            continue
        if dead:
            yield f"{name}:1: dead file: nothing includes, calls or links it"


def check(root):
    findings = []
    texts = {}
    for name in repo.files(root):
        if GENERATED_NAME.search(name):
            findings.append(f"{name}:1: generated file")
            continue
        text = repo.read(root, name)
        if text is None:
            if not name.endswith(BINARY_ALLOWED):
                findings.append(f"{name}:1: binary file")
            continue
        texts[name] = text
        for rule in (check_sizes, check_banned, check_leftovers):
            findings += rule(name, text)
    findings += check_dead(texts)
    return findings


if __name__ == "__main__":
    sys.exit(repo.report("tidy", check(sys.argv[1] if len(sys.argv) > 1 else repo.default_root())))
