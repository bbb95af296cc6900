#include <degu/base/testing/temp_dir.h>
#include <degu/rpc/call.h>
#include <degu/rt/run.h>
#include <degu/sync/wait_group.h>
#include <gtest/gtest.h>
#include <shop/notification/service.h>

#include <set>

namespace shop::notification {
namespace {

using degu::Code;
using degu::Error;

v1::NotifyRequest tell(const std::string& order, const std::string& user,
                       const std::string& kind = "order_captured") {
  v1::NotifyRequest request;
  request.idempotency_key = order + "/" + kind;
  request.order_id = order;
  request.user_id = user;
  request.kind = kind;
  request.message = "about " + order;
  return request;
}

v1::ListNotificationsResponse list(NotificationComponent& service, const std::string& user, int size = 0,
                                   const std::string& token = "") {
  degu::rpc::Metadata metadata;
  if (!user.empty()) metadata.set("x-user-id", user);
  const degu::rpc::MetadataScope scope(metadata);
  v1::ListNotificationsRequest request;
  request.page_size = size;
  request.page_token = token;
  return service.list_notifications(request);
}

class NotificationTest : public ::testing::Test {
 protected:
  template <class F>
  void with_service(F body) {
    degu::run([&] {
      auto service = make_notification_service(
          {.database_path = dir_.file("notification.db"), .synchronous = degu::store::Synchronous::kNormal});
      body(*service);
      service->stop({});
    });
  }
  degu::testing::TempDir dir_;
};

TEST_F(NotificationTest, OneForEachOrderAndKind) {
  with_service([](NotificationComponent& service) {
    degu::WaitGroup wg;
    for (int i = 0; i < 20; ++i) wg.go([&] { service.notify(tell("o1", "u1")); });
    wg.wait();
    service.notify(tell("o1", "u1", "order_cancelled"));
    EXPECT_EQ(list(service, "u1").notifications.size(), 2U);
    EXPECT_TRUE(list(service, "u2").notifications.empty());
  });
}

TEST_F(NotificationTest, TheKeyOfAnotherIsRefused) {
  with_service([](NotificationComponent& service) {
    service.notify(tell("o1", "u1"));
    auto other = tell("o2", "u2");
    other.idempotency_key = "o1/order_captured";
    EXPECT_THROW(service.notify(other), Error);
    EXPECT_THROW(service.notify(tell("o1", "u2")), Error);
  });
}

TEST_F(NotificationTest, PagesNewestFirst) {
  with_service([](NotificationComponent& service) {
    for (int i = 0; i < 25; ++i) service.notify(tell("o" + std::to_string(i), "u1"));
    std::vector<std::string> seen;
    std::string token;
    do {
      const auto page = list(service, "u1", 7, token);
      EXPECT_LE(page.notifications.size(), 7U);
      for (const auto& n : page.notifications) seen.push_back(n.order_id);
      token = page.next_page_token;
    } while (!token.empty());
    ASSERT_EQ(seen.size(), 25U);
    EXPECT_EQ(seen.front(), "o24");
    EXPECT_EQ(std::set<std::string>(seen.begin(), seen.end()).size(), 25U);
    EXPECT_EQ(list(service, "u1").notifications.size(), 20U);
  });
}

TEST_F(NotificationTest, AStrangerIsAskedToLogIn) {
  with_service([](NotificationComponent& service) {
    try {
      list(service, "");
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::kUnauthenticated);
    }
  });
}

}  // namespace
}  // namespace shop::notification
