#!/usr/bin/env python3
"""The web shop as a visitor sees it, and pages with WebSockets and server-sent events, in a headless Chromium."""

import base64
import hashlib
import json
import os
import sys
import unittest

import harness
import invariants
import shopping
from browser import Browser, find_browser
from harness import CARD_DECLINED, Settings, Shop
from live import LiveServer
from tls_test import Authority, openssl

PASSWORD = "correct horse battery"


class Web(harness.TestCase):
    """One shop and one browser; every case gets a page of its own, which must end without errors."""

    @classmethod
    def setUpClass(cls):
        if not find_browser():
            raise unittest.SkipTest("no Chromium found (apt install chromium)")
        cls.shop = Shop("web")
        cls.addClassCleanup(cls.shop.kill)
        cls.shop.start()
        cls.initial = shopping.all_stock(invariants.read_databases(cls.shop.data_dir, live=True))
        cls.products = shopping.all_products(cls.shop)
        cls.browser = Browser(Settings.work_dir)
        cls.addClassCleanup(cls.browser.close)

    def setUp(self):
        super().setUp()
        self.expected = set()  # statuses that this case provokes
        self.page = self.browser.new_page(f"http://{harness.HOST}:{self.shop.port}")
        self.page.open("/")
        self.page.see("@product-card")

    def run(self, result=None):
        before = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > before and hasattr(self, "page"):
            path = f"{Settings.work_dir}/{self._testMethodName}.png"
            self.page.screenshot(path)
            print(f"screenshot: {path}", flush=True)
        return result

    def tearDown(self):
        self.shop.check_alive()
        self.assertEqual(self.page.errors, [], "script or console errors")
        self.assertEqual(self.page.foreign, [], "asked other hosts")
        self.assertEqual([f for f in self.page.failed if f[0] not in self.expected], [], "failed requests")

    def register(self, name="Bea Visitor"):
        """Registers through the page; returns the address."""
        email = f"visitor-{self.random.getrandbits(40):x}@example.com"
        page = self.page
        page.click("@login-link")
        page.click("@register-link")
        page.type("@input-name", name)
        page.type("@input-email", email)
        page.type("@input-password", PASSWORD)
        page.click("@register-button")
        page.see("@logout-button")
        return email

    def fill_cart(self, pieces=1):
        """Puts the first product of the shelf into the cart; returns its SKU."""
        sku = self.page.query("@product-card", "el.dataset.sku")
        for n in range(1, pieces + 1):
            self.page.click("@product-card @add-to-cart")
            self.page.see("@cart-count", str(n))
        return sku

    def check_out(self, card=None):
        page = self.page
        page.click("@cart-link")
        page.click("@checkout-link")
        if card:
            page.type("@card-number", card)
        page.click("@place-order")
        page.see("@order-state")

    def order_in_database(self):
        picture = invariants.wait_settled(self.shop.data_dir, self.initial)
        return picture.order(self.page.query("@order-title", "el.dataset.order"))

    def state(self, wanted):
        self.page.see(f'@order-state[data-state="{wanted}"]', limit_s=20)

    def test_browse(self):
        page = self.page
        self.assertGreaterEqual(page.count("@product-card"), 12)
        self.assertGreaterEqual(page.count("@category"), 5)
        page.click('@category:not([data-category="all"])')
        page.see("@shelf-title")
        name = page.text("@product-card @product-name")
        page.click("@product-card @product-link")
        page.see("@product-title", name)
        page.see("@stock")
        page.until("[...document.images].every(i => i.complete && i.naturalWidth > 0)", "all pictures are drawn")
        page.evaluate("history.back()")
        page.see("@product-card")

    def test_search(self):
        page, product = self.page, self.random.choice(self.products)
        page.type("@search-input", product["name"])
        page.press("Enter", 13)
        page.see(f'@product-card[data-sku="{product["sku"]}"]')
        page.until("!document.querySelector('main').ariaBusy", "the search is over")
        self.assertLess(page.count("@product-card"), 12)
        page.type("@search-input", "zzzyyyxxx")
        page.press("Enter", 13)
        page.see("@empty")

    def test_order_to_the_end(self):
        """Browse, register, log in, add to the cart, order, and watch the order reach CAPTURED."""
        page = self.page
        sku = self.fill_cart(2)
        self.register()
        page.see("@cart-count", "2")  # the guest's cart came along
        self.check_out()
        self.state("CAPTURED")
        order = self.order_in_database()
        self.assertEqual(order["state"], "CAPTURED")
        total = page.text("@order-total")
        self.assertIn(f"{order['total_minor'] % 100:02d}", total)
        price = next(int(p["price"]["minor"]) for p in self.products if p["sku"] == sku)
        self.assertEqual(order["total_minor"], 2 * price)
        self.assertEqual(page.count("@cart-count"), 0, "the cart was not emptied")
        page.click("@orders-link")
        page.see(f'@order-row[data-order="{order["id"]}"]')
        page.click("@notifications-link")
        page.see('@notification[data-kind="order_captured"]')

    def test_log_out_and_in(self):
        page, email = self.page, self.register()
        page.send("Page.reload")
        page.see("@logout-button")
        page.click("@logout-button")
        page.see("@login-link")
        page.click("@login-link")
        page.type("@input-email", email)
        page.type("@input-password", "not the password")
        self.expected.add(401)
        page.click("@login-button")
        page.see("@form-error")
        page.type("@input-password", PASSWORD)
        page.press("Enter", 13)
        page.see("@logout-button")

    def test_demo_account(self):
        page = self.page
        page.click("@login-link")
        page.click("@demo-login")
        page.see("@logout-button")
        page.see("@user-name", "Demo")

    # Orders, and opens the order's page while its bank still thinks; the page notes the states that it shows.
    OPEN_WHILE_UNDER_WAY = """
    ((sku, card, key) => (async () => {
      const headers = {Authorization: 'Bearer ' + JSON.parse(localStorage.getItem('session')).token,
                       'Content-Type': 'application/json'};
      window.states = [];
      new MutationObserver(() => {
        const state = document.querySelector('[data-test=order-title]')
            && document.querySelector('main [data-test=order-state]')?.dataset.state;
        if (state && state !== window.states.at(-1)) window.states.push(state);
      }).observe(document, {subtree: true, childList: true});
      fetch('/api/v1/orders', {method: 'POST', headers: {...headers, 'Idempotency-Key': key},
                               body: JSON.stringify({items: [{sku, quantity: 1}], paymentMethod: {card}})});
      let orders = [];
      while (!orders.length) orders = (await (await fetch('/api/v1/orders', {headers})).json()).orders;
      performance.clearResourceTimings();
      history.pushState(null, '', '/orders/' + orders[0].id);
      dispatchEvent(new PopStateEvent('popstate'));
      return orders[0].id;
    })())
    """

    def watched_order(self):
        """Watches an order to its end without a reload: (the states shown, how often it was asked for, and its events)."""
        self.register()
        self.expected.add(409)
        sku = self.random.choice(self.products)["sku"]
        key = f"web-{self.random.getrandbits(60):x}"
        order = self.page.evaluate(f"{self.OPEN_WHILE_UNDER_WAY}('{sku}', '{harness.CARD_TIMEOUT}', '{key}')")
        self.state("REJECTED")
        self.page.see("@order-sentence", "Nothing was charged")
        names = self.page.evaluate("performance.getEntriesByType('resource').map(e => new URL(e.name).pathname)")
        states = self.page.evaluate("window.states")
        self.assertIn(states[0], ("PENDING", "RESERVED"), "the order was not under way")
        return states, names.count(f"/api/v1/orders/{order}"), names.count(f"/api/v1/orders/{order}/events")

    def test_an_order_is_watched_by_events(self):
        states, asked, events = self.watched_order()
        self.assertEqual(states[-2:], ["RESERVED", "REJECTED"])  # none is missed
        self.assertEqual((asked, events), (1, 1))
        self.assertEqual(self.page.evaluate("document.cookie"), "")

    def test_without_events_an_order_is_asked_for(self):
        self.page.evaluate("delete window.EventSource")
        states, asked, events = self.watched_order()
        self.assertEqual(states[-1], "REJECTED")
        self.assertGreater(asked, 1)
        self.assertEqual(events, 0)

    def test_declined_card(self):
        self.fill_cart()
        self.register()
        self.expected.add(409)
        self.check_out(CARD_DECLINED)
        self.state("REJECTED")
        self.page.see("@order-sentence")
        self.assertEqual(self.order_in_database()["state"], "REJECTED")

    def test_cancel(self):
        self.fill_cart()
        self.register()
        self.check_out()
        self.state("CAPTURED")
        self.page.click("@cancel-order")
        self.state("CANCELLED")
        self.assertEqual(self.order_in_database()["state"], "CANCELLED")

    def test_cart(self):
        page, sku = self.page, self.fill_cart()
        price = next(int(p["price"]["minor"]) for p in self.products if p["sku"] == sku)
        page.click("@cart-link")
        page.click("@cart-item @more")
        page.see("@cart-count", "2")
        page.click("@cart-item @more")
        page.see("@cart-count", "3")
        digits = "document.querySelector('[data-test=cart-total]').textContent.replace(/[^0-9]/g, '')"
        page.until(f"{digits} === '{3 * price}'", f"the total is {3 * price}")
        page.click("@cart-item @remove")
        page.see("@empty")

    def test_errors_beside_their_fields(self):
        page = self.page
        page.click("@login-link")
        page.click("@register-link")
        page.type("@input-name", "Bea")
        page.type("@input-email", "nobody")
        page.type("@input-password", "short")
        self.expected.add(400)
        page.click("@register-button")
        page.until("document.querySelector('[data-test=error-email]').textContent", "an error beside the address")
        page.until("document.querySelector('[data-test=error-password]').textContent", "an error beside the password")

    def test_names_are_text(self):
        """What a user is called never becomes markup."""
        page = self.page
        self.register('<img src=x onerror="window.broken=1"><script>window.broken=1</script>')
        page.open("/?q=%3Cimg%20src%3Dx%20onerror%3Dwindow.broken%3D1%3E")
        page.see("@empty")
        self.assertIsNone(page.evaluate("window.broken"))

    def test_deep_links(self):
        page, product = self.page, self.random.choice(self.products)
        page.open(f"/products/{product['id']}")
        page.see("@product-title", product["name"])
        page.open("/orders")
        page.see("@login-form")
        self.expected.add(404)
        page.open("/products/none")
        page.see("@not-found")

    def test_small_screen(self):
        page = self.page
        page.resize(390, 800, mobile=True)
        sku = self.fill_cart()
        self.assertTrue(sku)
        for path in ("/", f"/products/{self.products[0]['id']}", "/cart", "/login", "/register"):
            page.open(path)
            page.until("!document.querySelector('.loading')", "the page is drawn")
            wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            self.assertLessEqual(wide, 0, f"{path} scrolls sideways by {wide} px")


