#include <degu/base/cpu.h>
#include <degu/base/random.h>
#include <degu/base/time.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <array>
#include <cstddef>
#include <set>
#include <span>

namespace degu {
namespace {

TEST(Cpu, NeverMoreThanTheAffinityAndNeverNone) {
  cpu_set_t before;
  ASSERT_EQ(::sched_getaffinity(0, sizeof before, &before), 0);
  EXPECT_GE(available_cpus(), 1);
  EXPECT_LE(available_cpus(), CPU_COUNT(&before));
  cpu_set_t one;
  CPU_ZERO(&one);
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &before)) {
      CPU_SET(cpu, &one);
      break;
    }
  }
  ASSERT_EQ(::sched_setaffinity(0, sizeof one, &one), 0);
  EXPECT_EQ(available_cpus(), 1);
  ::sched_setaffinity(0, sizeof before, &before);
}

TEST(Random, RepeatsBySeedAndStaysInRange) {
  Random a(7);
  Random b(7);
  std::set<uint32_t> seen;
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(a.next(), b.next());
    const uint32_t value = a.below(5);
    ASSERT_LT(value, 5U);
    ASSERT_EQ(b.below(5), value);
    seen.insert(value);
  }
  EXPECT_EQ(seen.size(), 5U);
}

TEST(SecureRandom, FillsTheWholeSpan) {
  std::array<std::byte, 64> a{};
  std::array<std::byte, 64> b{};
  secure_random(a);
  secure_random(b);
  EXPECT_NE(a, b);
}

TEST(AfterDelay, DoesNotOverflow) {
  using namespace std::chrono_literals;
  EXPECT_EQ(after_delay(now(), std::chrono::nanoseconds::max()), kNever);
  const TimePoint t = now();
  EXPECT_EQ(after_delay(t, 5s), t + 5s);
}

}  // namespace
}  // namespace degu
