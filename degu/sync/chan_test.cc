// After golang/go test/chan/*.go and src/runtime/chan_test.go, then what C++ adds.
#include <degu/rt/testing/all_shapes.h>
#include <degu/sync/chan.h>
#include <degu/sync/select.h>
#include <degu/sync/task_group.h>
#include <degu/sync/testing/probe.h>
#include <degu/sync/wait_group.h>
#include <gtest/gtest.h>

#include <array>
#include <concepts>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace degu {
namespace {

using testing::code_of;
using testing::Counted;
using testing::Explosive;
using testing::receiver_waits;
using testing::sender_waits;
using testing::until;

// perm.go: what a direction does not allow does not compile.
template <class C>
concept Sends = requires(const C& c) {
  c.send(1);
};
template <class C>
concept Receives = requires(const C& c) {
  c.recv();
};
template <class C>
concept Closes = requires(const C& c) {
  c.close();
};
template <class C>
concept Ranges = requires(const C& c) {
  c.begin();
};
static_assert(Sends<Chan<int>> && Receives<Chan<int>> && Closes<Chan<int>> && Ranges<Chan<int>>);
static_assert(Sends<SendChan<int>> && !Receives<SendChan<int>> && Closes<SendChan<int>> &&
              !Ranges<SendChan<int>>);
static_assert(!Sends<RecvChan<int>> && Receives<RecvChan<int>> && !Closes<RecvChan<int>> &&
              Ranges<RecvChan<int>>);
static_assert(std::convertible_to<Chan<int>, SendChan<int>> && std::convertible_to<Chan<int>, RecvChan<int>>);
static_assert(!std::convertible_to<SendChan<int>, Chan<int>> &&
              !std::convertible_to<RecvChan<int>, SendChan<int>>);
static_assert(!std::convertible_to<Chan<int>, SendChan<long>>);

constexpr std::size_t kCapacities[] = {0, 1, 2, 7, 64};

TEST(Chan, ReceivingFromAnEmptyOneWaits) {
  all_shapes([] {
    for (const std::size_t cap : kCapacities) {
      auto c = make_chan<int>(cap);
      EXPECT_FALSE(c.try_recv());
      WaitGroup wg;
      wg.go([&] { EXPECT_EQ(c.recv(), 17); });
      until([&] { return receiver_waits(c); });
      c.send(17);
      wg.wait();
    }
  });
}

TEST(Chan, SendingToAFullOneWaits) {
  all_shapes([] {
    for (const std::size_t cap : kCapacities) {
      auto c = make_chan<std::size_t>(cap);
      for (std::size_t i = 0; i < cap; ++i) c.send(i);
      EXPECT_EQ(c.len(), cap);
      EXPECT_EQ(c.cap(), cap);
      EXPECT_FALSE(c.try_send(99u));
      WaitGroup wg;
      wg.go([&] { c.send(cap); });
      until([&] { return sender_waits(c); });
      for (std::size_t i = 0; i <= cap; ++i) EXPECT_EQ(c.recv(), i);
      wg.wait();
      EXPECT_EQ(c.len(), 0u);
    }
  });
}

TEST(Chan, ClosedOneIsDrainedThenEnds) {
  all_shapes([] {
    for (const std::size_t cap : kCapacities) {
      auto c = make_chan<std::size_t>(cap);
      for (std::size_t i = 0; i < cap; ++i) c.send(i);
      c.close();
      for (std::size_t i = 0; i < cap; ++i) EXPECT_EQ(c.recv(), i);
      EXPECT_FALSE(c.recv());
      EXPECT_FALSE(c.recv());
      EXPECT_FALSE(c.try_recv());
    }
  });
}

TEST(Chan, CloseWakesReceivers) {
  all_shapes([] {
    for (const std::size_t cap : kCapacities) {
      auto c = make_chan<int>(cap);
      WaitGroup wg;
      for (int i = 0; i < 3; ++i) wg.go([&] { EXPECT_FALSE(c.recv()); });
      until([&] { return receiver_waits(c); });
      c.close();
      wg.wait();
    }
  });
}

TEST(Chan, CloseWakesSendersWhichThrow) {
  all_shapes([] {
    auto c = make_chan<Counted>(1);
    c.send(Counted(1));
    WaitGroup wg;
    for (int i = 0; i < 3; ++i) {
      wg.go([&] { EXPECT_EQ(code_of([&] { c.send(Counted(2)); }), Code::kFailedPrecondition); });
    }
    until([&] { return sender_waits(c); });
    c.close();
    wg.wait();
    EXPECT_EQ(c.recv()->value(), 1);
    EXPECT_FALSE(c.recv());
    EXPECT_EQ(Counted::alive, 0);
  });
}

TEST(Chan, KeepsTheOrder) {
  all_shapes([] {
    for (const std::size_t cap : kCapacities) {
      auto c = make_chan<int>(cap);
      WaitGroup wg;
      wg.go([&] {
        for (int i = 0; i < 100; ++i) c.send(i);
      });
      for (int i = 0; i < 100; ++i) EXPECT_EQ(c.recv(), i);
      wg.wait();
    }
  });
}

// fifo.go: those who wait are served in the order in which they came.
TEST(Chan, ServesWaitersInOrder) {
  all_shapes([] {
    auto c = make_chan<int>();
    auto seen = make_chan<int>(8);
    WaitGroup wg;
    auto waiters = [&] {
      std::size_t n = 0;
      const sync_internal::LockGuard guard(c.core()->lock);
      for (auto* w = c.core()->senders.front(); w != nullptr; w = w->next) ++n;
      return n;
    };
    for (int i = 0; i < 8; ++i) {
      wg.go([&, i] { c.send(i); });
      until([&] { return waiters() == static_cast<std::size_t>(i + 1); });
    }
    for (int i = 0; i < 8; ++i) EXPECT_EQ(c.recv(), i);
    wg.wait();
  });
}

TEST(Chan, FourByFourLosesNothing) {
  all_shapes([] {
    constexpr int kPerSender = 250;
    for (const std::size_t cap : kCapacities) {
      auto c = make_chan<int>(cap);
      auto sums = make_chan<long>(4);
      WaitGroup senders;
      for (int p = 0; p < 4; ++p) {
        senders.go([&] {
          for (int i = 1; i <= kPerSender; ++i) c.send(i);
        });
      }
      WaitGroup receivers;
      for (int p = 0; p < 4; ++p) {
        receivers.go([&] {
          long sum = 0;
          int last = 0;
          for (int v : c) {
            sum += v;
            last = v;
          }
          EXPECT_GE(last, 0);
          sums.send(sum);
        });
      }
      senders.wait();
      c.close();
      receivers.wait();
      long total = 0;
      for (int p = 0; p < 4; ++p) total += *sums.recv();
      EXPECT_EQ(total, 4L * kPerSender * (kPerSender + 1) / 2);
    }
  });
}

// MultiConsumer: 23 workers between a feeder and a summing main goroutine.
TEST(Chan, MultiConsumer) {
  all_shapes([] {
    constexpr int kWorkers = 23;
    constexpr int kItems = 2718;
    constexpr int kPrimes[] = {2, 3, 7, 11, 13, 17, 19, 23, 27, 31};
    auto queue = make_chan<int>(kItems / 8);
    auto results = make_chan<int>();
    WaitGroup workers;
    for (int i = 0; i < kWorkers; ++i) {
      workers.go([&] {
        for (int v : queue) {
          if (v % 7 == 0) yield();
          results.send(v);
        }
      });
    }
    long expected = 0;
    for (int i = 0; i < kItems; ++i) expected += kPrimes[i % 10];
    WaitGroup feeder;
    feeder.go([&] {
      for (int i = 0; i < kItems; ++i) queue.send(kPrimes[i % 10]);
      queue.close();
      workers.wait();
      results.close();
    });
    long sum = 0;
    int n = 0;
    for (int v : results) {
      sum += v;
      ++n;
    }
    feeder.wait();
    EXPECT_EQ(n, kItems);
    EXPECT_EQ(sum, expected);
  });
}

// NonblockRecvRace: a try on a channel that holds an element all the time, or is closed, does not fail.
TEST(Chan, TryRecvSeesWhatWasThere) {
  all_shapes([] {
    for (int i = 0; i < 300; ++i) {
      auto c = make_chan<int>(1);
      c.send(1);
      WaitGroup wg;
      bool missed = false;
      wg.go([&] { missed = select(recv(c), otherwise()) == 1; });
      c.close();
      c.recv();
      wg.wait();
      EXPECT_FALSE(missed);
    }
  });
}

TEST(Chan, NilWaitsForEverAndCannotBeClosed) {
  all_shapes([] {
    Chan<int> nil;
    EXPECT_FALSE(nil);
    EXPECT_EQ(nil.len(), 0u);
    EXPECT_EQ(nil.cap(), 0u);
    EXPECT_FALSE(nil.try_recv());
    EXPECT_FALSE(nil.try_send(1));
    EXPECT_EQ(code_of([&] { nil.close(); }), Code::kFailedPrecondition);
    TaskGroup group;
    int thrown = 0;
    group.go([&] {
      EXPECT_THROW(nil.recv(), Cancelled);
      EXPECT_THROW(nil.send(1), Cancelled);
      ++thrown;
    });
    yield();
    EXPECT_EQ(thrown, 0);
    group.cancel();
    group.wait();
    EXPECT_EQ(thrown, 1);
  });
}

TEST(Chan, MisuseOfAClosedOneThrows) {
  all_shapes([] {
    auto c = make_chan<int>(1);
    c.close();
    EXPECT_EQ(code_of([&] { c.close(); }), Code::kFailedPrecondition);
    EXPECT_EQ(code_of([&] { c.send(1); }), Code::kFailedPrecondition);
    EXPECT_EQ(code_of([&] { static_cast<void>(c.try_send(1)); }), Code::kFailedPrecondition);
    try {
      c.send(1);
    } catch (const Error& e) {
      EXPECT_EQ(e.message(), "send on closed channel");
    }
  });
}

TEST(Chan, HandlesShareAndCompare) {
  run([] {
    auto a = make_chan<int>(1);
    Chan<int> b = a;
    SendChan<int> in = a;
    RecvChan<int> out = b;
    EXPECT_TRUE(a == b);
    EXPECT_FALSE(a == make_chan<int>(1));
    EXPECT_TRUE(Chan<int>() == Chan<int>());
    in.send(4);
    a = Chan<int>();
    b = nullptr == a.core() ? a : b;
    EXPECT_EQ(out.recv(), 4);
    EXPECT_EQ(code_of([] { make_chan<std::array<char, 4096>>(SIZE_MAX / 2); }), Code::kInvalidArgument);
  });
}

// sieve1.go: a chain of filters that grows; torn down through a stop channel instead of a leak.
TEST(Chan, PrimeSieve) {
  all_shapes([] {
    TaskGroup group;
    auto numbers = make_chan<int>();
    group.go([numbers] {
      for (int i = 2;; ++i) numbers.send(i);
    });
    Chan<int> in = numbers;
    std::vector<int> primes;
    while (primes.size() < 25) {
      const int prime = *in.recv();
      primes.push_back(prime);
      auto out = make_chan<int>();
      group.go([in, out, prime] {
        for (int v : in) {
          if (v % prime != 0) out.send(v);
        }
      });
      in = out;
    }
    EXPECT_EQ(primes.back(), 97);
    group.cancel();
    group.wait();
  });
}

// goroutines.go: a chain of goroutines, each of which passes one value to the next.
TEST(Chan, LongChain) {
  all_shapes([] {
    constexpr int kLinks = 1000;
    WaitGroup wg;
    auto first = make_chan<int>();
    Chan<int> in = first;
    for (int i = 0; i < kLinks; ++i) {
      auto out = make_chan<int>();
      wg.go([in, out] { out.send(*in.recv() + 1); });
      in = out;
    }
    first.send(0);
    EXPECT_EQ(in.recv(), kLinks);
    wg.wait();
  });
}

TEST(Chan, ZeroSizeElements) {
  all_shapes([] {
    struct Nothing {};
    auto c = make_chan<Nothing>(3);
    for (int i = 0; i < 3; ++i) c.send({});
    EXPECT_EQ(c.len(), 3u);
    c.close();
    int n = 0;
    for (Nothing& nothing : c) {
      static_cast<void>(nothing);
      ++n;
    }
    EXPECT_EQ(n, 3);
  });
}

TEST(Chan, MoveOnlyElements) {
  all_shapes([] {
    for (const std::size_t cap : {0u, 1u, 4u}) {
      auto c = make_chan<std::unique_ptr<int>>(cap);
      WaitGroup wg;
      wg.go([&] {
        for (int i = 0; i < 50; ++i) c.send(std::make_unique<int>(i));
        c.close();
      });
      int next = 0;
      for (std::unique_ptr<int>& p : c) EXPECT_EQ(*p, next++);
      EXPECT_EQ(next, 50);
      wg.wait();
    }
  });
}

TEST(Chan, FailedTrySendLeavesTheValue) {
  run([] {
    auto c = make_chan<std::unique_ptr<int>>(1);
    auto p = std::make_unique<int>(1);
    EXPECT_TRUE(c.try_send(std::move(p)));
    EXPECT_EQ(p, nullptr);
    p = std::make_unique<int>(2);
    EXPECT_FALSE(c.try_send(std::move(p)));
    ASSERT_NE(p, nullptr);
    EXPECT_EQ(*p, 2);
    auto boxed = make_chan<Explosive>(0);
    Explosive e(3);
    EXPECT_FALSE(boxed.try_send(std::move(e)));
    EXPECT_EQ(e.value(), 3);
  });
}

TEST(Chan, ThrowingMovesLeaveTheChannelWhole) {
  all_shapes([] {
    auto c = make_chan<Explosive>(2);
    c.send(Explosive(1));
    Explosive::armed = true;
    EXPECT_EQ(code_of([&] { c.send(Explosive(2)); }), Code::kInternal);
    Explosive::armed = false;
    EXPECT_EQ(c.len(), 1u);
    c.send(Explosive(3));
    EXPECT_EQ(c.recv()->value(), 1);
    Explosive::armed = true;
    EXPECT_EQ(code_of([&] { c.recv(); }), Code::kInternal);  // taken out, and lost in the receiver's hands
    Explosive::armed = false;
    EXPECT_EQ(c.len(), 0u);
    EXPECT_EQ(Explosive::alive, 0);
  });
}

TEST(Chan, OverAlignedElements) {
  struct alignas(64) Wide {
    explicit Wide(uint64_t value) : n(value) {}
    Wide(Wide&& other) noexcept
        : n(other.n) {}  // not trivial: passed by reference, so that the ABI note of GCC stays away
    uint64_t n;
  };
  all_shapes([] {
    auto c = make_chan<Wide>(3);
    WaitGroup wg;
    wg.go([&] {
      for (uint64_t i = 0; i < 20; ++i) c.send(Wide{i});
      c.close();
    });
    uint64_t next = 0;
    for (Wide& w : c) {
      EXPECT_EQ(reinterpret_cast<uintptr_t>(&w) % 64, 0u);
      EXPECT_EQ(w.n, next++);
    }
    wg.wait();
  });
}

TEST(Chan, UndeliveredElementsAreDestroyed) {
  run([] {
    {
      auto c = make_chan<Counted>(4);
      for (int i = 0; i < 4; ++i) c.send(Counted(i));
      EXPECT_EQ(c.recv()->value(), 0);
      c.send(Counted(4));
      c.close();
      EXPECT_EQ(Counted::alive, 4);
    }
    EXPECT_EQ(Counted::alive, 0);
  });
}

TEST(Chan, CancelledWaitersLeaveTheQueue) {
  all_shapes([] {
    auto c = make_chan<Counted>();
    {
      TaskGroup group;
      for (int i = 0; i < 4; ++i) {
        group.go([&] { EXPECT_THROW(c.recv(), Cancelled); });
      }
      until([&] { return receiver_waits(c); });
      group.cancel();
      group.wait();
      EXPECT_FALSE(receiver_waits(c));
    }
    {
      TaskGroup group;
      for (int i = 0; i < 4; ++i) {
        group.go([&, i] { EXPECT_THROW(c.send(Counted(i)), Cancelled); });
      }
      until([&] { return sender_waits(c); });
      group.cancel();
      group.wait();
      EXPECT_FALSE(sender_waits(c));
    }
    EXPECT_EQ(Counted::alive, 0);
  });
}

// Cancellation and hand-off meet at the same moment: each value is received once or stays with its sender.
TEST(Chan, CancelRacesWithTheHandOff) {
  all_shapes([] {
    for (int round = 0; round < 100; ++round) {
      auto c = make_chan<int>();
      TaskGroup group;
      std::atomic<int> sent{0};
      std::atomic<int> received{0};
      for (int i = 0; i < 3; ++i) {
        group.go([&] {
          c.send(1);
          sent.fetch_add(1);
        });
        group.go([&] { received.fetch_add(*c.recv()); });
      }
      if (round % 2 == 0) yield();
      group.cancel();
      group.wait();
      EXPECT_EQ(sent, received);
      EXPECT_FALSE(sender_waits(c));
      EXPECT_FALSE(receiver_waits(c));
    }
  });
}

TEST(Chan, ElementsOutliveTheHandles) {
  all_shapes([] {
    RecvChan<std::string> out;
    {
      auto c = make_chan<std::string>(2);
      out = c;
      c.send(std::string(100, 'x'));
      c.close();
    }
    EXPECT_EQ(out.recv()->size(), 100u);
    EXPECT_FALSE(out.recv());
  });
}

TEST(Chan, SuspendsInsideCatch) {
  all_shapes([] {
    auto a = make_chan<int>();
    auto b = make_chan<int>();
    WaitGroup wg;
    for (int i = 0; i < 2; ++i) {
      wg.go([&, i] {
        try {
          throw std::string(i == 0 ? "first" : "second");
        } catch (const std::string& caught) {
          if (i == 0) {
            a.send(1);
            b.recv();
          } else {
            a.recv();
            b.send(1);
          }
          EXPECT_EQ(caught, i == 0 ? "first" : "second");
          try {
            throw;
          } catch (const std::string& again) {
            EXPECT_EQ(again, i == 0 ? "first" : "second");
          }
        }
        EXPECT_EQ(std::uncaught_exceptions(), 0);
      });
    }
    wg.wait();
  });
}

TEST(Chan, ForeignThreadsTakePart) {
  run([] {
    auto to = make_chan<int>();
    auto from = make_chan<int>();
    std::thread thread([&] {
      for (int v : to) from.send(v + 1);
      from.close();
    });
    for (int i = 0; i < 100; ++i) {
      to.send(i);
      EXPECT_EQ(from.recv(), i + 1);
    }
    to.close();
    EXPECT_FALSE(from.recv());
    blocking([&] { thread.join(); });
  });
}

}  // namespace
}  // namespace degu
