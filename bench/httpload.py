#!/usr/bin/env python3
"""HTTP load with the server's own CPU time per request: wrk outside, /proc/PID/stat of the server's process tree inside.

As a program: one server, several loads. usage: httpload.py --name gin --url http://127.0.0.1:18081
  --paths /ping,/api/v1/users --loads 64:10,1000:5 -- SERVER ARGS...   (load = connections:seconds)
"""
import argparse
import contextlib
import dataclasses
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import machine

TRIES = 4
WARM_UP_S = 2
STOP_LIMIT_S = 10
UNIT_US = {"us": 1, "ms": 1e3, "s": 1e6, "m": 6e7}


@dataclasses.dataclass
class Load:
    requests_per_s: float
    p50_us: float
    p99_us: float
    cpu_us: float  # the server's, a request
    user_us: float
    errors: str
    other_cores: float


def microseconds(text):
    match = re.match(r"([0-9.]+)(us|ms|s|m)$", text)
    return float(match[1]) * UNIT_US[match[2]]


def get(url):
    urllib.request.urlopen(url, timeout=1).read()


@contextlib.contextmanager
def server(command, probe_url, cwd=None, probe=get):
    """Starts a server, waits until probe(probe_url) does not raise an OSError, and ends it by SIGTERM. Gives its pid."""
    process = subprocess.Popen(command, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(400):
            if process.poll() is not None:
                sys.exit(f"bench: {command[0]} ended with exit code {process.returncode}")
            try:
                probe(probe_url)
                break
            except urllib.error.HTTPError as error:
                sys.exit(f"bench: {probe_url}: {error}")
            except OSError:
                time.sleep(0.05)
        else:
            sys.exit(f"bench: {command[0]} does not answer at {probe_url}")
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wrk(url, connections, seconds):
    command = ["wrk", "-t2", f"-c{connections}", f"-d{seconds}s", "--latency", url]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def load_once(pid, url, connections, seconds):
    cpu, busy, client = machine.process_seconds(pid), machine.machine_seconds()[0], machine.children_seconds()
    started = time.monotonic()
    out = wrk(url, connections, seconds)
    elapsed = time.monotonic() - started
    user, system = (after - before for after, before in zip(machine.process_seconds(pid), cpu))
    client = machine.children_seconds() - client
    others = (machine.machine_seconds()[0] - busy - user - system - client) / elapsed
    requests = int(re.search(r"(\d+) requests in", out)[1])
    errors = "; ".join(re.findall(r"(Socket errors.*|Non-2xx.*)", out))
    return Load(requests_per_s=float(re.search(r"Requests/sec:\s+([0-9.]+)", out)[1]),
                p50_us=microseconds(re.search(r"\n\s+50%\s+(\S+)", out)[1]),
                p99_us=microseconds(re.search(r"\n\s+99%\s+(\S+)", out)[1]),
                cpu_us=(user + system) / requests * 1e6, user_us=user / requests * 1e6,
                errors=errors, other_cores=others)


def load(pid, url, connections, seconds, quiet=machine.QUIET_CORES):
    """One load on a warm server; repeated while other processes disturb it."""
    wrk(url, min(connections, 64), WARM_UP_S)
    for attempt in range(TRIES):
        machine.wait_quiet(quiet)
        result = load_once(pid, url, connections, seconds)
        if result.other_cores <= quiet:
            break
        kept = "kept all the same" if attempt == TRIES - 1 else "thrown away"
        print(f"{kept}: others used {result.other_cores:.2f} cores during {url}", file=sys.stderr)
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True)
    parser.add_argument("--url", required=True)
    parser.add_argument("--paths", default="/ping")
    parser.add_argument("--loads", default="64:10,100:5,1000:5")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    args = parser.parse_args()
    machine.raise_open_files()
    paths = args.paths.split(",")
    print("name path conns req/s p50_us p99_us server_cpu_us/req user_us/req other_cores errors")
    with server(args.command[args.command[:1] == ["--"]:], args.url + paths[0]) as pid:
        for path in paths:
            for connections, seconds in (map(int, item.split(":")) for item in args.loads.split(",")):
                r = load(pid, args.url + path, connections, seconds)
                print(args.name, path, connections, f"{r.requests_per_s:.0f} {r.p50_us:.0f} {r.p99_us:.0f} {r.cpu_us:.2f}",
                      f"{r.user_us:.2f} {r.other_cores:.2f}", r.errors or "-", flush=True)


if __name__ == "__main__":
    main()
