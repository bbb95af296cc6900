#include <degu/base/ref.h>
#include <gtest/gtest.h>

namespace degu {
namespace {

struct Base : RefCounted<Base> {
  explicit Base(int& alive) : alive_(alive) { ++alive_; }
  virtual ~Base() { --alive_; }
  int& alive_;
};
struct Derived : Base {
  using Base::Base;
};

TEST(Ref, DestroysWithTheLastOwner) {
  int alive = 0;
  {
    Ref<Base> a = make_ref<Base>(alive);
    Ref<Base> b = a;
    EXPECT_EQ(a->ref_count(), 2U);
    a = nullptr;
    EXPECT_EQ(alive, 1);
  }
  EXPECT_EQ(alive, 0);
}

TEST(Ref, ConvertsToBaseAndPassesOwnership) {
  int alive = 0;
  Ref<Base> base = make_ref<Derived>(alive);
  Base* raw = base.release();
  EXPECT_FALSE(base);
  EXPECT_EQ(alive, 1);
  base = Ref<Base>::adopt(raw);
  base = nullptr;
  EXPECT_EQ(alive, 0);
}

}  // namespace
}  // namespace degu
