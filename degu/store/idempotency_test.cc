#include <degu/base/testing/temp_dir.h>
#include <degu/rt/run.h>
#include <degu/store/idempotency.h>
#include <degu/sync/wait_group.h>
#include <gtest/gtest.h>

#include <stdexcept>

namespace degu::store {
namespace {

using degu::testing::TempDir;

class IdempotencyTest : public ::testing::Test {
 protected:
  template <class F>
  void with_keys(F body) {
    degu::run([&] {
      auto db =
          Database::open(dir_.file("i.db"), {.migrations = {{1, "keys", std::string(Idempotency::schema())}},
                                             .synchronous = Synchronous::kNormal});
      Idempotency keys(*db);
      body(keys);
      db->close();
    });
  }
  TempDir dir_;
};

TEST_F(IdempotencyTest, RunsOnceAndRepeatsTheAnswer) {
  int runs = 0;
  const auto body = [&](Transaction&) { return "answer " + std::to_string(++runs); };
  with_keys([&](Idempotency& keys) {
    EXPECT_EQ(keys.once("scope", "k", "request", body), "answer 1");
    EXPECT_EQ(keys.once("scope", "k", "request", body), "answer 1");
    EXPECT_EQ(keys.once("other", "k", "request", body), "answer 2");
    EXPECT_EQ(keys.once("scope", "k2", "request", body), "answer 3");
  });
  with_keys([&](Idempotency& keys) { EXPECT_EQ(keys.once("scope", "k", "request", body), "answer 1"); });
}

TEST_F(IdempotencyTest, AnotherRequestIsRefused) {
  with_keys([&](Idempotency& keys) {
    keys.once("scope", "k", "request", [](Transaction&) { return std::string("a"); });
    try {
      keys.once("scope", "k", "request2", [](Transaction&) { return std::string("b"); });
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::kAlreadyExists);
      EXPECT_EQ(http_status(error.code()), 409);
    }
  });
}

TEST_F(IdempotencyTest, AFailureLeavesNoTrace) {
  with_keys([&](Idempotency& keys) {
    EXPECT_THROW(
        keys.once("s", "k", "r", [](Transaction&) -> std::string { throw std::runtime_error("no"); }),
        std::runtime_error);
    EXPECT_EQ(keys.once("s", "k", "r", [](Transaction&) { return std::string("a"); }), "a");
  });
}

TEST_F(IdempotencyTest, OfManyAtOnceOneRuns) {
  with_keys([&](Idempotency& keys) {
    int runs = 0;  // only changed on the writer's goroutine
    WaitGroup wg;
    for (int i = 0; i < 50; ++i) {
      wg.go([&] {
        EXPECT_EQ(keys.once("s", "k", "r", [&](Transaction&) { return std::to_string(++runs); }), "1");
      });
    }
    wg.wait();
    EXPECT_EQ(runs, 1);
  });
}

TEST_F(IdempotencyTest, OldKeysArePruned) {
  with_keys([&](Idempotency& keys) {
    keys.once("s", "k", "r", [](Transaction&) { return std::string("a"); });
    EXPECT_EQ(keys.prune(std::chrono::hours(1)), 0);
    EXPECT_EQ(keys.prune(std::chrono::seconds(-1)), 1);
    EXPECT_EQ(keys.once("s", "k", "r", [](Transaction&) { return std::string("b"); }), "b");
  });
}

}  // namespace
}  // namespace degu::store
