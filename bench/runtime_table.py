#!/usr/bin/env python3
"""Runs the runtime benchmarks of Degu and Go in turn, on two Ps, and prints both, the ratio and the target.

Each value is the median of --rounds runs, with their range; a ratio above 1 means that Degu is cheaper. --peers adds
Boost.Fiber and Tokio where they can be built. The table is also kept under the build folder for readme.py.
usage: runtime_table.py --build build/release [--rounds 5] [--only chans,parked:shared] [--peers]
"""
import argparse
import os
import statistics
import sys

import go_twins
import machine
import peers
import stats
import tables
from targets import TARGETS, Target

PROCS = 2
BYTES_PER_PARKED = 16 * 1024  # room wanted before a million goroutines are parked
WARMED_UP = ("spawn", "skynet", "timers", "parked")  # they need gigabytes
PROGRAMS = {
    "spawn": [""], "chans": [""], "mutex": [""], "skynet": ["chan", "join"], "ctx": [""],
    "timers": ["afterfunc", "sleep", "stop"], "parked": ["shared", "own", "shared_small", "own_small", "sleep"],
    "jitter": ["idle", "nanosleep", "nanosleep_marked", "hog"], "idle": [""],
}


def parked_count():
    """A million, or a hundred thousand where that would not fit."""
    return 1_000_000 if machine.available_memory_bytes() > 1_000_000 * BYTES_PER_PARKED * 3 // 4 else 100_000


def selected(only, programs=None):
    """[(program, mode)] of "chans,parked:shared"; all for ""."""
    programs = programs or PROGRAMS
    wanted = []
    for word in only.split(",") if only else programs:
        name, _, mode = word.partition(":")
        if name not in programs or (mode and mode not in programs[name]):
            sys.exit(f"bench: no benchmark {word}; there are {' '.join(programs)}, and name:mode")
        wanted += [(name, each) for each in ([mode] if mode else programs[name])]
    return wanted


def contestants(build, wanted, with_peers):
    """{contestant: {program: path}}, Degu and Go first."""
    names = list(dict.fromkeys(name for name, _ in wanted))
    go = dict(zip(names, go_twins.build(names, os.path.join(build, "bench", "go"))))
    degu = {name: os.path.join(build, "bench", f"bench_{name}") for name in names}
    return {"degu": degu, "go": go, **(peers.build(build, names) if with_peers else {})}


def commands(programs, wanted):
    """[(contestant, command, whether to warm up)], the contestants in turn."""
    found = []
    for name, mode in wanted:
        arguments = ([mode] if mode else []) + ([str(parked_count())] if name == "parked" else [])
        found += [(who, [paths[name], *arguments], name in WARMED_UP)
                  for who, paths in programs.items() if name in paths]
    return found


def gathered(owners, results):
    """{name: {contestant: (unit, values)}}, in the order in which they came."""
    found = {}
    for who, result in zip(owners, results):
        for name, measured in result.items():
            found.setdefault(name, {})[who] = measured
    return found


def span(values):
    return f"{stats.show(min(values))}..{stats.show(max(values))}"


def row(name, figures, others, target, theirs):
    """One line; `theirs` is the measurement of Go that the ratio is against, or None."""
    unit = next(iter(figures.values()))[0]
    cells = [name, "failed", "", "failed", ""]
    ours = go = None
    if "degu" in figures:
        ours = statistics.median(figures["degu"][1])
        cells[1:3] = [stats.show(ours), span(figures["degu"][1])]
    if theirs is not None:
        go = statistics.median(theirs[1])
        cells[3:5] = [stats.show(go), span(theirs[1])]
    cells.append(f"{go / ours:.2f}" if ours and go is not None else "-")
    cells += [target.text(), verdict(target, ours, go)]
    cells += [stats.show(statistics.median(figures[who][1])) if who in figures else "" for who in others]
    return [*cells, unit]


def verdict(target, ours, theirs):
    if target.faster is None and target.at_most is None:
        return ""
    if ours is None or (theirs is None and target.faster is not None):
        return "no figure"
    return "met" if target.met(ours, theirs) else "missed"


def rows(found, others):
    for name, figures in found.items():
        target = TARGETS.get(name, Target())
        if target.against in found:
            yield row(name, figures, others, Target(), figures.get("go"))
            yield row(f"{name}, Go: {target.against}", figures, others, target, found[target.against].get("go"))
        else:
            yield row(name, figures, others, target, figures.get("go"))


def main(known=None, table="runtime", description=__doc__):
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="")
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--quiet", type=float, default=machine.QUIET_CORES,
                        help="a run during which other processes used more cores is thrown away")
    args = parser.parse_args()
    os.environ.update(GOMAXPROCS=str(PROCS), DEGU_MAXPROCS=str(PROCS), TOKIO_WORKER_THREADS=str(PROCS))
    wanted = selected(args.only, known)
    programs = contestants(args.build, wanted, args.peers)
    owners, lines, warm_up = zip(*commands(programs, wanted))
    notes = stats.Notes()
    results = stats.measure(lines, args.rounds, args.quiet, notes=notes, warm_up=warm_up)
    others = [who for who in programs if who not in ("degu", "go")]
    header = ["name", "degu", "range", "go", "range", "go/degu", "target", "verdict", *others, "unit"]
    caption = (f"Medians and ranges of {args.rounds} interleaved runs on {PROCS} Ps of {os.cpu_count()} CPUs, "
               f"{go_twins.versions()[0]}. go/degu above 1: Degu is cheaper.{peers.caption(others)}{notes.text()}")
    tables.publish(args.build, table, caption, header, list(rows(gathered(owners, results), others)))
    if notes.failed:
        sys.exit("bench: failed: " + "; ".join(notes.failed))


if __name__ == "__main__":
    main()
