#!/usr/bin/env python3
"""Drives the live example over HTTP and ends it by SIGINT while a page listens. usage: live_test.py PROGRAM"""
import http.client
import json
import signal
import socket
import subprocess
import sys
import time

START_LIMIT_S = 20


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def call(port, method, path, body=None, headers=None):
    """(status, text)"""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path, body and json.dumps(body), {"Content-Type": "application/json", **(headers or {})})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def wait_until_up(port):
    limit = time.monotonic() + START_LIMIT_S
    while True:
        try:
            return call(port, "GET", "/")
        except OSError:
            if time.monotonic() > limit:
                raise


def told(port, limit, seen=None):
    """The (id, text) of so many events."""
    status, text = call(port, "GET", f"/events?limit={limit}", headers={"Last-Event-ID": seen} if seen else {})
    assert status == 200, status
    events = [dict(line.split(": ", 1) for line in event.splitlines()) for event in text.split("\n\n") if "data" in event]
    return [(event["id"], event["data"]) for event in events]


def main():
    port = free_port()
    live = subprocess.Popen([sys.argv[1], f"--port={port}"], stderr=subprocess.DEVNULL)
    try:
        status, page = wait_until_up(port)
        assert status == 200 and "EventSource" in page
        for text in ("one", "two", "three"):
            assert call(port, "POST", "/notes", {"text": text})[0] == 204
        assert call(port, "POST", "/notes", {})[0] == 400
        assert told(port, 3) == [("1", "one"), ("2", "two"), ("3", "three")]
        assert told(port, 1, "1") == [("2", "two")]
        assert told(port, 1, "99") == told(port, 1, "x") == [("1", "one")]  # not ours
        assert call(port, "GET", "/echo")[0] == 426
        listener = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        listener.request("GET", "/events", headers={"Last-Event-ID": "2"})
        answer = listener.getresponse()
        while answer.readline() != b"data: three\n":
            pass
        live.send_signal(signal.SIGINT)
        answer.read()  # to its end, in good order
        assert live.wait(20) == 0, live.returncode
    finally:
        live.kill()


if __name__ == "__main__":
    main()
