"""The table of bad requests: what is sent, and the statuses that are right answers to it.

`Case.send` builds the bytes from the values that only a running shop has (token, ids). Statuses
in a tuple are alternatives that the RFCs leave open. `close`: the connection must be closed,
because what follows on it cannot be trusted (RFC 9112 sections 6.1, 6.3 and 9.6).
"""

import base64
import hashlib
import hmac
import json
import time
from urllib.parse import quote

MIB = 1 << 20
CARD = {"card": "4242424242424242"}


class Case:
    def __init__(self, name, statuses, send, close=False, field=None, head=False, half_close=False):
        self.name = name
        self.statuses = statuses if isinstance(statuses, tuple) else (statuses,)
        self.send = send if callable(send) else lambda _known, data=send: data
        self.close, self.field, self.head, self.half_close = close, field, head, half_close


# --- bytes that are not HTTP, or not quite ------------------------------------------------------


def line(data, statuses=400, close=True):
    """A request line of our own in front of a well-formed head."""
    return statuses, data + b"\r\nHost: shop\r\n\r\n", close


def field(data, statuses=400, close=True):
    """A well-formed GET with one more header line."""
    return statuses, b"GET /ping HTTP/1.1\r\nHost: shop\r\n" + data + b"\r\n\r\n", close


def framed(fields, body, statuses=400, close=True, version=b"1.1"):
    """A POST with framing fields of our own, and a second request that must not be answered."""
    head = b"POST /api/v1/sessions HTTP/" + version + b"\r\nHost: shop\r\nContent-Type: application/json\r\n"
    return statuses, head + fields + b"\r\n\r\n" + body + b"GET /ping HTTP/1.1\r\nHost: shop\r\n\r\n", close


def chunked(body, statuses=400, close=True):
    return framed(b"Transfer-Encoding: chunked", body, statuses, close)


