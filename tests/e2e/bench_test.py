#!/usr/bin/env python3
"""`degu bench` against the shop: reports, conditions, exit codes, Ctrl-C, TLS, HTTP/2."""

import json
import os
import signal
import subprocess
import tempfile
import unittest
from pathlib import Path

import harness
from harness import HOST, Settings, Shop
from tls_test import Authority, SecureShop

BENCH = os.path.abspath(os.environ.get("DEGU_BIN", ""))


def bench(*args, limit_s=60):
    return subprocess.run([BENCH, "bench", *[str(a) for a in args]], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=limit_s * harness.SLOW, cwd=Settings.work_dir)


@unittest.skipUnless(os.path.isfile(BENCH), "needs DEGU_BIN")
class BenchTest(harness.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.shop = Shop("bench")
        cls.shop.start()
        cls.url = f"http://{HOST}:{cls.shop.port}"
        cls.folder = Path(tempfile.mkdtemp(prefix="bench-", dir=Settings.work_dir))

    @classmethod
    def tearDownClass(cls):
        cls.shop.kill()

    def report(self, *args, status=0):
        """The JSON of a run, and what it printed."""
        file = self.folder / "report.json"
        file.unlink(missing_ok=True)
        done = bench("--json", file, *args)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return json.loads(file.read_text()), done

    def test_a_closed_loop_by_number(self):
        report, done = self.report("-c", 4, "-n", 200, self.url + "/ping")
        self.assertEqual(report["requests"], 200)
        self.assertEqual(report["statuses"], {"200": 200})
        self.assertEqual(report["errors"], 0)
        self.assertEqual(report["latency"]["count"], 200)
        self.assertNotIn("latency_uncorrected", report)
        self.assertEqual(sum(b["count"] for b in report["histogram"]), 200)
        self.assertIn("p99.99", done.stdout)
        latency = report["latency"]
        steps = [latency[k] for k in ("min_ms", "p50_ms", "p90_ms", "p99_ms", "p999_ms", "max_ms")]
        self.assertEqual(steps, sorted(steps))
        self.assertGreater(steps[0], 0)

    def test_an_open_loop_shows_both_latencies(self):
        report, done = self.report("-c", 8, "-d", "1s", "--rate", 200, "--arrivals", "poisson", self.url + "/ping")
        self.assertIn("uncorrected", done.stdout)
        self.assertEqual(report["latency"]["count"], report["latency_uncorrected"]["count"])
        self.assertGreaterEqual(report["latency"]["p50_ms"], report["latency_uncorrected"]["p50_ms"])
        self.assertTrue(120 < report["requests"] < 300, report["requests"])  # 200, give or take seven deviations
        self.assertAlmostEqual(sum(i["length_s"] for i in report["timeline"]), report["seconds"], 3)

    def test_the_page_stands_alone(self):
        page = self.folder / "report.html"
        done = bench("-n", 100, "--quiet", "--html", page, self.url + "/ping?a=<b>&c")
        self.assertEqual(done.returncode, 0, done.stderr)
        text = page.read_text()
        self.assertTrue(text.startswith("<!doctype html>") and text.endswith("</html>\n"))
        self.assertEqual(text.count("<svg "), 4)
        self.assertIn("?a=&lt;b&gt;&amp;c", text)
        for outside in ("<script", "<link", "src=", "url(", "@import"):
            self.assertNotIn(outside, text)
        self.assertEqual(bench("-n", 1, "--quiet", "--html", "/nonexistent/a.html", self.url + "/ping").returncode, 1)

    def test_a_comparison_with_an_earlier_run(self):
        file = self.folder / "before.json"
        self.assertEqual(bench("-c", 2, "-d", "1s", "--quiet", "--json", file, self.url + "/ping").returncode, 0)
        done = bench("-c", 2, "-d", "1s", "--quiet", "--baseline", file, self.url + "/ping")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"answers/s +[\d.e+]+ +[\d.e+]+ +[-+][\d.]+ % +(probably real|within the noise)")
        self.assertNotIn("different", done.stdout)
        other = bench("-c", 1, "-n", 9, "--quiet", "--baseline", file, self.url + "/ping")
        self.assertIn("different loads", other.stdout)
        file.write_text("{}")
        self.assertEqual(bench("-n", 1, "--baseline", file, self.url + "/ping").returncode, 2)

    def test_progress_is_lines_where_there_is_no_terminal(self):
        done = bench("-c", 2, "-d", "1200ms", self.url + "/ping")
        self.assertEqual(done.returncode, 0)
        self.assertIn("p99", done.stderr)
        self.assertNotIn("\x1b", done.stderr)
        self.assertEqual(bench("-n", 5, "--quiet", self.url + "/ping").stderr, "")

    def test_conditions_decide_the_exit_code(self):
        good = bench("-n", 50, "--quiet", "--fail-if", "errors>0", "--fail-if", "p99>30s", self.url + "/ping")
        self.assertEqual((good.returncode, good.stderr), (0, ""))
        bad = bench("-n", 50, "--quiet", "--fail-if", "errors>1%", "--fail-if", "p50>1ns", self.url + "/nowhere")
        self.assertEqual(bad.returncode, 1)
        self.assertIn("failed: errors>1%: it is 100 %", bad.stderr)
        self.assertIn("failed: p50>1ns: it is", bad.stderr)
        self.assertIn("404 50", bad.stdout)

    def test_nothing_that_answers_is_a_failure(self):
        done = bench("-n", 3, "--quiet", f"http://{HOST}:{harness.free_port()}/")
        self.assertEqual(done.returncode, 1)
        self.assertIn("nothing answered", done.stderr)
        self.assertIn("connect 3", done.stdout)

    def test_wrong_use(self):
        scenario = self.folder / "bad.json"
        scenario.write_text('{"requests": [{"name": "a", "path": "/${b}"}]}')
        for args, why in (([], "url is required"), (["ftp://a/"], "http://"), (["-c", 0, self.url], "connections"),
                          (["-d", "soon", self.url], "duration"), (["--rate", -1, self.url], "rate"),
                          (["--arrivals", "poisson", self.url], "--rate"), (["--fail-if", "p98>1s", self.url], "p98"),
                          (["--header", "nocolon", self.url], "colon"), (["--header", "A: b\nC: d", self.url], "control"),
                          (["--scenario", "/nonexistent", self.url], "/nonexistent"),
                          (["--scenario", scenario, self.url], "requests[0]: there is no variable"),
                          (["--body", "@/nonexistent", self.url], "/nonexistent"), (["--nonsense", self.url], "nonsense")):
            done = bench(*args)
            self.assertEqual(done.returncode, 2, (args, done))
            self.assertIn(why, done.stdout + done.stderr)
        self.assertEqual(bench("--help").returncode, 0)

    def test_ctrl_c_ends_early_with_a_report(self):
        file = self.folder / "early.json"
        process = subprocess.Popen([BENCH, "bench", "-c", "2", "-d", "600s", "--json", file, self.url + "/ping"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.kill)
        process.stderr.readline()  # the first line of progress: it runs
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=20 * harness.SLOW)
        self.assertEqual(process.returncode, 0)
        self.assertIn("interrupted", out)
        report = json.loads(file.read_text())
        self.assertTrue(report["interrupted"])
        self.assertGreater(report["requests"], 0)

    def test_a_scenario_logs_in_and_orders(self):
        scenario = self.folder / "shop.json"
        scenario.write_text(json.dumps({
            "variables": {"token": {"from": "login", "pointer": "/token"}, "page": {"range": [1, 5]}},
            "requests": [
                {"name": "login", "weight": 0, "method": "POST", "path": "/api/v1/sessions",
                 "body": {"email": harness.DEMO_EMAIL, "password": harness.DEMO_PASSWORD}},
                {"name": "products", "weight": 3, "path": "/api/v1/products?page_size=${page}"},
                {"name": "cart", "path": "/api/v1/cart", "headers": {"Authorization": "Bearer ${token}"}}]}))
        report, done = self.report("-c", 2, "-n", 60, "--scenario", scenario, self.url)
        self.assertEqual(report["errors"], 0, done.stdout)
        answers = {r["name"]: r["latency"]["count"] for r in report["by_request"]}
        self.assertTrue(1 <= answers["login"] <= 2, answers)
        self.assertEqual(answers["products"] + answers["cart"], 60)
        self.assertGreater(answers["products"], answers["cart"])
        self.assertIn("products", done.stdout)

    def test_a_single_request_with_body_and_header(self):
        body = self.folder / "body.json"
        body.write_text(json.dumps({"email": harness.DEMO_EMAIL, "password": harness.DEMO_PASSWORD}))
        report, _ = self.report("-c", 1, "-n", 2, "--body", f"@{body}", "--header", "Content-Type: application/json",
                                self.url + "/api/v1/sessions")
        self.assertEqual(report["statuses"], {"201": 2})

    def pings_served(self):
        """By the shop's own log."""
        return self.shop.log_path.read_bytes().count(b'"path":"/ping"')

    def test_http2_counts_what_the_server_counts(self):
        for load in (("-n", 3000), ("-n", 600, "--rate", 2000), ("-n", 600, "--rate", 2000, "--arrivals", "poisson")):
            before = self.pings_served()
            report, done = self.report("--http2", "--streams", 20, "-c", 3, *load, self.url + "/ping")
            self.assertEqual(report["requests"], load[1])
            self.assertEqual(report["statuses"], {"200": load[1]})
            self.assertEqual((report["errors"], report["unfinished"]), (0, 0))
            self.assertEqual((report["settings"]["protocol"], report["settings"]["streams"]), ("HTTP/2", 20))
            self.assertRegex(done.stdout, r"load +HTTP/2, .*3 connections of 20 streams")
            self.assertEqual("latency_uncorrected" in report, "--rate" in load)
            harness.wait_for(lambda: self.pings_served() - before >= load[1], 10, "the log of all requests")
            self.assertEqual(self.pings_served() - before, load[1])

    def test_http2_scenario(self):
        scenario = self.folder / "http2.json"
        scenario.write_text(json.dumps({
            "variables": {"token": {"from": "login", "pointer": "/token"}},
            "requests": [
                {"name": "login", "weight": 0, "method": "POST", "path": "/api/v1/sessions",
                 "body": {"email": harness.DEMO_EMAIL, "password": harness.DEMO_PASSWORD}},
                {"name": "cart", "path": "/api/v1/cart", "headers": {"Authorization": "Bearer ${token}"}}]}))
        report, done = self.report("--http2", "--streams", 2, "-c", 2, "-n", 60, "--scenario", scenario, self.url)
        self.assertEqual(report["errors"], 0, done.stdout)
        answers = {r["name"]: r["latency"]["count"] for r in report["by_request"]}
        self.assertEqual(answers["cart"], 60)
        self.assertTrue(1 <= answers["login"] <= 4, answers)

    def test_wrong_use_of_http2(self):
        for args, why in ((["--streams", 2, self.url], "--http2"), (["--http2", "--streams", 0, self.url], "streams"),
                          (["--http2", "-c", 100000, "--streams", 1000, self.url], "1000000"),
                          (["--http2", "--header", "Upgrade: h2c", self.url], "HTTP/1.1")):
            done = bench(*args)
            self.assertEqual(done.returncode, 2, (args, done))
            self.assertIn(why, done.stdout + done.stderr)

    def test_tls(self):
        folder = self.folder / "ca"
        folder.mkdir()
        shop = SecureShop(Authority(folder))
        self.addCleanup(shop.kill)
        shop.start()
        url = f"https://{HOST}:{shop.port}/ping"
        report, _ = self.report("-c", 4, "-n", 100, "--ca-file", shop.authority.cert, url)
        self.assertEqual(report["statuses"], {"200": 100})
        self.assertEqual(self.report("-n", 10, "--insecure", url)[0]["errors"], 0)
        report, _ = self.report("--http2", "--streams", 5, "-c", 4, "-n", 100, "--ca-file", shop.authority.cert, url)
        self.assertEqual((report["statuses"], report["errors"]), ({"200": 100}, 0))
        untrusted = bench("-n", 2, "--quiet", url)
        self.assertEqual(untrusted.returncode, 1)
        self.assertIn("certificate", untrusted.stdout)


if __name__ == "__main__":
    harness.main()
