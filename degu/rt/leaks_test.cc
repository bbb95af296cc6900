#include <degu/rt/cancel.h>
#include <degu/rt/leaks.h>
#include <degu/rt/park.h>
#include <degu/rt/run.h>
#include <degu/rt/testing/leak_check.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <vector>

namespace degu {
namespace {

using namespace std::chrono_literals;
using ::testing::ContainsRegex;

void park_for_ever() {
  rt::begin_wait(rt::Interrupt::kIgnore);
  rt::park(rt::WaitReason::kChanRecv, nullptr);
}

TEST(GoroutinesLeft, NoneWhenAllEnd) {
  for (const int procs : {1, 2, 8}) {
    run({.procs = procs}, [] {
      const std::vector<uint64_t> known = rt::living_goroutines();
      for (int i = 0; i < 100; ++i) {
        go([i] {
          if (i % 2 == 0) sleep(1ms);
        });
      }
      EXPECT_EQ(rt::goroutines_left(known, 1h).count, 0U);
    });
  }
}

TEST(GoroutinesLeft, ParkedOnesAtOnceAsNobodyCanWakeThem) {
  for (const int procs : {1, 2, 8}) {
    run({.procs = procs}, [] {
      const std::vector<uint64_t> known = rt::living_goroutines();
      go({.name = "stranded"}, &park_for_ever);
      go([] { sleep(1ms); });
      const rt::Leftovers left = rt::goroutines_left(known, 1h);
      EXPECT_EQ(left.count, 1U);
      EXPECT_THAT(left.text, ContainsRegex("goroutine [0-9]+ stranded .chan receive"));
      EXPECT_THAT(left.text, ContainsRegex("\n.*\n\t.*:[0-9]+\n"));  // its stack
      EXPECT_THAT(left.text, ContainsRegex("created by .* in goroutine [0-9]+"));
    });
  }
}

TEST(GoroutinesLeft, SleepersAndRunnersWhenPatienceEnds) {
  std::atomic<bool> stop{false};
  run({.procs = 2}, [&] {
    const std::vector<uint64_t> known = rt::living_goroutines();
    go([] { sleep(1h); });
    go([&] {
      while (!stop) yield();
    });
    EXPECT_EQ(rt::goroutines_left(known, 5ms).count, 2U);
    stop = true;
  });
}

TEST(GoroutinesLeft, NotThoseThatWereThereBefore) {
  run([] {
    std::atomic<bool> up{false};
    go([&] {
      up = true;
      park_for_ever();
    });
    while (!up) yield();
    const std::vector<uint64_t> known = rt::living_goroutines();
    EXPECT_EQ(known.size(), 2U);
    EXPECT_EQ(rt::goroutines_left(known, 1h).count, 0U);
  });
}

TEST(GoroutinesLeft, WorksWhereTheContextHasEnded) {
  run([] {
    Ref<rt::CancelNode> node = rt::CancelNode::make(nullptr);
    node->cancel(Code::kCancelled);
    rt::exchange_context(make_ref<rt::ContextBase>(node));
    const std::vector<uint64_t> known = rt::living_goroutines();
    std::atomic<bool> done{false};
    go([&] {
      while (!done) yield();
    });
    EXPECT_EQ(rt::goroutines_left(known, 5ms).count, 1U);
    done = true;
    EXPECT_EQ(rt::goroutines_left(known, 1h).count, 0U);
  });
}

TEST(LeakCheck, FailsTheTestThatLeaks) {
  EXPECT_NONFATAL_FAILURE_ON_ALL_THREADS(run({.procs = 1},
                                             [] {
                                               const LeakCheck check;
                                               go({.name = "stranded"}, &park_for_ever);
                                             }),
                                         "stranded [chan receive");
}

TEST(ResourceCheck, FailsTheTestThatLeavesADescriptorOpen) {
  static int fd = -1;
  EXPECT_NONFATAL_FAILURE_ON_ALL_THREADS(
      {
        const ResourceCheck check;
        fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
      },
      "descriptors were left open");
  ::close(fd);
}

TEST(ResourceCheck, StacksComeBackAfterRun) {
  const ResourceCheck check;
  run({.procs = 2}, [] {
    for (int i = 0; i < 200; ++i) go(&park_for_ever);
    go({.stack_bytes = 1 << 20}, &park_for_ever);
    for (int i = 0; i < 20; ++i) yield();
    EXPECT_GT(rt::resources_in_use().stacks, 0U);
  });
}

}  // namespace
}  // namespace degu
