// Parking, waking, cancelling, timing out and going idle, by seeds that force interleavings. A lost wake-up
// shows as a test that does not end: each wait has a watchdog that fails it with the seed.
#include <degu/base/random.h>
#include <degu/rt/cancel.h>
#include <degu/rt/netpoll.h>
#include <degu/rt/park.h>
#include <degu/rt/race_point.h>
#include <degu/rt/run.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <thread>

namespace degu::rt {
namespace {

using namespace std::chrono_literals;

constexpr uint64_t kSeeds = 10'000;

// Yields until `flag`; fails when that takes longer than any interleaving explains.
template <class Ready>
void await(const Ready& is_ready, uint64_t seed) {
  const TimePoint limit = now() + 20s;
  while (!is_ready()) {
    ASSERT_LT(now(), limit) << "lost wake-up with seed " << seed;
    yield();
  }
}

struct Wait {
  std::atomic<bool> armed{false};
  std::atomic<bool> done{false};
  std::atomic<int> winners{0};
  std::atomic<int> finished_claimers{0};
  Ticket ticket;
  int published = -1;  // plain: written by the winner before wake(), read after park()
  uint16_t tag = 0;
};

TEST(ParkRace, OneClaimerWinsAndItsResultIsSeen) {
  run({.procs = 4}, [] {
    for (uint64_t seed = 1; seed <= kSeeds && !::testing::Test::HasFailure(); ++seed) {
      seed_race_points(seed);
      constexpr int kClaimers = 3;
      Wait wait;
      go([&] {
        wait.ticket = begin_wait(Interrupt::kIgnore);
        wait.armed.store(true, std::memory_order_release);
        wait.tag = park(WaitReason::kOther, &wait);
        EXPECT_EQ(wait.published, wait.tag);
        wait.done.store(true, std::memory_order_release);
      });
      for (int i = 0; i < kClaimers; ++i) {
        go([&, i] {
          while (!wait.armed.load(std::memory_order_acquire)) yield();
          const Ticket ticket = wait.ticket;
          if (claim(ticket, static_cast<uint16_t>(i))) {
            wait.winners.fetch_add(1);
            wait.published = i;
            wake(ticket.g);
          }
          wait.finished_claimers.fetch_add(1);
        });
      }
      await([&] { return wait.done.load(std::memory_order_acquire) && wait.finished_claimers == kClaimers; },
            seed);
      ASSERT_EQ(wait.winners, 1) << "seed " << seed;
    }
  });
}

TEST(ParkRace, CancelTimeoutAndWakeCompete) {
  run({.procs = 4}, [] {
    for (uint64_t seed = 1; seed <= kSeeds && !::testing::Test::HasFailure(); ++seed) {
      seed_race_points(seed);
      Random random(seed);
      const auto timeout = std::chrono::nanoseconds(random.below(40'000));
      Wait wait;
      std::atomic<int> helpers{0};
      Ref<CancelNode> node = CancelNode::make(nullptr);
      go([&, node] {
        Ref<ContextBase> outer = exchange_context(make_ref<ContextBase>(node));
        wait.ticket = begin_wait(Interrupt::kObserve);
        wait.armed.store(true, std::memory_order_release);
        wait.tag = park(WaitReason::kOther, &wait, now() + timeout);
        exchange_context(outer);
        wait.done.store(true, std::memory_order_release);
      });
      go([&, node] {
        node->cancel(Code::kCancelled);
        helpers.fetch_add(1);
      });
      go([&] {
        while (!wait.armed.load(std::memory_order_acquire)) yield();
        const Ticket ticket = wait.ticket;
        if (claim(ticket, 7)) wake(ticket.g);
        helpers.fetch_add(1);
      });
      await([&] { return wait.done.load(std::memory_order_acquire) && helpers == 2; }, seed);
      ASSERT_TRUE(wait.tag == 7 || wait.tag == kTagCancelled || wait.tag == kTagTimeout) << "seed " << seed;
    }
  });
}

TEST(ParkRace, CancellationReachesEveryLevelOfTheTree) {
  run({.procs = 4}, [] {
    for (uint64_t seed = 1; seed <= kSeeds && !::testing::Test::HasFailure(); ++seed) {
      seed_race_points(seed);
      std::atomic<int> cancelled{0};
      Ref<CancelNode> root = CancelNode::make(nullptr);
      constexpr int kWaiters = 4;
      for (int i = 0; i < kWaiters; ++i) {
        go([&, i] {
          Ref<CancelNode> node = root;
          for (int depth = 0; depth < i; ++depth) node = CancelNode::make(node.get());
          Ref<ContextBase> outer = exchange_context(make_ref<ContextBase>(node));
          begin_wait(Interrupt::kObserve);
          EXPECT_EQ(park(WaitReason::kOther, nullptr), kTagCancelled);
          exchange_context(outer);
          cancelled.fetch_add(1);
        });
      }
      go([root] { root->cancel(Code::kCancelled); });
      await([&] { return cancelled == kWaiters; }, seed);
    }
  });
}

// Work from outside arrives at the very moment the last thread goes to sleep.
TEST(IdleRace, WorkFromOutsideIsNeverForgotten) {
  for (const int procs : {1, 2, 4}) {
    run({.procs = procs}, [] {
      std::atomic<uint64_t> handled{0};
      std::atomic<bool> stop{false};
      std::thread outside([&] {
        for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
          seed_race_points(seed);
          go([&handled, seed] { handled.store(seed, std::memory_order_release); });
          const TimePoint limit = now() + 20s;
          while (handled.load(std::memory_order_acquire) != seed) {
            if (now() > limit) {
              ADD_FAILURE() << "forgotten goroutine with seed " << seed;
              stop = true;
              return;
            }
            std::this_thread::yield();
          }
        }
        stop = true;
      });
      begin_wait(Interrupt::kIgnore);
      while (!stop) {
        park(WaitReason::kOther, nullptr, now() + 10ms);
        begin_wait(Interrupt::kIgnore);
      }
      disarm();
      blocking([&] { outside.join(); });
    });
  }
}

// A goroutine makes work for others and parks; whoever sleeps must come and take it.
TEST(IdleRace, ChainsOfWakesCrossThreads) {
  run({.procs = 4}, [] {
    for (uint64_t seed = 1; seed <= kSeeds && !::testing::Test::HasFailure(); ++seed) {
      seed_race_points(seed);
      Random random(seed);
      const int links = static_cast<int>(random.below(6)) + 1;
      std::atomic<int> done{0};
      for (int i = 0; i < links; ++i) {
        go([&, spins = random.below(300)] {
          for (uint32_t k = spins; k != 0; --k) asm volatile("" ::: "memory");
          go([&] { done.fetch_add(1); });
          done.fetch_add(1);
        });
      }
      await([&] { return done == 2 * links; }, seed);
    }
  });
}

// The one that makes the work keeps its P: only the wake-up protocol brings another thread to it. Without the deadlock check,
// whose second look would hide a lost wake-up.
TEST(IdleRace, WorkBesideABusyGoroutineIsTaken) {
  run({.procs = 2, .deadlock_report = false}, [] {
    for (uint64_t seed = 1; seed <= kSeeds && !::testing::Test::HasFailure(); ++seed) {
      seed_race_points(seed);
      std::atomic<bool> taken{false};
      go([&taken] { taken.store(true, std::memory_order_release); });
      const TimePoint limit = now() + 20s;
      while (!taken.load(std::memory_order_acquire)) {
        if (now() > limit) {
          ADD_FAILURE() << "nobody came for the work of seed " << seed;
          while (!taken.load(std::memory_order_acquire)) yield();
        }
      }
    }
  });
}

// Timers earlier than the one the poller sleeps for.
TEST(IdleRace, EarlierTimersShortenTheSleep) {
  run({.procs = 2}, [] {
    std::atomic<bool> stop{false};
    std::atomic<bool> stopped{false};
    go([&] {
      while (!stop) sleep(50ms);
      stopped = true;
    });
    for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
      seed_race_points(seed);
      const TimePoint start = now();
      sleep(std::chrono::microseconds(seed % 50));
      ASSERT_LT(now() - start, 10s) << "late timer with seed " << seed;
    }
    stop = true;
    while (!stopped) sleep(1ms);
  });
}

// The poller looks for a deadlock 20 ms after the last timer; timers that start and end around that moment must still be served.
TEST(IdleRace, TimersAroundTheDeadlockCheckAreServed) {
  run({.procs = 2}, [] {
    std::thread outside([&] {
      for (uint64_t seed = 1; seed <= 60; ++seed) {
        seed_race_points(seed);
        std::atomic<bool> done{false};
        const TimePoint start = now() + 20ms - std::chrono::microseconds(5 * (seed % 30));
        while (now() < start) std::this_thread::yield();
        go([&done] {
          for (int i = 0; i < 20; ++i) sleep(20us);
          done = true;
        });
        const TimePoint limit = now() + 20s;
        while (!done && now() < limit) std::this_thread::yield();
        ASSERT_TRUE(done) << "forgotten timer with seed " << seed;
      }
    });
    blocking([&] { outside.join(); });
  });
}

// Calls `body(desc, fd)` with a descriptor that is closed afterwards.
template <class Body>
void with_desc(int procs, Body body) {
  run({.procs = procs}, [&] {
    const int fd = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    int error = 0;
    PollDesc* desc = poll_open(fd, &error);
    ASSERT_NE(desc, nullptr);
    body(desc, fd);
    poll_close(desc);
    ::close(fd);
  });
}

// One goroutine writes, another reads as soon as it can: `wait(desc, seed)` waits once, perhaps in vain.
template <class Wait>
void write_and_read(Wait wait) {
  with_desc(2, [&](PollDesc* desc, int fd) {
    std::atomic<uint64_t> asked{0};
    go([&] {
      for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
        while (asked.load(std::memory_order_acquire) != seed) yield();
        const uint64_t one = 1;
        ASSERT_EQ(::write(fd, &one, sizeof one), 8);
      }
    });
    for (uint64_t seed = 1; seed <= kSeeds && !::testing::Test::HasFatalFailure(); ++seed) {
      seed_race_points(seed);
      asked.store(seed, std::memory_order_release);
      uint64_t value = 0;
      while (::read(fd, &value, sizeof value) != 8 && !::testing::Test::HasFatalFailure()) wait(desc, seed);
    }
  });
}

TEST(NetpollRace, ReadinessIsNeverLost) {
  write_and_read([](PollDesc* desc, uint64_t seed) {
    ASSERT_EQ(poll_wait(desc, Direction::kRead, now() + 20s), PollResult::kReady) << "seed " << seed;
  });
}

// Calls `body(desc)` while three others mark the descriptor ready all the time.
template <class Body>
void while_nudged(Body body) {
  with_desc(4, [&](PollDesc* desc, int) {
    constexpr int kNudgers = 3;
    std::atomic<bool> over{false};
    std::atomic<int> nudging{kNudgers};
    for (int i = 0; i < kNudgers; ++i) {
      go([&] {
        for (; !over.load(std::memory_order_relaxed); yield()) poll_nudge(desc, Direction::kRead);
        nudging.fetch_sub(1);
      });
    }
    body(desc);
    over = true;
    while (nudging != 0) yield();
  });
}

// A waker that is late finds the number of a later wait of the same goroutine. Whatever it does, the word must not go on
// saying that somebody waits.
TEST(NetpollRace, ALateWakerLeavesNoWaiterBehind) {
  while_nudged([](PollDesc* desc) {
    for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
      seed_race_points(seed);
      Random random(seed);
      for (int wait = 0; wait < 8; ++wait) {
        const TimePoint deadline = now() + std::chrono::microseconds(random.below(4));
        const PollResult result = poll_wait(desc, Direction::kRead, deadline);
        EXPECT_TRUE(result == PollResult::kReady || result == PollResult::kTimeout) << "seed " << seed;
      }
    }
  });
}

