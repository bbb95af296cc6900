#!/usr/bin/env python3
"""The shop as its customers use it: over HTTP, against the started binary, judged from its databases."""

import json
import signal
import socket
import threading
import time

import harness
import invariants
import json_schema
import shopping
from harness import (CARD_DECLINED, CARD_NO_FUNDS, CARD_OK, CARD_TIMEOUT, DEMO_EMAIL, DEMO_PASSWORD, Customer, Shop,
                     parallel, raise_first, rejected_order_id, wait_for)

shop = None
seen = None
initial = None
products = None


def setUpModule():
    global shop, seen, initial, products
    shop = Shop("shop")
    shop.start()
    seen = invariants.History()
    initial = shopping.all_stock(invariants.read_databases(shop.data_dir, live=True))
    products = shopping.all_products(shop)


def tearDownModule():
    if shop:
        shop.kill()


class ShopCase(harness.TestCase):
    """One running shop for all cases; after each the invariants must hold."""

    counter = 0
    damaged = None  # the case that broke an invariant; those after it would only say so again

    def setUp(self):
        super().setUp()
        if ShopCase.damaged:
            self.skipTest(f"{ShopCase.damaged} broke an invariant")
        shop.check_alive()

    def tearDown(self):
        if shop.alive() and not ShopCase.damaged:
            self.judge()

    def judge(self):
        try:
            picture = invariants.wait_settled(shop.data_dir, initial)
            invariants.judge(invariants.history(picture, seen, complete=False), self.id())
        except AssertionError:
            ShopCase.damaged = self.id()
            raise
        return picture

    def customer(self, name="someone"):
        ShopCase.counter += 1
        customer = Customer.register(shop, f"{name}{ShopCase.counter}@example.com")
        self.addCleanup(customer.close)
        return customer

    def anonymous(self):
        client = shop.client()
        self.addCleanup(client.close)
        return client

    def key(self):
        return f"k-{self.random.getrandbits(64):x}"

    def order(self, customer, items, card=CARD_OK, key=None):
        """Orders through the history; returns (attempt, reply)."""
        attempt = seen.begin(key or self.key(), customer.id, items, card)
        return attempt, shopping.place(customer, attempt, seen)

    def sku_with(self, least):
        """A product of which at least so many are free, and how many."""
        with shop.client() as client:
            for product in self.random.sample(products, len(products)):
                free = Customer.stock(client, product["sku"])["free"]
                if free >= least:
                    return product["sku"], free
        self.fail(f"no product with {least} in stock")

    @staticmethod
    def final(customer, order_id):
        order = customer.expect(200, "GET", f"/api/v1/orders/{order_id}").json()
        return order if order["state"] in invariants.FINAL_STATES else None

    def thinking_order(self, customer, sku):
        """An order whose bank takes its time, and the thread that waits for it: (attempt, id, thread)."""
        attempt = seen.begin(self.key(), customer.id, {sku: 1}, CARD_TIMEOUT)
        connection = customer.again()
        self.addCleanup(connection.close)
        thread = threading.Thread(target=lambda: connection.order({sku: 1}, attempt.key, CARD_TIMEOUT), daemon=True)
        thread.start()
        order = wait_for(lambda: customer.pages("/api/v1/orders", "orders"), 5, "the order")[0]
        return attempt, order["id"], thread

    def leave(self, sku, count):
        """Buys a product down until only `count` are free."""
        buyer = self.customer("hoarder")
        while (free := buyer.stock(sku)["free"]) > count:
            self.assertEqual(self.order(buyer, {sku: min(99, free - count)})[1].status, 201)
        self.assertEqual(buyer.stock(sku)["free"], count)


