#!/usr/bin/env python3
"""Restarts under load: with retries on the same port, and without any when the listening socket is handed over."""

import http.client
import json
import shutil
import socket
import subprocess
import threading
import time
import unittest

import harness
import invariants
from harness import CARD_OK, HOST, Customer, Shop, wait_for

THREADS = 6
PATHS = ("/ping", "/api/v1/products?page_size=5")

# Ten requests at a time until its input ends. A session that has said goodbye gets no more requests; none is sent twice. What is
# queued within Node when the goodbye comes is not sent any more: it ends as refused, and no server has seen it.
NODE = """
const http2 = require('http2');
const [url, path] = process.argv.slice(1);
let current = null, stopping = false, running = 0;
const seen = {good: 0, unsent: 0, bad: [], sessions: 0};
function session() {
  if (current === null || current.closed || current.destroyed || current.gone) {
    const opened = current = http2.connect(url);
    ++seen.sessions;
    opened.gone = false;
    opened.on('goaway', () => { opened.gone = true; });
    opened.on('error', e => seen.bad.push('session: ' + e));
  }
  return current;
}
function ask() {
  if (stopping) {
    if (--running === 0) { console.log(JSON.stringify(seen)); process.exit(0); }
    return;
  }
  let status = 0, done = false;
  const end = fault => {
    if (done) return;
    done = true;
    if (fault.includes('REFUSED_STREAM')) { ++seen.unsent; } else if (fault) { seen.bad.push(fault); } else { ++seen.good; }
    setImmediate(ask);
  };
  const stream = session().request({':path': path});
  stream.on('response', h => { status = h[':status']; });
  stream.on('data', () => {});
  stream.on('end', () => end(status === 200 ? '' : 'status ' + status));
  stream.on('error', e => end('stream: ' + e));
  stream.on('close', () => end(status === 200 ? '' : 'closed with status ' + status));
}
process.stdin.on('end', () => { stopping = true; }).resume();
for (running = 0; running < 10; ++running) ask();
"""


class Load:
    """Threads that ask again and again on connections that are kept, as long as an answer does not say otherwise."""

    def __init__(self, port, patience_s=0.0, paths=PATHS):
        self.port, self.patience_s, self.paths = port, patience_s, paths
        self.good, self.faults, self.retries = 0, [], 0
        self.lock, self.stopping = threading.Lock(), threading.Event()
        self.threads = [threading.Thread(target=self._run, daemon=True) for _ in range(THREADS)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def count(self):
        with self.lock:
            return self.good

    def _run(self):
        connection, last = None, 0.0
        while not self.stopping.is_set():
            for path in self.paths:
                # Held up for longer than a server waits for requests on their way: as any client that knows an idle timeout.
                if connection is not None and time.monotonic() - last > 0.2:
                    connection.close()
                    connection = None
                if connection is None:
                    connection = http.client.HTTPConnection(HOST, self.port, timeout=60)
                connection = self._ask(connection, path)
                last = time.monotonic()
        if connection is not None:
            connection.close()

    def _ask(self, connection, path):
        """Asks until it is answered, or patience ends; returns the connection if it can be used again."""
        end = time.monotonic() + self.patience_s
        while True:
            try:
                connection.request("GET", path)
                reply = connection.getresponse()
                body = reply.read()
                fault = "" if reply.status == 200 and body else f"{path}: {reply.status}"
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                fault = f"{path}: {error!r}"
            if not fault or time.monotonic() >= end:
                break
            with self.lock:
                self.retries += 1
            time.sleep(0.02)
            connection = http.client.HTTPConnection(HOST, self.port, timeout=60)
        with self.lock:
            self.good += not fault
            if fault:
                self.faults.append(fault)
        return connection if connection.sock is not None else None


class NodeLoad:
    """The same by HTTP/2."""

    def __init__(self, port, path):
        self.command = ["node", "-e", NODE, f"http://{HOST}:{port}", path]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_):
        try:
            self.report = json.loads(self.process.communicate(timeout=60)[0])
        finally:
            self.process.kill()


class HandoverTest(harness.TestCase):
    def listening(self):
        sock = socket.socket()
        self.addCleanup(sock.close)
        sock.bind((HOST, 0))
        sock.listen(1024)
        return sock

    def shop(self, sock=None, access_log="off"):
        shop = Shop("handover", [f"--access-log={access_log}", "--admin-port=0"], listening=sock)
        self.addCleanup(shop.kill)
        return shop

    def served(self, load, more=50):
        before = load.count()
        wait_for(lambda: load.count() >= before + more, 30, f"{more} more answers")

    def stop(self, shop):
        code, _ = shop.terminate()
        self.assertEqual(code, 0, shop.log_tail())

    def start_beside(self, shop):
        """Readiness cannot be asked for: the other one may answer."""
        shop.start(wait=False)
        line = f"listening on http://{HOST}:{shop.port}"
        wait_for(lambda: shop.log_path.read_text().count(line) == shop.starts, 30, "the second shop")

    def test_clients_that_retry_see_nothing_of_a_restart(self):
        shop = self.shop()
        shop.start()
        with Load(shop.port, patience_s=60) as load:
            for _ in range(4):
                self.served(load)
                self.stop(shop)
                shop.start()
            self.served(load)
        self.assertEqual(load.faults, [])

    def test_one_program_after_the_other(self):
        """As systemd restarts a service with a socket: who comes meanwhile waits in the queue. No retries."""
        shop = self.shop(self.listening())
        shop.start()
        customer = Customer.register(shop, "handover@degu.example")
        sku = customer.pages("/api/v1/products?page_size=1", "products")[0]["sku"]
        with Load(shop.port) as load:
            for number in range(4):
                self.served(load)
                self.assertEqual(customer.order({sku: 1}, f"handover-{number}", CARD_OK).status, 201)
                customer.close()
                self.stop(shop)
                shop.start()
            self.served(load)
        self.assertEqual(load.faults, [])
        customer.close()
        invariants.wait_settled(shop.data_dir)

    def test_the_next_program_beside_the_last(self):
        """Both accept from one socket until the first is told to stop. No retries, HTTP/1.1."""
        sock = self.listening()
        running, other = self.shop(sock), self.shop(sock)
        running.start()
        with Load(running.port) as load:
            for _ in range(6):
                self.start_beside(other)
                self.served(load)
                self.stop(running)
                running, other = other, running
                self.served(load)
        self.assertEqual(load.faults, [])

    @unittest.skipUnless(shutil.which("node"), "needs Node")
    def test_http2(self):
        sock = self.listening()
        running, other = self.shop(sock, "on"), self.shop(sock, "on")
        running.start()
        with Load(running.port, paths=("/ping",)) as paced, NodeLoad(running.port, "/api/v1/products?page_size=1") as load:
            for _ in range(6):
                self.start_beside(other)
                self.served(paced)
                self.stop(running)
                running, other = other, running
                self.served(paced)
        self.assertEqual(load.report["bad"], [])
        self.assertEqual(paced.faults, [])
        self.assertGreater(load.report["sessions"], 1)
        # What has reached a server was answered.
        logs = running.log_path.read_text() + other.log_path.read_text()
        self.assertEqual(logs.count('"path":"/api/v1/products"'), load.report["good"])

    def test_no_socket_to_take(self):
        shop = self.shop()
        shop.args.append("--listen=inherited")
        shop.start(wait=False)
        self.assertEqual(shop.wait_exit(10), 1)
        self.assertIn("no socket was handed over", shop.log_tail(5))


if __name__ == "__main__":
    harness.main()