// The caller's next wait has that number.
void skip_waits_before(uint32_t number) {
  while (begin_wait(Interrupt::kIgnore).seq + 1 < number) ASSERT_TRUE(disarm());
  ASSERT_TRUE(disarm());
}

// Two take turns at the descriptor. The number that a late waker finds may be that of the other one's wait: it must not
// end what the first has come to wait for meanwhile, under that same number.
TEST(NetpollRace, ALateWakerEndsNoOtherWait) {
  constexpr uint32_t kFirst = 10'000'000;  // more than any record has seen
  while_nudged([](PollDesc* desc) {
    constexpr uint32_t kReaders = 2;
    std::atomic<uint32_t> turn{0};
    std::atomic<uint32_t> ended{0};
    for (uint32_t reader = 0; reader < kReaders; ++reader) {
      go([&, reader] {
        for (uint32_t seed = reader; seed < kSeeds; seed += kReaders) {
          skip_waits_before(kFirst + 2 * seed);
          while (turn.load(std::memory_order_acquire) != seed) yield();
          seed_race_points(seed + 1);
          poll_wait(desc, Direction::kRead, now());  // takes a mark without a wait, if there is one
          poll_wait(desc, Direction::kRead, now() + std::chrono::microseconds(seed % 4));
          turn.store(seed + 1, std::memory_order_release);
          for (int wait = 0; wait < 3; ++wait) {
            begin_wait(Interrupt::kIgnore);
            EXPECT_EQ(park(WaitReason::kOther, nullptr, now() + 1us), kTagTimeout) << "seed " << seed;
          }
        }
        ended.fetch_add(1);
      });
    }
    while (ended != kReaders) yield();
  });
}

struct FlagCall : PollCall {
  FlagCall() {
    fn = [](PollCall* self) { static_cast<FlagCall*>(self)->called.store(true, std::memory_order_release); };
  }
  std::atomic<bool> called{false};
};

TEST(NetpollRace, ACallIsNeverLost) {
  FlagCall call;
  write_and_read([&call](PollDesc* desc, uint64_t seed) {
    call.called = false;
    if (!poll_call(desc, Direction::kRead, call)) return;
    const TimePoint limit = now() + 20s;
    while (!call.called.load(std::memory_order_acquire)) {
      ASSERT_LT(now(), limit) << "seed " << seed;
      yield();
    }
  });
}

}  // namespace
}  // namespace degu::rt