class Browsing(ShopCase):
    def test_health_and_ping(self):
        client = self.anonymous()
        for path in ("/health", "/health/live", "/health/ready", "/health/startup"):
            self.assertEqual(client.get(path).status, 200, path)
        self.assertEqual(client.get("/ping").body.strip(), b"pong")

    def test_catalogue(self):
        self.assertGreaterEqual(len(products), 60)
        self.assertEqual(len({p["id"] for p in products}), len(products))
        self.assertEqual(len({p["sku"] for p in products}), len(products))
        for product in products:
            self.assertEqual(set(product) & {"id", "sku", "name", "category", "description", "price", "imageUrl"},
                             {"id", "sku", "name", "category", "description", "price", "imageUrl"})
            self.assertEqual(product["price"]["currency"], "EUR")
            self.assertGreater(int(product["price"]["minor"]), 0)
            self.assertIsInstance(product["price"]["minor"], str)

    def test_one_product_its_picture_and_stock(self):
        client, product = self.anonymous(), self.random.choice(products)
        self.assertEqual(client.expect(200, "GET", f"/api/v1/products/{product['id']}").json(), product)
        stock = Customer.stock(client, product["sku"])
        self.assertEqual(stock["free"] + stock["reserved"] + stock["sold"], stock["initial"])
        picture = client.expect(200, "GET", product["imageUrl"])
        self.assertEqual(picture.type, "image/svg+xml")

    def test_search_and_categories(self):
        client = self.anonymous()
        categories = client.expect(200, "GET", "/api/v1/categories").json()["categories"]
        self.assertGreaterEqual(len(categories), 4)
        for category in categories:
            page = client.expect(200, "GET", f"/api/v1/products?category={category['id']}&page_size=100").json()
            self.assertEqual(len(page["products"]), category["productCount"])
            self.assertEqual({p["category"] for p in page["products"]}, {category["id"]})
        word = products[7]["name"].split()[0]
        page = client.expect(200, "GET", f"/api/v1/products?q={word.lower()}&page_size=100").json()
        self.assertIn(products[7]["id"], [p["id"] for p in page["products"]])
        nothing = client.expect(200, "GET", "/api/v1/products?q=zzzyyyxxx").json()
        self.assertEqual((nothing["products"], nothing["total"]), ([], 0))

    def test_answers_are_as_the_openapi_document_says(self):
        client, customer = self.anonymous(), self.customer("reader")
        document = client.expect(200, "GET", "/openapi.json").json()
        self.assertEqual(document["openapi"], "3.1.0")
        self.assertEqual(client.get("/docs/").status, 200)
        product = self.random.choice(products)
        sku, _ = self.sku_with(1)
        attempt, placed = self.order(customer, {sku: 1})
        self.assertEqual(placed.status, 201)
        order = placed.json()["id"]
        for who, template, path, status in (
                (client, "/api/v1/products", "/api/v1/products?page_size=50", 200),
                (client, "/api/v1/products/{id}", f"/api/v1/products/{product['id']}", 200),
                (client, "/api/v1/products/{id}", "/api/v1/products/nothing", 404),
                (client, "/api/v1/categories", "/api/v1/categories", 200),
                (client, "/api/v1/users", "/api/v1/users", 200),
                (client, "/api/v1/inventory/{sku}", f"/api/v1/inventory/{sku}", 200),
                (client, "/api/v1/cart", "/api/v1/cart", 401),
                (customer, "/api/v1/cart", "/api/v1/cart", 200),
                (customer, "/api/v1/orders", "/api/v1/orders", 200),
                (customer, "/api/v1/orders", "/api/v1/orders?page_size=101", 400),
                (customer, "/api/v1/orders/{id}", f"/api/v1/orders/{order}", 200),
                (customer, "/api/v1/notifications", "/api/v1/notifications", 200)):
            said = document["paths"][template]["get"]["responses"][str(status)]["content"]
            (media_type, content), = said.items()
            reply = who.expect(status, "GET", path)
            self.assertEqual(reply.type, media_type, path)
            self.assertEqual(json_schema.faults(document, content["schema"], reply.json()), [], path)
            self.assertNotEqual(json_schema.faults(document, content["schema"], {"other": 1}), [], path)

    def test_pages_cover_the_catalogue_once(self):
        client = self.anonymous()
        for size in (7, 20, 33):
            found = Customer.pages(client, f"/api/v1/products?page_size={size}", "products")
            self.assertEqual([p["id"] for p in found], [p["id"] for p in products])
        first = client.expect(200, "GET", "/api/v1/products").json()
        self.assertEqual((len(first["products"]), first["total"]), (20, len(products)))


