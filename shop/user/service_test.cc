#include <degu/base/error.h>
#include <degu/base/testing/temp_dir.h>
#include <degu/rpc/call.h>
#include <degu/rt/run.h>
#include <degu/sync/wait_group.h>
#include <gtest/gtest.h>
#include <shop/user/service.h>
#include <shop/user/user_cache.h>

#include <atomic>
#include <string>

namespace shop::user {
namespace {

using degu::Code;

class UserService : public testing::Test {
 protected:
  std::shared_ptr<UserComponent> open() const {
    UserDeps deps;
    deps.database_path = dir_.file("user.db");
    deps.secret_path = dir_.file("token.key");
    deps.synchronous = degu::store::Synchronous::kOff;
    deps.password_cost = {.log_n = 4, .block = 1, .parallel = 1};
    return make_user_service(deps);
  }
  degu::testing::TempDir dir_;
};

v1::CreateUserRequest account(std::string name, std::string email, std::string password = "password") {
  v1::CreateUserRequest request;
  request.name = std::move(name);
  request.email = std::move(email);
  request.password = std::move(password);
  return request;
}

v1::CreateSessionRequest credentials(std::string email, std::string password = "password") {
  v1::CreateSessionRequest request;
  request.email = std::move(email);
  request.password = std::move(password);
  return request;
}

template <class F>
Code code_of(F call) {
  try {
    call();
    return Code::kOk;
  } catch (const degu::Error& error) {
    return error.code();
  }
}

TEST_F(UserService, OpensAccountsAndSessions) {
  degu::run([&] {
    const auto service = open();
    const v1::User user = service->create_user(account("Anna", "Anna@Example.org"));
    EXPECT_EQ(user.email, "Anna@Example.org");
    const v1::Session session = service->create_session(credentials("anna@example.org"));
    ASSERT_TRUE(session.user.has_value());
    EXPECT_EQ(session.user->id, user.id);
    v1::VerifyTokenRequest verify;
    verify.token = session.token;
    EXPECT_EQ(service->verify_token(verify).user_id, user.id);
    verify.token += "x";
    EXPECT_EQ(code_of([&] { service->verify_token(verify); }), Code::kUnauthenticated);
    service->stop({});
  });
}

TEST_F(UserService, RefusesWithoutSayingWhy) {
  degu::run([&] {
    const auto service = open();
    service->create_user(account("Anna", "anna@example.org"));
    std::string wrong_password;
    std::string unknown;
    try {
      service->create_session(credentials("anna@example.org", "passwort"));
    } catch (const degu::Error& error) {
      wrong_password = error.what();
    }
    try {
      service->create_session(credentials("bert@example.org"));
    } catch (const degu::Error& error) {
      unknown = error.what();
    }
    EXPECT_TRUE(wrong_password.starts_with("UNAUTHENTICATED")) << wrong_password;
    EXPECT_EQ(wrong_password, unknown);
    EXPECT_EQ(code_of([&] { service->create_user(account("Anna", "ANNA@example.org")); }),
              Code::kAlreadyExists);
    service->stop({});
  });
}

TEST_F(UserService, MasksAddresses) {
  degu::run([&] {
    const auto service = open();
    const std::string id = service->create_user(account("Anna", "anna@example.org")).id;
    v1::GetUserRequest request;
    request.id = id;
    EXPECT_EQ(service->get_user(request).email, "a***@example.org");
    EXPECT_EQ(service->list_users({}).users.at(0).email, "a***@example.org");
    degu::rpc::Metadata caller;
    caller.set("x-user-id", id);
    const degu::rpc::MetadataScope scope(caller);
    EXPECT_EQ(service->get_user(request).email, "anna@example.org");
    for (const char* unknown : {"0", "-1", "99", "1x", "99999999999999999999"}) {
      request.id = unknown;
      EXPECT_EQ(code_of([&] { service->get_user(request); }), Code::kNotFound) << unknown;
    }
    service->stop({});
  });
}

TEST_F(UserService, PagesThroughUsersAlsoAfterARestart) {
  degu::run([&] {
    std::vector<NewUser> users;
    for (int i = 0; i < 25; ++i) users.push_back({"User", "u" + std::to_string(i) + "@example.org", "!"});
    EXPECT_EQ(add_users(dir_.file("user.db"), users), 25);
    EXPECT_EQ(add_users(dir_.file("user.db"), users), 0);
    const auto service = open();
    std::vector<std::string> seen;
    v1::ListUsersRequest request;
    do {
      const auto page = service->list_users(request);
      EXPECT_LE(page.users.size(), 10U);
      for (const v1::User& user : page.users) seen.push_back(user.id);
      request.page_token = page.next_page_token;
    } while (!request.page_token.empty());
    EXPECT_EQ(seen.size(), 25U);
    request.page_token = "x";
    EXPECT_EQ(code_of([&] { service->list_users(request); }), Code::kInvalidArgument);
    EXPECT_EQ(code_of([&] { service->create_session(credentials("u1@example.org", "!")); }),
              Code::kUnauthenticated);
    service->stop({});
  });
}

TEST_F(UserService, OneAddressOneAccountHoweverManyTry) {
  degu::run([&] {
    const auto service = open();
    std::atomic<int> opened{0};
    degu::WaitGroup group;
    for (int i = 0; i < 16; ++i) {
      group.go([&] {
        if (service->ensure_user("Demo", "demo@example.org", "password")) ++opened;
      });
    }
    group.wait();
    EXPECT_EQ(opened, 1);
    EXPECT_EQ(service->list_users({}).users.size(), 1U);
    service->stop({});
  });
}

TEST(UserCache, KeepsOrder) {
  UserCache cache;
  for (const int64_t id : {1, 2, 5, 4, 3, 4, 6}) cache.add(UserCache::make_entry(id, "n", "a@b.c", 0));
  EXPECT_EQ(cache.size(), 6U);
  std::string ids;
  for (const v1::User& user : cache.page(1, 4).users) ids += user.id;
  EXPECT_EQ(ids, "2345");
  EXPECT_EQ(cache.page(1, 4).next_page_token, "5");
  EXPECT_EQ(cache.page(5, 4).next_page_token, "");
  EXPECT_EQ(cache.page(6, 4).users.size(), 0U);
  EXPECT_EQ(mask_email("@x"), "***");
}

}  // namespace
}  // namespace shop::user
