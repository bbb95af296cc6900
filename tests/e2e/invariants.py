"""What must be true of the shop, judged from its databases and from what its clients saw.

`read_databases` takes a picture of the six SQLite files. `instant` lists what is broken in a
picture that was taken at any moment, a crash included; `settled` what is broken once every
saga has ended; `history` what contradicts the answers that clients got. All return a list of
sentences; `judge` raises when one is not empty.
"""

import os
import shutil
import sqlite3
import tempfile
import threading
import time
from collections import Counter, defaultdict
from pathlib import Path

OPEN_STATES = {"PENDING", "RESERVED", "AUTHORIZED", "CONFIRMED"}
FINAL_STATES = {"CAPTURED", "CANCELLED", "REJECTED"}
CHARGED = {"AUTHORIZED", "CAPTURED"}  # a payment that holds the customer's money

TABLES = {
    "inventory": {"stock": "sku, initial, free, reserved, sold"},
    "order": {"orders": "id, user_id, state, total_minor, currency",
              "order_items": "order_id, sku, quantity, price_minor"},
    "payment": {"payments": "id, order_id, idempotency_key, state, amount_minor"},
    "notification": {"notifications": "id, order_id, user_id, kind"},
}


class Picture:
    """Rows of the tables that count, as lists of sqlite3.Row, plus what SQLite says of its files."""

    def __init__(self):
        self.stock, self.orders, self.order_items, self.payments, self.notifications = [], [], [], [], []
        self.damaged = []

    def open_orders(self):
        return [o for o in self.orders if o["state"] in OPEN_STATES]

    def order(self, order_id):
        return next((o for o in self.orders if o["id"] == order_id), None)

    def items_by_order(self):
        items = defaultdict(list)
        for item in self.order_items:
            items[item["order_id"]].append(item)
        return items


def _read(path, tables, picture, check):
    database = sqlite3.connect(f"file:{path}?mode={'rw' if check else 'ro'}", uri=True, timeout=5)
    try:
        database.row_factory = sqlite3.Row
        if check:
            for (line,) in database.execute("PRAGMA integrity_check"):
                if line != "ok":
                    picture.damaged.append(f"{path.name}: {line}")
        database.execute("BEGIN")  # one snapshot a file
        for table, columns in tables.items():
            setattr(picture, table, database.execute(f"SELECT {columns} FROM {table}").fetchall())
    finally:
        database.close()


def read_databases(data_dir, live):
    """live: the process runs, read beside it. Otherwise read a copy, so that recovery is left to the shop."""
    picture = Picture()
    data_dir = Path(data_dir)
    if live:
        for name, tables in TABLES.items():
            _read(data_dir / f"{name}.db", tables, picture, check=False)
        return picture
    with tempfile.TemporaryDirectory(prefix="degu-e2e-copy-") as copy:
        for name, tables in TABLES.items():
            for file in data_dir.glob(f"{name}.db*"):
                if not file.name.endswith("-shm"):
                    shutil.copy(file, copy)
            _read(Path(copy) / f"{name}.db", tables, picture, check=True)
    return picture


def _stock(picture, initial):
    broken = []
    for row in picture.stock:
        free, reserved, sold = row["free"], row["reserved"], row["sold"]
        if min(free, reserved, sold) < 0:
            broken.append(f"stock of {row['sku']} is negative: free={free} reserved={reserved} sold={sold}")
        if free + reserved + sold != row["initial"]:
            broken.append(f"stock of {row['sku']}: free={free} + reserved={reserved} + sold={sold}"
                          f" is not initial={row['initial']}")
        if initial and initial.get(row["sku"]) != row["initial"]:
            broken.append(f"initial stock of {row['sku']} has become {row['initial']}")
    if initial and len(initial) != len(picture.stock):
        broken.append(f"{len(initial)} products had stock, now {len(picture.stock)}")
    return broken


def _charges(picture):
    broken = []
    keys = Counter(p["idempotency_key"] for p in picture.payments)
    broken += [f"idempotency key {k} has {n} payments" for k, n in keys.items() if n > 1]
    charged = Counter(p["order_id"] for p in picture.payments if p["state"] in CHARGED)
    broken += [f"order {o} is charged {n} times" for o, n in charged.items() if n > 1]
    return broken


