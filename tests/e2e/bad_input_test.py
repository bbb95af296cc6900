#!/usr/bin/env python3
"""Bad input over real sockets: a clear refusal each time, nothing leaked, nobody else disturbed."""

import base64
import hashlib
import hmac
import json
import re
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import harness
import invariants
import shopping
from bad_input_cases import GOOD, all_cases, b64, jwt, order, request
from harness import CARD_OK, HOST, Client, Customer, Shop, raw

shop = None
known = {}
products = []
initial = {}

# What a client must never see: source files, symbols, SQL, addresses, secrets of the machine.
LEAKS = re.compile(rb"""\.(cc|h|cpp|hpp|py):\d | std:: | degu:: | __cxa | what\(\) | sqlite | simdjson | SELECT\s
                        | INSERT\s | constraint\ failed | /(home|root|tmp|usr|var)/ | root: | 0x[0-9a-f]{8,} | Traceback
                        | terminate\ called | password_hash | basic_string | bad_alloc | stack""", re.X | re.I)


def setUpModule():
    global shop, products, initial
    shop = Shop("bad-input")
    shop.start()
    initial = shopping.all_stock(invariants.read_databases(shop.data_dir, live=True))
    products = shopping.all_products(shop)
    customer = Customer.register(shop, "adversary@example.com")
    owner = Customer.register(shop, "owner@example.com")
    stock = {p["sku"]: Customer.stock(owner, p["sku"])["free"] for p in products[:20]}
    sku = max(stock, key=stock.get)
    foreign = owner.order({sku: 1}, "owner-order")
    assert foreign.status == 201, foreign
    known.update(token=customer.token, user_id=customer.id, sku=sku, foreign_order=foreign.json()["id"])


def tearDownModule():
    if shop:
        shop.kill()


class Neighbour:
    """A well-behaved client beside the bad ones: it must be served, and in time."""

    LIMIT_S = 2.0 * harness.SLOW

    def __init__(self):
        self.stop, self.served, self.slowest, self.wrong = threading.Event(), 0, 0.0, []
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join(30)

    def _run(self):
        with Client(shop) as client:
            while not self.stop.wait(0.01):
                begin = time.monotonic()
                try:
                    client.expect(200, "GET", "/api/v1/products?page_size=5")
                    client.expect(200, "GET", "/ping")
                except Exception as error:  # shown by the test
                    self.wrong.append(error)
                    return
                self.served += 1
                self.slowest = max(self.slowest, time.monotonic() - begin)

    def judge(self, case):
        case.assertFalse(self.wrong, "the neighbour was not served")
        case.assertGreater(self.served, 0)
        case.assertLess(self.slowest, self.LIMIT_S, "the neighbour had to wait")


def check(case):
    """Sends one case; a sentence for everything that is wrong with the answer."""
    result = raw(shop.port, case.send(known), head_only=case.head, half_close=case.half_close,
                 linger_s=1.0 if case.close else 0.1)
    finals = [r for r in result.replies if r.status >= 200]
    if len(finals) != 1:
        return [f"{len(finals)} answers instead of one: {result}"]
    reply, wrong = finals[0], []
    if reply.status not in case.statuses:
        wrong.append(f"wanted {case.statuses}, got {reply}")
    if any(r.status == 100 for r in result.replies):
        wrong.append("was told 100 Continue for a body that is refused")
    if case.close and not result.closed:
        wrong.append(f"the connection stays open after {reply.status}")
    if reply.status == 405 and not reply.headers.get("allow"):
        wrong.append("405 without Allow")
    if reply.status == 401 and "bearer" not in reply.headers.get("www-authenticate", "").lower():
        wrong.append("401 without WWW-Authenticate (RFC 9110 section 15.5.2)")
    if LEAKS.search(reply.body):
        wrong.append(f"leaks internals: {reply}")
    if not case.head and reply.status >= 400:
        wrong += check_problem(case, reply)
    return wrong


def check_problem(case, reply):
    try:
        document = reply.problem()
    except (AssertionError, ValueError) as error:
        return [str(error)]
    if case.field:
        named = " ".join([document.get("detail") or ""] + [e.get("field", "") for e in document.get("errors") or []])
        if case.field.lower() not in named.lower():
            return [f"does not name the field {case.field}: {reply}"]
    return []


