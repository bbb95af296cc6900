#include <degu/base/time.h>
#include <degu/rt/dump.h>
#include <degu/rt/park.h>
#include <degu/rt/run.h>
#include <degu/rt/symbolize.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <vector>

namespace degu::rt {
namespace {

using namespace std::chrono_literals;
using testing::Contains;
using testing::Eq;
using testing::HasSubstr;
using testing::Not;

std::vector<std::string> functions_of(const GoroutineInfo& info) {
  std::vector<std::string> names;
  const SymbolTable symbols = symbolize(info.stack);
  for (const uintptr_t pc : info.stack) {
    for (const SourceFrame& frame : symbols.at(pc)) names.push_back(frame.function);
  }
  return names;
}

const GoroutineInfo* find_named(const std::vector<GoroutineInfo>& all, std::string_view name) {
  const auto it = std::find_if(all.begin(), all.end(), [&](const auto& info) { return info.name == name; });
  return it != all.end() ? &*it : nullptr;
}

// Until the named goroutine is in the wanted state with a stack.
GoroutineInfo wait_for(std::string_view name, GoroutineState state) {
  while (true) {
    const std::vector<GoroutineInfo> all = goroutines();
    const GoroutineInfo* info = find_named(all, name);
    if (info != nullptr && info->state == state && !info->stack.empty()) return *info;
    yield();
  }
}

[[gnu::noinline]] void sleep_on_purpose() {
  sleep(1h);
  asm volatile("");  // no tail call: the frame has to be there
}

TEST(Dump, ShowsWhatAParkedGoroutineWaitsFor) {
  for (const int procs : {1, 2, 8}) {
    run({.procs = procs}, [] {
      static const int object = 0;
      go({.name = "parked"}, [] {
        begin_wait(Interrupt::kIgnore);
        park(WaitReason::kChanRecv, &object);
      });
      const GoroutineInfo info = wait_for("parked", GoroutineState::kWaiting);
      EXPECT_EQ(info.reason, WaitReason::kChanRecv);
      EXPECT_EQ(info.object, &object);
      EXPECT_EQ(info.creator, goroutine_id());
      EXPECT_NE(info.created_at, 0U);
      EXPECT_GE(info.waited, 0ns);
      EXPECT_LT(info.waited, 1min);
      EXPECT_EQ(goroutine(info.id).name, "parked");
    });
  }
}

TEST(Dump, NamesFunctionsAndLines) {
  run([] {
    go({.name = "sleeper"}, [] { sleep_on_purpose(); });
    const GoroutineInfo info = wait_for("sleeper", GoroutineState::kWaiting);
    EXPECT_THAT(functions_of(info), Contains(HasSubstr("sleep_on_purpose")));
    std::string text;
    dump_goroutines(text);
    EXPECT_THAT(text, testing::ContainsRegex("goroutine [0-9]+ sleeper \\[sleep, [0-9]+ ms\\]:\n"));
    EXPECT_THAT(text, testing::ContainsRegex("sleep_on_purpose\\(\\)\n\t[^\n]*dump_test.cc:[0-9]+\n"));
    EXPECT_THAT(text, testing::ContainsRegex("goroutine [0-9]+ main \\[running\\]:\n"));
    EXPECT_THAT(text,
                testing::ContainsRegex("created by [^\n]*NamesFunctionsAndLines[^\n]* in goroutine [0-9]+\n"
                                       "\t[^\n]*dump_test.cc:[0-9]+\n"));
    EXPECT_THAT(text, Not(HasSubstr("degu_rt_goroutine_main")));
  });
}

TEST(Dump, GroupsEqualStacks) {
  run([] {
    constexpr int kCount = 20;
    for (int i = 0; i < kCount; ++i) go({.name = "sleeper"}, [] { sleep_on_purpose(); });
    while (true) {
      std::string text;
      dump_goroutines(text, DumpStyle::kGrouped);
      if (text.find("\n20 @ 0x") == std::string::npos) {
        yield();
        continue;
      }
      EXPECT_THAT(text, HasSubstr("goroutine profile: total 21\n"));
      EXPECT_THAT(
          text,
          testing::ContainsRegex(
              "#\t0x[0-9a-f]+\t[^\n]*sleep_on_purpose\\(\\)\\+0x[0-9a-f]+\t[^\n]*dump_test.cc:[0-9]+\n"));
      return;
    }
  });
}

[[gnu::noinline]] void spin_on_purpose(const std::atomic<bool>& stop, std::atomic<bool>& spins) {
  while (!stop) spins = true;
  asm volatile("");
}

#if !defined(__SANITIZE_THREAD__)  // delivers no signal to a thread that calls nothing
TEST(Dump, ShowsTheStackOfOneThatRuns) {
  run({.procs = 2}, [] {
    std::atomic<bool> stop{false};
    std::atomic<bool> spins{false};
    std::atomic<bool> stopped{false};
    go({.name = "spinner"}, [&] {
      spin_on_purpose(stop, spins);
      stopped = true;
    });
    while (!spins) yield();
    const GoroutineInfo info = wait_for("spinner", GoroutineState::kRunning);
    EXPECT_THAT(functions_of(info), Contains(HasSubstr("spin_on_purpose")));
    stop = true;
    while (!stopped) yield();
  });
}

TEST(Dump, ShowsTheStackOfABlockingCall) {
  run({.procs = 1}, [] {
    std::atomic<bool> stop{false};
    std::atomic<bool> spins{false};
    std::atomic<bool> stopped{false};
    go({.name = "blocked"}, [&] {
      blocking([&] { spin_on_purpose(stop, spins); });
      stopped = true;
    });
    while (!spins) yield();  // the state is that of a blocking call before the call has begun
    const GoroutineInfo info = wait_for("blocked", GoroutineState::kBlocking);
    EXPECT_THAT(functions_of(info), Contains(HasSubstr("spin_on_purpose")));
    stop = true;
    while (!stopped) yield();
  });
}
#endif

TEST(Dump, FollowsWithStack) {
  run([] {
    go({.name = "outer"}, [] {
      with_stack(1000 * 1024, [] { sleep_on_purpose(); });
      asm volatile("");
    });
    const GoroutineInfo info = wait_for("outer", GoroutineState::kWaiting);
    EXPECT_THAT(functions_of(info), Contains(HasSubstr("sleep_on_purpose")));
    EXPECT_THAT(functions_of(info), Contains(HasSubstr("degu_rt_goroutine_main")));
  });
}

// After Go's TestGoroutineProfileConcurrency: those that exist throughout are in every snapshot, whole; each is
// there once; nothing that the snapshot says of a goroutine that comes and goes is torn.
TEST(Dump, IsWholeWhileGoroutinesComeAndGo) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  static constexpr int kChurn = 10'000;
#else
  static constexpr int kChurn = 60'000;
#endif
  static constexpr int kSpawners = 8;
  static constexpr int kResidents = 200;
  run({.procs = 4}, [] {
    std::atomic<int> resident_count{0};
    for (int i = 0; i < kResidents; ++i) {
      go({.name = "resident"}, [&] {
        resident_count.fetch_add(1);
        sleep_on_purpose();
      });
    }
    while (resident_count != kResidents) yield();
    // The last ones may still be on the way off their stacks.
    const auto is_parked_resident = [](const GoroutineInfo& info) {
      return info.name == "resident" && info.state == GoroutineState::kWaiting && !info.stack.empty();
    };
    for (int parked = 0; parked != kResidents; yield()) {
      const std::vector<GoroutineInfo> all = goroutines();
      parked = static_cast<int>(std::count_if(all.begin(), all.end(), is_parked_resident));
    }
    std::atomic<int> ended{0};
    std::atomic<int> spawners_ended{0};
    for (int s = 0; s < kSpawners; ++s) {
      go({.name = "spawner"}, [&] {
        for (int i = 0; i < kChurn / kSpawners; ++i) {
          go({.name = "churn"}, [&ended, i] {
            if (i % 3 == 0) yield();
            if (i % 5 == 0) sleep(10us);
            ended.fetch_add(1);
          });
          if (i % 16 == 0) yield();
        }
        spawners_ended.fetch_add(1);
      });
    }
    int snapshots = 0;
    while (ended != kChurn || spawners_ended != kSpawners || snapshots < 3) {
      const std::vector<GoroutineInfo> all = goroutines();
      ++snapshots;
      int residents = 0;
      uint64_t last = 0;
      for (const GoroutineInfo& info : all) {
        EXPECT_GT(info.id, last);
        last = info.id;
        EXPECT_THAT(info.name, testing::AnyOf("main", "resident", "spawner", "churn"));
        if (info.name != "resident" || info.state != GoroutineState::kWaiting) continue;
        ++residents;
        EXPECT_FALSE(info.stack.empty());
      }
      EXPECT_EQ(residents, kResidents);
      yield();
    }
  });
}

TEST(Symbolize, KnowsThisFunction) {
  const auto pc = reinterpret_cast<uintptr_t>(&sleep_on_purpose) + 1;
  const SymbolTable symbols = symbolize({&pc, 1});
  const SourceFrame& frame = symbols.at(pc).back();
  EXPECT_THAT(frame.function, HasSubstr("sleep_on_purpose"));
  EXPECT_THAT(frame.file, HasSubstr("dump_test.cc"));
  EXPECT_GT(frame.line, 0);
  EXPECT_EQ(frame.start, pc - 1);
}

TEST(Symbolize, SaysSomethingOfAnything) {
  const uintptr_t nowhere = 64;
  EXPECT_THAT(symbolize({&nowhere, 1}).at(nowhere).back().function, Eq("0x40"));
}

using DumpDeathTest = ::testing::Test;

TEST(DumpDeathTest, QuitPrintsAllGoroutinesAndExitsWith2) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(run([] {
                go({.name = "sleeper"}, [] { sleep_on_purpose(); });
                wait_for("sleeper", GoroutineState::kWaiting);
                ::raise(SIGQUIT);
                sleep(1h);
              }),
              ::testing::ExitedWithCode(2), "SIGQUIT: quit(.|\n)*goroutine [0-9]+ sleeper .sleep");
}

TEST(DumpDeathTest, QuitWorksWhileAllProcessorsAreStuck) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(run({.procs = 1},
                  [] {
                    ::raise(SIGQUIT);
                    std::atomic<bool> never{false};
                    std::atomic<bool> spins{false};
                    spin_on_purpose(never, spins);
                  }),
              ::testing::ExitedWithCode(2), "SIGQUIT: quit(.|\n)*goroutine [0-9]+ main .running");
}

TEST(DumpDeathTest, QuitKillsAsUsualWhenAskedTo) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(run({.dump_on_quit = false},
                  [] {
                    ::signal(SIGQUIT, SIG_DFL);  // shells have programs in the background ignore it
                    ::raise(SIGQUIT);
                    sleep(1h);
                  }),
              ::testing::KilledBySignal(SIGQUIT), "");
}

TEST(Dump, LeavesNoSignalHandlerBehind) {
  struct sigaction before {};
  ASSERT_EQ(::sigaction(SIGQUIT, nullptr, &before), 0);
  run([] {});
  struct sigaction now {};
  ASSERT_EQ(::sigaction(SIGQUIT, nullptr, &now), 0);
  EXPECT_EQ(now.sa_handler, before.sa_handler);
}

}  // namespace
}  // namespace degu::rt
