#include <degu/base/testing/code_of.h>
#include <degu/context/cancel_scope.h>
#include <degu/rt/run.h>
#include <degu/rt/testing/all_shapes.h>
#include <degu/sync/wait_group.h>
#include <gtest/gtest.h>
#include <shop/order/order_watch.h>

namespace shop::order {
namespace {

using namespace std::chrono_literals;
using degu::now;

TEST(OrderWatch, WakesWhoWatchesThatOrder) {
  degu::all_shapes([] {
    OrderWatch watch;
    OrderWatch::Watcher first(watch, "a");
    OrderWatch::Watcher second(watch, "a");
    OrderWatch::Watcher other(watch, "b");
    degu::WaitGroup waiting;
    waiting.go([&] { EXPECT_TRUE(first.wait_until(now() + 1h)); });
    watch.changed("a");
    EXPECT_TRUE(second.wait_until(now() + 1h));
    waiting.wait();
    EXPECT_FALSE(other.wait_until(now()));
    EXPECT_FALSE(second.wait_until(now()));
  });
}

TEST(OrderWatch, ForgetsNoChangeBetweenTwoWaits) {
  degu::run([] {
    OrderWatch watch;
    watch.changed("a");
    OrderWatch::Watcher watcher(watch, "a");
    EXPECT_FALSE(watcher.wait_until(now()));  // that was before
    watch.changed("a");
    watch.changed("a");
    EXPECT_TRUE(watcher.wait_until(now()));
    EXPECT_FALSE(watcher.wait_until(now()));
    watch.changed("none watches this");
  });
}

TEST(OrderWatch, TheEndOfTheContextEndsTheWait) {
  degu::run([] {
    OrderWatch watch;
    OrderWatch::Watcher watcher(watch, "a");
    const degu::CancelScope scope(1ms);
    EXPECT_EQ(degu::testing::code_of([&] { watcher.wait_until(degu::kNever); }),
              degu::Code::kDeadlineExceeded);
  });
}

}  // namespace
}  // namespace shop::order