class Accounts(ShopCase):
    def test_register_log_in_read(self):
        client = self.anonymous()
        made = client.expect(201, "POST", "/api/v1/users", {
            "name": "Zoë Ünal 🦊", "email": "zoe@example.com", "password": "correct horse"}).json()
        self.assertEqual((made["name"], made["email"]), ("Zoë Ünal 🦊", "zoe@example.com"))
        again = client.call("POST", "/api/v1/users", {
            "name": "Other", "email": "zoe@example.com", "password": "correct horse"})
        self.assertEqual(again.status, 409)
        again.problem()
        session = client.expect(201, "POST", "/api/v1/sessions",
                                {"email": "zoe@example.com", "password": "correct horse"}).json()
        self.assertEqual(session["user"]["id"], made["id"])
        wrong = client.call("POST", "/api/v1/sessions", {"email": "zoe@example.com", "password": "wrong horse!"})
        self.assertEqual(wrong.status, 401)
        unknown = client.call("POST", "/api/v1/sessions", {"email": "nobody@example.com", "password": "wrong horse!"})
        self.assertEqual(unknown.problem()["detail"], wrong.problem()["detail"], "tells whether an address is known")
        public = client.expect(200, "GET", f"/api/v1/users/{made['id']}").json()
        self.assertNotEqual(public["email"], "zoe@example.com")
        own = client.call("GET", f"/api/v1/users/{made['id']}", headers={"Authorization": "Bearer " + session["token"]})
        self.assertEqual(own.json()["email"], "zoe@example.com")

    def test_same_email_at_once_registers_one(self):
        def register(_):
            with shop.client() as client:
                return client.call("POST", "/api/v1/users", {
                    "name": "Twin", "email": "twin@example.com", "password": "correct horse"}).status
        self.assertEqual(sorted(raise_first(parallel(6, register))), [201] + [409] * 5)

    def test_users_are_listed_with_masked_addresses(self):
        customer = self.customer("listed")
        users = customer.pages("/api/v1/users?page_size=50", "users")
        self.assertIn(customer.id, [u["id"] for u in users])
        for user in users:
            self.assertNotIn("password", json.dumps(user).lower())
            self.assertNotEqual(user["email"], customer.email)
        self.assertLessEqual(len(customer.expect(200, "GET", "/api/v1/users").json()["users"]), 10)

    def test_demo_user(self):
        demo = Customer.login(shop, DEMO_EMAIL, DEMO_PASSWORD)
        self.addCleanup(demo.close)
        self.assertEqual(demo.expect(200, "GET", "/api/v1/cart").status, 200)

    def test_passwords_are_not_stored(self):
        customer = self.customer("secretive")
        for file in shop.data_dir.rglob("*"):
            if file.is_file():
                self.assertNotIn(customer.password.encode(), file.read_bytes(), file.name)
        self.assertNotIn(customer.password, shop.log_path.read_text(errors="replace"))