def instant(picture, initial=None):
    """True at every moment, also in the files a killed process leaves. Not for a live picture across files."""
    broken = [f"damaged database: {line}" for line in picture.damaged]
    broken += _stock(picture, initial) + _charges(picture)
    ids = Counter(o["id"] for o in picture.orders)
    broken += [f"order {o} exists {n} times" for o, n in ids.items() if n > 1]
    paid = {p["order_id"]: p for p in picture.payments if p["state"] == "CAPTURED"}
    for order in picture.orders:
        if order["state"] not in OPEN_STATES | FINAL_STATES:
            broken.append(f"order {order['id']} has the unknown state {order['state']}")
        if order["state"] == "CAPTURED" and order["id"] not in paid:
            broken.append(f"order {order['id']} is CAPTURED but no captured payment belongs to it")
    known = {o["id"] for o in picture.orders}
    broken += [f"captured payment {p['id']} belongs to no order" for p in paid.values() if p["order_id"] not in known]
    told = Counter(n["order_id"] for n in picture.notifications if n["kind"] == "order_captured")
    broken += [f"order {o} was notified {n} times" for o, n in told.items() if n > 1]
    return broken


def _settled_stock(picture):
    broken = [f"{row['reserved']} of {row['sku']} are still reserved though no saga is open"
              for row in picture.stock if row["reserved"]]
    sold, items = Counter(), picture.items_by_order()
    for order in picture.orders:
        if order["state"] == "CAPTURED":
            for item in items[order["id"]]:
                sold[item["sku"]] += item["quantity"]
    for row in picture.stock:
        if sold[row["sku"]] != row["sold"]:
            broken.append(f"{row['sku']}: captured orders hold {sold[row['sku']]}, the stock says sold={row['sold']}")
    return broken


def _settled_money(picture):
    broken, items = [], picture.items_by_order()
    payments = defaultdict(list)
    for payment in picture.payments:
        payments[payment["order_id"]].append(payment)
    for order in picture.orders:
        oid, state = order["id"], order["state"]
        worth = sum(i["quantity"] * i["price_minor"] for i in items[oid])
        if not items[oid]:
            broken.append(f"order {oid} ({state}) has no items")
        elif worth != order["total_minor"]:
            broken.append(f"order {oid} totals {order['total_minor']}, its items {worth}")
        held = [p for p in payments[oid] if p["state"] in CHARGED]
        if state == "CAPTURED":
            if [p["state"] for p in held] != ["CAPTURED"]:
                broken.append(f"order {oid} is CAPTURED, its payments {[p['state'] for p in payments[oid]]}")
            elif held[0]["amount_minor"] != order["total_minor"]:
                broken.append(f"order {oid} totals {order['total_minor']}, charged {held[0]['amount_minor']}")
        elif held:
            broken.append(f"order {oid} is {state}, yet its payment is {held[0]['state']}")
    captured = sum(p["amount_minor"] for p in picture.payments if p["state"] == "CAPTURED")
    confirmed = sum(o["total_minor"] for o in picture.orders if o["state"] in ("CONFIRMED", "CAPTURED"))
    if captured != confirmed:
        broken.append(f"captured money {captured} is not confirmed money {confirmed}")
    return broken


def _settled_notifications(picture):
    broken = []
    told = defaultdict(list)
    for row in picture.notifications:
        if row["kind"] == "order_captured":
            told[row["order_id"]].append(row)
    for order in picture.orders:
        rows = told.pop(order["id"], [])
        if order["state"] == "CAPTURED" and len(rows) != 1:
            broken.append(f"captured order {order['id']} has {len(rows)} notifications, not one")
        if order["state"] == "REJECTED" and rows:
            broken.append(f"rejected order {order['id']} was notified as captured")
        broken += [f"order {order['id']} of {order['user_id']} was told to {r['user_id']}"
                   for r in rows if r["user_id"] != order["user_id"]]
    return broken + [f"a notification names order {o}, which does not exist" for o in told]


def settled(picture, initial=None):
    """True once no saga is open and the outbox is empty."""
    broken = instant(picture, initial)
    broken += [f"order {o['id']} is still {o['state']}" for o in picture.open_orders()]
    return broken + _settled_stock(picture) + _settled_money(picture) + _settled_notifications(picture)


def wait_settled(data_dir, initial=None, limit_s=15.0):
    """Waits until a live shop has settled; raises with what is still broken after limit_s."""
    end = time.monotonic() + limit_s * float(os.environ.get("SHOP_E2E_SLOW", "1"))
    while True:
        picture = read_databases(data_dir, live=True)
        judge(_stock(picture, initial) + _charges(picture), "at once")  # within one file: no need to wait
        if not picture.open_orders():
            # A live picture spans files that move on; only what stays broken counts.
            picture = read_databases(data_dir, live=True)
            broken = settled(picture, initial)
            if not broken:
                return picture
        else:
            broken = [f"order {o['id']} is still {o['state']}" for o in picture.open_orders()]
        if time.monotonic() > end:
            judge(broken, f"not settled after {limit_s} s")
        time.sleep(0.03)


