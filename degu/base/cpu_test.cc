#include <degu/base/cpu.h>
#include <degu/base/random.h>
#include <degu/base/testing/temp_dir.h>
#include <degu/base/time.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <set>
#include <span>
#include <string>

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

TEST(Cpu, QuotasAreRoundedUpAndToTwo) {
  EXPECT_EQ(cpus_for(8, INFINITY), 8);
  EXPECT_EQ(cpus_for(8, 2.5), 3);
  EXPECT_EQ(cpus_for(8, 3), 3);
  EXPECT_EQ(cpus_for(8, 0.1), 2);
  EXPECT_EQ(cpus_for(1, 0.1), 1);
  EXPECT_EQ(cpus_for(2, 100), 2);
}

// A file system with the parts that cpu_quota() reads.
class CpuQuota : public ::testing::Test {
 protected:
  void write(const std::string& path, const std::string& text) const {
    std::filesystem::create_directories(std::filesystem::path(dir_.path() + path).parent_path());
    std::ofstream(dir_.path() + path) << text;
  }
  void v2(const std::string& path, const std::string& top = "/") const {
    write("/proc/self/cgroup", "0::" + path + "\n");
    write("/proc/self/mountinfo", "22 1 0:21 / /proc rw,nosuid - proc proc rw\n30 24 0:26 " + top +
                                      " /sys/fs/cgroup ro,nosuid shared:4 - cgroup2 cgroup rw,nsdelegate\n");
  }
  void v1(const std::string& path, const std::string& top = "/") const {
    write("/proc/self/cgroup", "5:cpuset:/other\n4:cpu,cpuacct:" + path + "\n1:name=systemd:/x\n");
    write("/proc/self/mountinfo",
          "31 25 0:27 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n32 25 0:28 " + top +
              " /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n");
  }
  void v1_quota(const std::string& folder, int quota_us, int period_us) const {
    write("/sys/fs/cgroup/cpu,cpuacct" + folder + "/cpu.cfs_quota_us", std::to_string(quota_us) + "\n");
    write("/sys/fs/cgroup/cpu,cpuacct" + folder + "/cpu.cfs_period_us", std::to_string(period_us) + "\n");
  }
  double quota() const { return cpu_quota(dir_.path()); }

 private:
  testing::TempDir dir_;
};

TEST_F(CpuQuota, NoneWithoutCgroups) { EXPECT_EQ(quota(), INFINITY); }

TEST_F(CpuQuota, V2OwnAndMax) {
  v2("/app");
  EXPECT_EQ(quota(), INFINITY);
  write("/sys/fs/cgroup/app/cpu.max", "max 100000\n");
  EXPECT_EQ(quota(), INFINITY);
  write("/sys/fs/cgroup/app/cpu.max", "250000 100000\n");
  EXPECT_EQ(quota(), 2.5);
}

TEST_F(CpuQuota, V2SmallestOfAllAncestors) {
  v2("/pod/app/worker");
  write("/sys/fs/cgroup/pod/app/worker/cpu.max", "400000 100000\n");
  write("/sys/fs/cgroup/pod/app/cpu.max", "max 100000\n");
  write("/sys/fs/cgroup/pod/cpu.max", "150000 100000\n");
  EXPECT_EQ(quota(), 1.5);
  write("/sys/fs/cgroup/cpu.max",
        "50000 100000\n");  // of the mounted one, as in a container with a namespace
  EXPECT_EQ(quota(), 0.5);
}

TEST_F(CpuQuota, V2MountedBelowTheHostsRoot) {
  v2("/docker/4f/inner", "/docker/4f");
  write("/sys/fs/cgroup/cpu.max", "300000 100000\n");
  write("/sys/fs/cgroup/inner/cpu.max", "200000 100000\n");
  EXPECT_EQ(quota(), 2);
  v2("/docker/4fff", "/docker/4f");  // another one's
  EXPECT_EQ(quota(), 3);
  v2("/../elsewhere");
  EXPECT_EQ(quota(), 3);
}

TEST_F(CpuQuota, V1TakesTheCpuControllerOnly) {
  v1("/a/b");
  EXPECT_EQ(quota(), INFINITY);
  v1_quota("/a/b", -1, 100'000);
  EXPECT_EQ(quota(), INFINITY);
  v1_quota("/a", 50'000, 25'000);
  EXPECT_EQ(quota(), 2);
  write("/sys/fs/cgroup/cpuset/other/cpu.max", "1 1000\n");
  EXPECT_EQ(quota(), 2);
}

TEST_F(CpuQuota, BothVersionsAtOnceAndEscapedMountPoint) {
  write("/proc/self/cgroup", "4:cpu:/a\n0::/u\n");
  write("/proc/self/mountinfo",
        "31 25 0:27 / /sys/my\\040cpu rw - cgroup cgroup rw,cpu\n33 25 0:29 / /sys/unified rw shared:2 - "
        "cgroup2 "
        "cgroup2 rw\n");
  write("/sys/my cpu/a/cpu.cfs_quota_us", "300000");
  write("/sys/my cpu/a/cpu.cfs_period_us", "100000");
  EXPECT_EQ(quota(), 3);
  write("/sys/unified/u/cpu.max", "100000 100000");
  EXPECT_EQ(quota(), 1);
}

TEST_F(CpuQuota, NonsenseDoesNotLimit) {
  write("/proc/self/cgroup", "\n:\n0:\n0::no-slash\n");
  write("/proc/self/mountinfo", "1 2 - cgroup2\n- cgroup2 a b\n\n30 24 0:26 / /cg rw - cgroup2 c rw\n");
  write("/cg/cpu.max", "-5 0");
  EXPECT_EQ(quota(), INFINITY);
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
