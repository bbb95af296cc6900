#!/usr/bin/env python3
"""HTTPS: the shop with certificates, as curl, OpenSSL and Python meet it."""

import http.client
import shutil
import ssl
import subprocess
import threading

import harness
from harness import HOST, Settings, Shop, wait_for


def openssl(*args, text=None):
    done = subprocess.run(["openssl", *map(str, args)], input=text, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Authority:
    """A certificate authority with its files in `folder`."""

    def __init__(self, folder, name="ca"):
        self.folder, self.cert, self.key = folder, folder / f"{name}.pem", folder / f"{name}.key"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", 2,
                "-subj", f"/CN=degu {name}", "-keyout", self.key, "-out", self.cert)

    def issue(self, name, subject):
        """Writes NAME.pem and NAME.key for localhost and 127.0.0.1; returns both."""
        cert, key, request = (self.folder / f"{name}.{end}" for end in ("pem", "key", "csr"))
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={subject}",
                "-addext", f"subjectAltName=DNS:localhost,IP:{HOST}", "-keyout", key, "-out", request)
        openssl("x509", "-req", "-in", request, "-CA", self.cert, "-CAkey", self.key, "-CAcreateserial", "-days", 2,
                "-copy_extensions", "copy", "-out", cert)
        return cert, key


class SecureShop(Shop):
    def __init__(self, authority, *args):
        self.authority = authority
        self.cert, self.key = authority.issue("site", "first")
        super().__init__("tls", [f"--tls-cert={self.cert}", f"--tls-key={self.key}", *args])

    def context(self, client=None):
        context = ssl.create_default_context(cafile=self.authority.cert)
        if client:
            context.load_cert_chain(*client)
        return context

    def wait_ready(self, limit_s=harness.START_LIMIT_S):
        wait_for(lambda: self.try_get() == 200, limit_s, "ready by HTTPS")

    def try_get(self, path="/health/ready", context=None):
        """The status; 0 when there is no answer."""
        self.check_alive()
        connection = http.client.HTTPSConnection(HOST, self.port, timeout=10, context=context or self.context())
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()

    def curl(self, *args):
        """(exit status, what it wrote)"""
        done = subprocess.run(["curl", "-sS", "--max-time", "20", "--cacert", self.authority.cert, *args],
                              capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout + done.stderr

    def url(self, path, host="localhost"):
        return f"https://{host}:{self.port}{path}"

    def subject(self):
        """Whose certificate it shows."""
        shown = openssl("s_client", "-connect", f"{HOST}:{self.port}", "-CAfile", self.authority.cert, text="")
        return shown.split("subject=", 1)[1].splitlines()[0]


class TlsTest(harness.TestCase):
    def setUp(self):
        super().setUp()
        folder = Settings.work_dir
        self.authority = Authority(harness.Path(harness.tempfile.mkdtemp(prefix="ca-", dir=folder)))

    def started(self, *args):
        shop = SecureShop(self.authority, *args)
        self.addCleanup(shop.kill)
        shop.start()
        return shop

    def test_curl_reads_the_shop(self):
        shop = self.started()
        self.assertIn(f"listening on https://{HOST}:{shop.port}", shop.log_tail())
        for version in ("1.2", "1.3"):
            status, text = shop.curl("--tlsv" + version, "--tls-max", version, "-w", "%{http_code} %{ssl_verify_result}",
                                     "-o", "/dev/null", shop.url("/api/v1/products"))
            self.assertEqual((status, text), (0, "200 0"), version)
        discard = ("-o", "/dev/null")
        self.assertEqual(shop.curl(*discard, *discard, "-w", "%{num_connects}", shop.url("/"), shop.url("/ping"))[1], "10")
        # Versions and suites that are broken are not spoken.
        status, text = shop.curl("--tls-max", "1.1", "--ciphers", "DEFAULT@SECLEVEL=0", shop.url("/ping"))
        self.assertNotEqual(status, 0, text)
        status, text = shop.curl("--tls-max", "1.2", "--ciphers", "AES128-SHA", shop.url("/ping"))
        self.assertNotEqual(status, 0, text)
        # Nor is the shop somebody else, nor plain.
        self.assertEqual(shop.curl("--resolve", f"other.test:{shop.port}:{HOST}", shop.url("/ping", "other.test"))[0], 60)
        self.assertNotEqual(shop.curl(f"http://localhost:{shop.port}/ping")[0], 0)
        self.assertEqual(shop.try_get(), 200)
        code, _ = shop.terminate()
        self.assertEqual(code, 0)

    def test_a_session_is_resumed(self):
        shop = self.started()
        context = shop.context()
        session = None
        for expected in (False, True):
            connection = http.client.HTTPSConnection("localhost", shop.port, timeout=10, context=context)
            raw = harness.socket.create_connection((HOST, shop.port), timeout=10)
            connection.sock = context.wrap_socket(raw, server_hostname="localhost", session=session)
            connection.request("GET", "/ping")
            self.assertEqual(connection.getresponse().status, 200)
            self.assertEqual(connection.sock.session_reused, expected)
            session = connection.sock.session
            connection.close()

    def test_clients_show_who_they_are(self):
        shop = SecureShop(self.authority, f"--tls-client-ca={self.authority.cert}")
        self.addCleanup(shop.kill)
        shop.start(wait=False)
        known = shop.context(self.authority.issue("caller", "caller"))
        wait_for(lambda: shop.try_get(context=known) == 200, harness.START_LIMIT_S, "ready for a known client")
        self.assertEqual(shop.try_get(), 0)
        other = Authority(self.authority.folder, "other")
        self.assertEqual(shop.try_get(context=shop.context(other.issue("stranger", "stranger"))), 0)

    def test_certificates_are_replaced_under_load(self):
        shop = self.started()
        self.assertEqual(shop.subject(), "CN = first")
        failures, done = [], threading.Event()

        def load():
            context = shop.context()
            while not done.is_set():
                if shop.try_get("/ping", context) != 200:
                    failures.append("no answer")

        threads = [threading.Thread(target=load) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            fresh = self.authority.issue("fresh", "second")
            shop.cert.write_text("not a certificate")  # half of a change is not taken
            wait_for(lambda: "certificates not reloaded" in shop.log_path.read_text(), 15, "a report of the bad file")
            for new, old in zip(fresh, (shop.cert, shop.key)):
                shutil.copy(new, old)
            wait_for(lambda: shop.subject() == "CN = second", 15, "the new certificate")
        finally:
            done.set()
            for thread in threads:
                thread.join()
        self.assertEqual(failures, [])

    def test_bad_files_say_what_to_do(self):
        for args, reason in (
                (["--tls-cert=/nowhere.pem"], "--tls-cert and --tls-key go together"),
                (["--tls-cert=/nowhere.pem", "--tls-key=/nowhere.key"], "/nowhere.pem"),
                ([f"--tls-client-ca={self.authority.cert}"], "--tls-client-ca needs --tls-cert"),
        ):
            shop = Shop("tls", args)
            shop.start(wait=False)
            self.assertEqual(shop.wait_exit(20), 1)
            self.assertIn(reason, shop.log_tail())


if __name__ == "__main__":
    harness.main()
