"""Starts, stops and kills the shop, and talks to it.

One `Shop` is one data directory, one port and at most one process at a time; it can be
started again and again on the same state. `Client` keeps one HTTP/1.1 connection, `raw()`
sends bytes as they are. `main()` runs the unittest cases of a script, prints the command
that repeats a failure, and keeps the logs and databases of a failed run.

Only the standard library. Everything listens and connects on the loopback only.
"""

import argparse
import atexit
import contextlib
import ctypes
import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path
from urllib.parse import quote

HOST = "127.0.0.1"
SLOW = float(os.environ.get("SHOP_E2E_SLOW", "1"))  # how much longer an instrumented build may take
START_LIMIT_S = 20.0 * SLOW  # the very first start makes the databases and the demo user
DRAIN_LIMIT_S = 15.0 * SLOW
PR_SET_PDEATHSIG = 1

CARD_OK = "4242424242424242"
CARD_DECLINED = "4000000000000002"
CARD_NO_FUNDS = "4000000000009995"
CARD_TIMEOUT = "4000000000000119"
DEMO_EMAIL, DEMO_PASSWORD = "demo@degu.example", "degu-demo-1"

_libc = ctypes.CDLL(None, use_errno=True)


class Settings:
    """What the command line chose; set once by `main()` before any test runs."""

    binary = os.environ.get("SHOP_BIN", "")
    seed = 0
    keep = False
    rounds = 50
    work_dir = None
    random = random.Random(0)


class ShopDied(AssertionError):
    """The process ended although nobody asked it to."""


def free_port():
    """A port below the ephemeral range, so that no outgoing connection takes it between restarts."""
    for _ in range(200):
        port = random.SystemRandom().randrange(20000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise RuntimeError("no free port between 20000 and 32000")


def _die_with_parent():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Shop:
    """The binary on one data directory. Not for use by several threads, except `client()`."""

    def __init__(self, name="shop", args=(), listening=None):
        """`listening`: a socket that every process gets as descriptor 3, by systemd's protocol."""
        self.dir = Path(tempfile.mkdtemp(prefix=name + "-", dir=Settings.work_dir))
        self.data_dir = self.dir / "data"
        self.log_path = self.dir / "shop.log"
        self.port = listening.getsockname()[1] if listening else free_port()
        self.listening = listening
        self.args = list(args)
        self.process = None
        self.starts = 0
        atexit.register(self.kill)

    def start(self, crash_at=None, wait=True):
        """Starts the process; returns the seconds until it was ready."""
        assert self.process is None or self.process.poll() is not None, "already running"
        env = {k: v for k, v in os.environ.items() if k != "SHOP_CRASH_AT"}
        if crash_at:
            env["SHOP_CRASH_AT"] = crash_at
        command = [Settings.binary, "serve", f"--host={HOST}", f"--port={self.port}",
                   f"--data-dir={self.data_dir}", *self.args]
        if self.listening:
            env.update(LISTEN_FDS="1", LISTEN_FDNAMES="shop")
            command = ["sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh", *command, "--listen=inherited"]
        self.starts += 1
        begin = time.monotonic()
        with open(self.log_path, "ab") as log:
            log.write(f"--- start {self.starts} crash_at={crash_at} {' '.join(command)}\n".encode())
            log.flush()
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=env, cwd=self.dir, preexec_fn=self._prepare,
                                            pass_fds=(3,) if self.listening else ())
        if wait:
            self.wait_ready()
        return time.monotonic() - begin

    def _prepare(self):
        """In the child, before it is another program."""
        if self.listening:
            os.dup2(self.listening.fileno(), 3)
        _die_with_parent()

    def wait_ready(self, limit_s=START_LIMIT_S):
        """Polls /health/ready until it answers 200."""
        end = time.monotonic() + limit_s
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise ShopDied(f"the shop ended with {self.process.returncode} while starting\n{self.log_tail()}")
            with contextlib.suppress(OSError, http.client.HTTPException):
                with Client(self, timeout=2) as client:
                    if client.get("/health/ready").status == 200:
                        return
            time.sleep(0.01)
        raise AssertionError(f"the shop was not ready after {limit_s} s\n{self.log_tail()}")

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def check_alive(self):
        if not self.alive():
            code = self.process.returncode if self.process else None
            raise ShopDied(f"the shop has ended by itself with {code}\n{self.log_tail()}")

    def wait_exit(self, limit_s):
        """The exit status (negative: the signal), or None when it still runs after limit_s."""
        try:
            return self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            return None

    def kill(self):
        """kill -9, as a crash. Nothing when it is not running."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def terminate(self, limit_s=DRAIN_LIMIT_S):
        """SIGTERM; returns (exit status or None, seconds)."""
        begin = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        code = self.wait_exit(limit_s)
        return code, time.monotonic() - begin

    def client(self, token=None, timeout=20):
        return Client(self, token, timeout)

    def log_tail(self, lines=30):
        with contextlib.suppress(OSError):
            return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-lines:])
        return ""


class Reply:
    """One HTTP response: status, headers with lower-case names, body bytes."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def type(self):
        return self.headers.get("content-type", "").split(";")[0].strip().lower()

    def json(self):
        return json.loads(self.body)

    def problem(self):
        """The problem document, checked for the members that every one must have."""
        assert self.type == "application/problem+json", f"{self.status} with {self.type!r}: {self.body[:300]!r}"
        document = self.json()
        assert document.get("status") == self.status, f"status {self.status} but the problem says {document}"
        assert document.get("title"), f"a problem without a title: {document}"
        assert document.get("detail") or document.get("errors"), f"a problem that explains nothing: {document}"
        return document

    def __repr__(self):
        return f"{self.status} {self.body[:400]!r}"