class Carts(ShopCase):
    def test_fill_change_empty(self):
        customer = self.customer()
        one, two = self.random.sample(products, 2)
        customer.put_in_cart(one["sku"], 2)
        cart = customer.put_in_cart(two["sku"], 3)
        self.assertEqual({i["sku"]: i["quantity"] for i in cart["items"]}, {one["sku"]: 2, two["sku"]: 3})
        self.assertEqual(int(cart["total"]["minor"]), 2 * int(one["price"]["minor"]) + 3 * int(two["price"]["minor"]))
        customer.put_in_cart(one["sku"], 5)
        cart = customer.expect(200, "GET", "/api/v1/cart").json()
        self.assertEqual({i["sku"]: i["quantity"] for i in cart["items"]}, {one["sku"]: 5, two["sku"]: 3})
        cart = customer.expect(200, "DELETE", f"/api/v1/cart/items/{one['sku']}").json()
        self.assertEqual([i["sku"] for i in cart["items"]], [two["sku"]])
        self.assertEqual(customer.expect(200, "DELETE", "/api/v1/cart").json()["items"], [])

    def test_carts_are_private(self):
        one, two = self.customer(), self.customer()
        one.put_in_cart(products[0]["sku"], 1)
        self.assertEqual(two.expect(200, "GET", "/api/v1/cart").json()["items"], [])

    def test_order_the_cart(self):
        customer = self.customer()
        sku, _ = self.sku_with(2)
        customer.put_in_cart(sku, 2)
        attempt = seen.begin(self.key(), customer.id, {sku: 2}, CARD_OK)
        reply = customer.order(None, attempt.key)
        shopping.note(attempt, reply, seen)
        self.assertEqual(reply.status, 201, reply)
        self.assertEqual(reply.json()["state"], "CAPTURED")
        self.assertEqual(customer.expect(200, "GET", "/api/v1/cart").json()["items"], [], "the cart was not emptied")
        self.assertEqual(customer.order(None, attempt.key).json()["id"], attempt.order_id, "a replayed cart order")
        empty = customer.order(None, self.key())
        self.assertEqual(empty.status, 400, empty)
        empty.problem()

    def test_a_refused_order_keeps_the_cart(self):
        customer = self.customer()
        sku, _ = self.sku_with(1)
        customer.put_in_cart(sku, 1)
        attempt = seen.begin(self.key(), customer.id, {sku: 1}, CARD_DECLINED)
        reply = customer.order(None, attempt.key, CARD_DECLINED)
        shopping.note(attempt, reply, seen)
        self.assertEqual(reply.status, 409)
        cart = customer.expect(200, "GET", "/api/v1/cart").json()
        self.assertEqual([i["sku"] for i in cart["items"]], [sku])


    def test_a_cart_ordered_at_once_makes_one_order(self):
        """Eight keys, one cart: it is ordered once, the others find it empty."""
        customer = self.customer()
        sku, free = self.sku_with(2)
        customer.put_in_cart(sku, 2)

        def send(_):
            attempt = seen.begin(self.key(), customer.id, {sku: 2}, CARD_OK)
            with customer.again() as connection:
                reply = connection.order(None, attempt.key)
            if reply.status == 400:
                seen.refuse(attempt, 400)
            else:
                shopping.note(attempt, reply, seen)
            return reply.status
        self.assertEqual(sorted(raise_first(parallel(8, send))), [201] + [400] * 7)
        self.assertEqual(customer.stock(sku)["free"], free - 2)