class BadInput(harness.TestCase):
    def setUp(self):
        super().setUp()
        shop.check_alive()

    def test_every_case(self):
        cases = all_cases()
        self.assertGreaterEqual(len(cases), 60)
        self.assertEqual(len({c.name for c in cases}), len(cases), "two cases of one name")
        self.random.shuffle(cases)
        with Neighbour() as neighbour:
            with ThreadPoolExecutor(8) as pool:
                for case, wrong in zip(cases, pool.map(check, cases)):
                    with self.subTest(case=case.name):
                        self.assertFalse(wrong)
            shop.check_alive()
        neighbour.judge(self)
        print(f"\n  {len(cases)} cases, {neighbour.served} good requests beside them,"
              f" the slowest {neighbour.slowest * 1000:.0f} ms", flush=True)

    def test_strange_but_right(self):
        for name, (status, data) in GOOD.items():
            with self.subTest(case=name):
                finals = [r for r in raw(shop.port, data).replies if r.status >= 200]
                self.assertEqual([r.status for r in finals], [status], finals)

    def test_methods_that_come_for_free(self):
        head = raw(shop.port, b"HEAD /ping HTTP/1.1\r\nHost: shop\r\n\r\n", head_only=True)
        self.assertEqual([(r.status, r.headers.get("content-length")) for r in head.replies], [(200, "4")])
        self.assertEqual(head.rest, b"", "HEAD has a body")
        options = raw(shop.port, b"OPTIONS /api/v1/cart HTTP/1.1\r\nHost: shop\r\n\r\n")
        self.assertIn(options.replies[0].status, (200, 204))
        allowed = set(options.replies[0].headers["allow"].replace(",", " ").split())
        self.assertLessEqual({"GET", "HEAD", "DELETE"}, allowed)

    def test_all_field_errors_at_once(self):
        bad = request("POST", "/api/v1/users", {"name": "", "email": "nobody", "password": "short"})
        document = raw(shop.port, bad).replies[0].problem()
        self.assertLessEqual({"name", "email", "password"}, {e["field"] for e in document["errors"]})
        self.assertTrue(all(e.get("reason") for e in document["errors"]))

    def test_wherever_a_request_is_cut(self):
        """The same refusal whether the bytes come at once or one by one."""
        good = request("GET", "/api/v1/products/none")
        bad = b"POST /api/v1/sessions HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\nzz\r\n"
        for data, status in ((good, 404), (bad, 400)):
            for at in self.random.sample(range(1, len(data)), 12):
                result = raw(shop.port, [data[:at], data[at:]])
                self.assertEqual([r.status for r in result.replies], [status], f"cut at {at} of {data!r}")
        result = raw(shop.port, [bytes([b]) for b in good], linger_s=0.3)
        self.assertEqual([r.status for r in result.replies], [404])

    def test_a_body_refused_does_not_become_a_request(self):
        """Error answers that keep the connection must have read the body away."""
        smuggled = b"GET /api/v1/users HTTP/1.1\r\nHost: shop\r\n\r\n"
        for path in ("/api/v1/nowhere", "/api/v1/cart", "/api/v1/products/none"):
            result = raw(shop.port, request("POST", path, smuggled) + b"GET /ping HTTP/1.1\r\nHost: shop\r\n\r\n",
                         linger_s=0.3)
            self.assertGreaterEqual(result.replies[0].status, 400)
            answers = [r.body for r in result.replies[1:]]
            self.assertIn(answers, ([], [b"pong"], [b"pong\n"]), f"{path}: the body was taken for a request")

    def test_pipelined_answers_keep_their_order(self):
        data = b"".join(request("GET", p) for p in ("/ping", "/api/v1/products/none", "/ping", "/nowhere", "/ping"))
        result = raw(shop.port, data, linger_s=0.5)
        self.assertEqual([r.status for r in result.replies], [200, 404, 200, 404, 200])

    def test_expect_continue(self):
        body = b'{"email":"demo@degu.example","password":"wrong password"}'
        head = (b"POST /api/v1/sessions HTTP/1.1\r\nHost: shop\r\nContent-Type: application/json\r\n"
                b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body))
        with socket.create_connection((HOST, shop.port), timeout=5) as connection:
            connection.sendall(head)
            self.assertTrue(connection.recv(1024).startswith(b"HTTP/1.1 100 "))
            connection.sendall(body)
            self.assertTrue(connection.recv(4096).startswith(b"HTTP/1.1 401 "))

    def test_clients_that_leave(self):
        """Cut at any byte and gone, also with a reset; half of them in the middle of an order."""
        body = {"items": [{"sku": known["sku"], "quantity": 1}], "paymentMethod": {"card": CARD_OK}}
        for number in range(60):
            data = order(known, body, key=f"gone-{number % 20}")
            with socket.create_connection((HOST, shop.port), timeout=5) as connection:
                connection.sendall(data[:self.random.randint(1, len(data))])
                if number % 2:  # RST instead of FIN
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        with Client(shop) as client:
            client.expect(200, "GET", "/ping")
        invariants.wait_settled(shop.data_dir, initial)

    def test_an_expired_session(self):
        """Signed with the shop's own secret, so that only the claims are wrong."""
        header, claims, _ = known["token"].split(".")
        header, good = unb64(header), unb64(claims)
        secret, now = find_secret(shop.data_dir, known["token"]), int(time.time())
        bad = {"expired": {"exp": now - 120}, "issuer": {"iss": "other"}, "audience": {"aud": "other"},
               "no expiry": {"exp": None}, "expiry in words": {"exp": "never"}, "not yet": {"nbf": now + 3600},
               "no subject": {"sub": None}, "no issuer": {"iss": None}, "subject a number": {"sub": 7}}
        with Client(shop) as client:
            client.token = jwt(header, good, secret)
            self.assertEqual(client.get("/api/v1/cart").status, 200, "re-encoded, but good")
            for name, change in bad.items():
                claims = {k: v for k, v in (good | change).items() if v is not None}
                client.token = jwt(header, claims, secret)
                with self.subTest(claim=name):
                    reply = client.get("/api/v1/cart")
                    self.assertEqual(reply.status, 401, reply)
                    reply.problem()

    def test_nothing_was_bought(self):
        """None of the refused orders has moved stock or money."""
        picture = invariants.wait_settled(shop.data_dir, initial)
        mine = [o for o in picture.orders if o["user_id"] == known["user_id"]]
        self.assertLessEqual(len(mine), 20, "bad orders were taken")  # the 20 keys of clients that leave

    def test_slow_clients(self):
        """Forty clients drip their headers: refused within the header limit of 10 s, and the others are served."""
        begin = time.monotonic()
        slow = [socket.create_connection((HOST, shop.port), timeout=1) for _ in range(40)]
        waiting, first = set(slow), {}
        try:
            with Neighbour() as neighbour:
                for connection in slow:
                    connection.sendall(b"GET /ping HTTP/1.1\r\nHost: shop\r\n")
                while waiting and time.monotonic() - begin < 14:
                    for connection in list(waiting):
                        self.drip(connection, waiting, first)
                    time.sleep(0.5)
            neighbour.judge(self)
            self.assertFalse(waiting, f"{len(waiting)} of 40 still held after 14 s")
            self.assertLessEqual({r[:12] for r in first.values() if r}, {b"HTTP/1.1 408"})
        finally:
            for connection in slow:
                connection.close()

    @staticmethod
    def drip(connection, waiting, first):
        connection.settimeout(0.001)
        try:
            connection.sendall(b"X-A: b\r\n")
            data = connection.recv(4096)
            first.setdefault(connection, data)
            waiting.discard(connection)
        except socket.timeout:
            pass
        except OSError:
            waiting.discard(connection)


def unb64(part):
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def find_secret(data_dir, token):
    """The secret of the shop: that small file of the data directory whose bytes have signed the token."""
    signed, _, signature = token.rpartition(".")
    for file in data_dir.rglob("*"):
        if file.is_file() and file.stat().st_size <= 4096:
            secret = file.read_bytes()
            if b64(hmac.new(secret, signed.encode(), hashlib.sha256).digest()) == signature:
                return secret
    raise AssertionError(f"no file of {data_dir} has signed the session token")


if __name__ == "__main__":
    harness.main()
