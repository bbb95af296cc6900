"""What the tests do as customers: place orders and note what they were told.

`place` sends one order for a noted attempt and writes the answer into the history; a broken
connection leaves the attempt unanswered, to be repeated with the same key. `Shopper` is one
customer under load: orders, declined cards, short stock, replayed keys and cancellations.
"""

import http.client
import itertools

from harness import (CARD_DECLINED, CARD_NO_FUNDS, CARD_OK, CARD_TIMEOUT, Customer, parallel, raise_first,
                     rejected_order_id)
from invariants import FINAL_STATES, OPEN_STATES

REFUSED_CARDS = [CARD_DECLINED] * 2 + [CARD_NO_FUNDS] * 2 + [CARD_TIMEOUT]

BROKEN_CONNECTION = (OSError, http.client.HTTPException)


def place(customer, attempt, seen):
    """Sends the attempt's order once. Raises BROKEN_CONNECTION when no answer came, AssertionError on a wrong one."""
    reply = customer.order(attempt.items, attempt.key, attempt.card)
    note(attempt, reply, seen)
    return reply


def note(attempt, reply, seen):
    """Writes the answer to POST /orders into the history."""
    if reply.status in (200, 201, 202):
        order = reply.json()
        assert order["state"] in FINAL_STATES | OPEN_STATES, reply
        seen.told(attempt, order["id"], order["state"], int(order["total"]["minor"]))
    elif reply.status == 409:
        reply.problem()
        order_id = rejected_order_id(reply)
        assert order_id, f"a rejected order without its orderId: {reply}"
        seen.told(attempt, order_id, "REJECTED")
    elif reply.status not in (429, 503, 504):  # those may be tried again
        raise AssertionError(f"order {attempt.key} of {attempt.items}: {reply}")


def register_customers(shop, count, prefix):
    """Customers <prefix>0@…, registered a few at a time: hashing passwords is meant to be slow."""
    made = []
    for start in range(0, count, 8):
        made += raise_first(parallel(min(8, count - start), lambda i, at=start: Customer.register(
            shop, f"{prefix}{at + i}@example.com", name=f"Customer {at + i}")))
    return made


def all_products(shop):
    with shop.client() as client:
        return Customer.pages(client, "/api/v1/products?page_size=100", "products")


def all_stock(picture):
    return {row["sku"]: row["initial"] for row in picture.stock}


class Shopper:
    """One customer under load; call `step` again and again from one thread."""

    def __init__(self, customer, seen, skus, random, orders=itertools.count()):
        self.customer, self.seen, self.skus, self.random, self.numbers = customer, seen, skus, random, orders
        self.captured = []
        self.last = None

    def step(self):
        dice = self.random.random()
        if dice < 0.08 and self.last is not None:
            place(self.customer, self.last, self.seen)  # the same key again: the same order
        elif dice < 0.25 and self.captured:
            self.last = None
            cancel(self.customer, self.captured.pop(self.random.randrange(len(self.captured))), self.seen)
        elif dice < 0.35:
            self.order(self.some_items(), self.random.choice(REFUSED_CARDS))
        elif dice < 0.40:
            self.order({self.random.choice(self.skus): 99}, CARD_OK)  # more than there may be
        else:
            self.order(self.some_items(), CARD_OK)

    def some_items(self):
        return {sku: self.random.randint(1, 2) for sku in self.random.sample(self.skus, self.random.randint(1, 3))}

    def order(self, items, card):
        key = f"key-{self.customer.id}-{next(self.numbers)}"
        attempt = self.seen.begin(key, self.customer.id, items, card)
        self.last = None
        place(self.customer, attempt, self.seen)
        if attempt.state == "CAPTURED":
            self.captured.append(attempt)
            self.last = attempt
        return attempt


def cancel(customer, attempt, seen):
    """Cancels the captured order of an attempt."""
    seen.cancel_asked(attempt)
    reply = customer.cancel(attempt.order_id)
    if reply.status == 200:
        assert reply.json()["state"] == "CANCELLED", f"cancelled, but {reply}"
        seen.cancel_told(attempt)
    elif reply.status not in (429, 503, 504):
        raise AssertionError(f"cancel of the captured order {attempt.order_id}: {reply}")


def answer_all(shop, seen, customers, limit_rounds=40):
    """Repeats every unanswered attempt of these customers with its key until each has its final answer."""
    by_user = {customer.id: customer for customer in customers}
    for _ in range(limit_rounds):
        waiting = [attempt for attempt in seen.unanswered() if attempt.user_id in by_user]
        if not waiting:
            return
        for attempt in waiting:
            shop.check_alive()
            place(by_user[attempt.user_id], attempt, seen)
    raise AssertionError(f"without a final answer: {[a.key for a in seen.unanswered()]}")