class Orders(ShopCase):
    def test_captured_order(self):
        customer = self.customer()
        sku, free = self.sku_with(3)
        attempt, reply = self.order(customer, {sku: 3})
        self.assertEqual(reply.status, 201, reply)
        order = reply.json()
        self.assertEqual(order["state"], "CAPTURED")
        self.assertEqual(order["userId"], customer.id)
        self.assertEqual([(i["sku"], i["quantity"]) for i in order["items"]], [(sku, 3)])
        self.assertEqual(int(order["total"]["minor"]), 3 * int(order["items"][0]["price"]["minor"]))
        self.assertEqual([h["state"] for h in order["history"]],
                         ["PENDING", "RESERVED", "AUTHORIZED", "CONFIRMED", "CAPTURED"])
        self.assertEqual(customer.expect(200, "GET", f"/api/v1/orders/{order['id']}").json()["state"], "CAPTURED")
        self.assertEqual([o["id"] for o in customer.pages("/api/v1/orders", "orders")], [order["id"]])
        self.assertEqual(customer.stock(sku)["free"], free - 3)
        told = wait_for(lambda: customer.pages("/api/v1/notifications", "notifications"), 5, "a notification")
        self.assertEqual([(n["orderId"], n["kind"]) for n in told], [(order["id"], "order_captured")])

    def test_several_items(self):
        customer = self.customer()
        items = {self.sku_with(1)[0]: 1 for _ in range(5)}
        _, reply = self.order(customer, items)
        self.assertEqual(reply.status, 201, reply)

    def test_refused_cards(self):
        customer = self.customer()
        sku, free = self.sku_with(2)
        for card in (CARD_DECLINED, CARD_NO_FUNDS, CARD_TIMEOUT):
            with self.subTest(card=card):
                attempt, reply = self.order(customer, {sku: 2}, card)
                if reply.status in (200, 201, 202):  # past the time budget: the saga goes on behind
                    self.assertEqual(card, CARD_TIMEOUT, reply)
                order = wait_for(lambda: self.final(customer, attempt.order_id), 30, "the order's end")
                self.assertEqual(order["state"], "REJECTED")
                self.assertTrue(order["failureReason"])
                self.assertEqual(order["history"][-1]["state"], "REJECTED")
        self.assertEqual(customer.stock(sku)["free"], free)
        self.assertEqual(customer.stock(sku)["reserved"], 0)

    def test_short_stock_takes_nothing(self):
        sku, _ = self.sku_with(5)
        self.leave(sku, 4)
        customer = self.customer()
        other, other_free = self.sku_with(5)
        _, reply = self.order(customer, {other: 1, sku: 5})
        self.assertEqual(reply.status, 409)
        self.assertEqual(customer.stock(sku)["free"], 4)
        self.assertEqual(customer.stock(other)["free"], other_free, "all lines or none")

    def test_cancel(self):
        customer, stranger = self.customer(), self.customer()
        sku, free = self.sku_with(2)
        attempt, _ = self.order(customer, {sku: 2})
        self.assertEqual(stranger.cancel(attempt.order_id).status, 404)
        seen.cancel_asked(attempt)
        reply = customer.cancel(attempt.order_id)
        self.assertEqual((reply.status, reply.json()["state"]), (200, "CANCELLED"))
        seen.cancel_told(attempt)
        self.judge()
        self.assertEqual(customer.stock(sku)["free"], free)
        self.assertIn(customer.cancel(attempt.order_id).status, (200, 409), "cancelled twice")
        self.judge()
        self.assertEqual(customer.stock(sku)["free"], free, "the second cancellation gave stock back again")
        rejected, _ = self.order(customer, {sku: 1}, CARD_DECLINED)
        self.assertEqual(customer.cancel(rejected.order_id).status, 409)

    def test_cancel_at_once_gives_back_once(self):
        customer = self.customer()
        sku, free = self.sku_with(2)
        attempt, _ = self.order(customer, {sku: 2})
        seen.cancel_asked(attempt)

        def cancel(_):
            with customer.again() as connection:
                return connection.cancel(attempt.order_id).status
        statuses = raise_first(parallel(8, cancel))
        self.assertIn(200, statuses)
        self.assertLessEqual(set(statuses), {200, 409})
        seen.cancel_told(attempt)
        self.judge()
        self.assertEqual(customer.stock(sku)["free"], free)

    def test_cancel_while_the_bank_is_thinking(self):
        customer = self.customer()
        sku, free = self.sku_with(2)
        attempt = seen.begin(self.key(), customer.id, {sku: 2}, CARD_TIMEOUT)
        seen.cancel_asked(attempt)
        with customer.again() as connection:
            thread = threading.Thread(target=connection.order, args=({sku: 2}, attempt.key, CARD_TIMEOUT))
            thread.start()
            order = wait_for(lambda: customer.pages("/api/v1/orders", "orders"), 5, "the order")[0]
            reply = customer.cancel(order["id"])
            thread.join(30)
        self.assertIn(reply.status, (200, 409), reply)
        final = wait_for(lambda: self.final(customer, order["id"]), 10, "the order's end")
        self.assertEqual(final["state"], "CANCELLED" if reply.status == 200 else "REJECTED", reply)
        seen.told(attempt, order["id"], final["state"])
        self.judge()
        self.assertEqual(customer.stock(sku)["free"], free)

    def test_events_tell_every_state_once(self):
        customer, stranger = self.customer(), self.customer()
        sku, _ = self.sku_with(2)
        attempt, order_id, thread = self.thinking_order(customer, sku)
        status, events = customer.events(order_id)
        self.assertEqual(status, 200)
        told = list(events)  # until the stream ends by itself
        thread.join(30)
        final = customer.expect(200, "GET", f"/api/v1/orders/{order_id}").json()
        seen.told(attempt, order_id, final["state"])
        self.assertEqual(told, list(enumerate(final["history"], 1)))
        self.assertEqual([entry["state"] for _, entry in told], ["PENDING", "RESERVED", "REJECTED"])
        self.assertEqual(told[-1][1]["reason"], final["failureReason"])
        self.assertEqual(list(customer.events(order_id, 1)[1]), told[1:])
        self.assertEqual(list(customer.events(order_id, "what is this?")[1]), told)
        self.assertEqual(customer.events(order_id, len(told))[0], 204, "there is no more, ever")
        self.assertEqual(stranger.events(order_id)[0], 404)
        self.assertEqual(stranger.events("none")[0], 404)
        self.assertEqual(customer.events(order_id, Accept="*/*")[0], 401)
        self.assertEqual(list(customer.events(order_id, Cookie=f"shop-events={customer.token}")[1]), told)
        self.assertEqual(stranger.events(order_id, Cookie=f"shop-events={stranger.token}")[0], 404)

    def test_events_of_a_captured_order_that_is_cancelled(self):
        customer = self.customer()
        sku, _ = self.sku_with(1)
        attempt, _ = self.order(customer, {sku: 1})
        told = list(customer.events(attempt.order_id)[1])
        self.assertEqual([entry["state"] for _, entry in told],
                         ["PENDING", "RESERVED", "AUTHORIZED", "CONFIRMED", "CAPTURED"])
        seen.cancel_asked(attempt)
        self.assertEqual(customer.cancel(attempt.order_id).status, 200)
        seen.cancel_told(attempt)
        more = list(customer.events(attempt.order_id, 5)[1])
        self.assertEqual([(number, entry["state"]) for number, entry in more], [(6, "CANCELLED")])

    def test_orders_are_private(self):
        customer, stranger = self.customer(), self.customer()
        sku, _ = self.sku_with(1)
        attempt, _ = self.order(customer, {sku: 1})
        self.assertEqual(stranger.get(f"/api/v1/orders/{attempt.order_id}").status, 404)
        self.assertEqual(stranger.pages("/api/v1/orders", "orders"), [])
        self.assertEqual(stranger.pages("/api/v1/notifications", "notifications"), [])
        self.assertEqual(self.anonymous().get(f"/api/v1/orders/{attempt.order_id}").status, 401)

    def test_many_orders_in_pages(self):
        customer = self.customer()
        made = [self.order(customer, {self.sku_with(1)[0]: 1})[0].order_id for _ in range(7)]
        listed = [o["id"] for o in customer.pages("/api/v1/orders?page_size=3", "orders")]
        self.assertEqual(sorted(listed), sorted(made))


