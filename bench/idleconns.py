#!/usr/bin/env python3
"""Resident memory of an idle keep-alive connection: N connections, one answered request on each, all held open.

usage: idleconns.py --name gin --port 18081 [-n 10000] [--path /ping] -- SERVER ARGS...
"""
import argparse
import contextlib
import socket
import time

import httpload
import machine

WARM_CONNECTIONS = 64
WARM_REQUESTS = 20


def get(connection, path):
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    data = b""
    while b"\r\n\r\n" not in data:
        data += receive(connection)
    head, body = data.split(b"\r\n\r\n", 1)
    length = next((int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
    while len(body) < length:
        body += receive(connection)


def receive(connection):
    data = connection.recv(65536)
    if not data:
        raise OSError("the server closed the connection")
    return data


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", default="/ping")
    parser.add_argument("-n", type=int, default=10000)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    args = parser.parse_args()
    machine.raise_open_files()
    address = ("127.0.0.1", args.port)
    command = args.command[args.command[:1] == ["--"]:]
    with httpload.server(command, f"http://127.0.0.1:{args.port}{args.path}") as pid, contextlib.ExitStack() as stack:
        warm = [socket.create_connection(address, timeout=5) for _ in range(WARM_CONNECTIONS)]
        for _ in range(WARM_REQUESTS):
            for connection in warm:
                get(connection, args.path)
        for connection in warm:
            connection.close()
        time.sleep(0.5)
        base = machine.resident_bytes(pid)
        held = [stack.enter_context(socket.create_connection(address, timeout=5)) for _ in range(args.n)]
        time.sleep(1)
        connected = machine.resident_bytes(pid)
        for connection in held:
            get(connection, args.path)
        time.sleep(2)
        idle = machine.resident_bytes(pid)
        print(f"idle_{args.name}_base {base / 1e6:.1f} MB")
        print(f"idle_{args.name}_connected {(connected - base) / args.n:.0f} bytes/conn")
        print(f"idle_{args.name}_after_request {(idle - base) / args.n:.0f} bytes/conn")


if __name__ == "__main__":
    main()
