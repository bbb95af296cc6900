// Trees and long chains of contexts. After golang/go src/context/context_test.go.
#include <degu/base/random.h>
#include <degu/context/after_func.h>
#include <degu/context/cancel_scope.h>
#include <degu/context/context.h>
#include <degu/rt/testing/all_shapes.h>
#include <degu/sync/select.h>
#include <degu/sync/testing/probe.h>
#include <degu/sync/wait_group.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <deque>
#include <string>
#include <type_traits>
#include <vector>

namespace degu {
namespace {

using testing::until;
using namespace std::chrono_literals;

constexpr ContextKey<int> kNumber{"number"};

// A random chain of values, cancels and timeouts.
struct Layers {
  explicit Layers(uint64_t seed, std::chrono::nanoseconds timeout) {
    Random random(seed);
    bool timed = false;
    for (int i = 0; i < 30 || !timed || cancels.empty() || keys.empty(); ++i) {
      const uint32_t kind = random.below(3);
      if (kind == 0) {
        keys.emplace_back("layer");
        context = with_value(context, keys.back(), i);
        values.push_back(i);
        continue;
      }
      auto layer = kind == 1 ? with_cancel(context) : with_timeout(context, timeout);
      timed = timed || kind == 2;
      context = layer.context;
      cancels.push_back(layer.cancel);
    }
  }
  ~Layers() {
    for (const CancelFunc& cancel : cancels) cancel();  // as the rules ask: else timers keep the nodes
  }
  Layers(const Layers&) = delete;
  Layers& operator=(const Layers&) = delete;

  void check_values() const {
    for (std::size_t i = 0; i < keys.size(); ++i) {
      ASSERT_NE(context.value(keys[i]), nullptr);
      EXPECT_EQ(*context.value(keys[i]), values[i]);
    }
  }

