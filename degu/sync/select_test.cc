// After golang/go test/chan/select*.go, doubleselect.go, nonblock.go and src/runtime/chan_test.go.
#include <degu/rt/testing/all_shapes.h>
#include <degu/sync/select.h>
#include <degu/sync/task_group.h>
#include <degu/sync/testing/probe.h>
#include <degu/sync/wait_group.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

namespace degu {
namespace {

using testing::code_of;
using testing::Counted;
using testing::Explosive;
using testing::receiver_waits;
using testing::sender_waits;
using testing::until;
using namespace std::chrono_literals;

TEST(Select, TakesTheReadyCase) {
  all_shapes([] {
    auto a = make_chan<int>(1);
    auto b = make_chan<std::string>(1);
    b.send("b");
    std::string got;
    EXPECT_EQ(select(recv(a, [&](int) { got = "a"; }), recv(b, [&](std::string s) { got = s; })), 1);
    EXPECT_EQ(got, "b");
    int sent = 0;
    EXPECT_EQ(select(recv(b, [&](std::string) { sent = -1; }), send(a, 5, [&] { ++sent; })), 1);
    EXPECT_EQ(sent, 1);
    EXPECT_EQ(a.recv(), 5);
  });
}

TEST(Select, HandlersOfReceive) {
  run([] {
    auto c = make_chan<int>(2);
    c.send(1);
    c.send(2);
    c.close();
    std::optional<int> optional = -1;
    int value = -1;
    int calls = 0;
    EXPECT_EQ(select(recv(c, [&](std::optional<int> v) { optional = v; })), 0);
    EXPECT_EQ(optional, 1);
    EXPECT_EQ(select(recv(c, [&](int v) { value = v; })), 0);
    EXPECT_EQ(value, 2);
    EXPECT_EQ(select(recv(c, [&](std::optional<int> v) { optional = v; })), 0);
    EXPECT_FALSE(optional);
    EXPECT_EQ(select(recv(c, [&](int) { ++calls; })), 0);  // closed: no value, no call
    EXPECT_EQ(calls, 0);
    EXPECT_EQ(select(recv(c, [&] { ++calls; })), 0);
    EXPECT_EQ(calls, 1);
    EXPECT_EQ(select(recv(c)), 0);
  });
}

// nonblock.go
TEST(Select, OtherwiseDoesNotWait) {
  all_shapes([] {
    for (const std::size_t cap : {0u, 1u}) {
      auto c = make_chan<int>(cap);
      EXPECT_EQ(select(recv(c), otherwise()), 1);
      EXPECT_EQ(select(otherwise(), recv(c)), 0);
      if (cap == 0) {
        EXPECT_EQ(select(send(c, 1), otherwise()), 1);
        WaitGroup wg;
        wg.go([&] { c.send(7); });
        until([&] { return sender_waits(c); });
        int got = 0;
        EXPECT_EQ(select(recv(c, [&](int v) { got = v; }), otherwise()), 0);
        EXPECT_EQ(got, 7);
        wg.wait();
      } else {
        EXPECT_EQ(select(send(c, 1), otherwise()), 0);
        EXPECT_EQ(select(send(c, 1), otherwise()), 1);
        EXPECT_EQ(select(otherwise(), recv(c)), 1);
      }
    }
  });
}

// select3.go: what always waits, what never does, and what panics.
TEST(Select, Table) {
  all_shapes([] {
    Chan<int> nil;
    auto closed = make_chan<int>();
    closed.close();
    auto empty = make_chan<int>(1);
    auto full = make_chan<int>(1);
    full.send(1);
    auto waits = [](auto&&... cases) {
      return select(std::forward<decltype(cases)>(cases)..., after(0ns)) == sizeof...(cases);
    };
    EXPECT_TRUE(waits());
    EXPECT_TRUE(waits(recv(nil)));
    EXPECT_TRUE(waits(send(nil, 1)));
    EXPECT_TRUE(waits(recv(nil), send(nil, 1)));
    EXPECT_TRUE(waits(recv(empty)));
    EXPECT_TRUE(waits(send(full, 1)));
    EXPECT_TRUE(waits(recv(empty), send(full, 1), recv(nil)));
    EXPECT_FALSE(waits(recv(closed)));
    EXPECT_FALSE(waits(recv(closed), recv(nil)));
    EXPECT_FALSE(waits(recv(full)));
    full.send(1);
    EXPECT_FALSE(waits(send(empty, 1)));
    EXPECT_EQ(code_of([&] { select(send(closed, 1)); }), Code::kFailedPrecondition);
    EXPECT_EQ(code_of([&] { select(send(closed, 1), otherwise()); }), Code::kFailedPrecondition);
    EXPECT_EQ(code_of([&] { select(send(closed, 1), recv(nil)); }), Code::kFailedPrecondition);
  });
}

TEST(Select, WithoutReadyCasesWaitsForTheEndOfTheContext) {
  all_shapes([] {
    TaskGroup group;
    Chan<int> nil;
    auto c = make_chan<int>();
    group.go([&] { EXPECT_THROW(select(), Cancelled); });
    group.go([&] { EXPECT_THROW(select(recv(nil)), Cancelled); });
    group.go([&] { EXPECT_THROW(select(recv(c), recv(nil)), Cancelled); });
    until([&] { return receiver_waits(c); });
    group.cancel();
    group.wait();
    EXPECT_FALSE(receiver_waits(c));
  });
}

TEST(Select, CloseWakesBothWays) {
  all_shapes([] {
    auto c = make_chan<int>();
    auto d = make_chan<int>();
    auto e = make_chan<int>();
    WaitGroup wg;
    wg.go([&] { EXPECT_EQ(select(recv(c), recv(d, [](std::optional<int> v) { EXPECT_FALSE(v); })), 1); });
    wg.go([&] { EXPECT_EQ(code_of([&] { select(recv(c), send(e, 2)); }), Code::kFailedPrecondition); });
    until([&] { return receiver_waits(d) && sender_waits(e); });
    d.close();
    e.close();
    wg.wait();
    EXPECT_FALSE(receiver_waits(c));
  });
}

// doubleselect.go: one wake-up, one case.
TEST(Select, NeverTakesTwoCases) {
  all_shapes([] {
    constexpr int kRounds = 300;
    auto c1 = make_chan<int>();
    auto c2 = make_chan<int>();
    auto c3 = make_chan<int>();
    auto c4 = make_chan<int>();
    auto merged = make_chan<int>();
    WaitGroup wg;
    wg.go([&] {
      for (int i = 0; i < kRounds; ++i) {
        select(send(c1, i), send(c2, i), send(c3, i), send(c4, i));
      }
      for (auto& c : {c1, c2, c3, c4}) c.close();
    });
    WaitGroup forwarders;
    for (auto& c : {c1, c2, c3, c4}) {
      forwarders.go([c, merged] {
        for (int v : c) merged.send(v);
      });
    }
    wg.go([&] {
      forwarders.wait();
      merged.close();
    });
    std::vector<int> seen(kRounds, 0);
    for (int v : merged) ++seen[static_cast<std::size_t>(v)];
    for (int n : seen) EXPECT_EQ(n, 1);
    wg.wait();
  });
}

// NonblockSelectRace: closing one of two channels that the other side looks at.
TEST(Select, OtherwiseIsNotTakenWhileSomethingIsReady) {
  all_shapes([] {
    for (int i = 0; i < 300; ++i) {
      auto c1 = make_chan<int>(1);
      auto c2 = make_chan<int>(1);
      c1.send(1);
      WaitGroup wg;
      bool missed = false;
      wg.go([&] { missed = select(recv(c1), recv(c2), otherwise()) == 2; });
      c2.send(1);
      static_cast<void>(c1.try_recv());
      wg.wait();
      EXPECT_FALSE(missed);
    }
  });
}

// NonblockSelectRace2: the same with close.
TEST(Select, OtherwiseIsNotTakenAcrossAClose) {
  all_shapes([] {
    for (int i = 0; i < 300; ++i) {
      auto c1 = make_chan<int>(1);
      auto c2 = make_chan<int>();
      c1.send(1);
      WaitGroup wg;
      bool missed = false;
      wg.go([&] { missed = select(recv(c1), recv(c2), otherwise()) == 2; });
      c2.close();
      static_cast<void>(c1.try_recv());
      wg.wait();
      EXPECT_FALSE(missed);
    }
  });
}

// SelfSelect: send and receive on one channel; nobody receives what it sent.
TEST(Select, DoesNotMeetItself) {
  all_shapes([] {
    for (const std::size_t cap : {0u, 10u}) {
      auto c = make_chan<int>(cap);
      WaitGroup wg;
      for (int p = 0; p < 2; ++p) {
        wg.go([&, p] {
          for (int i = 0; i < 200; ++i) {
            auto check = [&](int v) {
              if (cap == 0) {
                EXPECT_NE(v, p);
              }
            };
            if (p == 0 || i % 2 == 0) {
              select(send(c, p), recv(c, check));
            } else {
              select(recv(c, check), send(c, p));
            }
          }
        });
      }
      // An unbuffered pair meets 200 times; each meeting ends one round of both.
      wg.wait();
    }
  });
}

// SelectDuplicateChannel: a channel in two cases is left by identity.
TEST(Select, DuplicateChannels) {
  all_shapes([] {
    auto c = make_chan<int>();
    auto d = make_chan<int>();
    auto e = make_chan<int>();
    WaitGroup wg;
    wg.go([&] {
      select(recv(c), recv(c), recv(d));
      e.send(9);
    });
    until([&] { return receiver_waits(c); });
    wg.go([&] { c.recv(); });
    until([&] {
      const sync_internal::LockGuard guard(c.core()->lock);
      auto* w = c.core()->receivers.front();
      return w != nullptr && w->next != nullptr && w->next->next != nullptr;
    });
    d.send(7);
    EXPECT_EQ(e.recv(), 9);
    c.send(8);
    wg.wait();
    EXPECT_FALSE(receiver_waits(c));
  });
}

// SelectStress: four goroutines with sends, four with receives, selects on both sides.
TEST(Select, Stress) {
  all_shapes([] {
    constexpr int kPerChannel = 250;
    std::array<Chan<int>, 4> c{make_chan<int>(0), make_chan<int>(0), make_chan<int>(2), make_chan<int>(3)};
    WaitGroup wg;
    for (auto& chan : c) {
      wg.go([&] {
        for (int i = 0; i < kPerChannel; ++i) chan.send(0);
      });
      wg.go([&] {
        for (int i = 0; i < kPerChannel; ++i) chan.recv();
      });
    }
    wg.go([&] {
      std::array<int, 4> n{};
      std::array<Chan<int>, 4> live = c;
      for (int i = 0; i < 4 * kPerChannel; ++i) {
        const int k = select(send(live[3], 0), send(live[2], 0), send(live[0], 0), send(live[1], 0));
        const std::size_t which = std::array<std::size_t, 4>{3, 2, 0, 1}[static_cast<std::size_t>(k)];
        if (++n[which] == kPerChannel) live[which] = {};
      }
    });
    wg.go([&] {
      std::array<int, 4> n{};
      std::array<Chan<int>, 4> live = c;
      for (int i = 0; i < 4 * kPerChannel; ++i) {
        const auto k =
            static_cast<std::size_t>(select(recv(live[0]), recv(live[1]), recv(live[2]), recv(live[3])));
        if (++n[k] == kPerChannel) live[k] = {};
      }
    });
    wg.wait();
    for (auto& chan : c) EXPECT_EQ(chan.len(), 0u);
  });
}

// SelectFairness and PseudoRandomSend: each of two ready cases is taken about half of the time.
TEST(Select, IsFair) {
  run([] {
    constexpr int kTrials = 10000;
    auto a = make_chan<int>(kTrials);
    auto b = make_chan<int>(kTrials);
    auto quiet = make_chan<int>();
    for (int i = 0; i < kTrials; ++i) {
      a.send(i);
      b.send(i);
    }
    std::array<int, 3> counts{};
    for (int i = 0; i < kTrials; ++i) {
      ++counts[static_cast<std::size_t>(select(recv(quiet), recv(a), recv(b)))];
    }
    EXPECT_EQ(counts[0], 0);
    EXPECT_LT(std::abs(counts[1] - counts[2]), 10 * std::sqrt(kTrials));
    auto bits = make_chan<int>(64);
    for (int i = 0; i < 64; ++i) select(send(bits, 0), send(bits, 1));
    int ones = 0;
    for (int i = 0; i < 64; ++i) ones += *bits.recv();
    EXPECT_GT(ones, 0);
    EXPECT_LT(ones, 64);
  });
}

TEST(Select, OrderedPrefersTheFirst) {
  all_shapes([] {
    auto a = make_chan<int>(20);
    auto b = make_chan<int>(20);
    for (int i = 0; i < 20; ++i) {
      a.send(i);
      b.send(i);
    }
    for (int i = 0; i < 20; ++i) EXPECT_EQ(select_ordered(recv(a), recv(b)), 0);
    EXPECT_EQ(select_ordered(recv(a), recv(b)), 1);
  });
}

// select6.go (#2075): cases that were not taken leave the queues as they were.
TEST(Select, LosersLeaveTheQueuesWhole) {
  all_shapes([] {
    auto c1 = make_chan<bool>();
    auto c2 = make_chan<bool>();
    auto c3 = make_chan<bool>();
    auto c4 = make_chan<bool>();
    WaitGroup wg;
    wg.go([&] { c1.recv(); });
    wg.go([&] {
      select(recv(c1, [](bool) { ADD_FAILURE(); }), recv(c2, [&] { c3.send(true); }));
      c1.recv();
      c4.send(true);
    });
    until([&] { return receiver_waits(c2); });
    c2.send(true);
    c3.recv();
    c1.send(true);
    c1.send(true);
    c4.recv();
    wg.wait();
  });
}

TEST(Select, AfterEndsTheWait) {
  all_shapes([] {
    auto c = make_chan<int>();
    const TimePoint start = now();
    bool late = false;
    EXPECT_EQ(select(recv(c), after(2ms, [&] { late = true; }), after(1h)), 1);
    EXPECT_TRUE(late);
    EXPECT_GE(now() - start, 2ms);
    EXPECT_FALSE(receiver_waits(c));
    // A channel that is ready goes before a timer that is due.
    auto ready = make_chan<int>(1);
    ready.send(1);
    EXPECT_EQ(select(after(-1s), recv(ready)), 1);
    EXPECT_EQ(select(after(-1s), recv(ready)), 0);
  });
}

TEST(Select, DoneIsReadyWhenAContextEnds) {
  all_shapes([] {
    auto c = make_chan<int>();
    TaskGroup other;
    WaitGroup wg;
    wg.go([&] { EXPECT_EQ(select(recv(c), done(other)), 1); });
    until([&] { return receiver_waits(c); });
    other.cancel();
    wg.wait();
    EXPECT_EQ(select(recv(c), done(other)), 1);
    EXPECT_EQ(select(recv(c), done(other), otherwise()), 1);
    EXPECT_FALSE(receiver_waits(c));
  });
}

TEST(Select, DoneOfTheCurrentContextGoesBeforeTheException) {
  all_shapes([] {
    auto c = make_chan<int>();
    TaskGroup group;
    int taken = -1;
    group.go([&] { taken = select(recv(c), done(group)); });
    until([&] { return receiver_waits(c); });
    group.cancel();
    group.wait();
    EXPECT_EQ(taken, 1);
  });
}

TEST(Select, ValueThatIsNotSentStays) {
  all_shapes([] {
    auto c = make_chan<std::unique_ptr<int>>();
    auto ready = make_chan<int>(1);
    ready.send(1);
    auto p = std::make_unique<int>(5);
    EXPECT_EQ(select(send(c, std::move(p)), recv(ready)), 1);
    ASSERT_NE(p, nullptr);
    EXPECT_EQ(select(send(c, std::move(p)), otherwise()), 1);
    ASSERT_NE(p, nullptr);
    EXPECT_EQ(select(send(c, std::move(p)), after(0ns)), 1);
    ASSERT_NE(p, nullptr);
    auto boxed = make_chan<Explosive>();
    Explosive e(4);
    EXPECT_EQ(select(send(boxed, std::move(e)), after(0ns)), 1);
    EXPECT_EQ(e.value(), 4);
  });
}

TEST(Select, MovesEachElementOnce) {
  all_shapes([] {
    auto c = make_chan<Counted>();
    auto d = make_chan<Counted>(2);
    WaitGroup wg;
    wg.go([&] {
      const Counted lvalue(7);
      for (int i = 0; i < 50; ++i) select(send(c, Counted(i)), send(d, lvalue));
      c.close();
      d.close();
    });
    int n = 0;
    Chan<Counted> live_c = c;
    Chan<Counted> live_d = d;
    while (live_c || live_d) {
      auto count = [&](Chan<Counted>& chan) {
        return [&](std::optional<Counted> v) {
          if (v) {
            ++n;
            EXPECT_GE(v->value(), 0);
          } else {
            chan = {};
          }
        };
      };
      select(recv(live_c, count(live_c)), recv(live_d, count(live_d)));
    }
    EXPECT_EQ(n, 50);
    wg.wait();
    EXPECT_EQ(Counted::alive, 0);
  });
}

TEST(Select, HandlerExceptionsPassThrough) {
  run([] {
    auto c = make_chan<int>(1);
    c.send(1);
    EXPECT_THROW(select(recv(c, [](int) { throw Error(Code::kAborted, "handler"); })), Error);
    EXPECT_EQ(c.len(), 0u);
  });
}

// Cancellation, close, timers and partners at once: nobody hangs, nobody stays in a queue.
TEST(Select, ManyWaysToEnd) {
  all_shapes([] {
    for (int round = 0; round < 60; ++round) {
      auto a = make_chan<int>();
      auto b = make_chan<int>(1);
      TaskGroup group;
      for (int i = 0; i < 3; ++i) {
        group.go([&] { select(recv(a), send(b, 1), after(std::chrono::microseconds(round * 7))); });
        group.go([&] { select(send(a, 1), recv(b), done(group)); });
      }
      if (round % 3 == 0) yield();
      if (round % 3 == 1) static_cast<void>(a.try_send(1));
      group.cancel();
      group.wait();
      EXPECT_FALSE(receiver_waits(a) || sender_waits(a) || receiver_waits(b) || sender_waits(b));
    }
  });
}

}  // namespace
}  // namespace degu
