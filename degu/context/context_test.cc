// After golang/go src/context/context_test.go and x_test.go.
#include <degu/context/cancel_scope.h>
#include <degu/context/context.h>
#include <degu/rt/testing/all_shapes.h>
#include <degu/sync/cond.h>
#include <degu/sync/mutex.h>
#include <degu/sync/select.h>
#include <degu/sync/semaphore.h>
#include <degu/sync/task_group.h>
#include <degu/sync/testing/probe.h>
#include <degu/sync/wait_group.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace degu {
namespace {

using testing::code_of;
using testing::until;
using namespace std::chrono_literals;

constexpr ContextKey<int> kNumber{"number"};
constexpr ContextKey<std::string> kName{"name"};
constexpr ContextKey<std::string> kOther{"other"};

TEST(Context, BackgroundNeverEnds) {
  run([] {
    const Context background = Context::background();
    EXPECT_FALSE(background.done());
    EXPECT_EQ(background.err(), Code::kOk);
    EXPECT_EQ(background.cause(), nullptr);
    EXPECT_FALSE(background.deadline());
    EXPECT_EQ(background.time_left(), std::chrono::nanoseconds::max());
    EXPECT_EQ(background.value(kNumber), nullptr);
    EXPECT_TRUE(current_context() == background);
    background.check();
  });
}

TEST(Context, WithCancel) {
  all_shapes([] {
    const auto [context, cancel] = with_cancel(Context());
    EXPECT_FALSE(context.done());
    WaitGroup wg;
    for (int i = 0; i < 3; ++i) {
      wg.go([context = context] {
        context.wait();
        EXPECT_EQ(context.err(), Code::kCancelled);
      });
    }
    yield();
    cancel();
    cancel();
    wg.wait();
    EXPECT_TRUE(context.done());
    EXPECT_THROW(context.check(), Cancelled);
    ASSERT_NE(context.cause(), nullptr);
    EXPECT_EQ(context.cause()->code(), Code::kCancelled);
  });
}

// ParentFinishesChild: the end of a parent reaches children, with and without values between, and those made
// later.
TEST(Context, ParentEndsItsChildren) {
  all_shapes([] {
    const auto [parent, cancel] = with_cancel(Context());
    const auto [child, cancel_child] = with_cancel(parent);
    const Context value = with_value(parent, kNumber, 1);
    const auto [deep, cancel_deep] = with_timeout(value, 1h);
    WaitGroup wg;
    for (const Context& c : {child, value, deep}) {
      wg.go([c] { c.wait(); });
    }
    yield();
    EXPECT_FALSE(deep.done());
    cancel();
    wg.wait();
    for (const Context& c : {parent, child, value, deep}) EXPECT_EQ(c.err(), Code::kCancelled);
    const auto [late, cancel_late] = with_cancel(parent);
    EXPECT_TRUE(late.done());
    late.wait();
  });
}

// ChildFinishesFirst
TEST(Context, ChildDoesNotEndItsParent) {
  all_shapes([] {
    const auto [parent, cancel] = with_cancel(Context());
    const auto [child, cancel_child] = with_cancel(parent);
    WaitGroup wg;
    wg.go([child = child] { child.wait(); });
    yield();
    cancel_child();
    wg.wait();
    EXPECT_TRUE(child.done());
    EXPECT_FALSE(parent.done());
    cancel();
  });
}

TEST(Context, DeadlineEnds) {
  all_shapes([] {
    const TimePoint start = now();
    const auto [context, cancel] = with_timeout(Context(), 2ms);
    EXPECT_EQ(context.deadline(), context.node()->deadline());
    EXPECT_LE(context.time_left(), 2ms);
    context.wait();
    EXPECT_GE(now() - start, 2ms);
    EXPECT_EQ(context.err(), Code::kDeadlineExceeded);
    EXPECT_EQ(context.time_left(), 0ns);
    EXPECT_THROW(context.check(), DeadlineExceeded);
    const auto [past, cancel_past] = with_timeout(Context(), -1s);
    EXPECT_EQ(past.err(), Code::kDeadlineExceeded);
    past.wait();
  });
}

// LayersTimeout, CanceledTimeout
TEST(Context, EarliestDeadlineWins) {
  all_shapes([] {
    const auto [outer, cancel_outer] = with_timeout(Context(), 1ms);
    const auto [inner, cancel_inner] = with_timeout(outer, 1h);
    EXPECT_EQ(inner.deadline(), outer.deadline());
    inner.wait();
    EXPECT_EQ(inner.err(), Code::kDeadlineExceeded);
    const auto [long_one, cancel_long] = with_timeout(Context(), 1h);
    const auto [short_one, cancel_short] = with_timeout(long_one, 1ms);
    short_one.wait();
    EXPECT_EQ(short_one.err(), Code::kDeadlineExceeded);
    EXPECT_FALSE(long_one.done());
    cancel_long();
    EXPECT_EQ(long_one.err(), Code::kCancelled);
  });
}

// SimultaneousCancels: a tree that is ended everywhere at once.
TEST(Context, SimultaneousCancels) {
  all_shapes([] {
    const auto [root, cancel_root] = with_cancel(Context());
    std::vector<ContextAnd<CancelFunc>> nodes{{root, cancel_root}};
    for (std::size_t i = 0; nodes.size() < 60; ++i) {
      const Context parent = nodes[i].context;
      nodes.push_back(with_cancel(parent));
      nodes.push_back(with_cancel(parent));
    }
    WaitGroup wg;
    for (auto& node : nodes) {
      wg.go([&] { node.cancel(); });
      wg.go([&] { node.context.wait(); });
    }
    wg.wait();
    for (auto& node : nodes) EXPECT_TRUE(node.context.done());
  });
}

// InterlockedCancels: each end triggers the other's.
TEST(Context, InterlockedCancels) {
  all_shapes([] {
    const auto [parent, cancel_parent] = with_cancel(Context());
    const auto [child, cancel_child] = with_cancel(parent);
    WaitGroup wg;
    wg.go([&, c = parent] {
      c.wait();
      cancel_child();
    });
    wg.go([&, c = child] {
      c.wait();
      cancel_parent();
    });
    cancel_parent();
    wg.wait();
  });
}

// CancelRemoves: contexts that have ended, or are gone, leave nothing with their parent.
TEST(Context, EndedChildrenAreNotRetained) {
  all_shapes([] {
    const auto [parent, cancel] = with_cancel(Context());
    WaitGroup wg;
    for (int i = 0; i < 50; ++i) {
      wg.go([&, p = parent] {
        const ContextScope scope(p);
        CancelScope inner(1h);
        sleep(1us);
      });
    }
    wg.wait();
    EXPECT_FALSE(parent.done());
    cancel();
  });
}

TEST(Context, Values) {
  run([] {
    const Context a = with_value(Context(), kNumber, 1);
    const Context b = with_value(a, kName, "b");
    const Context c = with_value(b, kNumber, 3);
    const auto [d, cancel] = with_cancel(c);
    EXPECT_EQ(*a.value(kNumber), 1);
    EXPECT_EQ(a.value(kName), nullptr);
    EXPECT_EQ(*b.value(kNumber), 1);
    EXPECT_EQ(*b.value(kName), "b");
    EXPECT_EQ(*d.value(kNumber), 3);
    EXPECT_EQ(*d.value(kName), "b");
    EXPECT_EQ(d.value(kOther), nullptr);
    cancel();
    EXPECT_EQ(*d.value(kName), "b");
  });
}

TEST(Context, FirstCauseSticks) {
  all_shapes([] {
    const auto [parent, cancel_parent] = with_cancel_cause(Context());
    const auto [child, cancel_child] = with_cancel_cause(parent);
    cancel_child(Error(Code::kAborted, "child"));
    cancel_parent(Error(Code::kUnavailable, "parent"));
    cancel_parent(Error(Code::kInternal, "too late"));
    EXPECT_EQ(child.cause()->message(), "child");
    EXPECT_EQ(parent.cause()->message(), "parent");
    EXPECT_EQ(parent.cause()->code(), Code::kUnavailable);
    EXPECT_EQ(parent.err(), Code::kCancelled);
    const auto [late, cancel_late] = with_cancel(parent);
    EXPECT_EQ(late.cause()->message(), "parent");
    const auto [timed, cancel_timed] = with_timeout(Context(), -1s);
    EXPECT_EQ(timed.cause()->code(), Code::kDeadlineExceeded);
  });
}

// CauseRace
TEST(Context, CauseIsThereWhenTheEndIs) {
  all_shapes([] {
    for (int i = 0; i < 50; ++i) {
      const auto [context, cancel] = with_cancel_cause(Context());
      WaitGroup wg;
      wg.go([&cancel = cancel] { cancel(Error(Code::kAborted, "why")); });
      context.wait();
      ASSERT_NE(context.cause(), nullptr);
      EXPECT_EQ(context.cause()->message(), "why");
      wg.wait();
    }
  });
}

TEST(Context, WithoutCancelKeepsTheValues) {
  run([] {
    const auto [parent, cancel] = with_timeout(with_value(Context(), kNumber, 9), 1h);
    const Context free = without_cancel(parent);
    cancel();
    EXPECT_TRUE(parent.done());
    EXPECT_FALSE(free.done());
    EXPECT_FALSE(free.deadline());
    EXPECT_EQ(*free.value(kNumber), 9);
    const auto [child, cancel_child] = with_cancel(free);
    EXPECT_FALSE(child.done());
    cancel_child();
    EXPECT_TRUE(child.done());
    EXPECT_FALSE(free.done());
  });
}

TEST(Context, GoroutinesInheritTheCurrentOne) {
  all_shapes([] {
    const ContextScope scope(with_value(current_context(), kName, "request 7"));
    WaitGroup wg;
    wg.go([] {
      ASSERT_NE(current_context().value(kName), nullptr);
      EXPECT_EQ(*current_context().value(kName), "request 7");
      go([] {});
    });
    wg.wait();
    TaskGroup group;
    group.go([] { EXPECT_EQ(*current_context().value(kName), "request 7"); });
    group.wait();
    EXPECT_EQ(Context(group).err(), Code::kCancelled);
  });
}

TEST(Context, EveryWaitObservesIt) {
  all_shapes([] {
    auto c = make_chan<int>();
    Mutex mutex;
    mutex.lock();
    Cond cond;
    Mutex cond_mutex;
    Semaphore semaphore(1);
    semaphore.acquire();
    WaitGroup pending;
    pending.add(1);
    const std::vector<UniqueFunction<void()>> waits = [&] {
      std::vector<UniqueFunction<void()>> all;
      all.emplace_back([&] { c.recv(); });
      all.emplace_back([&] { c.send(1); });
      all.emplace_back([&] { select(recv(c)); });
      all.emplace_back([&] { sleep(1h); });
      all.emplace_back([&] { static_cast<void>(mutex.try_lock_for(1h)); });
      all.emplace_back([&] {
        std::unique_lock lock(cond_mutex);
        cond.wait(lock);
      });
      all.emplace_back([&] { semaphore.acquire(); });
      all.emplace_back([&] { pending.wait(); });
      all.emplace_back([] { with_cancel(Context()).context.wait(); });
      return all;
    }();
    for (const auto& wait : waits) {
      CancelScope scope(200us);
      EXPECT_THROW(wait(), DeadlineExceeded);
      EXPECT_THROW(wait(), DeadlineExceeded);  // it has ended already
    }
    for (const auto& wait : waits) {
      CancelScope scope;
      scope.cancel();
      EXPECT_THROW(wait(), Cancelled);
    }
    pending.done();
    mutex.unlock();
  });
}

TEST(CancelScope, EndsWithItsScope) {
  all_shapes([] {
    Context kept;
    WaitGroup wg;
    auto c = make_chan<int>();
    {
      CancelScope scope(1h);
      kept = scope.context();
      EXPECT_TRUE(current_context() == kept);
      wg.go([&] { EXPECT_THROW(c.recv(), Cancelled); });
      until([&] { return testing::receiver_waits(c); });
      EXPECT_FALSE(kept.done());
    }
    wg.wait();
    EXPECT_TRUE(kept.done());
    EXPECT_FALSE(current_context().done());
  });
}

TEST(CancelScope, NestsAndTheEarliestDeadlineWins) {
  all_shapes([] {
    CancelScope outer(2ms);
    {
      CancelScope inner(1h);
      EXPECT_THROW(sleep(1h), DeadlineExceeded);
      EXPECT_EQ(inner.context().err(), Code::kDeadlineExceeded);
    }
    EXPECT_THROW(sleep(1h), DeadlineExceeded);
  });
}

TEST(CancelScope, InnerEndLeavesTheOuter) {
  all_shapes([] {
    CancelScope outer(1h);
    EXPECT_EQ(code_of([] {
                CancelScope inner(100us);
                sleep(1h);
              }),
              Code::kDeadlineExceeded);
    sleep(1us);
    EXPECT_FALSE(outer.context().done());
  });
}

TEST(CancelScope, CauseIsInTheMessage) {
  run([] {
    CancelScope scope;
    scope.cancel(Error(Code::kUnavailable, "client went away"));
    try {
      sleep(1h);
      ADD_FAILURE();
    } catch (const Cancelled& e) {
      EXPECT_NE(e.message().find("client went away"), std::string::npos);
    }
  });
}

TEST(Shield, HidesTheEnd) {
  all_shapes([] {
    CancelScope scope;
    scope.cancel();
    EXPECT_TRUE(rt::interrupted());
    {
      const Shield shield;
      EXPECT_FALSE(rt::interrupted());
      sleep(1us);
      const Shield nested;
      sleep(1us);
    }
    EXPECT_THROW(sleep(1us), Cancelled);
  });
}

TEST(Shield, UnwindingNeedsNone) {
  all_shapes([] {
    bool cleaned = false;
    {
      CancelScope scope;
      scope.cancel();
      struct CleanUp {
        bool& cleaned;
        ~CleanUp() {
          sleep(10us);
          cleaned = true;
        }
      };
      EXPECT_THROW(
          {
            const CleanUp clean_up{cleaned};
            sleep(1h);
          },
          Cancelled);
    }
    EXPECT_TRUE(cleaned);
  });
}

TEST(Context, ForeignThreadsObserveIt) {
  run([] {
    auto c = make_chan<int>();
    const auto [context, cancel] = with_cancel(Context());
    std::thread thread([&, context = context] {
      const ContextScope scope(context);
      EXPECT_THROW(c.recv(), Cancelled);
      const ContextScope timed(with_timeout(Context(), 1ms).context);
      EXPECT_THROW(c.recv(), DeadlineExceeded);
    });
    until([&] { return testing::receiver_waits(c); });
    cancel();
    blocking([&] { thread.join(); });
  });
}

}  // namespace
}  // namespace degu