class Idempotency(ShopCase):
    def test_replay_gives_the_same_order(self):
        customer = self.customer()
        sku, free = self.sku_with(1)
        attempt, first = self.order(customer, {sku: 1})
        for _ in range(3):
            again = customer.order({sku: 1}, attempt.key)
            self.assertIn(again.status, (200, 201))
            self.assertEqual(again.json()["id"], first.json()["id"])
        self.assertEqual(customer.stock(sku)["free"], free - 1)

    def test_same_key_other_body_is_refused(self):
        customer = self.customer()
        sku, free = self.sku_with(3)
        attempt, _ = self.order(customer, {sku: 1})
        for reply in (customer.order({sku: 2}, attempt.key), customer.order({sku: 1}, attempt.key, CARD_NO_FUNDS)):
            self.assertEqual(reply.status, 409, reply)
            reply.problem()
        self.assertEqual(customer.stock(sku)["free"], free - 1)

    def test_keys_belong_to_their_user(self):
        one, two = self.customer(), self.customer()
        sku, _ = self.sku_with(2)
        key = self.key()
        first = one.order({sku: 1}, key)
        second = two.order({sku: 1}, key)
        self.assertEqual((first.status, second.status), (201, 201))
        self.assertNotEqual(first.json()["id"], second.json()["id"])

    def test_concurrent_same_key_makes_one_order(self):
        customer = self.customer()
        sku, free = self.sku_with(1)
        for _ in range(5):
            before = customer.stock(sku)["free"]
            if not before:
                break
            attempt = seen.begin(self.key(), customer.id, {sku: 1}, CARD_OK)

            def send(_, attempt=attempt):
                with customer.again() as connection:
                    reply = connection.order({sku: 1}, attempt.key)
                    if reply.status in (409, 429, 503):  # "in progress" is a fair answer, another order is not
                        self.assertIsNone(rejected_order_id(reply), reply)
                    else:
                        shopping.note(attempt, reply, seen)
                    return reply.status
            statuses = raise_first(parallel(12, send))
            self.assertTrue(set(statuses) & {200, 201, 202}, statuses)
            self.assertEqual(customer.stock(sku)["free"], before - 1, statuses)

    def test_replay_of_a_rejected_order(self):
        customer = self.customer()
        sku, _ = self.sku_with(1)
        attempt, first = self.order(customer, {sku: 1}, CARD_DECLINED)
        again = customer.order({sku: 1}, attempt.key, CARD_DECLINED)
        self.assertEqual((again.status, rejected_order_id(again)), (409, attempt.order_id))

    def test_a_key_is_required(self):
        customer = self.customer()
        body = {"items": [{"sku": products[0]["sku"], "quantity": 1}], "paymentMethod": {"card": CARD_OK}}
        reply = customer.call("POST", "/api/v1/orders", body)
        self.assertEqual(reply.status, 400)
        reply.problem()


