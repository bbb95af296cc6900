#include <degu/rt/internal/stack.h>
#include <degu/rt/run.h>
#include <degu/rt/stack_use.h>
#include <degu/rt/symbolize.h>
#include <degu/rt/testing/leak_check.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

namespace degu {
namespace {

using ::testing::HasSubstr;

[[gnu::noinline]] void use_stack(std::size_t bytes) {
  auto* memory = static_cast<volatile char*>(__builtin_alloca(bytes));
  for (std::size_t i = 0; i < bytes; i += 1024) memory[i] = 1;
}

[[gnu::noinline]] void start_hungry_ones() {
  for (int i = 0; i < 10; ++i) go([i] { use_stack(i == 3 ? 150'000 : 1'000); });
}

const rt::StackUse* find_use(const std::vector<rt::StackUse>& uses, const std::string& function) {
  std::vector<uintptr_t> pcs;
  for (const rt::StackUse& use : uses) pcs.push_back(use.site);
  const rt::SymbolTable symbols = rt::symbolize(pcs);
  for (const rt::StackUse& use : uses) {
    if (symbols.at(use.site).back().function.find(function) != std::string::npos) return &use;
  }
  return nullptr;
}

TEST(StackUse, IsMeasuredBySite) {
  rt::watch_stacks(1);
  run({.procs = 2}, [] {
    const LeakCheck all_end;
    // A deep call before must not be counted as theirs, though they get its stack.
    go([] { use_stack(200'000); });
    yield();
    start_hungry_ones();
  });
  rt::watch_stacks(0);
  const std::vector<rt::StackUse> uses = rt::stack_uses();
  const rt::StackUse* hungry = find_use(uses, "start_hungry_ones");
  ASSERT_NE(hungry, nullptr);
  EXPECT_EQ(hungry->goroutines, 10U);
  EXPECT_GE(hungry->max_bytes, 150'000U);
  EXPECT_LT(hungry->max_bytes, 200'000U);
  EXPECT_EQ(hungry->stack_bytes, 256U * 1024);
  EXPECT_EQ(hungry->suggested_bytes, 1024U * 1024);  // more than half is used
  const std::string text = rt::stack_report();
  EXPECT_THAT(text, HasSubstr("start_hungry_ones"));
  EXPECT_THAT(text, HasSubstr("stack_use_test.cc:"));
}

TEST(StackUse, CostsNothingWhenOff) {
  const std::size_t before = rt::stack_uses().size();
  run([] {
    const LeakCheck all_end;
    go([] { use_stack(1'000); });
  });
  EXPECT_EQ(rt::stack_uses().size(), before);
}

// Stacks of a class that nothing else in this program uses, so that the pool holds what the test puts there.
constexpr uint8_t kClass = 2;

std::size_t touched(const std::vector<rt::Stack>& stacks) {
  std::size_t bytes = 0;
  for (const rt::Stack& stack : stacks) bytes += rt::stack_touched(stack);
  return bytes;
}

TEST(StackTrim, LetsTheMemoryOfIdleStacksFade) {
  while (rt::stack_trim() != 0) {
  }
  std::vector<rt::Stack> stacks;
  for (int i = 0; i < 100; ++i) {
    stacks.push_back(rt::stack_allocate(kClass));
    std::memset(stacks.back().low, 1, stacks.back().size);
  }
  const std::size_t full = touched(stacks);
  EXPECT_EQ(full, 100 * stacks[0].size);
  rt::stack_release(stacks.data(), stacks.size());
  rt::stack_trim();  // they were all in use since the last one
  EXPECT_EQ(touched(stacks), full);
  rt::stack_trim();
  EXPECT_EQ(touched(stacks), full / 2);
  rt::stack_trim();
  EXPECT_EQ(touched(stacks), full / 4);
  while (rt::stack_trim() != 0) {
  }
  EXPECT_EQ(touched(stacks), 0U);
}

TEST(StackTrim, LeavesThoseThatAreNeeded) {
  while (rt::stack_trim() != 0) {
  }
  std::vector<rt::Stack> stacks;
  for (int i = 0; i < 10; ++i) {
    stacks.push_back(rt::stack_allocate(kClass));
    std::memset(stacks.back().low, 1, stacks.back().size);
  }
  rt::stack_release(stacks.data(), stacks.size());
  rt::stack_trim();
  for (int round = 0; round < 5; ++round) {
    std::vector<rt::Stack> again;
    for (int i = 0; i < 10; ++i) again.push_back(rt::stack_allocate(kClass));
    rt::stack_release(again.data(), again.size());
    rt::stack_trim();
  }
  EXPECT_EQ(touched(stacks), 10 * stacks[0].size);
  while (rt::stack_trim() != 0) {
  }
}

}  // namespace
}  // namespace degu
