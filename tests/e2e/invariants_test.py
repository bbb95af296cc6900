#!/usr/bin/env python3
"""The judges judged: each kind of damage, seeded into a sound picture, must be found. Needs no shop."""

import copy
import unittest

import invariants
from invariants import History, Picture

INITIAL = {"mug": 10, "tent": 5}


def sound():
    """Two captured orders, a rejected and a cancelled one, everything as it should be."""
    picture = Picture()
    picture.stock = [{"sku": "mug", "initial": 10, "free": 7, "reserved": 0, "sold": 3},
                     {"sku": "tent", "initial": 5, "free": 5, "reserved": 0, "sold": 0}]
    states = {"o1": "CAPTURED", "o2": "CAPTURED", "o3": "REJECTED", "o4": "CANCELLED"}
    quantities = {"o1": 2, "o2": 1, "o3": 1, "o4": 1}
    picture.orders = [{"id": o, "user_id": "ann", "state": s, "total_minor": 700 * quantities[o], "currency": "EUR"}
                      for o, s in states.items()]
    picture.order_items = [{"order_id": o, "sku": "mug", "quantity": n, "price_minor": 700}
                           for o, n in quantities.items()]
    picture.payments = [
        {"id": f"p-{o}", "order_id": o, "idempotency_key": f"k-{o}", "state": s, "amount_minor": 700 * quantities[o]}
        for o, s in {"o1": "CAPTURED", "o2": "CAPTURED", "o3": "DECLINED", "o4": "REFUNDED"}.items()]
    picture.notifications = [{"id": f"n-{o}", "order_id": o, "user_id": "ann", "kind": "order_captured"}
                             for o in ("o1", "o2", "o4")]
    return picture


def told():
    """What a customer of those orders has been told."""
    seen = History()
    for order, (state, count) in {"o1": ("CAPTURED", 2), "o2": ("CAPTURED", 1), "o3": ("REJECTED", 1),
                                  "o4": ("CAPTURED", 1)}.items():
        attempt = seen.begin(f"key-{order}", "ann", {"mug": count}, "card")
        seen.told(attempt, order, state, 700 * count)
    seen.cancel_asked(attempt)
    seen.cancel_told(attempt)
    return seen


def change(table, index, **values):
    return lambda picture: getattr(picture, table)[index].update(values)


def drop(table, index):
    return lambda picture: getattr(picture, table).pop(index)


def repeat(table, index, **values):
    def apply(picture):
        rows = getattr(picture, table)
        rows.append(copy.copy(rows[index]) | values)
    return apply


DAMAGE = {  # what was done → words of the sentence that must be among those found
    "oversold": (change("stock", 0, free=-1, sold=11), "negative"),
    "stock vanished": (change("stock", 1, free=4), "not initial"),
    "initial rewritten": (change("stock", 1, free=6, initial=6), "has become"),
    "product without stock": (drop("stock", 1), "had stock"),
    "still reserved": (change("stock", 1, free=4, reserved=1), "still reserved"),
    "sold without an order": (change("stock", 1, free=4, sold=1), "the stock says sold"),
    "order lost": (drop("orders", 0), "missing"),
    "order doubled": (repeat("orders", 0), "exists 2 times"),
    "order made twice for one key": (repeat("orders", 0, id="o9"), "orders from 4 keys"),
    "captured became rejected": (change("orders", 1, state="REJECTED"), "acknowledged as CAPTURED"),
    "cancelled came back": (change("orders", 3, state="CAPTURED"), "acknowledged as CANCELLED"),
    "saga left open": (change("orders", 1, state="AUTHORIZED"), "still AUTHORIZED"),
    "unknown state": (change("orders", 1, state="LOST"), "unknown state"),
    "total wrong": (change("orders", 1, total_minor=701), "its items 700"),
    "items lost": (drop("order_items", 1), "no items"),
    "items changed": (change("order_items", 1, quantity=2), "asked for"),
    "owner changed": (change("orders", 1, user_id="bob"), "now belongs to bob"),
    "charged twice": (repeat("payments", 0, id="p9", idempotency_key="k9"), "charged 2 times"),
    "key used twice": (repeat("payments", 2, id="p9"), "has 2 payments"),
    "payment lost": (drop("payments", 0), "no captured payment"),
    "amount wrong": (change("payments", 0, amount_minor=1), "charged 1"),
    "charge of a rejected order": (change("payments", 2, state="AUTHORIZED"), "yet its payment"),
    "no refund after cancelling": (change("payments", 3, state="CAPTURED"), "yet its payment"),
    "charge of no order": (change("payments", 0, order_id="o9"), "belongs to no order"),
    "notification missing": (drop("notifications", 0), "0 notifications"),
    "notification doubled": (repeat("notifications", 0, id="n9"), "notified 2 times"),
    "notification of a rejected order": (change("notifications", 1, order_id="o3"), "was notified as captured"),
    "notification of no order": (change("notifications", 0, order_id="o9"), "does not exist"),
    "notification to a stranger": (change("notifications", 0, user_id="bob"), "was told to bob"),
}


def findings(picture, seen):
    return invariants.settled(picture, INITIAL) + invariants.history(picture, seen, complete=True)


class Judges(unittest.TestCase):
    def test_a_sound_picture_has_no_findings(self):
        self.assertEqual(findings(sound(), told()), [])

    def test_each_damage_is_found(self):
        for name, (damage, words) in DAMAGE.items():
            with self.subTest(damage=name):
                picture = sound()
                damage(picture)
                found = findings(picture, told())
                self.assertTrue(any(words in sentence for sentence in found), found)

    def test_answers_that_contradict_each_other(self):
        seen = told()
        attempt = seen.begin("key-o1", "ann", {"mug": 2}, "card")
        seen.told(attempt, "o9", "CAPTURED")
        self.assertTrue(any("gave order o1, then o9" in s for s in findings(sound(), seen)))

    def test_one_order_for_two_keys(self):
        seen = told()
        seen.told(seen.begin("key-o5", "ann", {"mug": 2}, "card"), "o1", "CAPTURED")
        self.assertTrue(any("2 different keys" in s for s in findings(sound(), seen)))

    def test_judge_raises(self):
        invariants.judge([], "never")
        with self.assertRaisesRegex(AssertionError, "3 broken invariants"):
            invariants.judge(["a", "b", "c"], "now")


if __name__ == "__main__":
    unittest.main()
