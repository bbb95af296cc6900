#!/usr/bin/env python3
"""kill -9 under load, again and again: no money, stock, order or message is lost or doubled.

Half of the rounds arm a crash point (the process kills itself the n-th time a saga reaches it),
the others kill from outside at a random moment. After each death the files are judged as they
lie there; then the shop starts, resumes, every unanswered request is repeated with its key, and
once all has settled the invariants and the clients' history are judged again. All rounds work
on one data directory, so that damage done early has the whole run to show.
"""

import random
import threading
import time
from collections import Counter

import harness
import invariants
import shopping
from harness import CARD_DECLINED, CARD_OK, Settings, Shop

STEPS = ("pending", "reserved", "authorized", "confirmed", "captured", "notified", "compensating")
POINTS = [step + suffix for step in STEPS for suffix in ("-before", "")]
CUSTOMERS = 6
ORDERS_A_ROUND = 90
LOAD_LIMIT_S = 4.0 * harness.SLOW


class Load:
    """Customers that shop from their own threads until told to stop, or until the shop is gone."""

    def __init__(self, customers, seen, skus, seed, limit):
        self.stop = threading.Event()
        self.wrong = []
        self.left = threading.Semaphore(limit)
        self.threads = [threading.Thread(target=self._run, daemon=True, args=(
            shopping.Shopper(c, seen, skus, random.Random(f"{seed}/{i}")),)) for i, c in enumerate(customers)]
        for thread in self.threads:
            thread.start()

    def _run(self, shopper):
        try:
            while not self.stop.is_set() and self.left.acquire(blocking=False):
                shopper.step()
        except shopping.BROKEN_CONNECTION:
            pass
        except Exception as error:  # judged by the round, once the threads are joined
            self.wrong.append(error)

    def busy(self):
        return any(thread.is_alive() for thread in self.threads)

    def join(self):
        self.stop.set()
        for thread in self.threads:
            thread.join(30)
            assert not thread.is_alive(), "a customer hangs although the shop is gone"
        if self.wrong:
            raise self.wrong[0]


