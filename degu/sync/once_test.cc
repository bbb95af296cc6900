// After golang/go src/sync/once_test.go and oncefunc_test.go.
#include <degu/base/error.h>
#include <degu/rt/testing/all_shapes.h>
#include <degu/sync/once.h>
#include <degu/sync/testing/probe.h>
#include <degu/sync/wait_group.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <utility>

namespace degu {
namespace {

TEST(Once, RunsOnceAndOthersWaitForIt) {
  all_shapes([] {
    Once once;
    int runs = 0;
    WaitGroup wg;
    for (int i = 0; i < 10; ++i) {
      wg.go([&] {
        once.call([&] {
          yield();
          ++runs;
        });
        EXPECT_EQ(runs, 1);
        EXPECT_TRUE(once.done());
      });
    }
    wg.wait();
    EXPECT_EQ(runs, 1);
  });
}

// OncePanic
TEST(Once, AnExceptionCountsAsDone) {
  run([] {
    Once once;
    EXPECT_THROW(once.call([] { throw Error(Code::kAborted, "no"); }), Error);
    EXPECT_TRUE(once.done());
    once.call([] { ADD_FAILURE(); });
  });
}

TEST(OnceValue, AllCallsGiveTheSame) {
  all_shapes([] {
    std::atomic<int> runs{0};
    OnceValue value([&] {
      runs.fetch_add(1);
      yield();
      return std::string("result");
    });
    WaitGroup wg;
    for (int i = 0; i < 5; ++i) wg.go([&] { EXPECT_EQ(value(), "result"); });
    wg.wait();
    EXPECT_EQ(runs, 1);
  });
}

TEST(OnceValue, RepeatsTheException) {
  run([] {
    int runs = 0;
    OnceValue value([&]() -> int {
      ++runs;
      throw Error(Code::kNotFound, "nothing");
    });
    OnceFunc func([&] {
      ++runs;
      throw Error(Code::kNotFound, "nothing");
    });
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(testing::code_of([&] { value(); }), Code::kNotFound);
      EXPECT_EQ(testing::code_of([&] { func(); }), Code::kNotFound);
    }
    EXPECT_EQ(runs, 2);
  });
}

// OncePanic under contention: the exception leaves one call only, and nobody runs it again.
TEST(Once, AnExceptionLeavesOneCallOnly) {
  all_shapes([] {
    Once once;
    std::atomic<int> runs{0};
    std::atomic<int> thrown{0};
    WaitGroup wg;
    for (int i = 0; i < 6; ++i) {
      wg.go([&] {
        try {
          once.call([&] {
            runs.fetch_add(1);
            yield();
            throw Error(Code::kAborted, "once");
          });
        } catch (const Error&) {
          thrown.fetch_add(1);
        }
      });
    }
    wg.wait();
    EXPECT_EQ(runs, 1);
    EXPECT_EQ(thrown, 1);
  });
}

// OnceValues
TEST(OnceValue, GivesSeveralValues) {
  run([] {
    int runs = 0;
    OnceValue pair([&] { return std::pair(++runs, std::string("second")); });
    for (int i = 0; i < 3; ++i) {
      const auto& [first, second] = pair();
      EXPECT_EQ(first, 1);
      EXPECT_EQ(second, "second");
    }
  });
}

// OnceFuncPanic, OnceFuncPanicNil, OnceFuncPanicTraceback: the very same exception each time, whatever was thrown.
TEST(OnceFunc, RepeatsTheSameException) {
  run([] {
    OnceFunc func([] { throw Error(Code::kDataLoss, "why it failed"); });
    OnceFunc odd([] { throw 42; });  // NOLINT
    const Error* first = nullptr;
    for (int i = 0; i < 3; ++i) {
      try {
        func();
        ADD_FAILURE();
      } catch (const Error& e) {
        EXPECT_EQ(e.message(), "why it failed");
        if (first == nullptr) first = &e;
        EXPECT_EQ(&e, first);
      }
      EXPECT_THROW(odd(), int);
    }
  });
}

// OnceXGC, after a failure: the captures go then too.
TEST(OnceFunc, DropsItsCapturesAfterAFailure) {
  run([] {
    auto held = std::make_shared<int>(1);
    OnceFunc func([held] { throw Error(Code::kAborted, "no"); });
    OnceValue value([held]() -> int { throw Error(Code::kAborted, "no"); });
    EXPECT_EQ(held.use_count(), 3);
    EXPECT_THROW(func(), Error);
    EXPECT_THROW(value(), Error);
    EXPECT_EQ(held.use_count(), 1);
  });
}

TEST(OnceFunc, DropsItsCapturesAfterTheRun) {
  run([] {
    auto held = std::make_shared<int>(1);
    OnceFunc func([held] { EXPECT_EQ(*held, 1); });
    EXPECT_EQ(held.use_count(), 2);
    func();
    EXPECT_EQ(held.use_count(), 1);
    func();
  });
}

}  // namespace
}  // namespace degu
