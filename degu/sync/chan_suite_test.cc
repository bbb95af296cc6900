// The rest of golang/go test/chan, test/ken/chan*.go and src/runtime/chan_test.go: mixed topologies, large
// graphs, full counts. See docs/internals/semantics.md.
#include <degu/base/error.h>
#include <degu/rt/testing/all_shapes.h>
#include <degu/sync/chan.h>
#include <degu/sync/select.h>
#include <degu/sync/task_group.h>
#include <degu/sync/testing/probe.h>
#include <degu/sync/wait_group.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include <array>
#include <atomic>
#include <memory>
#include <queue>
#include <string>
#include <utility>
#include <vector>

namespace degu {
namespace {

using testing::sender_waits;
using testing::until;
using namespace std::chrono_literals;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kLess = 20;
#else
constexpr int kLess = 1;
#endif

// ken/chan.go: senders and receivers, each with its own channel or with a select over all, in every mixture.
struct Topology {
  bool send_by_select;
  bool receive_by_select;
  std::size_t capacity;
};

constexpr int kChans = 4;
constexpr int kEach = 50;

void send_all(std::array<Chan<int>, kChans> chans, bool by_select) {
  if (!by_select) {
    WaitGroup wg;
    for (int c = 0; c < kChans; ++c) {
      wg.go([&, c] {
        for (int i = 0; i < kEach; ++i) chans[static_cast<std::size_t>(c)].send(c * kEach + i);
      });
    }
    wg.wait();
    return;
  }
  std::array<int, kChans> next{};
  auto live = chans;
  auto value = [&](std::size_t c) { return static_cast<int>(c) * kEach + next[c]; };
  for (int left = kChans * kEach; left > 0; --left) {
    const auto c = static_cast<std::size_t>(select(send(live[0], value(0)), send(live[1], value(1)),
                                                   send(live[2], value(2)), send(live[3], value(3))));
    if (++next[c] == kEach) live[c] = {};
  }
}

void receive_all(std::array<Chan<int>, kChans> chans, bool by_select) {
  std::array<std::vector<int>, kChans> got;
  if (by_select) {
    for (int left = kChans * kEach; left > 0; --left) {
      select(recv(chans[0], [&](int v) { got[0].push_back(v); }),
             recv(chans[1], [&](int v) { got[1].push_back(v); }),
             recv(chans[2], [&](int v) { got[2].push_back(v); }),
             recv(chans[3], [&](int v) { got[3].push_back(v); }));
    }
  } else {
    WaitGroup wg;
    for (std::size_t c = 0; c < kChans; ++c) {
      wg.go([&, c] {
        for (int i = 0; i < kEach; ++i) got[c].push_back(*chans[c].recv());
      });
    }
    wg.wait();
  }
  for (std::size_t c = 0; c < kChans; ++c) {
    for (std::size_t i = 0; i < kEach; ++i)
      EXPECT_EQ(got[c][i], static_cast<int>(c) * kEach + static_cast<int>(i));
  }
}

TEST(ChanSuite, MixedTopologiesKeepEveryValueInOrder) {
  all_shapes([] {
    for (const bool send_by_select : {false, true}) {
      for (const bool receive_by_select : {false, true}) {
        for (const std::size_t capacity : {0u, 1u, 10u}) {
          std::array<Chan<int>, kChans> chans;
          for (auto& chan : chans) chan = make_chan<int>(capacity);
          WaitGroup wg;
          wg.go([&] { send_all(chans, send_by_select); });
          receive_all(chans, receive_by_select);
          wg.wait();
          for (auto& chan : chans) EXPECT_EQ(chan.len(), 0u);
        }
      }
    }
  });
}

// ken/chan1.go: many forwarders between each two channels of a chain.
TEST(ChanSuite, ManyForwardersBetweenStages) {
  all_shapes([] {
    constexpr int kStages = 10;
    constexpr int kForwarders = 10;
    constexpr int kValues = 100;
    TaskGroup group;
    auto first = make_chan<int>();
    Chan<int> in = first;
    for (std::size_t s = 0; s < kStages; ++s) {
      auto out = make_chan<int>(s % 3);
      for (int f = 0; f < kForwarders; ++f) {
        group.go([in, out] {
          for (int v : in) out.send(v + 1);
        });
      }
      in = out;
    }
    group.go([first] {
      for (int i = 0; i < kValues; ++i) first.send(i * 100);
    });
    long sum = 0;
    for (int i = 0; i < kValues; ++i) {
      const int v = *in.recv();
      EXPECT_EQ(v % 100, kStages);
      sum += v / 100;
    }
    EXPECT_EQ(sum, kValues * (kValues - 1) / 2);
    group.cancel();
    group.wait();
  });
}

// goroutines.go: a chain of 10,000. ThreadSanitizer has room for 8,128 stacks.
TEST(ChanSuite, ChainOfTenThousand) {
  run({.procs = 2}, [] {
    const LeakCheck check;
    constexpr int kLinks = 10'000 / kLess;
    auto leftmost = make_chan<int>();
    Chan<int> left = leftmost;
    for (int i = 0; i < kLinks; ++i) {
      auto right = make_chan<int>();
      go([left, right] { left.send(*right.recv() + 1); });
      left = right;
    }
    go([left] { left.send(0); });
    EXPECT_EQ(leftmost.recv(), kLinks);
  });
}

// nonblock.go: every element type, unbuffered and buffered.
template <class T>
void try_operations(T value) {
  for (const std::size_t cap : {0u, 1u}) {
    auto c = make_chan<T>(cap);
    EXPECT_FALSE(c.try_recv());
    EXPECT_EQ(select(recv(c), otherwise()), 1);
    EXPECT_EQ(c.try_send(value), cap == 1);
    EXPECT_EQ(select(send(c, value), otherwise()), 1);
    if (cap == 0) {
      WaitGroup wg;
      wg.go([&] { EXPECT_EQ(c.recv(), value); });
      until([&] { return testing::receiver_waits(c); });
      EXPECT_TRUE(c.try_send(value));
      wg.wait();
      wg.go([&] { c.send(value); });
      until([&] { return sender_waits(c); });
      EXPECT_EQ(c.try_recv(), value);
      wg.wait();
    } else {
      EXPECT_EQ(c.try_recv(), value);
    }
  }
}

TEST(ChanSuite, TryOperationsOfEveryKindOfElement) {
  all_shapes([] {
    try_operations<int32_t>(123);
    try_operations<int64_t>(1LL << 40);
    try_operations<bool>(true);
    try_operations<std::string>("longer than what a string keeps in place");
    try_operations<std::array<char, 300>>({'a'});
    try_operations<std::pair<int, std::string>>({1, "pair"});
  });
}

// select2.go: a loop of selects leaves nothing behind.
TEST(ChanSuite, SelectsDoNotLeak) {
  run({.procs = 2}, [] {
    auto busy = make_chan<int>();
    auto quiet = make_chan<int>();
    const int rounds = 20'000 / kLess;
    auto round = [&] {
      WaitGroup wg;
      wg.go([&] {
        for (int i = 0; i < rounds; ++i) busy.send(i);
      });
      for (int i = 0; i < rounds; ++i) select(recv(busy), recv(quiet));
      wg.wait();
    };
    round();
    const std::size_t before = mallinfo2().uordblks;
    for (int i = 0; i < 3; ++i) round();
    EXPECT_LT(mallinfo2().uordblks, before + 100'000);
    EXPECT_FALSE(testing::receiver_waits(quiet));
  });
}

// select4.go, select5.go: the operands of a case are evaluated once, taken or not. In which order is open in
// C++.
TEST(ChanSuite, OperandsAreEvaluatedOnce) {
  run([] {
    auto ready = make_chan<int>(4);
    auto full = make_chan<int>();
    int calls = 0;
    auto operand = [&](int v) {
      ++calls;
      return v;
    };
    EXPECT_EQ(select(send(ready, operand(1)), send(full, operand(2))), 0);
    EXPECT_EQ(calls, 2);
    EXPECT_EQ(select(send(full, operand(3)), otherwise()), 1);
    EXPECT_EQ(calls, 3);
  });
}

// select7.go: every form that drops what it receives, against every form that sends.
TEST(ChanSuite, DroppedValuesAreTaken) {
  all_shapes([] {
    for (int receiver = 0; receiver < 5; ++receiver) {
      for (int sender = 0; sender < 2; ++sender) {
        for (const std::size_t cap : {0u, 1u}) {
          auto c = make_chan<int>(cap);
          Chan<int> never;
          WaitGroup wg;
          wg.go([&] {
            if (sender == 0) {
              c.send(42);
            } else {
              select(send(c, 42), recv(never));
            }
          });
          switch (receiver) {
            case 0:
              c.recv();
              break;
            case 1:
              select(recv(c));
              break;
            case 2:
              select(recv(c, [](std::optional<int> v) { EXPECT_EQ(v, 42); }));
              break;
            case 3:
              select(recv(c, [](int v) { EXPECT_EQ(v, 42); }), recv(never));
              break;
            default:
              select(recv(c, [] {}), send(never, 1));
          }
          wg.wait();
          EXPECT_EQ(c.len(), 0u);
        }
      }
    }
  });
}

// sieve2.go: primes are the numbers that are at the head of no channel of multiples.
TEST(ChanSuite, SieveWithAHeapOfChannels) {
  all_shapes([] {
    TaskGroup group;
    struct Head {
      int value;
      Chan<int> multiples;
      bool operator<(const Head& other) const { return value > other.value; }
    };
    std::priority_queue<Head> heads;
    std::vector<int> primes;
    for (int n = 2; primes.size() < 25; ++n) {
      if (heads.empty() || heads.top().value != n) {
        primes.push_back(n);
        auto multiples = make_chan<int>(static_cast<std::size_t>(n % 3));
        group.go([n, multiples] {
          for (int m = n * n;; m += n) multiples.send(m);
        });
        heads.push({*multiples.recv(), multiples});
      }
      while (heads.top().value == n) {
        Head head = heads.top();
        heads.pop();
        head.value = *head.multiples.recv();
        heads.push(head);
      }
    }
    EXPECT_EQ(primes.back(), 97);
    group.cancel();
    group.wait();
  });
}

// ChanSendInterface: elements of a base class, sent by many at once through selects with a way out.
TEST(ChanSuite, PolymorphicElements) {
  struct Animal {
    virtual ~Animal() = default;
    virtual int legs() const = 0;
  };
  struct Dog final : Animal {
    int legs() const override { return 4; }
  };
  struct Bird final : Animal {
    int legs() const override { return 2; }
  };
  all_shapes([] {
    auto c = make_chan<std::unique_ptr<Animal>>(1);
    std::atomic<int> legs{0};
    std::atomic<int> refused{0};
    WaitGroup wg;
    for (int i = 0; i < 20; ++i) {
      wg.go([&, i] {
        std::unique_ptr<Animal> animal;
        if (i % 2 == 0)
          animal = std::make_unique<Dog>();
        else
          animal = std::make_unique<Bird>();
        select(send(c, std::move(animal)), otherwise([&] { refused.fetch_add(animal->legs()); }));
        EXPECT_TRUE(animal == nullptr || animal->legs() > 0);
      });
    }
    wg.wait();
    c.close();
    for (auto& animal : c) legs.fetch_add(animal->legs());
    EXPECT_EQ(legs + refused, 60);
    EXPECT_GT(legs, 0);
  });
}

// PseudoRandomSend: of two sends on one channel each is taken sometimes, whatever the capacity.
TEST(ChanSuite, BothSendsOccur) {
  run({.procs = 2}, [] {
    for (std::size_t cap = 0; cap < 20; ++cap) {
      auto c = make_chan<int>(cap);
      WaitGroup wg;
      int ones = 0;
      wg.go([&] {
        for (int i = 0; i < 100; ++i) {
          ones += *c.recv();
          yield();
        }
      });
      for (int i = 0; i < 100; ++i) select(send(c, 0), send(c, 1));
      wg.wait();
      EXPECT_GT(ones, 0);
      EXPECT_LT(ones, 100);
    }
  });
}

// MultiConsumer at its full size: 23 workers, 271,828 values.
TEST(ChanSuite, MultiConsumerInFull) {
  for (const int procs : {1, 2, 4, 8}) {
    run({.procs = procs}, [] {
      constexpr int kPrimes[] = {2, 3, 7, 11, 13, 17, 19, 23, 27, 31};
      const int items = 271'828 / kLess;
      auto queue = make_chan<int>(static_cast<std::size_t>(items) / 23);
      auto results = make_chan<int>(5);
      WaitGroup workers;
      for (int i = 0; i < 23; ++i) {
        workers.go([&] {
          for (int v : queue) {
            if (kPrimes[v % 10] == v) yield();
            results.send(v);
          }
        });
      }
      long expected = 0;
      for (int i = 0; i < items; ++i) expected += kPrimes[i % 10];
      WaitGroup feeder;
      feeder.go([&] {
        for (int i = 0; i < items; ++i) queue.send(kPrimes[i % 10]);
        queue.close();
        workers.wait();
        results.close();
      });
      long sum = 0;
      for (int v : results) sum += v;
      feeder.wait();
      EXPECT_EQ(sum, expected);
    });
  }
}

// TestChan: every capacity up to 200.
TEST(ChanSuite, EveryCapacity) {
  all_shapes([] {
    for (std::size_t cap = 0; cap < 200; cap += 9) {
      auto c = make_chan<std::size_t>(cap);
      EXPECT_EQ(c.cap(), cap);
      std::size_t accepted = 0;
      while (c.try_send(accepted)) ++accepted;
      EXPECT_EQ(accepted, cap);
      EXPECT_EQ(c.len(), cap);
      WaitGroup wg;
      wg.go([&] {
        for (std::size_t i = cap; i < 300; ++i) c.send(i);
        c.close();
      });
      std::size_t next = 0;
      for (std::size_t v : c) EXPECT_EQ(v, next++);
      EXPECT_EQ(next, std::max<std::size_t>(cap, 300));
      wg.wait();
    }
  });
}

template <class F>
std::string message_of(F fn) {
  try {
    fn();
  } catch (const Error& e) {
    return e.message();
  }
  return "";
}

TEST(ChanSuite, MisuseSaysWhat) {
  run([] {
    auto closed = make_chan<int>(1);
    closed.close();
    Chan<int> nil;
    EXPECT_EQ(message_of([&] { closed.send(1); }), "send on closed channel");
    EXPECT_EQ(message_of([&] { static_cast<void>(closed.try_send(1)); }), "send on closed channel");
    EXPECT_EQ(message_of([&] { select(send(closed, 1)); }), "send on closed channel");
    EXPECT_EQ(message_of([&] { select(send(closed, 1), otherwise()); }), "send on closed channel");
    EXPECT_EQ(message_of([&] { closed.close(); }), "close of closed channel");
    EXPECT_EQ(message_of([&] { nil.close(); }), "close of nil channel");
  });
}

}  // namespace
}  // namespace degu
