#include <degu/base/testing/temp_dir.h>
#include <degu/rt/run.h>
#include <degu/store/outbox.h>
#include <degu/sync/mutex.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <mutex>
#include <stdexcept>

namespace degu::store {
namespace {

using namespace std::chrono_literals;
using degu::testing::TempDir;
using ::testing::ElementsAre;

// What arrived, by key.
class Receiver {
 public:
  void take(const OutboxMessage& message) {
    std::lock_guard guard(mutex_);
    arrived_[message.key].push_back(message.payload);
  }
  std::vector<std::string> of(const std::string& key) {
    std::lock_guard guard(mutex_);
    return arrived_[key];
  }
  size_t count() {
    std::lock_guard guard(mutex_);
    size_t sum = 0;
    for (const auto& [key, payloads] : arrived_) sum += payloads.size();
    return sum;
  }

 private:
  Mutex mutex_;
  std::map<std::string, std::vector<std::string>> arrived_;
};

class OutboxTest : public ::testing::Test {
 protected:
  template <class F>
  void with_database(F body) {
    degu::run([&] {
      auto db =
          Database::open(dir_.file("o.db"), {.migrations = {{1, "outbox", std::string(Outbox::schema())}},
                                             .synchronous = Synchronous::kNormal});
      body(*db);
      db->close();
    });
  }
  static void add(Database& db, const std::string& key, const std::string& payload) {
    db.write([&](Transaction& tx) { Outbox::add(tx, "topic", key, payload); });
  }
  static OutboxOptions quick(int attempts) {
    OutboxOptions options;
    options.retry = {.attempts = attempts, .first = 1ms, .longest = 4ms};
    return options;
  }
  TempDir dir_;
};

TEST_F(OutboxTest, DeliversWhatWasCommitted) {
  with_database([](Database& db) {
    Receiver receiver;
    Outbox outbox(db, [&](const OutboxMessage& m) { receiver.take(m); });
    add(db, "before", "1");
    outbox.start();
    EXPECT_THROW(db.write([](Transaction& tx) {
      Outbox::add(tx, "topic", "never", "x");
      throw std::runtime_error("rolled back");
    }),
                 std::runtime_error);
    add(db, "after", "2");
    outbox.notify();
    while (receiver.count() < 2) sleep(1ms);
    EXPECT_THAT(receiver.of("before"), ElementsAre("1"));
    EXPECT_THAT(receiver.of("after"), ElementsAre("2"));
    EXPECT_TRUE(receiver.of("never").empty());
    while (outbox.pending() > 0) sleep(1ms);
    outbox.stop(1s);
  });
}

TEST_F(OutboxTest, TriesAgainAndKeepsTheOrderOfAKey) {
  with_database([](Database& db) {
    Receiver receiver;
    std::atomic<int> failures{5};
    Outbox outbox(
        db,
        [&](const OutboxMessage& m) {
          if (m.key == "k" && failures-- > 0) throw Error(Code::kUnavailable, "not now");
          receiver.take(m);
        },
        quick(50));
    for (const char* payload : {"1", "2", "3"}) add(db, "k", payload);
    for (int i = 0; i < 40; ++i) add(db, "other" + std::to_string(i), "x");
    outbox.start();
    while (receiver.count() < 43) sleep(1ms);
    EXPECT_THAT(receiver.of("k"), ElementsAre("1", "2", "3"));
    outbox.stop(1s);
  });
}

TEST_F(OutboxTest, GivesUpIntoDeadLettersAndRevives) {
  with_database([](Database& db) {
    Receiver receiver;
    std::atomic<bool> broken{true};
    Outbox outbox(
        db,
        [&](const OutboxMessage& m) {
          if (broken && m.payload == "bad") throw std::runtime_error("cannot parse");
          receiver.take(m);
        },
        quick(3));
    add(db, "k", "bad");
    add(db, "k", "good");
    outbox.start();
    while (receiver.count() < 1) sleep(1ms);
    EXPECT_THAT(receiver.of("k"), ElementsAre("good")) << "a dead letter holds its key up";
    const auto dead = outbox.dead_letters();
    ASSERT_EQ(dead.size(), 1U);
    EXPECT_EQ(dead[0].attempts, 3);
    EXPECT_EQ(dead[0].error, "cannot parse");
    broken = false;
    EXPECT_EQ(outbox.revive(), 1);
    while (receiver.count() < 2) sleep(1ms);
    EXPECT_THAT(receiver.of("k"), ElementsAre("good", "bad"));
    EXPECT_TRUE(outbox.dead_letters().empty());
    outbox.stop(1s);
  });
}

TEST_F(OutboxTest, StopInterruptsADeliveryThatHangs) {
  with_database([](Database& db) {
    std::atomic<int> begun{0};
    {
      Outbox outbox(db, [&](const OutboxMessage&) {
        ++begun;
        sleep(1h);
      });
      add(db, "k", "1");
      outbox.start();
      while (begun == 0) sleep(1ms);
      outbox.stop(10ms);
      EXPECT_EQ(outbox.pending(), 1);
    }
    Receiver receiver;
    Outbox outbox(db, [&](const OutboxMessage& m) { receiver.take(m); });
    outbox.start();
    while (receiver.count() < 1) sleep(1ms);
    outbox.stop(1s);
  });
}

TEST_F(OutboxTest, ADeliveryHasATimeLimit) {
  with_database([](Database& db) {
    std::atomic<int> late{0};
    OutboxOptions options = quick(2);
    options.delivery_timeout = 5ms;
    Outbox outbox(
        db,
        [&](const OutboxMessage&) {
          ++late;
          sleep(1h);
        },
        std::move(options));
    add(db, "k", "1");
    outbox.start();
    while (outbox.dead_letters().empty()) sleep(1ms);
    EXPECT_EQ(late, 2);
    outbox.stop(1s);
  });
}

}  // namespace
}  // namespace degu::store
