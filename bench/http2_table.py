#!/usr/bin/env python3
"""Loads nghttpd (when installed) and Degu by HTTP/2 with h2load and prints req/s and server CPU µs/request.

nghttpd serves a file of four bytes, Degu /ping. Each value is the median of --rounds rounds, and each round visits both.
usage: http2_table.py --build build/release [--rounds 5] [--requests 1000000]
"""
import argparse
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import urllib.parse

import httpload
import machine
import tables

CONNECTIONS, STREAMS = 10, 100
DONE = re.compile(r"finished in .*?, ([\d.]+) req/s.*?(\d+) succeeded, (\d+) failed, (\d+) errored", re.S)


def servers(build, scratch):
    """[(name, command, url)]"""
    found = []
    if shutil.which("nghttpd"):
        with open(os.path.join(scratch, "ping"), "w") as f:
            f.write("pong")
        found.append(("nghttpd", ["nghttpd", "--no-tls", "-d", scratch, "18084"], "http://127.0.0.1:18084/ping"))
    else:
        print("bench: no nghttpd here, left out; tools/setup/install.sh bench installs it", file=sys.stderr)
    degu = os.path.join(build, "bench", "bench_httpserver")
    return [*found, ("degu", [degu, "127.0.0.1:18082"], "http://127.0.0.1:18082/ping")]


def connect(url):
    """nghttpd does not answer HTTP/1.1."""
    where = urllib.parse.urlsplit(url)
    socket.create_connection((where.hostname, where.port), timeout=1).close()


def load(pid, url, requests):
    """(requests a second, the server's CPU µs a request)"""
    before = sum(machine.process_seconds(pid))
    shown = subprocess.run(["h2load", f"-n{requests}", f"-c{CONNECTIONS}", f"-m{STREAMS}", url], capture_output=True,
                           text=True, check=True).stdout
    spent = sum(machine.process_seconds(pid)) - before
    rate, succeeded, failed, errored = DONE.search(shown).groups()
    if int(succeeded) != requests or int(failed) or int(errored):
        sys.exit(f"bench: {url}: {failed} of {requests} requests failed, {errored} errors")
    return float(rate), spent / requests * 1e6


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=1_000_000)
    args = parser.parse_args()
    os.environ["DEGU_MAXPROCS"] = "2"
    results = {}
    with tempfile.TemporaryDirectory() as scratch:
        listed = servers(args.build, scratch)
        for number in range(args.rounds):
            for name, command, url in listed if number % 2 == 0 else reversed(listed):
                print(f"round {number + 1}/{args.rounds}: {name}", file=sys.stderr, flush=True)
                machine.wait_quiet()
                with httpload.server(command, url, probe=connect) as pid:
                    results.setdefault(name, []).append(load(pid, url, args.requests))
    rows = []
    for name, _, _ in listed:
        rates, costs = zip(*results[name])
        rows.append([name, f"{statistics.median(rates):.0f}", f"{statistics.median(costs):.2f}",
                     f"{min(costs):.2f}..{max(costs):.2f}"])
    caption = (f"Medians and ranges of {args.rounds} rounds of h2load -n{args.requests} -c{CONNECTIONS} -m{STREAMS}, "
               f"{os.cpu_count()} CPUs shared with it.")
    tables.publish(args.build, "http2", caption, ["server", "req/s", "CPU µs/req", "range"], rows)


if __name__ == "__main__":
    main()
