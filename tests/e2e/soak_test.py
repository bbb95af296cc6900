"""The shop under a thousand connections for SOAK_SECONDS: no failed request, and neither memory nor descriptors grow.

What comes at once: HTTP/1.1 without a pause, HTTP/2 with many streams, and clients that hang up halfway, send rubbish, ask for
more than there is or stop reading. `make soak` runs it for long under AddressSanitizer; as a test it shows that it works.
"""

import os
import random
import signal
import socket
import statistics
import subprocess
import threading
import time

import harness
from harness import HOST, Shop, TestCase, wait_for

SECONDS = int(os.environ.get("SOAK_SECONDS", "6"))
DEGU = os.environ.get("DEGU_BIN", "")
CONNECTIONS = 950  # and HTTP/2's 20, and the rude ones' 30
RUDE_THREADS = 30
# What grows no further when it is full: caches of the allocators, of goroutines' records and stacks, of JSON documents.
SETTLED = 0.4  # the part of the time after which all of these are
ALLOWED_GROWTH, ALLOWED_BYTES = 1.05, 8 << 20

RUDE = [
    b"GET / HTTP/1.1\r\nHost: a\r\n",  # and no more
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"POST /api/v1/sessions HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{",
    b"POST /api/v1/sessions HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\nx",
    b"GET /api/v1/products HTTP/1.1\r\nHost: a\r\n\r\n" * 20,  # and not read
    b"GET /no/such/page HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 40000 + b"\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00" + b"\x00\x00\x08\x06\x00\x00\x00\x00\x00abcdefgh" * 50,
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\x04\x00\x00\x00\x00\x00",
]


def resident(pid):
    with open(f"/proc/{pid}/statm") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


class Soak(TestCase):
    def setUp(self):
        super().setUp()
        # Freed memory kept from use for long would look like growth.
        os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=16"
        self.shop = Shop("soak", ["--access-log=off"])
        self.shop.start()
        self.addCleanup(self.shop.kill)
        self.over = threading.Event()

    def be_rude(self, seed):
        choice = random.Random(seed)
        while not self.over.is_set():
            try:
                with socket.create_connection((HOST, self.shop.port), timeout=5) as sock:
                    sock.sendall(choice.choice(RUDE))
                    sock.settimeout(choice.choice([0.001, 0.05]))
                    sock.recv(choice.choice([1, 100000]))
            except OSError:
                pass

    def sample(self, samples):
        while not self.over.wait(0.5):
            samples.append((time.monotonic(), resident(self.shop.process.pid)))

    def check_growth(self, samples):
        begin, end = samples[0][0], samples[-1][0]
        settled = [size for at, size in samples if 0 <= at - begin - SETTLED * (end - begin) < 0.2 * (end - begin)]
        last = [size for at, size in samples if end - at < 0.2 * (end - begin)]
        before, after = statistics.median(settled), statistics.median(last)
        print(f"resident: {samples[0][1] >> 20} MiB at first, {before / 2**20:.1f} MiB when settled, {after / 2**20:.1f} MiB at the end")
        self.assertLess(after, before * ALLOWED_GROWTH + ALLOWED_BYTES, "the shop's memory grows")

    def test_nothing_grows(self):
        pid, url = self.shop.process.pid, f"http://{HOST}:{self.shop.port}"
        open_before = descriptors(pid)
        samples = []
        threads = [threading.Thread(target=self.be_rude, args=(self.random.random(),)) for _ in range(RUDE_THREADS)]
        threads.append(threading.Thread(target=self.sample, args=(samples,)))
        for thread in threads:
            thread.start()
        try:
            http2 = subprocess.Popen(["h2load", "-D", str(SECONDS), "-c", "20", "-m", "10", f"{url}/api/v1/products?page_size=20"],
                                     stdout=subprocess.PIPE, text=True)
            http1 = subprocess.run([DEGU, "bench", "--quiet", "-c", str(CONNECTIONS), "-d", f"{SECONDS}s", "--fail-if", "errors>0%",
                                    f"{url}/api/v1/users"], capture_output=True, text=True)
            report = http2.communicate(timeout=60)[0]
        finally:
            self.over.set()
            for thread in threads:
                thread.join()
        self.shop.check_alive()
        print(http1.stdout)
        self.assertEqual(http1.returncode, 0, http1.stdout + http1.stderr)
        self.assertIn(" 0 failed, 0 errored, 0 timeout", report)
        self.check_growth(samples)
        wait_for(lambda: descriptors(pid) <= open_before + 4, 30, f"descriptors back at about {open_before}")
        code, _ = self.shop.terminate(60 * harness.SLOW)
        self.assertEqual(code, 0, self.shop.log_tail())


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    harness.main()