class Client:
    """One keep-alive connection, one thread at a time. Reconnects when the server has closed it."""

    def __init__(self, shop, token=None, timeout=20):
        self.connection = http.client.HTTPConnection(HOST, shop.port, timeout=timeout)
        self.shop, self.token, self.start_seen = shop, token, shop.starts

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.connection.close()

    def call(self, method, path, body=None, headers=None):
        """Sends one request; body: None, bytes, or anything JSON. Never retries by itself."""
        fields = {"Accept": "application/json"}
        if self.token:
            fields["Authorization"] = "Bearer " + self.token
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            fields["Content-Type"] = "application/json"
        fields.update(headers or {})
        if self.start_seen != self.shop.starts:  # the process at the other end is gone
            self.close()
            self.start_seen = self.shop.starts
        try:
            self.connection.request(method, path, body, fields)
            response = self.connection.getresponse()
            data = response.read()
        except BaseException:
            self.connection.close()
            raise
        return Reply(response.status, {k.lower(): v for k, v in response.getheaders()}, data)

    def get(self, path, **kw):
        return self.call("GET", path, **kw)

    def expect(self, status, method, path, body=None, headers=None):
        """As `call`, but any other status is a failed assertion. `status` may be a tuple."""
        reply = self.call(method, path, body, headers)
        wanted = status if isinstance(status, tuple) else (status,)
        assert reply.status in wanted, f"{method} {path}: wanted {status}, got {reply}"
        return reply


