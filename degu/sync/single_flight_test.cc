// After golang/x/sync singleflight_test.go, and golang/go src/sync/pool_test.go.
#include <degu/base/error.h>
#include <degu/rt/testing/all_shapes.h>
#include <degu/sync/pool.h>
#include <degu/sync/single_flight.h>
#include <degu/sync/task_group.h>
#include <degu/sync/testing/probe.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <set>
#include <string>

namespace degu {
namespace {

using testing::code_of;
using testing::until;

TEST(SingleFlight, Do) {
  run([] {
    SingleFlight<std::string, int> flights;
    const auto got = flights.call("key", [] { return 7; });
    EXPECT_EQ(got.value, 7);
    EXPECT_FALSE(got.shared);
    EXPECT_EQ(code_of([&] { flights.call("key", []() -> int { throw Error(Code::kUnavailable, "down"); }); }),
              Code::kUnavailable);
    EXPECT_EQ(flights.call("key", [] { return 8; }).value, 8);
  });
}

TEST(SingleFlight, DuplicatesShareOneExecution) {
  all_shapes([] {
    SingleFlight<std::string, std::string> flights;
    auto gate = make_chan<int>();
    std::atomic<int> runs{0};
    std::atomic<int> asked{0};
    WaitGroup wg;
    for (int i = 0; i < 10; ++i) {
      wg.go([&] {
        asked.fetch_add(1);
        const auto got = flights.call("key", [&] {
          runs.fetch_add(1);
          gate.recv();
          return std::string("value");
        });
        EXPECT_EQ(got.value, "value");
      });
    }
    until([&] { return asked == 10 && testing::receiver_waits(gate); });
    gate.send(1);
    // Those that came too late for the first execution fly again.
    go([gate] { gate.close(); });
    wg.wait();
    EXPECT_GE(runs, 1);
    EXPECT_LE(runs, 10);
  });
}

TEST(SingleFlight, ExceptionReachesAll) {
  all_shapes([] {
    SingleFlight<int, int> flights;
    auto gate = make_chan<int>();
    auto first = flights.call_chan(1, [gate]() -> int {
      gate.recv();
      throw Error(Code::kDataLoss, "gone");
    });
    until([&] { return testing::receiver_waits(gate); });
    auto second = flights.call_chan(1, []() -> int { return 5; });
    auto third = flights.call_chan(1, []() -> int { return 5; });
    gate.close();
    auto outcome = *first.recv();
    ASSERT_TRUE(outcome.error);
    EXPECT_EQ(code_of([&] { std::rethrow_exception(outcome.error); }), Code::kDataLoss);
    for (auto* chan : {&second, &third}) {
      auto other = *chan->recv();
      EXPECT_TRUE(other.error || *other.value == 5);
    }
  });
}

TEST(SingleFlight, Forget) {
  all_shapes([] {
    SingleFlight<int, int> flights;
    auto gate = make_chan<int>();
    auto slow = flights.call_chan(1, [gate] {
      gate.recv();
      return 1;
    });
    until([&] { return testing::receiver_waits(gate); });
    flights.forget(1);
    EXPECT_EQ(flights.call(1, [] { return 2; }).value, 2);
    gate.close();
    EXPECT_EQ(slow.recv()->value, 1);
  });
}

// The context of the goroutine that runs the call ends: the others try again instead of failing with it.
TEST(SingleFlight, CancelledLeaderIsReplaced) {
  all_shapes([] {
    SingleFlight<int, int> flights;
    auto gate = make_chan<int>();
    TaskGroup doomed;
    doomed.go([&] {
      flights.call(1, [&] {
        gate.recv();
        return 1;
      });
    });
    until([&] { return testing::receiver_waits(gate); });
    WaitGroup wg;
    std::atomic<bool> asked{false};
    wg.go([&] {
      asked = true;
      EXPECT_EQ(flights.call(1, [] { return 2; }).value, 2);
    });
    until([&] { return asked.load(); });
    yield();
    doomed.cancel();
    wg.wait();
    doomed.wait();
  });
}

TEST(SingleFlight, FollowerLeavesAlone) {
  all_shapes([] {
    SingleFlight<int, int> flights;
    auto gate = make_chan<int>();
    auto leader = flights.call_chan(1, [gate] {
      gate.recv();
      return 1;
    });
    until([&] { return testing::receiver_waits(gate); });
    TaskGroup impatient;
    std::atomic<bool> left{false};
    impatient.go([&] {
      try {
        flights.call(1, [] { return 2; });
      } catch (const Cancelled&) {
        left = true;
        throw;
      }
    });
    yield();
    impatient.cancel();
    impatient.wait();
    EXPECT_TRUE(left);
    gate.close();
    EXPECT_EQ(leader.recv()->value, 1);
  });
}

TEST(Pool, GivesBackWhatWasPut) {
  run([] {
    Pool<std::string> pool;
    auto s = pool.get();
    EXPECT_TRUE(s->empty());
    *s = "used";
    const std::string* address = s.get();
    pool.put(std::move(s));
    s = pool.get();
    EXPECT_EQ(s.get(), address);
    EXPECT_EQ(*s, "used");
    EXPECT_TRUE(pool.get()->empty());
    pool.put(nullptr);
  });
}

TEST(Pool, IsBounded) {
  run([] {
    {
      Pool<testing::Counted> pool([] { return std::make_unique<testing::Counted>(1); });
      for (int i = 0; i < 1000; ++i) pool.put(std::make_unique<testing::Counted>(i));
      EXPECT_LE(testing::Counted::alive, static_cast<int>(pool.kShards * pool.kIdlePerShard));
      EXPECT_GT(testing::Counted::alive, 0);
      { const auto lease = pool.borrow(); }
    }
    EXPECT_EQ(testing::Counted::alive, 0);
  });
}

// PoolStress: an object is in one pair of hands.
TEST(Pool, Stress) {
  all_shapes([] {
    Pool<int> pool([] { return std::make_unique<int>(0); });
    WaitGroup wg;
    for (int g = 1; g <= 8; ++g) {
      wg.go([&, g] {
        for (int i = 0; i < 100; ++i) {
          auto lease = pool.borrow();
          EXPECT_EQ(*lease, 0);
          *lease = g;
          if (i % 7 == 0) yield();
          EXPECT_EQ(*lease, g);
          *lease = 0;
        }
      });
    }
    wg.wait();
  });
}

}  // namespace
}  // namespace degu