class Competition(ShopCase):
    """64 clients want what is not there for all of them."""

    CLIENTS = 64
    rivals = None

    @classmethod
    def setUpClass(cls):
        cls.rivals = shopping.register_customers(shop, cls.CLIENTS, "rival")

    @classmethod
    def tearDownClass(cls):
        for rival in cls.rivals:
            rival.close()

    def test_the_last_stock_is_sold_once(self):
        customers = self.rivals
        for left in (1, 10, 40):
            sku, _ = self.sku_with(left)
            self.leave(sku, left)
            replies = raise_first(parallel(self.CLIENTS, lambda i, s=sku: self.order(customers[i], {s: 1})[1]))
            won = [r for r in replies if r.status == 201]
            self.assertEqual(len(won), left, f"{left} in stock, {len(won)} sold")
            self.assertEqual({r.status for r in replies} - {201}, {409})
            self.judge()
            stock = customers[0].stock(sku)
            self.assertEqual((stock["free"], stock["reserved"]), (0, 0))

    def test_baskets_that_cross(self):
        """Several scarce products in each order, in different sequence: no deadlock, no oversell, no leak."""
        customers = self.rivals
        skus = []
        for _ in range(3):
            sku = next(s for s in iter(lambda: self.sku_with(12)[0], None) if s not in skus)
            self.leave(sku, 12)
            skus.append(sku)

        def buy(i):
            wanted = skus[i % 3:] + skus[:i % 3]
            return [self.order(customers[i], {s: 1 for s in wanted})[1].status for _ in range(2)]
        statuses = [s for both in raise_first(parallel(self.CLIENTS, buy)) for s in both]
        self.assertEqual(statuses.count(201), 12)
        self.assertEqual(statuses.count(409), 2 * self.CLIENTS - 12)

    def test_declined_rivals_give_stock_back(self):
        """Half of the rivals cannot pay: whatever they held for a moment must be free in the end."""
        customers = self.rivals
        sku, _ = self.sku_with(20)
        self.leave(sku, 20)
        cards = [CARD_OK if i % 2 else CARD_DECLINED for i in range(self.CLIENTS)]
        replies = raise_first(parallel(
            self.CLIENTS, lambda i: self.order(customers[i], {sku: 1}, cards[i])[1]))
        won = sum(r.status == 201 for r in replies)
        self.assertLessEqual(won, 20)
        self.judge()
        self.assertEqual(customers[0].stock(sku)["free"], 20 - won)