WIRE = {
    # request line
    "TLS hello": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 40 + b"\r\n\r\n", True),
    "nearly the HTTP/2 preface": ((400, 505), b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", True),
    "method alone": (400, b"GET\r\n\r\n", True),
    "HTTP/0.9": ((400, 505), b"GET /\r\n\r\n", True),
    "two spaces": line(b"GET  /ping HTTP/1.1"),
    "tab for space": line(b"GET\t/ping HTTP/1.1"),
    "words after the version": line(b"GET /ping HTTP/1.1 please"),
    "lower-case version": line(b"GET /ping http/1.1", (400, 505)),
    "version 2.0": line(b"GET /ping HTTP/2.0", 505),
    "version 1.10": line(b"GET /ping HTTP/1.10", (400, 505)),
    "version in words": line(b"GET /ping HTTP/one", (400, 505)),
    "method with braces": line(b"G{}T /ping HTTP/1.1"),
    "method with NUL": line(b"G\0T /ping HTTP/1.1"),
    "leading space": line(b" GET /ping HTTP/1.1"),
    "unknown method": line(b"BREW /ping HTTP/1.1", (405, 501), False),
    "TRACE": line(b"TRACE /ping HTTP/1.1", (405, 501), False),
    "CONNECT": line(b"CONNECT shop:443 HTTP/1.1", (400, 404, 405, 501), False),
    "target without slash": line(b"GET ping HTTP/1.1", 400, False),
    "star with GET": line(b"GET * HTTP/1.1", 400, False),
    "target with raw bytes": line(b"GET /\xc3\xa9\xff HTTP/1.1"),
    "target with control byte": line(b"GET /a\x01b HTTP/1.1"),
    "target of 20 KiB": line(b"GET /" + b"a" * 20480 + b" HTTP/1.1", 414),
    "query of 20 KiB": line(b"GET /ping?" + b"q" * 20480 + b" HTTP/1.1", 414),
    "bare LF after the request line": (400, b"GET /ping HTTP/1.1\nHost: shop\r\n\r\n", True),
    # header fields
    "no Host": (400, b"GET /ping HTTP/1.1\r\n\r\n", True),
    "two Hosts": field(b"Host: other"),
    "Host with a space": (400, b"GET /ping HTTP/1.1\r\nHost: sh op\r\n\r\n", True),
    "Host with a slash": (400, b"GET /ping HTTP/1.1\r\nHost: shop/evil\r\n\r\n", True),
    "Host unlike the URL": (400, b"GET http://shop/ping HTTP/1.1\r\nHost: other\r\n\r\n", True),
    "space before the colon": field(b"X-A : 1"),
    "no colon": field(b"X-A 1"),
    "empty name": field(b": 1"),
    "name with a control byte": field(b"X\x01A: 1"),
    "name outside ASCII": field("X-Ä: 1".encode()),
    "folded line": field(b"X-A: 1\r\n 2"),
    "first line folded": (400, b"GET /ping HTTP/1.1\r\n Host: shop\r\n\r\n", True),
    "NUL in a value": field(b"X-A: a\0b"),
    "bare CR in a value": field(b"X-A: a\rb"),
    "bare LF between fields": field(b"X-A: 1\nX-B: 2"),
    "DEL in a value": field(b"X-A: a\x7fb"),
    "one field of 100 KiB": field(b"X-A: " + b"a" * 102400, 431),
    "300 fields": field(b"\r\n".join(b"X-%d: 1" % i for i in range(300)), 431),
    "20,000 tiny fields": field(b"a:\r\n" * 20000 + b"a:", 431),
    "name of 70 KiB": field(b"A" * 71680 + b": 1", 431),
    # framing: what request smuggling is made of
    "Content-Length and chunked": framed(b"Content-Length: 5\r\nTransfer-Encoding: chunked", b"0\r\n\r\n"),
    "chunked and Content-Length": framed(b"Transfer-Encoding: chunked\r\nContent-Length: 5", b"0\r\n\r\n"),
    "two unlike lengths": framed(b"Content-Length: 2\r\nContent-Length: 30", b"{}"),
    "list of unlike lengths": framed(b"Content-Length: 2, 30", b"{}"),
    "length with a plus": framed(b"Content-Length: +2", b"{}"),
    "negative length": framed(b"Content-Length: -2", b"{}"),
    "hexadecimal length": framed(b"Content-Length: 0x2", b"{}"),
    "length with a space": framed(b"Content-Length: 2 2", b"{}"),
    "length with underscore": framed(b"Content-Length: 0_2", b"{}"),
    "empty length": framed(b"Content-Length: ", b"{}"),
    "length beyond 64 bits": framed(b"Content-Length: 18446744073709551618", b"{}", (400, 413)),
    "chunked twice": framed(b"Transfer-Encoding: chunked, chunked", b"0\r\n\r\n", (400, 501)),
    "chunked not last": framed(b"Transfer-Encoding: chunked, gzip", b"0\r\n\r\n", (400, 501)),
    "unknown coding": framed(b"Transfer-Encoding: xchunked", b"0\r\n\r\n", (400, 501)),
    "identity coding": framed(b"Transfer-Encoding: identity", b"", (400, 501)),
    "coding with vertical tab": framed(b"Transfer-Encoding: \x0bchunked", b"0\r\n\r\n", (400, 501)),
    "two coding fields": framed(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", b"0\r\n\r\n", (400, 501)),
    "space before coding's colon": framed(b"Transfer-Encoding : chunked", b"0\r\n\r\n"),
    "chunked on HTTP/1.0": framed(b"Transfer-Encoding: chunked", b"0\r\n\r\n", 400, version=b"1.0"),
    "unknown expectation": framed(b"Content-Length: 2\r\nExpect: 200-ok", b"{}", 417, True),
    # chunks
    "chunk size 0x2": chunked(b"0x2\r\n{}\r\n0\r\n\r\n"),
    "chunk size +2": chunked(b"+2\r\n{}\r\n0\r\n\r\n"),
    "chunk size -2": chunked(b"-2\r\n{}\r\n0\r\n\r\n"),
    "chunk size 2_": chunked(b"2_\r\n{}\r\n0\r\n\r\n"),
    "chunk size with a space": chunked(b" 2\r\n{}\r\n0\r\n\r\n"),
    "chunk size of nothing": chunked(b"\r\n{}\r\n0\r\n\r\n"),
    "chunk size zz": chunked(b"zz\r\n{}\r\n0\r\n\r\n"),
    "chunk size beyond 64 bits": chunked(b"10000000000000002\r\n{}\r\n0\r\n\r\n", (400, 413)),
    "chunk longer than said": chunked(b"2\r\n{}garbage\r\n0\r\n\r\n"),
    "chunk line ended by LF": chunked(b"2\n{}\r\n0\r\n\r\n"),
    "chunk extension of 8 KiB": chunked(b"2;" + b"e" * 8192 + b"\r\n{}\r\n0\r\n\r\n", (400, 413, 431)),
    "framing field in a trailer": chunked(b"2\r\n{}\r\n0\r\nContent-Length: 5\r\n\r\n"),
    "chunks beyond 1 MiB": chunked((b"10000\r\n" + b" " * 65536 + b"\r\n") * 17 + b"0\r\n\r\n", 413),
    # size
    "body of 2 MiB": framed(b"Content-Length: %d" % (2 * MIB), b" " * (2 * MIB), 413),
    "body of 10 GiB announced": framed(b"Content-Length: 10737418240", b"{", 413),
    "body of 2 MiB after a question": framed(b"Content-Length: %d\r\nExpect: 100-continue" % (2 * MIB), b"", 413),
    # paths
    "dots up": line(b"GET /../../../../etc/passwd HTTP/1.1", (400, 404), False),
    "encoded dots up": line(b"GET /%2e%2e/%2e%2e/%2e%2e/etc/passwd HTTP/1.1", (400, 404), False),
    "dots up below a folder": line(b"GET /css/../../../../etc/passwd HTTP/1.1", (400, 404), False),
    "encoded slashes": line(b"GET /css/..%2f..%2f..%2fetc%2fpasswd HTTP/1.1", (400, 404), False),
    "encoded backslashes": line(b"GET /css/..%5c..%5c..%5cetc%5cpasswd HTTP/1.1", (400, 404), False),
    "doubly encoded dots": line(b"GET /%252e%252e/%252e%252e/etc/passwd HTTP/1.1", (400, 404), False),
    "overlong UTF-8 dots": line(b"GET /%c0%ae%c0%ae/%c0%ae%c0%ae/etc/passwd HTTP/1.1", (400, 404), False),
    "encoded NUL": line(b"GET /index.html%00.svg HTTP/1.1", (400, 404), False),
    "broken percent": line(b"GET /api/v1/users/%zz HTTP/1.1", 400, False),
    "cut percent": line(b"GET /api/v1/users/%4 HTTP/1.1", 400, False),
    "broken UTF-8 in the path": line(b"GET /api/v1/users/%ff%fe HTTP/1.1", (400, 404), False),
    "broken UTF-8 in the query": line(b"GET /api/v1/products?q=%ff%fe HTTP/1.1", 400, False),
    "broken percent in the query": line(b"GET /api/v1/products?q=%g1 HTTP/1.1", 400, False),
    "second slash": line(b"GET //etc/passwd HTTP/1.1", (400, 404), False),
    "unknown page": line(b"GET /wp-login.php HTTP/1.1", 404, False),
    "unknown API": line(b"GET /api/v2/users HTTP/1.1", 404, False),
    "wrong method": line(b"DELETE /api/v1/products HTTP/1.1", 405, False),
    "debug pages on the public port": line(b"GET /debug/goroutines HTTP/1.1", 404, False),
}


def wire_cases():
    cases = [Case(name, statuses, data, close) for name, (statuses, data, close) in WIRE.items()]
    cases.append(Case("HEAD of nothing", 404, b"HEAD /api/v1/products/none HTTP/1.1\r\nHost: shop\r\n\r\n", head=True))
    return cases


# --- well-formed HTTP with bad content ----------------------------------------------------------


def request(method, path, body=None, known=None, headers=None, kind=b"application/json"):
    """The bytes of one request; body may be bytes, or anything JSON. known: send its session token."""
    fields = [f"{method} {path} HTTP/1.1".encode(), b"Host: shop"]
    if known is not None:
        fields.append(b"Authorization: Bearer " + known["token"].encode())
    for name, value in (headers or {}).items():
        fields.append(name.encode() + b": " + (value if isinstance(value, bytes) else value.encode()))
    if body is not None:
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        fields += [b"Content-Type: " + kind] * bool(kind) + [b"Content-Length: %d" % len(body)]
    return b"\r\n".join(fields) + b"\r\n\r\n" + (body or b"")


USER = {"name": "Bad Input", "email": "bad-input@example.com", "password": "long enough"}

BODIES = {  # of POST /api/v1/users
    "empty body": b"",
    "not JSON": b"name=x&email=y",
    "an array": b"[]",
    "a number": b"17",
    "null": b"null",
    "a string": b'"user"',
    "cut off": b'{"name":"x","email":"a@b.co"',
    "rubbish behind": json.dumps(USER).encode() + b" }",
    "two documents": json.dumps(USER).encode() * 2,
    "a trailing comma": json.dumps(USER).encode()[:-1] + b",}",
    "single quotes": b"{'name':'x'}",
    "a comment": b'{"name":"x"/* why */}',
    "NaN": b'{"name":NaN}',
    "a leading zero": b'{"name":01}',
    "a duplicate key": b'{"name":"a","name":"b","email":"d@example.com","password":"long enough"}',
    "nesting 10,000 deep": b'{"name":' + b"[" * 10000 + b"]" * 10000 + b"}",
    "objects 10,000 deep": b'{"a":' * 10000 + b"1" + b"}" * 10000,
    "broken UTF-8": b'{"name":"\xff\xfe","email":"utf@example.com","password":"long enough"}',
    "overlong UTF-8": b'{"name":"\xc0\xaf","email":"utf@example.com","password":"long enough"}',
    "a surrogate in UTF-8": b'{"name":"\xed\xa0\x80","email":"utf@example.com","password":"long enough"}',
    "half a surrogate pair": b'{"name":"\\ud800","email":"utf@example.com","password":"long enough"}',
    "UTF-16": json.dumps(USER).encode("utf-16"),
    "a control byte in a string": b'{"name":"a\x01b","email":"ctl@example.com","password":"long enough"}',
    "a wrong escape": b'{"name":"\\x41","email":"esc@example.com","password":"long enough"}',
    "an unknown field": json.dumps(USER | {"admin": True}).encode(),
}

FIELDS = {  # one field of POST /api/v1/users and a value it must not have
    "name": [None, "", 5, True, [], {}, "x" * 81, "x" * 100000],
    "email": [None, "", 7, "nobody", "@example.com", "a@", "a b@example.com", "a@b@c.com", "a\n@example.com",
              "a\u0000@example.com", "x" * 400 + "@example.com"],
    "password": [None, "", "short", 12345678, ["long enough"], "p" * 129],
}

QUANTITIES = [0, -1, -2147483649, 100, 1.5, 1e300, 99999999999999999999, "many", True, None, [1], {"n": 1}]


def user_cases():
    cases = [Case(f"user: {name}", 400, request("POST", "/api/v1/users", body)) for name, body in BODIES.items()]
    for name, values in FIELDS.items():
        for value in values:
            shown = json.dumps(value)
            shown = shown if len(shown) < 30 else f"{shown[:8]}… {len(shown)} bytes"
            cases.append(Case(f"user: {name}={shown}", 400,
                              request("POST", "/api/v1/users", USER | {name: value}), field=name))
    return cases + [
        Case("user: nothing given", 400, request("POST", "/api/v1/users", {}), field="email"),
        Case("user: as plain text", (400, 415), request("POST", "/api/v1/users", USER, kind=b"text/plain")),
        Case("user: as a form", (400, 415), request(
            "POST", "/api/v1/users", b"name=x", kind=b"application/x-www-form-urlencoded")),
        Case("user: no such id", 404, request("GET", "/api/v1/users/none")),
        Case("user: id of 4 KiB", (400, 404), request("GET", "/api/v1/users/" + "9" * 4096)),
        Case("user: SQL in the id", 404, request("GET", "/api/v1/users/" + quote("' OR 1=1 --"))),
        Case("session: wrong password", 401, request(
            "POST", "/api/v1/sessions", {"email": "demo@degu.example", "password": "not it at all"})),
        Case("session: SQL for a password", 401, request(
            "POST", "/api/v1/sessions", {"email": "demo@degu.example", "password": "' OR '1'='1"})),
        Case("session: no password", (400, 401), request("POST", "/api/v1/sessions", {"email": "demo@degu.example"})),
        Case("session: password of 900 KiB", (400, 401), request(
            "POST", "/api/v1/sessions", {"email": "demo@degu.example", "password": "x" * 921600})),
    ]


def listing_cases():
    sizes = ["abc", "-1", "101", "1e3", "1.5", "99999999999999999999", "0x10", "%201"]
    cases = [Case(f"products: page_size={s}", 400, request("GET", f"/api/v1/products?page_size={s}"), field="page")
             for s in sizes]
    for path in ("products", "users"):
        for token in ("garbage", "-1", "AAAA", quote("' OR 1=1"), "x" * 300):
            cases.append(Case(f"{path}: page_token={token[:12]}", 400,
                              request("GET", f"/api/v1/{path}?page_token={token}")))
    return cases + [
        Case("products: q of 5,000 bytes", 400, request("GET", "/api/v1/products?q=" + "a" * 5000)),
        Case("products: no such id", 404, request("GET", "/api/v1/products/none")),
        Case("inventory: no such SKU", 404, request("GET", "/api/v1/inventory/none")),
        Case("inventory: traversal for a SKU", (400, 404), request("GET", "/api/v1/inventory/..%2f..%2fuser.db")),
    ]


# --- sessions -----------------------------------------------------------------------------------


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def jwt(header, claims, secret):
    signed = b64(json.dumps(header).encode()) + "." + b64(json.dumps(claims).encode())
    return signed + "." + b64(hmac.new(secret, signed.encode(), hashlib.sha256).digest())


def tokens(known):
    """Name → forged token, from one that is good."""
    good = known["token"]
    head, claims, signature = good.split(".")
    now = int(time.time())
    mine = {"iss": "degu-shop", "aud": "shop", "sub": known["user_id"], "iat": now, "nbf": now, "exp": now + 3600}
    hs256 = {"alg": "HS256", "typ": "JWT"}
    flipped = signature[:-2] + ("A" if signature[-2] != "A" else "B") + signature[-1]
    return {
        "empty": "", "garbage": "garbage", "two parts": head + "." + claims, "four parts": good + ".x",
        "no signature": head + "." + claims + ".", "signature changed": head + "." + claims + "." + flipped,
        "claims changed": head + "." + b64(json.dumps(mine | {"sub": "someone-else"}).encode()) + "." + signature,
        "alg none": b64(b'{"alg":"none","typ":"JWT"}') + "." + b64(json.dumps(mine).encode()) + ".",
        "alg nOnE signed": b64(b'{"alg":"nOnE"}') + "." + claims + "." + signature,
        "alg RS256": b64(b'{"alg":"RS256","typ":"JWT"}') + "." + claims + "." + signature,
        "another secret": jwt(hs256, mine, b"secret"), "empty secret": jwt(hs256, mine, b""),
        "forged and expired": jwt(hs256, mine | {"exp": now - 10}, b"secret"),
        "kid from a file": jwt(hs256 | {"kid": "../../../../dev/null"}, mine, b""),
        "claims not JSON": head + "." + b64(b"\xff\xfe{") + "." + signature,
        "not base64": head + ".$$$." + signature, "padded": good + "==", "20 KiB": "x" * 20480,
        "8 KiB of dots": "." * 8192,
    }


def session_cases():
    def with_token(name):
        return lambda known: request("GET", "/api/v1/cart", headers={"Authorization": "Bearer " + tokens(known)[name]})
    names = list(tokens({"token": "aa.bb.cccc", "user_id": "u"}))
    cases = [Case(f"token: {name}", (401,) if "KiB" not in name or "dots" in name else (401, 431), with_token(name))
             for name in names]
    return cases + [
        Case("token: none", 401, request("GET", "/api/v1/cart")),
        Case("token: Basic", 401, request("GET", "/api/v1/orders", headers={"Authorization": "Basic ZGVtbzpkZW1v"})),
        Case("token: no scheme", 401, lambda k: request(
            "GET", "/api/v1/orders", headers={"Authorization": k["token"]})),
        Case("token: in the query only", 401, lambda k: request("GET", "/api/v1/orders?token=" + k["token"])),
        Case("token: none for an order", 401, request(
            "POST", "/api/v1/orders", {"paymentMethod": CARD}, headers={"Idempotency-Key": "k"})),
        Case("token: none for notifications", 401, request("GET", "/api/v1/notifications")),
    ]


# --- carts and orders ---------------------------------------------------------------------------


def order(known, body, key="bad-input-order", **kw):
    return request("POST", "/api/v1/orders", body, known, {} if key is None else {"Idempotency-Key": key}, **kw)


def order_cases():
    def one(**item):
        return lambda k: order(k, {"items": [{"sku": k["sku"], "quantity": 1} | item], "paymentMethod": CARD})

    def with_key(key):
        return lambda k: order(k, {"items": [{"sku": k["sku"], "quantity": 1}], "paymentMethod": CARD}, key)

    def paid(method):
        return lambda k: order(k, {"items": [{"sku": k["sku"], "quantity": 1}], "paymentMethod": method})

    cases = []
    for n in QUANTITIES:
        # A number beyond 64 bits is no number to a JSON parser that keeps integers exact: the document is refused.
        named = None if isinstance(n, int) and n > 1 << 64 else "quantity"
        cases.append(Case(f"order: quantity={json.dumps(n)[:20]}", 400, one(quantity=n), field=named))
        cases.append(Case(f"cart: quantity={json.dumps(n)[:20]}", 400, lambda k, n=n: request(
            "PUT", "/api/v1/cart/items/" + quote(k["sku"]), {"quantity": n}, k), field=named))
    for name, key in {"none": None, "empty": "", "129 long": "k" * 129, "inner space": "a b", "tab": "a\tb",
                      "not ASCII": "schlüssel".encode()}.items():
        cases.append(Case(f"order: key {name}", 400, with_key(key)))
    for name, method in {"none": None, "a string": "visa", "empty": {}, "card a number": {"card": 4242424242424242},
                         "card empty": {"card": ""}, "card in words": {"card": "four two four two"},
                         "card of 100 digits": {"card": "4" * 100}, "a list": []}.items():
        cases.append(Case(f"order: payment {name}", 400, paid(method)))
    return cases + [
        Case("order: empty cart", 400, lambda k: order(k, {"paymentMethod": CARD})),
        Case("order: empty body", 400, lambda k: order(k, b"")),
        Case("order: items an object", 400, lambda k: order(k, {"items": {}, "paymentMethod": CARD}), field="items"),
        Case("order: items of numbers", 400, lambda k: order(k, {"items": [1], "paymentMethod": CARD}), field="items"),
        Case("order: 101 items", 400, lambda k: order(
            k, {"items": [{"sku": f"{k['sku']}{i}", "quantity": 1} for i in range(101)], "paymentMethod": CARD})),
        Case("order: unknown SKU", (400, 404), one(sku="no-such-sku")),
        Case("order: SKU of 64 KiB", 400, one(sku="x" * 65536)),
        Case("order: SQL for a SKU", (400, 404), one(sku="'; DROP TABLE stock; --")),
        Case("order: a price of one's own", 400, one(price={"currency": "EUR", "minor": "1"})),
        Case("order: unknown id", 404, lambda k: request("GET", "/api/v1/orders/none", known=k)),
        Case("order: a stranger's", 404, lambda k: request("GET", "/api/v1/orders/" + k["foreign_order"], known=k)),
        Case("cancel: unknown id", 404, lambda k: request("POST", "/api/v1/orders/none:cancel", {}, k)),
        Case("cancel: a stranger's", 404, lambda k: request(
            "POST", f"/api/v1/orders/{k['foreign_order']}:cancel", {}, k)),
        Case("cancel: unknown verb", (404, 405), lambda k: request("POST", "/api/v1/orders/none:refund", {}, k)),
        Case("cart: unknown SKU", (400, 404), lambda k: request(
            "PUT", "/api/v1/cart/items/no-such-sku", {"quantity": 1}, k)),
        Case("cart: no body", 400, lambda k: request("PUT", "/api/v1/cart/items/" + quote(k["sku"]), b"", k)),
        Case("cart: POST", 405, lambda k: request("POST", "/api/v1/cart", {}, k)),
    ]


LOGIN = b'{"email":"demo@degu.example","password":"not it at all"}'  # well-formed: the answer is 401


def odd(head, body=b"", status=200):
    return status, head.replace(b"\n", b"\r\n") + b"\r\n\r\n" + body


def posted(fields, body):
    return odd(b"POST /api/v1/sessions HTTP/1.1\nHost: shop\nContent-Type: application/json\n" + fields, body, 401)


GOOD = {  # strange, but right: strictness must not refuse these
    "absolute URL": odd(b"GET http://shop/ping HTTP/1.1\nHost: shop"),
    "absolute URL with port": odd(b"GET http://shop:8080/ping HTTP/1.1\nHost: shop:8080"),
    "Host an IPv6 address": odd(b"GET /ping HTTP/1.1\nHost: [::1]:8080"),
    "HTTP/1.0 without Host": odd(b"GET /ping HTTP/1.0"),
    "an empty line before": odd(b"\nGET /ping HTTP/1.1\nHost: shop"),
    "tabs around a value": odd(b"GET /ping HTTP/1.1\nHost:\t shop \t\nX-A:\t1\t"),
    "no space after the colon": odd(b"GET /ping HTTP/1.1\nHost:shop"),
    "empty value": odd(b"GET /ping HTTP/1.1\nHost: shop\nX-A:"),
    "Latin-1 in a value": odd(b"GET /ping HTTP/1.1\nHost: shop\nX-A: sm\xf8rrebr\xf8d"),
    "field names in capitals": odd(b"GET /ping HTTP/1.1\nHOST: shop\nCONNECTION: CLOSE"),
    "every token character in a name": odd(b"GET /ping HTTP/1.1\nHost: shop\nX!#$%&'*+-.^_`|~9: 1"),
    "90 fields": odd(b"GET /ping HTTP/1.1\nHost: shop\n" + b"\n".join(b"X-%d: 1" % i for i in range(90))),
    "a field of 24 KiB": odd(b"GET /ping HTTP/1.1\nHost: shop\nCookie: " + b"c" * 24576),
    "a query of 7 KiB": odd(b"GET /ping?" + b"q" * 7168 + b" HTTP/1.1\nHost: shop"),
    "empty query": odd(b"GET /ping? HTTP/1.1\nHost: shop"),
    "escaped query": odd(b"GET /api/v1/products?q=caf%C3%A9+%26%20co&category= HTTP/1.1\nHost: shop"),
    "escaped letters in the path": odd(b"GET /%70%69ng HTTP/1.1\nHost: shop"),
    "unknown fields of the query": odd(b"GET /ping?utm=1&utm=2 HTTP/1.1\nHost: shop"),
    "GET with an empty body": odd(b"GET /ping HTTP/1.1\nHost: shop\nContent-Length: 0"),
    "GET with a body": odd(b"GET /ping HTTP/1.1\nHost: shop\nContent-Length: 5", b"hello"),
    "chunked, in capitals": posted(b"TRANSFER-ENCODING: Chunked", b"%X\r\n%s\r\n0\r\n\r\n" % (len(LOGIN), LOGIN)),
    "chunks of one byte": posted(b"Transfer-Encoding: chunked",
                                 b"".join(b"1\r\n%c\r\n" % c for c in LOGIN) + b"0\r\n\r\n"),
    "chunk extensions and trailers": posted(
        b"Transfer-Encoding: chunked",
        b"00%x;a=1;b=\"2;3\"\r\n%s\r\n000;end\r\nX-Sum: 1\r\n\r\n" % (len(LOGIN), LOGIN)),
    "length with zeros before": posted(b"Content-Length: 00%d" % len(LOGIN), LOGIN),
    "charset of the content type": odd(
        b"POST /api/v1/sessions HTTP/1.1\nHost: shop\nContent-Type: Application/JSON; charset=\"utf-8\"\n"
        b"Content-Length: %d" % len(LOGIN), LOGIN, 401),
    "JSON with space and escapes": posted(
        b"Content-Length: 86",
        b' { "email"\t:\r\n"\\u0064emo@degu.example" , "password" : '
        b'"\\ud83e\\udd8a not it \\/"} '.ljust(86)),
    "a body of nearly 1 MiB": posted(b"Content-Length: %d" % (MIB - 1), LOGIN.ljust(MIB - 1)),
    "a body of 1 MiB": posted(b"Content-Length: %d" % MIB, LOGIN.ljust(MIB)),
}


def all_cases():
    return wire_cases() + user_cases() + listing_cases() + session_cases() + order_cases()
