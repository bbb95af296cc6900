#!/usr/bin/env python3
"""Loads bare loops, nginx, Gin, its Degu twin and the shop in turn and prints req/s, latency and server CPU µs/request.

Every server runs alone; each value is the median of --rounds rounds, and each round visits every server. wrk shares the
CPUs with the server, so compare CPU µs/request, not req/s. The table is also kept under the build folder for readme.py.
usage: http_table.py --build build/release [--rounds 3] [--conns 64,100] [--seconds 10]
"""
import argparse
import dataclasses
import os
import shutil
import statistics
import subprocess
import sys
import tempfile

import go_twins
import httpload
import machine
import tables

HERE = os.path.dirname(os.path.abspath(__file__))
SHOP_USERS = 200
SHOP_PRODUCTS = 100


@dataclasses.dataclass
class Server:
    name: str
    command: list
    url: str
    paths: list
    cwd: str = None


def nginx(scratch):
    """The installed one or Debian's package unpacked under build/tools (installing it would start a server); else nothing."""
    path = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if path is None:
        folder = os.path.join(go_twins.ROOT, "build", "tools", "nginx")
        path = os.path.join(folder, "usr", "sbin", "nginx")
        unpack = [os.path.join(go_twins.ROOT, "tools", "setup", "unpack.sh"), folder, "nginx"]
        if subprocess.run(unpack, stdout=subprocess.DEVNULL).returncode != 0 or subprocess.run([path, "-v"], stderr=subprocess.DEVNULL).returncode != 0:
            print("bench: no nginx can be had, left out", file=sys.stderr)
            return []
    command = [path, "-p", scratch, "-c", os.path.join(HERE, "nginx_ping.conf")]
    return [Server("nginx", command, "http://127.0.0.1:18080", ["/ping"])]


def floor(build):
    """What an answer costs without a server: the bare loops of bench/floor."""
    binary = os.path.join(build, "bench", "bench_floor")
    if not os.access(binary, os.X_OK):
        print("bench: no bare loops in this build, left out; run tools/setup/install.sh bench", file=sys.stderr)
        return []
    return [Server(f"bare {how}", [binary, how, "18084"], "http://127.0.0.1:18084", ["/ping"]) for how in ("epoll", "io_uring")]


def shop(build, scratch):
    """The shop with users to list, or nothing when it is not built."""
    binary = os.path.abspath(os.path.join(build, "shop", "shop"))
    if not os.access(binary, os.X_OK):
        print("bench: no shop in this build, left out", file=sys.stderr)
        return []
    data = os.path.join(scratch, "shop")
    os.makedirs(data)
    subprocess.run([binary, "seed", f"--products={SHOP_PRODUCTS}", f"--users={SHOP_USERS}", f"--data-dir={data}"],
                   check=True, stdout=subprocess.DEVNULL)
    # Gin and the twin write no access log either.
    command = [binary, "serve", "--port=18083", f"--data-dir={data}", "--access-log=off"]
    return [Server("shop", command, "http://127.0.0.1:18083", ["/ping", "/api/v1/users"])]


def servers(build, scratch):
    gin, = go_twins.build(["httpserver_gin"], os.path.join(build, "bench", "go"))
    degu = os.path.join(build, "bench", "bench_httpserver")
    routes = ["/ping", "/api/v1/users"]
    return [*floor(build), *nginx(scratch), Server("gin", [gin, "-addr", "127.0.0.1:18081"], "http://127.0.0.1:18081", routes),
            Server("degu", [degu, "127.0.0.1:18082"], "http://127.0.0.1:18082", routes), *shop(build, scratch)]


def measure(all_servers, rounds, connections, seconds):
    """{(server, path, connections): [Load of each round]}"""
    loads = {}
    for number in range(rounds):
        for server in all_servers:
            print(f"round {number + 1}/{rounds}: {server.name}", file=sys.stderr, flush=True)
            with httpload.server(server.command, server.url + server.paths[0], server.cwd) as pid:
                for path in server.paths:
                    for count in connections:
                        load = httpload.load(pid, server.url + path, count, seconds)
                        loads.setdefault((server.name, path, count), []).append(load)
    return loads


def rows(loads):
    for path in sorted({key[1] for key in loads}, key=len):
        for (name, at, count), results in loads.items():
            if at != path:
                continue
            middle = [statistics.median(getattr(r, field) for r in results)
                      for field in ("requests_per_s", "p50_us", "p99_us", "cpu_us")]
            failed = any(r.errors for r in results)
            yield [name, path, str(count), f"{middle[0]:.0f}", f"{middle[1] / 1e3:.2f} ms", f"{middle[2] / 1e3:.2f} ms",
                   f"{middle[3]:.1f}" + (" (errors)" if failed else "")]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--conns", default="100")
    parser.add_argument("--seconds", type=int, default=10)
    args = parser.parse_args()
    machine.raise_open_files()
    with tempfile.TemporaryDirectory() as scratch:
        connections = [int(count) for count in args.conns.split(",")]
        loads = measure(servers(args.build, scratch), args.rounds, connections, args.seconds)
    header = ["server", "route", "conns", "req/s", "p50", "p99", "CPU µs/req"]
    go, gin = go_twins.versions()
    caption = (f"Medians of {args.rounds} rounds of wrk -t2 -d{args.seconds}s, {os.cpu_count()} CPUs shared with wrk; Gin {gin} on {go}. "
               "CPU µs/req is the server's own user and system time.")
    tables.publish(args.build, "http", caption, header, list(rows(loads)))


if __name__ == "__main__":
    main()
