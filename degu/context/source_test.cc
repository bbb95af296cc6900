// After golang/go src/context/context_test.go (CustomContext*) and afterfunc_test.go.
#include <degu/context/after_func.h>
#include <degu/context/cancel_scope.h>
#include <degu/context/source.h>
#include <degu/context/stop_token.h>
#include <degu/rt/testing/all_shapes.h>
#include <degu/sync/chan.h>
#include <degu/sync/mutex.h>
#include <degu/sync/select.h>
#include <degu/sync/task_group.h>
#include <degu/sync/testing/probe.h>
#include <degu/sync/wait_group.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

namespace degu {
namespace {

using testing::until;
using namespace std::chrono_literals;

constexpr ContextKey<std::string> kName{"name"};

// A library with a cancellation of its own.
class Foreign {
 public:
  class Subscription {
   public:
    Subscription(Foreign& owner, std::function<void(std::string)> fn) : owner_(owner) {
      const std::lock_guard guard(owner_.mutex_);
      id_ = owner_.next_++;
      owner_.subscribers_[id_] = std::move(fn);
    }
    ~Subscription() {
      const std::lock_guard guard(owner_.mutex_);
      owner_.subscribers_.erase(id_);
    }
    Subscription(const Subscription&) = delete;

   private:
    Foreign& owner_;
    int id_ = 0;
  };

  Context context(const Context& parent, TimePoint deadline = kNever) {
    return with_source(
        parent,
        [this](CancelCauseFunc end) {
          return Subscription(*this,
                              [end](std::string why) { end(Error(Code::kUnavailable, std::move(why))); });
        },
        deadline);
  }
  void end(const std::string& why) {
    std::map<int, std::function<void(std::string)>> all;
    {
      const std::lock_guard guard(mutex_);
      all = subscribers_;
    }
    for (const auto& [id, fn] : all) fn(why);
  }
  std::size_t subscribers() {
    const std::lock_guard guard(mutex_);
    return subscribers_.size();
  }

