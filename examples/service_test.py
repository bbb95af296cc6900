#!/usr/bin/env python3
"""Drives the service example over HTTP and ends it by SIGINT. usage: service_test.py PROGRAM"""
import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

START_LIMIT_S = 20


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def call(base, path, body=None):
    """(status, decoded answer)"""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(base + path, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def wait_until_up(base):
    limit = time.monotonic() + START_LIMIT_S
    while True:
        try:
            return call(base, "/api/v1/notes")
        except OSError:
            if time.monotonic() > limit:
                raise


def main():
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    service = subprocess.Popen([sys.argv[1], f"--port={port}"], stderr=subprocess.DEVNULL)
    try:
        assert wait_until_up(base) == (200, [])
        assert call(base, "/api/v1/notes", {"text": "milk"}) == (201, {"text": "milk"})
        assert call(base, "/api/v1/notes") == (200, [{"text": "milk"}])
        status, problem = call(base, "/api/v1/notes", {"text": 7, "colour": "red"})
        assert status == 400 and {e["field"] for e in problem["errors"]} == {"text", "colour"}, problem
        assert call(base, "/api/v1/none")[0] == 404
        service.send_signal(signal.SIGINT)
        assert service.wait(20) == 0, service.returncode
    finally:
        service.kill()


if __name__ == "__main__":
    main()