class Restart(ShopCase):
    """The last cases by name: they stop the shared process."""

    def test_state_survives_and_the_second_start_is_fast(self):
        customer = self.customer()
        sku, _ = self.sku_with(2)
        attempt, reply = self.order(customer, {sku: 1})
        customer.put_in_cart(sku, 1)
        before = customer.expect(200, "GET", f"/api/v1/orders/{attempt.order_id}").json()
        code, seconds = shop.terminate()
        self.assertEqual(code, 0, shop.log_tail())
        self.assertLess(seconds, 5 * harness.SLOW)
        self.assertLess(shop.start(), 2.0 * harness.SLOW, "the second start is up in under 2 s")
        self.assertEqual(customer.expect(200, "GET", f"/api/v1/orders/{attempt.order_id}").json(), before)
        self.assertEqual(customer.order({sku: 1}, attempt.key).json()["id"], attempt.order_id)
        self.assertEqual([i["sku"] for i in customer.expect(200, "GET", "/api/v1/cart").json()["items"]], [sku])
        login = Customer.login(shop, customer.email, customer.password)
        self.addCleanup(login.close)
        self.assertEqual(login.id, customer.id)

    def test_sigterm_answers_what_is_in_flight(self):
        customers = [self.customer() for _ in range(6)]
        sku, _ = self.sku_with(30)
        slow = self.slow_request(customers[0], sku)
        stop, answered = threading.Event(), threading.Semaphore(0)

        def load(i):
            number = 0
            while not stop.is_set():
                number += 1
                attempt = seen.begin(f"{self.id()}-{i}-{number}", customers[i].id, {sku: 1}, CARD_OK)
                try:
                    shopping.place(customers[i], attempt, seen)
                except shopping.BROKEN_CONNECTION:
                    return
                answered.release()
        threads = [threading.Thread(target=load, args=(i,)) for i in range(1, 6)]
        for thread in threads:
            thread.start()
        self.assertTrue(answered.acquire(timeout=10), "no order was answered")
        shop.process.send_signal(signal.SIGTERM)
        for piece in slow["rest"]:
            time.sleep(0.1)
            slow["socket"].sendall(piece)
        head = self.read_head(slow["socket"])
        stop.set()
        for thread in threads:
            thread.join(20)
        self.assertEqual(shop.wait_exit(harness.DRAIN_LIMIT_S), 0, shop.log_tail())
        self.assertRegex(head, b"^HTTP/1.1 (201|409) ", "a request that had begun before SIGTERM was not answered")
        shop.start()
        shopping.answer_all(shop, seen, customers)

    def slow_request(self, customer, sku):
        """An order whose head has been sent, and the pieces of its body."""
        attempt = seen.begin(self.key(), customer.id, {sku: 1}, CARD_OK)
        body = json.dumps({"items": [{"sku": sku, "quantity": 1}], "paymentMethod": {"card": CARD_OK}}).encode()
        head = (f"POST /api/v1/orders HTTP/1.1\r\nHost: shop\r\nContent-Type: application/json\r\n"
                f"Authorization: Bearer {customer.token}\r\nIdempotency-Key: {attempt.key}\r\n"
                f"Content-Length: {len(body)}\r\n\r\n").encode()
        connection = socket.create_connection((harness.HOST, shop.port), timeout=10)
        self.addCleanup(connection.close)
        connection.sendall(head + body[:10])
        return {"socket": connection, "rest": [body[10:30], body[30:]], "attempt": attempt}

    @staticmethod
    def read_head(connection):
        data = b""
        while b"\r\n\r\n" not in data:
            chunk = connection.recv(65536)
            if not chunk:
                break
            data += chunk
        return data

    def test_events_end_at_sigterm_and_go_on_afterwards(self):
        customer = self.customer()
        sku, _ = self.sku_with(2)
        attempt, order_id, thread = self.thinking_order(customer, sku)
        status, events = customer.events(order_id)
        self.assertEqual(status, 200)
        told = [next(events)]
        shop.process.send_signal(signal.SIGTERM)
        told += list(events)  # ends in good order: half a stream raises
        thread.join(30)
        self.assertEqual(shop.wait_exit(harness.DRAIN_LIMIT_S), 0, shop.log_tail())
        shop.start()
        final = wait_for(lambda: self.final(customer, order_id), 15, "the order's end")
        seen.told(attempt, order_id, final["state"])
        status, events = customer.events(order_id, told[-1][0])
        told += list(events)
        self.assertEqual(told, list(enumerate(final["history"], 1)))

    def test_sigterm_closes_idle_connections(self):
        idle = self.anonymous()
        idle.expect(200, "GET", "/ping")
        code, seconds = shop.terminate()
        self.assertEqual(code, 0, shop.log_tail())
        self.assertLess(seconds, 5 * harness.SLOW, "an idle keep-alive connection held the drain up")
        shop.start()

    def test_sigint_exits_clean(self):
        shop.process.send_signal(signal.SIGINT)
        self.assertEqual(shop.wait_exit(harness.DRAIN_LIMIT_S), 0, shop.log_tail())
        shop.start()

    def test_databases_are_sound(self):
        code, _ = shop.terminate()
        self.assertEqual(code, 0)
        picture = invariants.read_databases(shop.data_dir, live=False)
        invariants.judge(invariants.settled(picture, initial), "after a clean stop")
        shop.start()


if __name__ == "__main__":
    harness.main()