def judge(broken, when):
    """Raises with every broken invariant, at most the first twenty in words."""
    if broken:
        more = f"\n  and {len(broken) - 20} more" if len(broken) > 20 else ""
        raise AssertionError(f"{when}: {len(broken)} broken invariants\n  " + "\n  ".join(broken[:20]) + more)


class Attempt:
    """One idempotency key: what was asked with it and what has been answered so far."""

    def __init__(self, key, user_id, items, card):
        self.key, self.user_id, self.items, self.card = key, user_id, items, card
        self.order_id = None
        self.state = None  # of the last answer
        self.total_minor = None
        self.refused = None  # a final refusal that made no order (status)
        self.cancel_asked = False
        self.cancelled = False

    def answered(self):
        return self.refused is not None or self.state in FINAL_STATES


class History:
    """What the clients asked and were told. Safe to share between threads."""

    def __init__(self):
        self.lock = threading.Lock()
        self.attempts = {}
        self.broken = []

    def begin(self, key, user_id, items, card):
        """Noted before the first byte is sent."""
        with self.lock:
            return self.attempts.setdefault(key, Attempt(key, user_id, dict(items), card))

    def told(self, attempt, order_id, state, total_minor=None):
        """An answer named this order in this state."""
        with self.lock:
            if attempt.order_id not in (None, order_id):
                self.broken.append(f"key {attempt.key} gave order {attempt.order_id}, then {order_id}")
            if attempt.state in FINAL_STATES and state != attempt.state and not attempt.cancel_asked:
                self.broken.append(f"order {order_id} was {attempt.state}, then {state}")
            attempt.order_id, attempt.state = order_id, state
            if total_minor is not None:
                attempt.total_minor = total_minor

    def refuse(self, attempt, status):
        with self.lock:
            attempt.refused = status

    def cancel_asked(self, attempt):
        with self.lock:
            attempt.cancel_asked = True

    def cancel_told(self, attempt):
        with self.lock:
            attempt.cancelled, attempt.state = True, "CANCELLED"

    def unanswered(self):
        with self.lock:
            return [a for a in self.attempts.values() if not a.answered()]

    def snapshot(self):
        with self.lock:
            return list(self.attempts.values()), list(self.broken)


def history(picture, seen, complete):
    """What the databases owe to the clients. complete: every attempt has had its final answer."""
    attempts, broken = seen.snapshot()
    orders, items = {o["id"]: o for o in picture.orders}, picture.items_by_order()
    owners = Counter()
    for attempt in attempts:
        owners[attempt.user_id] += attempt.refused is None
        if attempt.order_id is None:
            continue
        order = orders.get(attempt.order_id)
        if order is None:
            broken.append(f"acknowledged order {attempt.order_id} ({attempt.state}, key {attempt.key}) is missing")
            continue
        broken += _contradictions(attempt, order, items[attempt.order_id])
    shared = Counter(a.order_id for a in attempts if a.order_id)
    broken += [f"{n} different keys got order {o}" for o, n in shared.items() if n > 1]
    counted = Counter(o["user_id"] for o in picture.orders)
    for user, keys in owners.items():
        if counted[user] > keys or (complete and counted[user] != keys):
            broken.append(f"user {user} has {counted[user]} orders from {keys} keys")
    return broken


def _contradictions(attempt, order, items):
    broken, oid, state = [], attempt.order_id, order["state"]
    allowed = {
        "CAPTURED": {"CAPTURED", "CANCELLED"} if attempt.cancel_asked else {"CAPTURED"},
        "CANCELLED": {"CANCELLED"},
        "REJECTED": {"REJECTED"},
    }.get(attempt.state, OPEN_STATES | FINAL_STATES)
    if state not in allowed:
        broken.append(f"order {oid} was acknowledged as {attempt.state} and is now {state}")
    if order["user_id"] != attempt.user_id:
        broken.append(f"order {oid} of {attempt.user_id} now belongs to {order['user_id']}")
    if {i["sku"]: i["quantity"] for i in items} != attempt.items:
        broken.append(f"order {oid} asked for {attempt.items}, has {[tuple(i) for i in items]}")
    if attempt.total_minor is not None and attempt.total_minor != order["total_minor"]:
        broken.append(f"order {oid} was acknowledged with {attempt.total_minor}, is {order['total_minor']}")
    return broken
