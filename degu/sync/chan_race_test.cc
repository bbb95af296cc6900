// Channels, select, mutex and semaphore by seeds that force interleavings: nothing is lost, doubled or
// forgotten.
#include <degu/base/random.h>
#include <degu/base/time.h>
#include <degu/rt/cancel.h>
#include <degu/rt/race_point.h>
#include <degu/rt/run.h>
#include <degu/sync/chan.h>
#include <degu/sync/mutex.h>
#include <degu/sync/select.h>
#include <degu/sync/semaphore.h>
#include <degu/sync/wait_group.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>

namespace degu {
namespace {

constexpr uint64_t kSeeds = 10'000;

template <class Body>
void each_seed(const Body& body) {
  run({.procs = 4}, [&] {
    for (uint64_t seed = 1; seed <= kSeeds && !::testing::Test::HasFailure(); ++seed) {
      rt::seed_race_points(seed);
      body(Random(seed));
      // Not SCOPED_TRACE: it is thread-local, and a goroutine may change its thread.
      if (::testing::Test::HasFailure()) ADD_FAILURE() << "with seed " << seed;
    }
  });
}

TEST(ChanRace, EveryValueArrivesOnce) {
  each_seed([](Random random) {
    constexpr int kProducers = 2;
    constexpr int kEach = 4;
    Chan<int> values = make_chan<int>(random.below(3));
    std::atomic<int> sum{0};
    std::atomic<int> count{0};
    WaitGroup producers;
    WaitGroup consumers;
    for (int p = 0; p < kProducers; ++p) {
      producers.go([&, p] {
        for (int i = 0; i < kEach; ++i) values.send(p * kEach + i);
      });
    }
    for (int c = 0; c < 2; ++c) {
      consumers.go([&] {
        for (int value : values) {
          sum.fetch_add(value);
          count.fetch_add(1);
        }
      });
    }
    producers.wait();
    values.close();
    consumers.wait();
    ASSERT_EQ(count, kProducers * kEach);
    ASSERT_EQ(sum, 28);
  });
}

TEST(SelectRace, OneCaseRunsAndNoValueIsLost) {
  each_seed([](Random random) {
    Chan<int> a = make_chan<int>(random.below(2));
    Chan<int> b = make_chan<int>(random.below(2));
    std::atomic<int> received{0};
    WaitGroup group;
    for (int s = 0; s < 2; ++s) {
      group.go([&, s] { select(send(a, s, [] {}), send(b, s, [] {})); });
      group.go([&] {
        select(recv(a, [&](int) { received.fetch_add(1); }), recv(b, [&](int) { received.fetch_add(1); }));
      });
    }
    group.wait();
    ASSERT_EQ(received, 2);
  });
}

TEST(SelectRace, CancellationAndValuesCompete) {
  each_seed([](Random) {
    Chan<int> values = make_chan<int>();
    Ref<rt::CancelNode> node = rt::CancelNode::make(nullptr);
    std::atomic<int> received{0};
    std::atomic<int> cancelled{0};
    WaitGroup group;
    group.go([&] {
      Ref<rt::ContextBase> outer = rt::exchange_context(make_ref<rt::ContextBase>(node));
      try {
        if (values.recv()) received.fetch_add(1);
      } catch (const Cancelled&) {
        cancelled.fetch_add(1);
      }
      rt::exchange_context(outer);
    });
    std::atomic<int> sent{0};
    group.go([&] {
      Ref<rt::ContextBase> outer = rt::exchange_context(make_ref<rt::ContextBase>(node));
      try {
        values.send(1);
        sent.fetch_add(1);
      } catch (const Cancelled&) {
        cancelled.fetch_add(1);
      }
      rt::exchange_context(outer);
    });
    group.go([&] { node->cancel(Code::kCancelled); });
    group.wait();
    ASSERT_EQ(sent, received);
    ASSERT_EQ(sent + received + cancelled, 2);
  });
}

TEST(MutexRace, ExcludesAndWakes) {
  each_seed([](Random) {
    Mutex mutex;
    int counter = 0;
    WaitGroup group;
    for (int g = 0; g < 4; ++g) {
      group.go([&] {
        for (int i = 0; i < 4; ++i) {
          mutex.lock();
          ++counter;
          if (i == 2) yield();
          mutex.unlock();
        }
      });
    }
    group.wait();
    ASSERT_EQ(counter, 16);
  });
}

TEST(SemaphoreRace, NeverMoreInsideThanTokens) {
  each_seed([](Random) {
    Semaphore tokens(2);
    std::atomic<int> inside{0};
    WaitGroup group;
    for (int g = 0; g < 5; ++g) {
      group.go([&] {
        tokens.acquire();
        EXPECT_LE(inside.fetch_add(1) + 1, 2);
        yield();
        inside.fetch_sub(1);
        tokens.release();
      });
    }
    group.wait();
  });
}

}  // namespace
}  // namespace degu