class Customer(Client):
    """A registered user with a session."""

    def __init__(self, shop, email, password, user_id, token, timeout=20):
        super().__init__(shop, token, timeout)
        self.email, self.password, self.id = email, password, user_id

    @classmethod
    def register(cls, shop, email, password="a-long-password", name="Test User"):
        with Client(shop, timeout=30) as client:
            user = client.expect(201, "POST", "/api/v1/users",
                                 {"name": name, "email": email, "password": password}).json()
        return cls.login(shop, email, password, user["id"])

    @classmethod
    def login(cls, shop, email, password, user_id=None):
        with Client(shop, timeout=30) as client:
            session = client.expect(201, "POST", "/api/v1/sessions",
                                    {"email": email, "password": password}).json()
        return cls(shop, email, password, user_id or session["user"]["id"], session["token"])

    def again(self):
        """Another connection of the same user."""
        return Customer(self.shop, self.email, self.password, self.id, self.token)

    def order(self, items, key, card=CARD_OK):
        """Orders {sku: quantity}, or the cart when items is None. Returns the reply as it is."""
        body = {"paymentMethod": {"card": card}}
        if items is not None:
            body["items"] = [{"sku": sku, "quantity": n} for sku, n in items.items()]
        return self.call("POST", "/api/v1/orders", body, {"Idempotency-Key": key})

    def put_in_cart(self, sku, quantity):
        return self.expect(200, "PUT", "/api/v1/cart/items/" + quote(sku, safe=""), {"quantity": quantity}).json()

    def cancel(self, order_id):
        return self.call("POST", f"/api/v1/orders/{quote(order_id, safe='')}:cancel", {})

    def stock(self, sku):
        return self.expect(200, "GET", "/api/v1/inventory/" + quote(sku, safe="")).json()

    def events(self, order_id, last_id=None, **headers):
        """The events of an order on a connection of their own: (status, an iterator of (id, entry) as they come)."""
        connection = http.client.HTTPConnection(HOST, self.shop.port, timeout=30)
        fields = {"Authorization": "Bearer " + self.token} if not headers else headers
        if last_id is not None:
            fields["Last-Event-ID"] = str(last_id)
        connection.request("GET", f"/api/v1/orders/{quote(order_id, safe='')}/events", headers=fields)
        response = connection.getresponse()
        return response.status, _events(connection, response)

    def pages(self, path, member):
        """All elements of a paginated list."""
        found, token = [], ""
        for _ in range(1000):
            mark = "&" if "?" in path else "?"
            page = self.expect(200, "GET", path + (f"{mark}page_token={quote(token)}" if token else "")).json()
            found += page[member]
            token = page["nextPageToken"]
            if not token:
                return found
        raise AssertionError(f"{path} never ends its pages")


def _events(connection, response):
    with contextlib.closing(connection):
        event = {}
        for line in response:
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name:
                event[name] = value
            elif "data" in event:
                assert event["event"] == "state", event
                yield int(event["id"]), json.loads(event["data"])
                event = {}


def rejected_order_id(reply):
    """The order that a 409 answer to POST /orders tells of, or None."""
    document = reply.json()
    if isinstance(document.get("orderId"), str):
        return document["orderId"]
    for error in document.get("errors") or []:
        if error.get("field") == "orderId":
            return error.get("reason")
    return None


def parallel(count, work):
    """Runs work(i) on `count` threads that start together. Returns the results; an exception is a result."""
    gate = threading.Barrier(count)
    results = [None] * count

    def body(index):
        try:
            gate.wait()
            results[index] = work(index)
        except Exception as error:  # handed to the caller, who decides what it means
            results[index] = error

    threads = [threading.Thread(target=body, args=(i,), daemon=True) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def raise_first(results):
    for result in results:
        if isinstance(result, Exception):
            raise result
    return results


def wait_for(condition, limit_s, what):
    """Polls condition() until it is true and returns its value."""
    end = time.monotonic() + limit_s * SLOW
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"after {limit_s} s still not: {what}")
        time.sleep(0.02)


class TestCase(unittest.TestCase):
    """Base of all tests: its own seeded random source."""

    maxDiff = 2000

    def setUp(self):
        self.random = random.Random(f"{Settings.seed}/{self.id()}")


def _parse(default_rounds):
    parser = argparse.ArgumentParser()
    parser.add_argument("binary", nargs="?", default=os.environ.get("SHOP_BIN", ""), help="the shop; or SHOP_BIN")
    parser.add_argument("--seed", type=int, default=int(os.environ.get("SHOP_SEED", "0")), help="0: a new one")
    parser.add_argument("--rounds", type=int, default=default_rounds)
    parser.add_argument("--keep", action="store_true", help="keep logs and databases of a good run too")
    parser.add_argument("-k", action="append", default=[], dest="patterns", help="only tests with this in the name")
    parser.add_argument("-f", "--failfast", action="store_true")
    return parser.parse_args()


