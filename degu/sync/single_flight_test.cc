// After golang/x/sync singleflight_test.go.
#include <degu/base/error.h>
#include <degu/rt/testing/all_shapes.h>
#include <degu/sync/single_flight.h>
#include <degu/sync/task_group.h>
#include <degu/sync/testing/probe.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
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

// DoDupSuppress
TEST(SingleFlight, DuplicatesShareOneExecution) {
  all_shapes([] {
    constexpr int kCalls = 10;
    SingleFlight<std::string, std::string> flights;
    auto gate = make_chan<int>();
    std::atomic<int> runs{0};
    WaitGroup wg;
    for (int i = 0; i < kCalls; ++i) {
      wg.go([&] {
        const auto got = flights.call("key", [&] {
          runs.fetch_add(1);
          gate.recv();
          return std::string("value");
        });
        EXPECT_EQ(got.value, "value");
        EXPECT_TRUE(got.shared);
      });
    }
    until([&] { return flights.followers_for_test("key") == kCalls - 1; });
    gate.send(1);
    wg.wait();
    EXPECT_EQ(runs, 1);
    EXPECT_EQ(flights.followers_for_test("key"), 0);
  });
}

// DoChan, and that keys do not share.
TEST(SingleFlight, ThroughAChannel) {
  all_shapes([] {
    SingleFlight<std::string, int> flights;
    auto a = flights.call_chan("a", [] { return 1; });
    auto b = flights.call_chan("b", [] { return 2; });
    const auto got = *a.recv();
    EXPECT_EQ(got.value, 1);
    EXPECT_FALSE(got.error);
    EXPECT_FALSE(got.shared);
    EXPECT_EQ(b.recv()->value, 2);
  });
}

// PanicDo, PanicDoChan, PanicDoSharedByDo, PanicDoSharedByDoChan: one exception reaches the callers of both kinds, as
// the same object, and the key is free afterwards.
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
    std::atomic<int> caught{0};
    WaitGroup wg;
    for (int i = 0; i < 3; ++i) {
      wg.go([&] {
        EXPECT_EQ(code_of([&] { flights.call(1, [] { return 5; }); }), Code::kDataLoss);
        caught.fetch_add(1);
      });
    }
    until([&] { return flights.followers_for_test(1) == 4; });
    gate.close();
    const auto outcome = *first.recv();
    const auto other = *second.recv();
    ASSERT_TRUE(outcome.error);
    EXPECT_EQ(code_of([&] { std::rethrow_exception(outcome.error); }), Code::kDataLoss);
    EXPECT_TRUE(outcome.error == other.error);
    wg.wait();
    EXPECT_EQ(caught, 3);
    EXPECT_EQ(flights.call(1, [] { return 6; }).value, 6);
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

// GoexitDo: here, the context of the goroutine that runs the call ends. The others try again instead of going with it.
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

}  // namespace
}  // namespace degu