 private:
  Mutex mutex_;
  int next_ = 0;
  std::map<int, std::function<void(std::string)>> subscribers_;
};

// CustomContextPropagation, CustomContextAfterFuncCancel: its end, cause and values go down the tree, not up.
TEST(Source, EndsItsContextAndAllBelow) {
  all_shapes([] {
    Foreign library;
    const auto [parent, cancel_parent] = with_cancel(with_value(Context(), kName, "above"));
    const Context context = library.context(parent);
    const auto [child, cancel_child] = with_timeout(context, 1h);
    EXPECT_EQ(*child.value(kName), "above");
    EXPECT_EQ(library.subscribers(), 1U);
    WaitGroup wg;
    for (const Context& c : {context, child}) {
      wg.go([c] {
        c.wait();
        EXPECT_EQ(c.cause()->message(), "pulled the plug");
      });
    }
    yield();
    library.end("pulled the plug");
    wg.wait();
    EXPECT_EQ(child.err(), Code::kCancelled);
    EXPECT_EQ(child.cause()->code(), Code::kUnavailable);
    EXPECT_FALSE(parent.done());
    library.end("again");
    EXPECT_EQ(context.cause()->message(), "pulled the plug");
  });
}

// The other way round: the parent, a cancel and a deadline end it as any other context.
TEST(Source, EndsWithItsParentAndItsDeadline) {
  all_shapes([] {
    Foreign library;
    const auto [parent, cancel] = with_cancel(Context());
    const Context context = library.context(parent);
    cancel();
    context.wait();
    EXPECT_EQ(context.err(), Code::kCancelled);
    // CustomContextAfterFuncTimeout
    const Context timed = library.context(Context(), after_delay(now(), 500us));
    const auto [later, cancel_later] = with_timeout(timed, 1h);
    EXPECT_EQ(later.deadline(), timed.deadline());
    later.wait();
    EXPECT_EQ(later.err(), Code::kDeadlineExceeded);
  });
}

// CustomContextAfterFuncUnregister: the subscription lasts as long as somebody can still ask, and no longer.
TEST(Source, UnsubscribesWithTheLastHandle) {
  all_shapes([] {
    Foreign library;
    {
      Context child;
      {
        const Context context = library.context(Context());
        child = with_cancel(with_value(context, kName, "x")).context;
      }
      EXPECT_EQ(library.subscribers(), 1U);
      {
        const ContextScope scope(child);
        WaitGroup wg;
        child = Context();
        wg.go([&] {
          EXPECT_EQ(library.subscribers(), 1U);  // held by this goroutine's context
          library.end("done");
          EXPECT_TRUE(current_context().done());
        });
        const Shield shield;
        wg.wait();
      }
      until([&] { return library.subscribers() == 0; });
    }
    const Context many[] = {library.context(Context()), library.context(Context())};
    EXPECT_EQ(library.subscribers(), 2U);
  });
}

// CustomContextGoroutines: no goroutine watches it.
TEST(Source, NeedsNoGoroutine) {
  all_shapes([] {
    Foreign library;
    until([] { return num_goroutines() == 1; });
    const Context context = library.context(Context());
    const auto [child, cancel] = with_cancel(context);
    const auto [timed, cancel_timed] = with_timeout(child, 1h);
    EXPECT_FALSE(timed.done());
    select(done(timed), otherwise());
    EXPECT_EQ(num_goroutines(), 1U);
  });
}

// CustomContextAfterFuncAfterFunc
TEST(Source, RunsAfterFuncs) {
  all_shapes([] {
    Foreign library;
    auto ran = make_chan<std::string>(2);
    {
      const Context context = library.context(with_value(Context(), kName, "seen"));
      after_func(context, [ran] { ran.send(*current_context().value(kName)); });
      const AfterFunc stopped = after_func(context, [] { ADD_FAILURE(); });
      EXPECT_TRUE(stopped.stop());
      library.end("over");
      EXPECT_EQ(ran.recv(), "seen");
      after_func(context, [ran] { ran.send("at once"); });
      EXPECT_EQ(ran.recv(), "at once");
    }
    until([&] { return library.subscribers() == 0; });  // their goroutines held the context to the end
  });
}

TEST(Source, MayEndInsideSubscribe) {
  run([] {
    const Context context = with_source(Context(), [](const CancelCauseFunc& end) {
      end(Error(Code::kAborted, "too late"));
      return 0;
    });
    EXPECT_TRUE(context.done());
    EXPECT_EQ(context.cause()->message(), "too late");
  });
}

TEST(StopToken, EndsAContext) {
  all_shapes([] {
    std::stop_source source;
    const Context context = with_stop_token(Context(), source.get_token());
    EXPECT_FALSE(context.done());
    TaskGroup group;
    auto never = make_chan<int>();
    group.go([&] {
      const ContextScope scope(context);
      EXPECT_THROW(never.recv(), Cancelled);
    });
    until([&] { return testing::receiver_waits(never); });
    source.request_stop();
    group.wait();
    EXPECT_EQ(context.err(), Code::kCancelled);
    EXPECT_TRUE(with_stop_token(Context(), source.get_token()).done());
    EXPECT_FALSE(with_stop_token(Context(), std::stop_token()).done());
  });
}

TEST(StopToken, IsStoppedFromAForeignThread) {
  run([] {
    auto never = make_chan<int>();
    std::jthread thread;
    std::stop_source source;
    const Context context = with_stop_token(Context(), source.get_token());
    thread = std::jthread([&] {
      while (!testing::receiver_waits(never)) std::this_thread::yield();
      source.request_stop();
    });
    {
      const ContextScope scope(context);
      EXPECT_THROW(never.recv(), Cancelled);
    }
    blocking([&] { thread.join(); });
  });
}

// A stop that meets the end of the context that listens to it.
TEST(StopToken, StopRacesWithTheLastHandle) {
  run([] {
    for (int i = 0; i < 300; ++i) {
      std::stop_source source;
      Context context = with_stop_token(Context(), source.get_token());
      std::jthread thread([&] { source.request_stop(); });
      context = Context();
      blocking([&] { thread.join(); });
    }
  });
}

TEST(StopOnEnd, RequestsAStop) {
  all_shapes([] {
    const auto [context, cancel] = with_cancel(Context());
    {
      const StopOnEnd unused(context);
      EXPECT_FALSE(unused.token().stop_requested());
    }
    EXPECT_EQ(context.node()->links_for_test(), 0U);
    const StopOnEnd stop(context);
    auto called = make_chan<int>(1);
    const std::stop_callback on_stop(stop.token(), [called] { called.send(1); });
    cancel();
    EXPECT_EQ(called.recv(), 1);
    EXPECT_TRUE(stop.token().stop_requested());
  });
}

}  // namespace
}  // namespace degu
