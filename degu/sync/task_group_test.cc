// After golang/x/sync errgroup_test.go.
#include <degu/base/error.h>
#include <degu/rt/testing/all_shapes.h>
#include <degu/sync/chan.h>
#include <degu/sync/task_group.h>
#include <degu/sync/testing/probe.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace degu {
namespace {

using testing::code_of;
using testing::until;

TEST(TaskGroup, RethrowsTheFirstException) {
  all_shapes([] {
    TaskGroup group;
    auto gate = make_chan<int>();
    group.go([] {});
    group.go([&] {
      gate.recv();
      throw Error(Code::kAborted, "second");
    });
    group.go([] { throw Error(Code::kNotFound, "first"); });
    until([&] { return group.node()->cancelled(); });
    rt::shield(+1);
    gate.close();
    rt::shield(-1);
    EXPECT_EQ(code_of([&] { group.wait(); }), Code::kNotFound);
    TaskGroup empty;
    empty.wait();
  });
}

TEST(TaskGroup, AFailureEndsTheOthersAndTellsThemWhy) {
  all_shapes([] {
    TaskGroup group;
    auto never = make_chan<int>();
    std::string why;
    group.go([&] {
      try {
        never.recv();
      } catch (const Cancelled& e) {
        why = e.message();
        throw;
      }
    });
    until([&] { return testing::receiver_waits(never); });
    group.go([] { throw std::runtime_error("disk on fire"); });
    EXPECT_THROW(group.wait(), std::runtime_error);
    EXPECT_NE(why.find("disk on fire"), std::string::npos) << why;
    ASSERT_NE(group.node()->cause(), nullptr);
  });
}

// ZeroGroup: for every sequence of results wait() gives the first failure, or none.
TEST(TaskGroup, GivesTheFirstFailureOfEverySequence) {
  all_shapes([] {
    for (const std::vector<Code>& results :
         std::vector<std::vector<Code>>{{},
                                        {Code::kOk},
                                        {Code::kNotFound},
                                        {Code::kNotFound, Code::kOk},
                                        {Code::kNotFound, Code::kAborted},
                                        {Code::kOk, Code::kNotFound, Code::kAborted}}) {
      TaskGroup group;
      Code expected = Code::kOk;
      for (const Code result : results) {
        if (expected == Code::kOk) expected = result;
        std::atomic<bool> ended{false};
        group.go([result, mark = std::unique_ptr<std::atomic<bool>, void (*)(std::atomic<bool>*)>(
                              &ended, [](std::atomic<bool>* flag) { *flag = true; })] {
          if (result != Code::kOk) throw Error(result, "task");
        });
        until([&] { return ended.load(); });  // one after the other, so that it is known which is first
      }
      EXPECT_EQ(code_of([&] { group.wait(); }), expected);
    }
  });
}

// WithContext, CancelCause: the group's context ends with the first failure as its cause, at the latest with wait().
TEST(TaskGroup, ContextEndsWithTheFirstFailureAsItsCause) {
  all_shapes([] {
    for (const bool fails : {false, true}) {
      TaskGroup group;
      auto gate = make_chan<int>();
      group.go([&] {
        gate.recv();
        if (fails) throw Error(Code::kDataLoss, "first");
      });
      EXPECT_FALSE(group.node()->cancelled());
      EXPECT_EQ(group.node()->cause(), nullptr);
      gate.close();
      EXPECT_EQ(code_of([&] { group.wait(); }), fails ? Code::kDataLoss : Code::kOk);
      EXPECT_TRUE(group.node()->cancelled());
      EXPECT_EQ(group.node()->code(), Code::kCancelled);
      if (fails) {
        ASSERT_NE(group.node()->cause(), nullptr);
        EXPECT_EQ(group.node()->cause()->message(), "first");
      } else {
        EXPECT_EQ(group.node()->cause(), nullptr);
      }
    }
  });
}

TEST(TaskGroup, DestructorCancelsAndWaits) {
  all_shapes([] {
    std::atomic<int> ended{0};
    auto never = make_chan<int>();
    {
      TaskGroup group;
      for (int i = 0; i < 5; ++i) {
        group.go([&] {
          struct Count {
            std::atomic<int>& n;
            ~Count() { n.fetch_add(1); }
          } count{ended};
          never.recv();
        });
      }
    }
    EXPECT_EQ(ended, 5);
  });
}

// GoLimit
TEST(TaskGroup, LimitIsKept) {
  all_shapes([] {
    TaskGroup group;
    group.set_limit(3);
    std::atomic<int> active{0};
    for (int i = 0; i < 30; ++i) {
      group.go([&] {
        EXPECT_LE(active.fetch_add(1), 2);
        yield();
        active.fetch_sub(1);
      });
      EXPECT_LE(active, 3);
    }
    group.wait();
    EXPECT_EQ(active, 0);
  });
}

TEST(TaskGroup, TryGo) {
  all_shapes([] {
    TaskGroup group;
    auto gate = make_chan<int>();
    group.set_limit(2);
    EXPECT_TRUE(group.try_go([&] { gate.recv(); }));
    EXPECT_TRUE(group.try_go([&] { gate.recv(); }));
    EXPECT_FALSE(group.try_go([&] { ADD_FAILURE(); }));
    EXPECT_EQ(code_of([&] { group.set_limit(4); }), Code::kFailedPrecondition);
    gate.close();
    group.wait();
    TaskGroup none;
    none.set_limit(0);
    EXPECT_FALSE(none.try_go([] {}));
    none.set_limit(-1);
    EXPECT_TRUE(none.try_go([] {}));
    none.wait();
  });
}

TEST(TaskGroup, TasksStartTasks) {
  all_shapes([] {
    TaskGroup group;
    std::atomic<int> n{0};
    auto spread = [&](auto& self, int depth) -> void {
      n.fetch_add(1);
      if (depth == 0) return;
      for (int i = 0; i < 2; ++i) group.go([&, depth] { self(self, depth - 1); });
    };
    spread(spread, 6);
    group.wait();
    EXPECT_EQ(n, 127);
  });
}

TEST(TaskGroup, InnerGroupEndsWithTheOuter) {
  all_shapes([] {
    TaskGroup outer;
    auto never = make_chan<int>();
    outer.go([&] {
      TaskGroup inner;
      inner.go([&] { never.recv(); });
      EXPECT_THROW(inner.wait(), Cancelled);
      throw Error(Code::kAborted, "not a cancellation");
    });
    until([&] { return testing::receiver_waits(never); });
    outer.cancel();
    EXPECT_EQ(code_of([&] { outer.wait(); }), Code::kAborted);
  });
}

TEST(TaskGroup, CapturesDieBeforeTheGroup) {
  all_shapes([] {
    TaskGroup group;
    for (int i = 0; i < 5; ++i) group.go([counted = testing::Counted(i)] { yield(); });
    group.wait();
    EXPECT_EQ(testing::Counted::alive, 0);
  });
}

}  // namespace
}  // namespace degu