# Opens a WebSocket, sends `words` as they are answered, lets `end(socket)` end it; resolves to what it has seen.
SOCKET = """
((words, end) => new Promise(done => {
  const socket = new WebSocket(location.origin.replace('http', 'ws') + '/echo');
  const seen = {heard: []};
  socket.binaryType = 'arraybuffer';
  const next = () => words.length ? socket.send(words.shift()) : end(socket);
  socket.onopen = () => { seen.extensions = socket.extensions; next(); };
  socket.onmessage = e => {
    seen.heard.push(typeof e.data === 'string' ? e.data : [...new Uint8Array(e.data)]);
    next();
  };
  socket.onclose = e => done({...seen, code: e.code, reason: e.reason, clean: e.wasClean});
}))
"""
# Listens to events of streams that end after `limit`, until `count` have come.
EVENTS = """
((limit, count) => new Promise(done => {
  const source = new EventSource('/events?limit=' + limit), seen = {events: [], opened: 0};
  source.onopen = () => ++seen.opened;
  source.onmessage = e => {
    seen.events.push([e.lastEventId, e.data]);
    if (seen.events.length === count) { source.close(); done(seen); }
  };
}))
"""


class LivePages(harness.TestCase):
    """WebSockets and server-sent events over HTTP/1.1."""

    secure = False
    handshake = 101

    @classmethod
    def setUpClass(cls):
        if not find_browser():
            raise unittest.SkipTest("no Chromium found (apt install chromium)")
        folder = harness.Path(harness.tempfile.mkdtemp(prefix="ca-", dir=Settings.work_dir))
        cls.live = LiveServer(Authority(folder) if cls.secure else None)
        cls.addClassCleanup(cls.live.kill)
        cls.live.start()
        cls.browser = Browser(Settings.work_dir, *cls.flags())
        cls.addClassCleanup(cls.browser.close)

    @classmethod
    def flags(cls):
        return []

    def setUp(self):
        super().setUp()
        self.page = self.browser.new_page(self.live.url(""))
        self.page.open("/")

    def tearDown(self):
        self.assertEqual(self.page.errors, [], "script or console errors")
        self.assertEqual(self.page.failed, [], "failed requests")
        self.page.send("Page.navigate", {"url": "about:blank"})  # the next page has none of its connections

    def socket(self, words, end):
        return self.page.evaluate(f"{SOCKET}({words}, {end})")

    def post(self, text):
        with self.live.fetch("/notes", json.dumps({"text": text}).encode()) as answer:
            self.assertEqual(answer.status, 204)

    def test_echo_and_close_codes(self):
        long = ", ".join(map(str, range(30_000)))
        seen = self.socket(f"['h\u00e4', '', new Uint8Array([0, 255, 128]), {json.dumps(long)}]",
                           "s => s.close(4001, 'enough')")
        self.assertEqual(seen["heard"][:3], ["h\u00e4", "", [0, 255, 128]])
        self.assertTrue(seen["heard"][3:] == [long], "the long text came back whole")
        self.assertEqual((seen["code"], seen["reason"], seen["clean"]), (4001, "", True))
        self.assertIn("permessage-deflate", seen["extensions"])
        seen = self.socket("['hello']", "s => s.send('bye')")
        self.assertEqual((seen["heard"], seen["code"], seen["reason"]), (["hello"], 4000, "bye"))
        self.assertEqual(set(self.page.handshakes), {self.handshake})

    def test_many_sockets_at_once(self):
        many = self.page.evaluate(f"""Promise.all([...Array(12).keys()].map(
          i => {SOCKET}(['socket ' + i, 'again ' + i], s => s.close(1000))))""")
        self.assertEqual([seen["heard"] for seen in many], [[f"socket {i}", f"again {i}"] for i in range(12)])
        self.assertEqual({(seen["code"], seen["clean"]) for seen in many}, {(1000, True)})

    def test_events_go_on_where_the_page_has_left_off(self):
        for number in range(1, 6):
            self.post(f"note {number}\nof two lines")
        expected = [[str(n), f"note {n}\nof two lines"] for n in range(1, 6)]
        self.assertEqual(self.page.evaluate(f"{EVENTS}(2, 5)"), {"events": expected, "opened": 3})
        self.assertEqual(self.page.evaluate(f"{EVENTS}(0, 5)"), {"events": expected, "opened": 1})

    def test_what_one_page_posts_another_sees(self):
        page, text = self.page, f"for all {self.random.getrandbits(30)}"
        other = self.browser.new_page(self.live.url(""))
        other.open("/")
        other.query("#text", f"el.value = {json.dumps(text)}")
        other.query("#note button", "el.click()")
        page.see("#notes li", text)
        other.see("#notes li", text)
        page.query("#said", "el.value = 'anybody?'")
        page.query("#echo button", "el.click()")
        page.see("#heard", "anybody?")

    def test_z_a_shutdown_says_goodbye(self):
        """The last: it ends the server."""
        self.page.evaluate("(s => s.onopen = () => window.opened = true)(window.probe = new WebSocket("
                           "location.origin.replace('http', 'ws') + '/echo'))")
        self.page.until("window.opened", "a WebSocket is open")
        self.page.evaluate("window.probe.onclose = e => window.goodbye = [e.code, e.reason, e.wasClean]")
        self.assertEqual(self.live.terminate(), 0)
        self.page.until("window.goodbye", "the WebSocket is closed")
        self.assertEqual(self.page.evaluate("window.goodbye"), [1001, "the server is shutting down", True])
        self.page.see("#heard", "closed: 1001 the server is shutting down")
        self.page.errors.clear()  # its events are asked for again, of nobody


class SecureLivePages(LivePages):
    """The same over HTTP/2, WebSockets by RFC 8441."""

    secure = True
    handshake = 200

    @classmethod
    def flags(cls):
        key = openssl("x509", "-in", cls.live.cert, "-pubkey", "-noout")
        der = base64.b64decode("".join(line for line in key.splitlines() if not line.startswith("-")))
        pin = base64.b64encode(hashlib.sha256(der).digest()).decode()
        return [f"--ignore-certificate-errors-spki-list={pin}"]


if __name__ == "__main__":
    if not find_browser():
        in_ci = os.environ.get("CI") == "true"
        print("FAILED" if in_ci else "SKIPPED", "no Chromium here: apt install chromium, or set CHROMIUM_BIN", sep=": ")
        sys.exit(1 if in_ci else 77)
    harness.main()
