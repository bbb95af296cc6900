"""Starts and ends examples/live.cc (LIVE_BIN): a page with server-sent events and a WebSocket."""

import atexit
import os
import signal
import ssl
import subprocess
import tempfile
import urllib.request
from pathlib import Path

import harness
from harness import HOST, Settings, wait_for


class LiveServer:
    """The process on a port of its own. With an `authority` (tls_test.py) it speaks TLS, and so HTTP/2 with browsers."""

    def __init__(self, authority=None):
        self.authority, self.port, self.process = authority, harness.free_port(), None
        self.log_path = Path(tempfile.mkdtemp(prefix="live-", dir=Settings.work_dir)) / "live.log"
        self.args = [f"--host={HOST}", f"--port={self.port}"]
        if authority:
            self.cert, key = authority.issue("live", "live")
            self.args += [f"--tls-cert={self.cert}", f"--tls-key={key}"]
        atexit.register(self.kill)

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([os.environ["LIVE_BIN"], *self.args], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)
        wait_for(self.answers, harness.START_LIMIT_S, "the live example answers")

    def answers(self):
        assert self.process.poll() is None, self.log_path.read_text(errors="replace")
        try:
            with self.fetch("/") as answer:
                return answer.status == 200
        except OSError:
            return False

    def fetch(self, path, body=None):
        context = ssl.create_default_context(cafile=self.authority.cert) if self.authority else None
        request = urllib.request.Request(self.url(path), body, {"Content-Type": "application/json"})
        return urllib.request.urlopen(request, timeout=10, context=context)

    def url(self, path):
        return f"{'https' if self.authority else 'http'}://{HOST}:{self.port}{path}"

    def terminate(self):
        """SIGTERM; the exit status, or None when it goes on for too long."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(harness.DRAIN_LIMIT_S)
        except subprocess.TimeoutExpired:
            return None

    def kill(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
