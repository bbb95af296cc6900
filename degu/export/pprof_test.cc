// Reads the profiles back with `go tool pprof`, as users do.
#include <degu/base/error.h>
#include <degu/base/testing/temp_dir.h>
#include <degu/context/cancel_scope.h>
#include <degu/context/context.h>
#include <degu/export/pprof.h>
#include <degu/rt/dump.h>
#include <degu/rt/profile.h>
#include <degu/rt/run.h>
#include <degu/sync/chan.h>
#include <degu/sync/mutex.h>
#include <degu/sync/wait_group.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

namespace degu::exporter {
namespace {

using namespace std::chrono_literals;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

// What pprof prints of the profile with these options.
std::string pprof(const rt::Profile& profile, const std::string& options) {
  const testing::TempDir dir;
  const std::string path = dir.file("profile");
  const std::string bytes = encode_pprof(profile);
  std::FILE* file = std::fopen(path.c_str(), "wb");
  EXPECT_EQ(std::fwrite(bytes.data(), 1, bytes.size(), file), bytes.size());
  std::fclose(file);
  const std::string command = "PPROF_TMPDIR=" + dir.path() +
                              " /usr/lib/go-1.19/bin/go tool pprof -symbolize=none " + options + " " + path +
                              " 2>&1";
  std::FILE* pipe = ::popen(command.c_str(), "r");
  std::string text;
  std::array<char, 4096> buffer;
  while (const std::size_t n = std::fread(buffer.data(), 1, buffer.size(), pipe))
    text.append(buffer.data(), n);
  EXPECT_EQ(::pclose(pipe), 0) << text;
  return text;
}

[[gnu::noinline]] uint64_t burn_on_purpose(const std::atomic<bool>& stop) {
  uint64_t x = 1;
  while (!stop.load(std::memory_order_relaxed)) x = x * 6364136223846793005ULL + 1;
  return x;
}

[[gnu::noinline]] void sleep_on_purpose() {
  sleep(1h);
  asm volatile("");
}

TEST(Pprof, ReadsValuesStacksAndLabels) {
  rt::Profile profile;
  profile.types = {{"apples", "count"}, {"weight", "bytes"}};
  profile.period_type = {"apples", "count"};
  profile.period = 7;
  const auto pc = reinterpret_cast<uintptr_t>(&sleep_on_purpose) + 1;
  profile.samples = {{{pc}, {3, 3000}, "picker"}, {{pc, pc + 1}, {4, 0}, ""}};
  const std::string raw = pprof(profile, "-raw");
  EXPECT_THAT(raw, HasSubstr("PeriodType: apples count"));
  EXPECT_THAT(raw, HasSubstr("Period: 7"));
  EXPECT_THAT(raw, ContainsRegex("apples/count weight/bytes"));
  EXPECT_THAT(raw, ContainsRegex("3 +3000: "));
  EXPECT_THAT(raw, ContainsRegex("4 +0: "));
  EXPECT_THAT(raw, HasSubstr("goroutine:[picker]"));
  EXPECT_THAT(raw, ContainsRegex("sleep_on_purpose[^\n]*pprof_test.cc:[0-9]+"));
}

TEST(Pprof, AnEmptyProfileIsOne) {
  rt::Profile profile;
  profile.types = {{"contentions", "count"}};
  EXPECT_THAT(pprof(profile, "-raw"), HasSubstr("contentions/count"));
}

TEST(Pprof, GoroutinesAreCountedByStack) {
  run([] {
    for (int i = 0; i < 25; ++i) go({.name = "sleeper"}, [] { sleep_on_purpose(); });
    while (true) {
      const rt::Profile profile = rt::goroutine_profile();
      bool all_asleep = false;
      for (const rt::ProfileSample& sample : profile.samples) {
        all_asleep |= sample.goroutine == "sleeper" && sample.values[0] == 25 && !sample.stack.empty();
      }
      if (!all_asleep) {
        yield();
        continue;
      }
      const std::string top = blocking([&] { return pprof(profile, "-top -cum"); });
      EXPECT_THAT(top, ContainsRegex(" 25 +9[0-9.]*%[^\n]*sleep_on_purpose"));
      return;
    }
  });
}

#if !defined(__SANITIZE_THREAD__)  // delivers no signal to a thread that calls nothing
TEST(Pprof, CpuTimeGoesToTheFunctionThatUsesIt) {
  run({.procs = 2}, [] {
    std::atomic<bool> stop{false};
    WaitGroup tasks;
    tasks.add(1);
    go({.name = "burner"}, [&] {
      static_cast<void>(burn_on_purpose(stop));
      tasks.done();
    });
    // As long as it takes a loaded machine to give us some CPU time.
    rt::Profile profile;
    int64_t samples = 0;
    while (samples < 20) {
      profile = rt::cpu_profile(300ms, 500);
      samples = 0;
      for (const rt::ProfileSample& sample : profile.samples)
        samples += sample.goroutine == "burner" ? sample.values[0] : 0;
    }
    stop = true;
    tasks.wait();
    EXPECT_EQ(profile.period, 2'000'000);
    const std::string top = blocking([&] { return pprof(profile, "-top"); });
    EXPECT_THAT(top, HasSubstr("Type: cpu"));
    EXPECT_THAT(top, ContainsRegex("burn_on_purpose"));
    const std::string lines = blocking([&] { return pprof(profile, "-top -lines"); });
    EXPECT_THAT(lines, ContainsRegex("burn_on_purpose[^\n]*pprof_test.cc:[0-9]+"));
    const std::string tagged = blocking([&] { return pprof(profile, "-top -tagfocus=goroutine=burner"); });
    EXPECT_THAT(tagged, ContainsRegex("burn_on_purpose"));
    const std::string others = blocking([&] { return pprof(profile, "-top -tagignore=goroutine=burner"); });
    EXPECT_THAT(others, Not(ContainsRegex("burn_on_purpose")));
  });
}
#endif

TEST(Pprof, OneCpuProfileAtATimeAndItsContextEndsIt) {
  run([] {
    const auto [context, cancel] = with_cancel(current_context());
    WaitGroup tasks;
    std::atomic<bool> cancelled{false};
    tasks.go([&, inner = context] {
      const ContextScope scope(inner);
      while (!cancelled) {
        try {
          static_cast<void>(rt::cpu_profile(1h));
        } catch (const Cancelled&) {
          cancelled = true;
        } catch (const Error&) {
          yield();  // the other one was first
        }
      }
    });
    for (bool refused = false; !refused; yield()) {
      try {
        static_cast<void>(rt::cpu_profile(0ns));
      } catch (const Error& error) {
        refused = error.code() == Code::kFailedPrecondition;
      }
    }
    cancel();
    tasks.wait();
    EXPECT_TRUE(cancelled);
    EXPECT_NO_THROW(static_cast<void>(rt::cpu_profile(0ns)));
  });
}

[[gnu::noinline]] void wait_on_purpose(Chan<int>& channel) {
  static_cast<void>(channel.recv());
  asm volatile("");
}

[[gnu::noinline]] void unlock_on_purpose(Mutex& mutex) {
  mutex.unlock();
  asm volatile("");
}

// Until as many goroutines as that are in such a wait.
void wait_for_waiters(rt::WaitReason reason, int count) {
  while (true) {
    int found = 0;
    for (const rt::GoroutineInfo& info : rt::goroutines()) {
      found += info.state == rt::GoroutineState::kWaiting && info.reason == reason ? 1 : 0;
    }
    if (found == count) return;
    yield();
  }
}

TEST(Pprof, BlockingIsCountedWhereItWaits) {
  run([] {
    rt::set_block_profile_rate(1ns);
    const rt::Profile before = rt::block_profile();
    auto channel = make_chan<int>(0);
    WaitGroup tasks;
    for (int i = 0; i < 30; ++i) tasks.go([&] { wait_on_purpose(channel); });
    wait_for_waiters(rt::WaitReason::kChanRecv, 30);
    for (int i = 0; i < 30; ++i) channel.send(i);
    tasks.wait();
    rt::set_block_profile_rate(0ns);
    const rt::Profile profile = rt::difference(rt::block_profile(), before);
    const std::string top = blocking([&] { return pprof(profile, "-top -cum -sample_index=contentions"); });
    EXPECT_THAT(top, ContainsRegex(" 30 +[0-9.]+%[^\n]*wait_on_purpose"));
    EXPECT_THAT(blocking([&] { return pprof(profile, "-top"); }), HasSubstr("Type: delay"));
    // Off again: nothing more is counted.
    const rt::Profile off = rt::block_profile();
    tasks.go([&] { wait_on_purpose(channel); });
    wait_for_waiters(rt::WaitReason::kChanRecv, 1);
    channel.send(0);
    tasks.wait();
    EXPECT_TRUE(rt::difference(rt::block_profile(), off).samples.empty());
  });
}

TEST(Pprof, MutexContentionIsCountedAtTheUnlock) {
  run([] {
    rt::set_mutex_profile_fraction(1);
    const rt::Profile before = rt::mutex_profile();
    Mutex mutex;
    WaitGroup tasks;
    mutex.lock();
    for (int i = 0; i < 5; ++i) {
      tasks.go([&] {
        mutex.lock();
        unlock_on_purpose(mutex);
      });
    }
    wait_for_waiters(rt::WaitReason::kMutex, 5);
    unlock_on_purpose(mutex);
    tasks.wait();
    rt::set_mutex_profile_fraction(0);
    const rt::Profile profile = rt::difference(rt::mutex_profile(), before);
    int64_t contentions = 0;
    for (const rt::ProfileSample& sample : profile.samples) contentions += sample.values[0];
    EXPECT_GE(contentions, 5);
    const std::string top = blocking([&] { return pprof(profile, "-top -cum -sample_index=contentions"); });
    EXPECT_THAT(top, ContainsRegex("unlock_on_purpose"));
  });
}

[[gnu::noinline]] std::vector<std::unique_ptr<char[]>> allocate_on_purpose(int count, std::size_t bytes) {
  std::vector<std::unique_ptr<char[]>> all;
  for (int i = 0; i < count; ++i) all.push_back(std::make_unique<char[]>(bytes));
  return all;
}

int64_t bytes_of(const rt::Profile& profile, std::size_t value) {
  int64_t sum = 0;
  for (const rt::ProfileSample& sample : profile.samples) sum += sample.values[value];
  return sum;
}

TEST(Pprof, HeapCountsWhatIsAllocatedAndWhatIsInUse) {
  ASSERT_TRUE(rt::has_heap_profile());
  run([] {
    constexpr int64_t kBytes = 400LL * 256 * 1024;
    const rt::Profile before = rt::heap_profile();
    auto objects = allocate_on_purpose(400, 256 * 1024);
    const rt::Profile held = rt::difference(rt::heap_profile(), before);
    // 100 MiB in samples of 512 KiB: within a third, at more than six standard deviations.
    EXPECT_NEAR(static_cast<double>(bytes_of(held, 3)), static_cast<double>(kBytes), kBytes / 3.0);
    // One small object that happens to be sampled stands for thousands; those of this size are some 400.
    int64_t large = 0;
    for (const rt::ProfileSample& sample : held.samples) {
      if (sample.values[2] != 0 && sample.values[3] / sample.values[2] > 128 * 1024)
        large += sample.values[2];
    }
    EXPECT_NEAR(static_cast<double>(large), 400, 140);
    const std::string top = blocking([&] { return pprof(held, "-top -cum -sample_index=inuse_space"); });
    EXPECT_THAT(top, ContainsRegex("allocate_on_purpose"));
    objects.clear();
    const rt::Profile freed = rt::difference(rt::heap_profile(), before);
    EXPECT_LT(bytes_of(freed, 3), kBytes / 10);
    EXPECT_GT(bytes_of(freed, 1), kBytes / 2);
  });
}

}  // namespace
}  // namespace degu::exporter
