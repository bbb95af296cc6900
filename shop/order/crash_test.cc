// Kills the shop at each point of its sagas and at random moments under load; after each restart every order
// ends, and the books of all services agree. What a customer was told stays true.
#include <degu/base/random.h>
#include <degu/base/testing/temp_dir.h>
#include <degu/store/testing/crash_child.h>
#include <degu/sync/wait_group.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <shop/order/test_shop.h>
#include <signal.h>
#include <unistd.h>

#include <fstream>
#include <map>
#include <sstream>

namespace shop::order {
namespace {

using degu::store::testing::crash_argument;
using degu::store::testing::CrashChild;
using degu::testing::TempDir;
using ::testing::IsEmpty;
using namespace std::chrono_literals;

constexpr int kUsers = 6;

std::vector<std::string> users() {
  std::vector<std::string> names;
  for (int i = 0; i < kUsers; ++i) names.push_back("u" + std::to_string(i));
  return names;
}

// One customer: orders, refused cards, orders that are cancelled. Notes "<order> <state>" for every answer.
void shop_for_ever(TestShop& shop, const std::string& user, int acks) {
  const As as(user);
  const auto note = [&](const v1::Order& order) {
    const std::string line = fmt::format("{} {}\n", order.id, to_string(order.state));
    if (::write(acks, line.data(), line.size()) < 0) ::_exit(1);
  };
  for (int i = 0;; ++i) {
    try {
      std::vector<std::pair<std::string, int32_t>> items{{"a", 1 + i % 3}};
      if (i % 7 == 0) items.emplace_back("b", 1);  // there are few of these
      const char* card = i % 5 == 3 ? kDeclinedCard : kGoodCard;
      const auto order = shop.orders->place_order(
          order_request(fmt::format("{}-{}-{}", ::getpid(), user, i), std::move(items), card));
      note(order);
      if (i % 4 == 2) note(shop.orders->cancel_order({.id = order.id}));
    } catch (const degu::Error&) {  // refused
    }
  }
}

TEST(DISABLED_CrashChild, Shop) {
  std::string spec = crash_argument();
  ASSERT_FALSE(spec.empty()) << "not to be run by itself";
  if (spec == "random") spec.clear();
  const int acks = ::open("acks", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  degu::run([&] {
    TestShop shop(".", spec);
    degu::WaitGroup wg;
    for (const std::string& user : users()) wg.go([&, user] { shop_for_ever(shop, user, acks); });
    wg.wait();
  });
}

// Every order that a customer was told of, and the last state told.
std::map<std::string, std::string> acknowledged(const TempDir& dir) {
  std::map<std::string, std::string> told;
  std::ifstream acks(dir.file("acks"));
  for (std::string id, state; acks >> id >> state;) told[id] = state;
  return told;
}

void judge(const TempDir& dir, const std::string& when) {
  SCOPED_TRACE(when);
  degu::run([&] {
    TestShop shop(dir.path());
    EXPECT_THAT(settle(shop, users()), IsEmpty());
    std::map<std::string, v1::OrderState> there;
    for (const std::string& user : users()) {
      for (const v1::Order& order : all_orders(shop, user)) there[order.id] = order.state;
    }
    for (const auto& [id, state] : acknowledged(dir)) {
      ASSERT_TRUE(there.contains(id)) << "acknowledged order " << id << " is missing";
      const std::string now(to_string(there[id]));
      EXPECT_TRUE(now == state || (state == "CAPTURED" && now == "CANCELLED"))
          << id << " was " << state << ", is " << now;
    }
  });
}

TEST(ShopCrashTest, AtEverySagaStep) {
  const TempDir dir;
  for (const char* point :
       {"pending", "reserved", "authorized", "confirmed", "captured", "notified", "compensating"}) {
    for (const char* suffix : {"-before", ""}) {
      const std::string spec = fmt::format("{}{}:{}", point, suffix, 1 + degu::random_u64() % 6);
      CrashChild child("DISABLED_CrashChild.Shop", dir.path(), spec);
      ASSERT_EQ(child.wait(), -SIGKILL) << spec;
      judge(dir, spec);
    }
  }
}

TEST(ShopCrashTest, AtRandomMoments) {
  const TempDir dir;
  for (int round = 0; round < 12; ++round) {
    CrashChild child("DISABLED_CrashChild.Shop", dir.path(), "random");
    degu::run([] { degu::sleep(60ms + std::chrono::microseconds(degu::random_u64() % 150000)); });
    child.kill();
    if (round % 3 == 2) judge(dir, fmt::format("round {}", round));
  }
  EXPECT_GT(acknowledged(dir).size(), 20U) << "the child did not get to do anything";
}

}  // namespace
}  // namespace shop::order