def plan(rounds, source):
    """The rounds in a seeded order: every crash point, then random kills; at least half are crash points."""
    points = [POINTS[i % len(POINTS)] for i in range(min(rounds, max(rounds // 2, len(POINTS))))]
    modes = points + [None] * (rounds - len(points))
    source.shuffle(modes)
    return modes


class Crash(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.shop = Shop("crash")
        self.addCleanup(self.shop.kill)
        self.shop.start()
        self.seen = invariants.History()
        self.initial = shopping.all_stock(invariants.read_databases(self.shop.data_dir, live=True))
        self.customers = shopping.register_customers(self.shop, CUSTOMERS, "crash")
        self.random = random.Random(Settings.seed)
        self.cut_short = 0  # requests that were under way at a death

    def skus(self):
        """A few products with stock, one of them scarce: rivals meet, and some orders must be refused."""
        picture = invariants.read_databases(self.shop.data_dir, live=True)
        stocked = [row["sku"] for row in sorted(picture.stock, key=lambda row: -row["free"]) if row["free"] > 0]
        assert stocked, "everything is sold out: too many rounds for this catalogue"
        scarce = [row["sku"] for row in sorted(picture.stock, key=lambda row: row["free"])][:2]
        return list(dict.fromkeys(stocked[:12] + scarce))

    def test_rounds(self):
        modes, times, deaths = plan(Settings.rounds, self.random), [], Counter()
        for number, point in enumerate(modes):
            begin = time.monotonic()
            name = f"round {number + 1} of {len(modes)}, " + (f"crash at {point}" if point else "random kill")
            try:
                deaths[point or "random"] += 1
                self.one_round(point, f"{Settings.seed}/{number}")
            except Exception as error:
                raise AssertionError(f"{name}: {error}") from error
            times.append(time.monotonic() - begin)
        attempts, _ = self.seen.snapshot()
        states = Counter(a.state for a in attempts)
        print(f"\n  {len(modes)} rounds, {sum(times) / len(times):.2f} s a round (longest {max(times):.2f} s);"
              f" {len(attempts)} orders: {dict(states)}; {self.cut_short} were cut short", flush=True)
        self.assertGreater(self.cut_short, len(modes) // 2, "the deaths came too late to prove anything")
        self.assertGreater(states["CAPTURED"], len(modes), "too little was sold to prove anything")
        missing = set(POINTS) - set(deaths) if len(modes) >= len(POINTS) else set()
        self.assertFalse(missing, "crash points never used")

    def restock(self, source):
        """Cancels captured orders once little is left to sell: the cheapest way to new stock, and a test as well."""
        picture = invariants.read_databases(self.shop.data_dir, live=True)
        wanted = sum(self.initial.values()) // 2 - sum(row["free"] for row in picture.stock)
        sold = [a for a in self.seen.snapshot()[0] if a.state == "CAPTURED" and not a.cancel_asked]
        by_user = {customer.id: customer for customer in self.customers}
        while wanted > 0 and sold:
            attempt = sold.pop(source.randrange(len(sold)))
            wanted -= sum(attempt.items.values())
            shopping.cancel(by_user[attempt.user_id], attempt, self.seen)

    def one_round(self, point, seed):
        source = random.Random(seed)
        self.restock(source)
        skus = self.skus()
        if point:
            self.shop.kill()
            self.judge_files("after an idle kill")
            self.shop.start(crash_at=f"{point}:{source.randint(1, 6)}")
        load = Load(self.customers, self.seen, skus, seed, ORDERS_A_ROUND)
        if point:
            self.await_death(point, load)
        else:
            time.sleep(source.uniform(0.0, 0.35))
            self.shop.kill()
        load.join()
        self.cut_short += len(self.seen.unanswered())
        self.judge_files("after the crash")
        if not point and source.random() < 0.3:  # once more while it resumes
            self.shop.start(wait=False)
            time.sleep(source.uniform(0.0, 0.15))
            self.shop.kill()
            self.judge_files("after a crash while resuming")
        self.shop.start()
        shopping.answer_all(self.shop, self.seen, self.customers)
        picture = invariants.wait_settled(self.shop.data_dir, self.initial)
        invariants.judge(invariants.history(picture, self.seen, complete=True), "after resuming")
        self.check_over_http(source)

    def await_death(self, point, load):
        """Waits until the armed process has killed itself; extra orders when the load ended before."""
        end, extra = time.monotonic() + LOAD_LIMIT_S, 0
        while self.shop.wait_exit(0.02) is None:
            if not load.busy() and not load.wrong and extra < 30:
                extra += 1
                self.extra_order(CARD_DECLINED if point.startswith("compensating") else CARD_OK, extra)
            if time.monotonic() > end or load.wrong:
                self.shop.kill()
                load.join()
                raise AssertionError(f"the process never reached {point}; was it armed?\n{self.shop.log_tail(5)}")
        self.assertEqual(self.shop.process.returncode, -9, self.shop.log_tail())

    def extra_order(self, card, number):
        customer = self.customers[0]
        sku = self.skus()[0]
        attempt = self.seen.begin(f"extra-{self.shop.starts}-{number}", customer.id, {sku: 1}, card)
        try:
            shopping.place(customer, attempt, self.seen)
        except shopping.BROKEN_CONNECTION:
            pass

    def judge_files(self, when):
        """The files of the dead process: what holds at every instant, and no acknowledged order missing."""
        picture = invariants.read_databases(self.shop.data_dir, live=False)
        broken = invariants.instant(picture, self.initial)
        invariants.judge(broken + invariants.history(picture, self.seen, complete=False), when)

    def check_over_http(self, source):
        """A few acknowledged orders, read as their customers would."""
        attempts = [a for a in self.seen.snapshot()[0] if a.order_id]
        by_user = {customer.id: customer for customer in self.customers}
        for attempt in source.sample(attempts, min(5, len(attempts))):
            order = by_user[attempt.user_id].expect(200, "GET", f"/api/v1/orders/{attempt.order_id}").json()
            allowed = {attempt.state, "CANCELLED"} if attempt.cancel_asked else {attempt.state}
            assert order["state"] in allowed, f"acknowledged as {attempt.state}, served as {order['state']}"


if __name__ == "__main__":
    harness.main()