def main(default_rounds=50):
    """Runs the unittest cases of the calling script. Exits 0 on success, 1 on failure, 2 on wrong use."""
    options = _parse(default_rounds)
    if not options.binary or not os.access(options.binary, os.X_OK):
        print(f"no executable shop at {options.binary!r}: give its path, or set SHOP_BIN", file=sys.stderr)
        sys.exit(2)
    Settings.binary = os.path.abspath(options.binary)
    Settings.seed = options.seed or random.SystemRandom().randrange(1, 1 << 31)
    Settings.random = random.Random(Settings.seed)
    Settings.rounds = options.rounds
    Settings.work_dir = tempfile.mkdtemp(prefix="degu-e2e-")
    patterns = [p if "*" in p else f"*{p}*" for p in options.patterns]
    loader = unittest.TestLoader()
    loader.testNamePatterns = patterns or None
    suite = loader.loadTestsFromModule(sys.modules["__main__"])
    print(f"seed {Settings.seed}", flush=True)
    result = unittest.TextTestRunner(verbosity=2, failfast=options.failfast, stream=sys.stdout).run(suite)
    good = result.wasSuccessful() and (result.testsRun > 0 or result.skipped)
    if not good:
        script = os.path.relpath(sys.argv[0])
        print(f"\nrepeat with: SHOP_BIN={os.path.relpath(Settings.binary)} {script} --seed={Settings.seed}"
              f" --rounds={options.rounds}" + "".join(f" -k {p}" for p in options.patterns))
        print(f"logs and databases kept in {Settings.work_dir}")
    elif not options.keep:
        shutil.rmtree(Settings.work_dir, ignore_errors=True)
    sys.stdout.flush()
    sys.exit(0 if good else 1)


# --- bytes as they are -----------------------------------------------------------------------


class RawResult:
    """What came back for raw bytes: the replies in order, and whether the server closed the connection."""

    def __init__(self, replies, closed, rest):
        self.replies, self.closed, self.rest = replies, closed, rest

    def __repr__(self):
        return f"replies={self.replies} closed={self.closed} rest={self.rest[:200]!r}"


def _read_chunked(data):
    body, at = b"", 0
    while True:
        end = data.find(b"\r\n", at)
        if end < 0:
            return None
        size = int(data[at:end].split(b";")[0], 16)
        at = end + 2
        if len(data) < at + size + 2:
            return None
        if size == 0:
            return body, data[at + 2:]
        body += data[at:at + size]
        at += size + 2


def parse_reply(data, head_only=False):
    """(Reply, rest) of the first whole response in data, or None when it is not yet whole."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    lines = data[:end].decode("latin-1").split("\r\n")
    version, status = lines[0].split(" ", 2)[:2]
    assert version == "HTTP/1.1" and len(status) == 3, f"bad status line {lines[0]!r}"
    headers = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        assert colon and name == name.strip(), f"bad header line {line!r}"
        headers[name.lower()] = value.strip()
    rest, code = data[end + 4:], int(status)
    if code < 200 or code in (204, 304) or head_only:
        return Reply(code, headers, b""), rest
    if headers.get("transfer-encoding", "").lower() == "chunked":
        chunked = _read_chunked(rest)
        return chunked and (Reply(code, headers, chunked[0]), chunked[1])
    length = int(headers.get("content-length", "-1"))
    if length < 0 or len(rest) < length:
        return None
    return Reply(code, headers, rest[:length]), rest[length:]


def raw(port, data, wait_s=5.0, linger_s=0.15, half_close=False, head_only=False):
    """Sends bytes (or a list of pieces, with pauses between) and reads the replies.

    Returns once the server has closed, or linger_s after the last whole reply, or after wait_s with nothing.
    """
    pieces = [data] if isinstance(data, bytes) else data
    received, closed = b"", False
    with socket.create_connection((HOST, port), timeout=wait_s) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for index, piece in enumerate(pieces):
                if index:
                    time.sleep(0.02)
                sock.sendall(piece)
            if half_close:
                sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the server may refuse and close before it has read everything
        replies = []
        while not closed:
            sock.settimeout(linger_s if replies else wait_s)
            try:
                chunk = sock.recv(65536)
            except socket.timeout:
                break
            except OSError:
                chunk = b""
            closed = not chunk
            received += chunk
            while (parsed := parse_reply(received, head_only)) is not None:
                replies.append(parsed[0])
                received = parsed[1]
    return RawResult(replies, closed, received)