  std::deque<ContextKey<int>> keys;
  std::vector<int> values;
  std::vector<CancelFunc> cancels;
  Context context;
};

// LayersCancel: the end of any layer ends the innermost; values stay.
TEST(ContextTree, LayersCancel) {
  all_shapes([] {
    for (uint64_t seed = 1; seed <= 20; ++seed) {
      const Layers layers(seed, 1h);
      EXPECT_FALSE(layers.context.done());
      layers.check_values();
      WaitGroup wg;
      if (seed % 2 == 0) {
        wg.go([&] { layers.context.wait(); });
        yield();
      }
      layers.cancels[Random(seed).below(static_cast<uint32_t>(layers.cancels.size()))]();
      layers.context.wait();
      wg.wait();
      EXPECT_EQ(layers.context.err(), Code::kCancelled);
      layers.check_values();
    }
  });
}

// LayersTimeout
TEST(ContextTree, LayersTimeout) {
  all_shapes([] {
    for (uint64_t seed = 1; seed <= 5; ++seed) {
      const Layers layers(seed, 200us);
      layers.check_values();
      layers.context.wait();
      EXPECT_EQ(layers.context.err(), Code::kDeadlineExceeded);
      layers.check_values();
    }
  });
}

// CanceledTimeout: what was cancelled before its deadline stays cancelled after it. False: cancelled too late.
bool cancels_in_time(std::chrono::nanoseconds timeout) {
  const auto [outer, cancel_outer] = with_timeout(Context(), 1h);
  const auto [context, cancel] = with_timeout(outer, timeout);
  const auto [unseen, cancel_unseen] = with_timeout(outer, timeout);
  WaitGroup wg;
  wg.go([&context = context] { context.wait(); });
  yield();
  cancel();
  cancel_unseen();  // never waited for: no timer
  const bool in_time = now() < *context.deadline();
  wg.wait();
  while (now() < *unseen.deadline() + 1ms) yield();
  if (in_time) {
    EXPECT_EQ(context.err(), Code::kCancelled);
    EXPECT_EQ(unseen.err(), Code::kCancelled);
  }
  EXPECT_EQ(outer.err(), Code::kOk);
  cancel_outer();
  return in_time;
}

TEST(ContextTree, CancelledBeforeItsDeadline) {
  all_shapes([] {
    std::chrono::nanoseconds timeout = 1ms;
    while (!cancels_in_time(timeout)) timeout *= 2;
  });
}

// CancelRemoves: contexts that have ended, functions that were stopped, and goroutines that went on leave nothing with
// their parent.
TEST(ContextTree, WhatHasEndedIsNotKept) {
  all_shapes([] {
    const auto [parent, cancel_parent] = with_cancel(Context());
    rt::CancelNode& node = *parent.node();
    const auto wait_on = [](const Context& context, WaitGroup& wg) {
      wg.go([&context] { context.wait(); });
      until([&] { return context.node()->links_for_test() == 1; });
    };
    const auto [first, cancel_first] = with_cancel(parent);
    const auto [second, cancel_second] = with_timeout(parent, 1h);
    EXPECT_EQ(node.links_for_test(), 0U);  // linked only when somebody waits
    WaitGroup wg;
    wait_on(first, wg);
    EXPECT_EQ(node.links_for_test(), 1U);
    wait_on(second, wg);
    EXPECT_EQ(node.links_for_test(), 2U);
    cancel_first();
    EXPECT_EQ(node.links_for_test(), 1U);
    cancel_second();
    EXPECT_EQ(node.links_for_test(), 0U);
    wg.wait();
    {
      const auto [third, cancel_third] = with_cancel(parent);
      const AfterFunc handle = after_func(third, [] {});
      EXPECT_EQ(node.links_for_test(), 1U);
      EXPECT_TRUE(handle.stop());
      EXPECT_EQ(third.node()->links_for_test(), 0U);
    }
    EXPECT_EQ(node.links_for_test(), 0U);  // gone without having ended
    const AfterFunc handle = after_func(parent, [] {});
    EXPECT_EQ(node.links_for_test(), 1U);
    EXPECT_TRUE(handle.stop());
    EXPECT_EQ(node.links_for_test(), 0U);
  });
}

// WithCancelCanceledParent
TEST(ContextTree, ChildOfAnEndedParentHasEnded) {
  all_shapes([] {
    const auto [parent, cancel_parent] = with_cancel_cause(Context());
    cancel_parent(Error(Code::kAborted, "because"));
    const auto [child, cancel_child] = with_cancel(parent);
    const auto [timed, cancel_timed] = with_timeout(with_value(parent, kNumber, 1), 1h);
    for (const Context& c : {child, timed}) {
      c.wait();
      EXPECT_EQ(c.err(), Code::kCancelled);
      EXPECT_EQ(c.cause()->message(), "because");
    }
  });
}

// WithCancelSimultaneouslyCanceledParent: a child made while its parent ends is never missed.
TEST(ContextTree, ChildMadeWhileTheParentEnds) {
  all_shapes([] {
    for (int i = 0; i < 100; ++i) {
      const auto [parent, cancel] = with_cancel(Context());
      WaitGroup wg;
      wg.go([&cancel = cancel] { cancel(); });
      const auto [child, cancel_child] = with_cancel(parent);
      child.wait();
      EXPECT_EQ(child.err(), Code::kCancelled);
      wg.wait();
    }
  });
}

std::string cause_of(const Context& context) {
  const auto cause = context.cause();
  return cause == nullptr ? "" : cause->message();
}

// Cause: Go's table. First come first served, downwards only, and each deadline with its own reason.
TEST(ContextTree, Causes) {
  run([] {
    const Error parent_cause(Code::kAborted, "parent");
    const Error child_cause(Code::kAborted, "child");
    const Error late(Code::kAborted, "too late");
    {
      EXPECT_EQ(cause_of(Context()), "");
      const auto [context, cancel] = with_cancel_cause(Context());
      EXPECT_EQ(cause_of(context), "");
      cancel();
      cancel(Error(late));
      EXPECT_EQ(cause_of(context), "context cancelled");
    }
    {
      const auto [parent, cancel_parent] = with_cancel_cause(Context());
      const auto [child, cancel_child] = with_cancel_cause(parent);
      cancel_parent(Error(parent_cause));
      cancel_child(Error(child_cause));
      EXPECT_EQ(cause_of(parent), "parent");
      EXPECT_EQ(cause_of(child), "parent");
      EXPECT_EQ(cause_of(without_cancel(parent)), "");
    }
    {
      const auto [parent, cancel_parent] = with_cancel_cause(Context());
      const auto [child, cancel_child] = with_cancel_cause(parent);
      cancel_child(Error(child_cause));
      EXPECT_EQ(cause_of(parent), "");
      cancel_parent(Error(parent_cause));
      EXPECT_EQ(cause_of(child), "child");
    }
    {
      const auto [timed, cancel] = with_timeout_cause(Context(), -1s, Error(Code::kUnavailable, "slow disk"));
      EXPECT_EQ(timed.err(), Code::kDeadlineExceeded);
      EXPECT_EQ(cause_of(timed), "slow disk");
      EXPECT_EQ(cause_of(with_cancel(timed).context), "slow disk");
      const auto [plain, cancel_plain] = with_timeout(Context(), -1s);
      EXPECT_EQ(cause_of(plain), "context deadline exceeded");
    }
    {
      const auto [timed, cancel] = with_timeout_cause(Context(), 1h, Error(late));
      EXPECT_EQ(cause_of(timed), "");
      EXPECT_EQ(timed.node()->cause(), nullptr);
      cancel();
      EXPECT_EQ(timed.err(), Code::kCancelled);
      EXPECT_EQ(cause_of(timed), "context cancelled");
    }
  });
}

// Cause, for deadlines that pass while somebody waits; the earlier one gives the reason, as it gives the end.
TEST(ContextTree, CausesOfDeadlines) {
  all_shapes([] {
    const auto [outer, cancel_outer] =
        with_timeout_cause(Context(), 500us, Error(Code::kUnavailable, "outer"));
    const auto [inner, cancel_inner] = with_timeout_cause(outer, 1h, Error(Code::kUnavailable, "inner"));
    inner.wait();
    EXPECT_EQ(inner.err(), Code::kDeadlineExceeded);
    EXPECT_EQ(cause_of(inner), "outer");
    const auto [wide, cancel_wide] = with_timeout_cause(Context(), 1h, Error(Code::kUnavailable, "wide"));
    const auto [narrow, cancel_narrow] = with_timeout_cause(wide, 500us, Error(Code::kUnavailable, "narrow"));
    const ContextScope scope(narrow);
    try {
      sleep(1h);
      ADD_FAILURE();
    } catch (const DeadlineExceeded& e) {
      EXPECT_NE(e.message().find("narrow"), std::string::npos) << e.message();
    }
    EXPECT_EQ(cause_of(wide), "");
    cancel_wide();
  });
}

// DeadlineExceededSupportsTimeout: from every side it can be told from a cancellation.
TEST(ContextTree, DeadlineExceededIsATimeout) {
  run([] {
    const auto [context, cancel] = with_timeout(Context(), -1s);
    const ContextScope scope(context);
    const std::vector<Code> seen{testing::code_of([&] { context.check(); }),
                                 testing::code_of([] { sleep(1h); }), context.err(), context.cause()->code()};
    for (const Code code : seen) EXPECT_EQ(code, Code::kDeadlineExceeded);
    static_assert(std::is_base_of_v<Error, DeadlineExceeded>);
    static_assert(!std::is_base_of_v<Cancelled, DeadlineExceeded>);
    EXPECT_EQ(http_status(Code::kDeadlineExceeded), 504);
  });
}

// InvalidDerivedFail, WithValueChecksKey: no parent is null (a Context without a node is the background), and keys are
// typed objects, so that the misuse Go panics at does not compile.
template <class Key, class Value>
concept CanHold = requires(const Context& c, const Key& key, Value value) {
  with_value(c, key, value);
};
static_assert(CanHold<ContextKey<int>, int>);
static_assert(!CanHold<ContextKey<int>, std::string>);
static_assert(!CanHold<std::string, int>);
static_assert(!CanHold<std::nullptr_t, int>);
static_assert(!std::is_copy_constructible_v<ContextKey<int>>, "a copy would be another key");

TEST(ContextTree, EmptyOnesAreTheBackground) {
  run([] {
    Context used = with_value(Context(), kNumber, 1);
    const Context moved = std::move(used);
    EXPECT_EQ(with_cancel(Context()).context.value(kNumber), nullptr);
    EXPECT_EQ(*moved.value(kNumber), 1);
    CancelFunc()();
    CancelCauseFunc()();
    CancelCauseFunc()(Error(Code::kAborted, "nobody hears"));
    EXPECT_FALSE(AfterFunc().stop());
  });
}

TEST(ContextDeathTest, AnEmptyFunctionFailsAtOnce) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(run([] { after_func(current_context(), nullptr); }), "after_func: the function is empty");
}

}  // namespace
}  // namespace degu
