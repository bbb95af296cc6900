#include <degu/base/function.h>
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>

namespace degu {
namespace {

TEST(UniqueFunction, CallsSmallAndLargeCallables) {
  UniqueFunction<int(int)> small = [](int x) { return x + 1; };
  EXPECT_EQ(small(1), 2);
  std::array<int, 64> large{};
  large[63] = 5;
  UniqueFunction<int(int)> boxed = [large](int x) { return x + large[63]; };
  EXPECT_EQ(boxed(1), 6);
}

TEST(UniqueFunction, OwnsMoveOnlyCallablesAndArguments) {
  UniqueFunction<int(std::unique_ptr<int>)> add =
      [held = std::make_unique<int>(2)](std::unique_ptr<int> other) { return *held + *other; };
  UniqueFunction<int(std::unique_ptr<int>)> moved = std::move(add);
  EXPECT_FALSE(add);
  EXPECT_EQ(moved(std::make_unique<int>(3)), 5);
}

TEST(UniqueFunction, DestroysWhatItHoldsOnce) {
  auto counter = std::make_shared<int>(0);
  {
    UniqueFunction<void()> one = [counter] {};
    UniqueFunction<void()> two;
    two = std::move(one);
    two = nullptr;
    EXPECT_EQ(counter.use_count(), 1);
    two = [counter, pad = std::array<char, 100>{}] { static_cast<void>(pad); };
    EXPECT_EQ(counter.use_count(), 2);
  }
  EXPECT_EQ(counter.use_count(), 1);
}

TEST(UniqueFunction, ConvertsResults) {
  UniqueFunction<void()> ignores = [] { return 7; };
  ignores();
  UniqueFunction<std::string()> converts = [] { return "text"; };
  EXPECT_EQ(converts(), "text");
}

int twice(int x) { return 2 * x; }

TEST(UniqueFunction, TakesPlainFunctionsByName) {
  UniqueFunction<int(int)> function = twice;
  EXPECT_EQ(function(4), 8);
}

TEST(UniqueFunction, PassesReferences) {
  UniqueFunction<int&(int&)> same = [](int& x) -> int& { return x; };
  int value = 1;
  same(value) = 2;
  EXPECT_EQ(value, 2);
}

}  // namespace
}  // namespace degu
