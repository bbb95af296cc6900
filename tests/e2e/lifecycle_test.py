#!/usr/bin/env python3
"""The program itself: what it prints, its options, its exits."""

import contextlib
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

import harness
import invariants
from harness import CARD_OK, DEMO_EMAIL, DEMO_PASSWORD, HOST, Customer, Settings, Shop, wait_for


def run(*args, limit_s=60):
    """The program with these arguments, waited for."""
    return subprocess.run([Settings.binary, *args], stdin=subprocess.DEVNULL, capture_output=True, timeout=limit_s,
                          text=True, cwd=Settings.work_dir)


class Lifecycle(harness.TestCase):
    def shop(self, *args, **kw):
        shop = Shop("lifecycle", args)
        self.addCleanup(shop.kill)
        shop.start(**kw)
        return shop

    def test_first_start_prints_what_a_newcomer_needs(self):
        shop = self.shop()
        text = wait_for(lambda: (t := shop.log_tail(50)) and "curl" in t and t, 5, "the curl line")
        self.assertIn(f"shop listening on http://{HOST}:{shop.port}", text)
        self.assertIn(DEMO_EMAIL, text)
        self.assertIn(DEMO_PASSWORD, text)

    @unittest.skipUnless(shutil.which("curl"), "needs curl")
    def test_the_printed_curl_line_places_an_order(self):
        shop = self.shop()
        text = wait_for(lambda: (t := shop.log_tail(50)) and "curl" in t and t, 5, "the curl line")
        line = next(x for x in text.splitlines() if "curl " in x)
        result = subprocess.run(["sh", "-c", line[line.index(self.command_start(line)):]], capture_output=True,
                                text=True, timeout=30, env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"})
        self.assertIn('"CAPTURED"', result.stdout, f"{line}\n{result}")
        picture = invariants.wait_settled(shop.data_dir)
        self.assertEqual([o["state"] for o in picture.orders], ["CAPTURED"])

    @staticmethod
    def command_start(line):
        """Where the command begins: behind a label, at an assignment, or at curl itself."""
        found = re.search(r"(\w+=\S*\$?\(?)?curl ", line)
        return found.group(0)

    def test_a_first_start_serves_soon(self):
        shop = Shop("lifecycle")
        self.addCleanup(shop.kill)
        self.assertLess(shop.start(), 10 * harness.SLOW)

    def test_killed_during_the_first_start(self):
        """Half-made databases, demo user, secret and stock must not keep the next start from working."""
        whole = Shop("lifecycle")
        self.addCleanup(whole.kill)
        seconds = whole.start()
        stock = [tuple(row) for row in invariants.read_databases(whole.data_dir, live=True).stock]
        whole.kill()
        for number in range(8):
            shop = Shop("lifecycle")
            self.addCleanup(shop.kill)
            for _ in range(2):
                shop.start(wait=False)
                time.sleep(seconds * self.random.random())
                shop.kill()
            shop.start()
            Customer.login(shop, DEMO_EMAIL, DEMO_PASSWORD).close()
            picture = invariants.wait_settled(shop.data_dir)
            self.assertEqual([tuple(row) for row in picture.stock], stock, f"try {number}")
            shop.kill()

    def test_a_busy_port_is_an_error(self):
        shop = self.shop()
        other = Shop("lifecycle")
        self.addCleanup(other.kill)
        other.port = shop.port
        other.start(wait=False)
        code = other.wait_exit(10)
        self.assertNotIn(code, (0, None), other.log_tail())
        self.assertGreater(code, 0, "died of a signal instead of saying what is wrong")
        self.assertIn(str(shop.port), other.log_tail(5))
        shop.check_alive()

    def test_a_data_directory_in_use_is_refused(self):
        shop = self.shop()
        other = Shop("lifecycle")
        self.addCleanup(other.kill)
        other.data_dir = shop.data_dir
        other.start(wait=False)
        self.assertNotIn(other.wait_exit(10), (0, None), "two processes on one data directory")
        shop.check_alive()
        shop.kill()
        other.start()  # the lock dies with its owner

    def test_out_of_descriptors(self):
        """No descriptor left for new clients: no spinning, no exit, and service again once some have left."""
        if harness.SLOW > 1:
            self.skipTest("UBSan itself opens descriptors to look at an object's type, and ends the shop when it cannot")
        shop = self.shop()
        resource.prlimit(shop.process.pid, resource.RLIMIT_NOFILE, (64, 64))
        crowd = [socket.create_connection((HOST, shop.port), timeout=5) for _ in range(150)]
        before = self.cpu_s(shop)
        time.sleep(1)
        self.assertLess(self.cpu_s(shop) - before, 0.2 * harness.SLOW, "spins while it cannot accept")
        for connection in crowd:
            connection.close()
        with shop.client(timeout=10) as client:
            client.expect(200, "GET", "/ping")
        shop.check_alive()

    def test_wrong_options_are_refused(self):
        for args in (["--port=many"], ["--no-such-option"], ["no-such-command"], ["--port=70000"], ["--port=-1"]):
            with self.subTest(args=args):
                result = run("serve", f"--data-dir={Settings.work_dir}/none", *args)
                self.assertGreater(result.returncode, 0, result)
                self.assertTrue(result.stderr.strip() or result.stdout.strip(), "says nothing")

    def test_help(self):
        result = run("--help")
        self.assertEqual(result.returncode, 0)
        for word in ("--port", "--data-dir", "seed"):
            self.assertIn(word, result.stdout)

    def test_a_data_directory_that_cannot_be(self):
        blocked = os.path.join(Settings.work_dir, "a-file")
        with open(blocked, "w", encoding="ascii") as file:
            file.write("not a directory")
        result = run("serve", f"--port={harness.free_port()}", f"--data-dir={blocked}/data")
        self.assertGreater(result.returncode, 0, result)
        self.assertIn("a-file", result.stderr + result.stdout)

    def test_an_unknown_crash_point_is_refused(self):
        shop = Shop("lifecycle")
        self.addCleanup(shop.kill)
        shop.start(crash_at="teleported:1", wait=False)
        self.assertNotIn(shop.wait_exit(10), (0, None), "a misspelt crash point tests nothing")

    def test_seed_makes_products_and_users(self):
        shop = Shop("lifecycle")
        self.addCleanup(shop.kill)
        result = run("seed", "--products=150", "--users=30", f"--data-dir={shop.data_dir}", limit_s=120)
        self.assertEqual(result.returncode, 0, result)
        shop.start()
        with shop.client() as client:
            total = client.expect(200, "GET", "/api/v1/products?page_size=1").json()["total"]
            self.assertGreaterEqual(total, 150)
            users = Customer.pages(client, "/api/v1/users?page_size=100", "users")
            self.assertGreaterEqual(len(users), 30)
            product = client.expect(200, "GET", "/api/v1/products?page_size=100").json()["products"][-1]
        demo = Customer.login(shop, DEMO_EMAIL, DEMO_PASSWORD)
        self.assertEqual(demo.order({product["sku"]: 1}, "seeded").status, 201)
        invariants.wait_settled(shop.data_dir)

    def test_idle_costs_nothing(self):
        """Sleeping without CPU: at most 1 % of a core while nobody asks."""
        shop = self.shop()
        time.sleep(0.5)
        before = self.cpu_s(shop)
        time.sleep(2)
        self.assertLess(self.cpu_s(shop) - before, 0.04 * harness.SLOW)

    @staticmethod
    def cpu_s(shop):
        with open(f"/proc/{shop.process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def test_sigterm_during_the_start(self):
        shop = self.shop()
        self.assertEqual(shop.terminate()[0], 0)
        for delay in (0.0, 0.005, 0.02, 0.05, 0.1):
            shop.start(wait=False)
            time.sleep(delay)
            shop.process.send_signal(signal.SIGTERM)
            self.assertIn(shop.wait_exit(10), (0, -signal.SIGTERM), shop.log_tail())
        shop.start()

    def test_refusals_are_logged_within_a_bound(self):
        shop = self.shop()
        for _ in range(400):
            with socket.create_connection((HOST, shop.port), timeout=5) as client:
                client.sendall(b"GET /bad?secret=1 HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
                self.assertIn(b" 400 ", client.recv(4096))
        records = [line for line in shop.log_path.read_text().splitlines() if '"refused":"malformed"' in line]
        for part in ('"msg":"request"', '"method":"GET"', '"path":"/bad"', '"status":400', '"peer":"127.0.0.1:', '"reason":'):
            self.assertIn(part, records[0])
        self.assertGreaterEqual(len(records), 100)
        self.assertLess(len(records), 250)
        self.assertNotIn("secret", "".join(records))

    def test_many_connections(self):
        """A thousand idle clients, and a busy one among them; all let go at SIGTERM."""
        shop = self.shop()
        idle = []
        try:
            with ThreadPoolExecutor(8) as pool:
                idle = list(pool.map(lambda _: socket.create_connection((HOST, shop.port), timeout=5), range(1000)))
            with shop.client() as client:
                for _ in range(50):
                    client.expect(200, "GET", "/ping")
            code, seconds = shop.terminate()
            self.assertEqual(code, 0, shop.log_tail())
            self.assertLess(seconds, 5 * harness.SLOW)
        finally:
            for connection in idle:
                connection.close()

    def test_files_do_not_leak(self):
        """After 200 connections and orders as many descriptors as before, those of the database pools aside."""
        shop = self.shop()
        demo = Customer.login(shop, DEMO_EMAIL, DEMO_PASSWORD)
        sku = demo.pages("/api/v1/products?page_size=1", "products")[0]["sku"]

        def visit(i):
            with demo.again() as client:
                client.expect(200, "GET", "/ping")
                if i % 4 == 0:
                    client.order({sku: 1}, f"leak-{i}", CARD_OK)

        def open_files():
            folder = f"/proc/{shop.process.pid}/fd"
            count = 0
            for name in os.listdir(folder):
                with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                    count += ".db" not in os.readlink(f"{folder}/{name}")
            return count
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(visit, range(40)))
            time.sleep(0.3)
            before = open_files()
            list(pool.map(visit, range(40, 240)))
        wait_for(lambda: open_files() <= before, 5, f"as few open files as before ({before})")


if __name__ == "__main__":
    harness.main()
