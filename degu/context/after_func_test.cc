// After golang/go src/context/afterfunc_test.go and context_test.go (AfterFunc*).
#include <degu/context/after_func.h>
#include <degu/context/cancel_scope.h>
#include <degu/rt/testing/all_shapes.h>
#include <degu/rt/testing/leak_check.h>
#include <degu/sync/chan.h>
#include <degu/sync/testing/probe.h>
#include <degu/sync/wait_group.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>

namespace degu {
namespace {

using namespace std::chrono_literals;

constexpr ContextKey<std::string> kName{"name"};

TEST(AfterFunc, RunsOnceAfterTheEnd) {
  all_shapes([] {
    const auto [context, cancel] = with_cancel(with_value(Context(), kName, "seen"));
    auto ran = make_chan<std::string>(2);
    const AfterFunc handle = after_func(context, [ran] {
      sleep(1us);  // its own context has not ended
      ran.send(*current_context().value(kName));
    });
    EXPECT_EQ(ran.len(), 0u);
    cancel();
    cancel();
    EXPECT_EQ(ran.recv(), "seen");
    EXPECT_FALSE(handle.stop());
    EXPECT_EQ(ran.len(), 0u);
  });
}

TEST(AfterFunc, RunsAtOnceIfItHasEnded) {
  all_shapes([] {
    const auto [context, cancel] = with_cancel(Context());
    cancel();
    auto ran = make_chan<uint64_t>(1);
    after_func(context, [ran] { ran.send(goroutine_id()); });
    EXPECT_NE(ran.recv(), goroutine_id());
  });
}

TEST(AfterFunc, RunsAtTheDeadline) {
  all_shapes([] {
    const auto [context, cancel] = with_timeout(Context(), 500us);
    auto ran = make_chan<int>();
    after_func(context, [ran] { ran.send(1); });
    EXPECT_EQ(ran.recv(), 1);
  });
}

TEST(AfterFunc, StopPreventsIt) {
  all_shapes([] {
    auto held = std::make_shared<int>(0);
    {
      const auto [context, cancel] = with_cancel(Context());
      const AfterFunc handle = after_func(context, [held] { ADD_FAILURE(); });
      EXPECT_TRUE(handle.stop());
      EXPECT_FALSE(handle.stop());
      cancel();
      yield();
    }
    EXPECT_EQ(held.use_count(), 1);
    EXPECT_TRUE(after_func(Context(), [] { ADD_FAILURE(); }).stop());
    EXPECT_FALSE(AfterFunc().stop());
  });
}

TEST(AfterFunc, StopRacesWithTheEnd) {
  all_shapes([] {
    for (int i = 0; i < 50; ++i) {
      const auto [context, cancel] = with_cancel(Context());
      std::atomic<int> runs{0};
      auto ran = make_chan<int>(1);
      const AfterFunc handle = after_func(context, [&runs, ran] {
        runs.fetch_add(1);
        ran.send(1);
      });
      WaitGroup wg;
      wg.go([&cancel = cancel] { cancel(); });
      const bool stopped = handle.stop();
      wg.wait();
      if (!stopped) ran.recv();
      EXPECT_EQ(runs, stopped ? 0 : 1);
    }
  });
}

// AfterFuncCalledAsynchronously: who ends the context does not wait for the function.
TEST(AfterFunc, TheCancellerDoesNotWait) {
  all_shapes([] {
    const auto [context, cancel] = with_cancel(Context());
    auto meet = make_chan<int>();
    WaitGroup wg;
    wg.add(1);
    after_func(context, [&] {
      meet.send(1);  // unbuffered: only goes on when cancel() below has returned
      wg.done();
    });
    cancel();
    EXPECT_EQ(meet.recv(), 1);
    wg.wait();
  });
}

// More than a P's queue has room for: they are started under the lock of the context, where nothing may wait.
TEST(AfterFunc, ThousandsDoNotHoldTheCancellerUp) {
  run({.procs = 1}, [] {
    const auto [context, cancel] = with_cancel(Context());
    WaitGroup wg;
    std::atomic<int> ran{0};
    for (int i = 0; i < 5'000; ++i) {
      wg.add(1);
      after_func(context, [&] {
        EXPECT_EQ(context.cause()->code(), Code::kCancelled);  // takes that lock
        ran.fetch_add(1);
        wg.done();
      });
    }
    cancel();
    wg.wait();
    EXPECT_EQ(ran, 5'000);
  });
}

// The function's captures go with the handle or the run, whichever is last; never with the process.
TEST(AfterFunc, DropsItsCaptures) {
  all_shapes([] {
    auto held = std::make_shared<int>(0);
    auto ran = make_chan<int>(1);
    {
      const auto [context, cancel] = with_cancel(Context());
      after_func(context, [held, ran] { ran.send(1); });
      EXPECT_EQ(held.use_count(), 2);
      cancel();
      ran.recv();
    }
    testing::until([&] { return held.use_count() == 1; });
  });
}

TEST(AfterFunc, SeveralForOneContext) {
  all_shapes([] {
    const auto [context, cancel] = with_cancel(Context());
    auto ran = make_chan<int>();
    for (int i = 0; i < 5; ++i) after_func(context, [ran, i] { ran.send(i); });
    cancel();
    int sum = 0;
    for (int i = 0; i < 5; ++i) sum += *ran.recv();
    EXPECT_EQ(sum, 10);
  });
}

}  // namespace
// The first wait links a context to its parent and starts its timer; when that comes after the parent's end nothing
// may hold the context until its deadline. Contexts are counted in debug builds.
TEST(AfterFunc, AContextWaitedForAfterItsParentsEndIsNotKept) {
  const ResourceCheck check;
  all_shapes([] {
    auto [parent, cancel] = with_cancel(Context::background());
    const Context child = with_timeout(parent, 24h).context;
    cancel();
    WaitGroup ran;
    ran.add();
    after_func(child, [&ran] { ran.done(); });
    ran.wait();
  });
}

}  // namespace degu
