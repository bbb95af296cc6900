// Kills a process that writes, again and again, and looks at what it left: what was acknowledged is there,
// what was one transaction is there as a whole, sagas end.
#include <degu/base/random.h>
#include <degu/base/testing/temp_dir.h>
#include <degu/rt/run.h>
#include <degu/store/database.h>
#include <degu/store/idempotency.h>
#include <degu/store/saga.h>
#include <degu/store/testing/crash_child.h>
#include <degu/sync/wait_group.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <set>
#include <string>

namespace degu::store {
namespace {

using namespace std::chrono_literals;
using degu::testing::TempDir;
using testing::crash_argument;
using testing::CrashChild;

constexpr int kRounds = 25;

void pause(std::chrono::milliseconds least, std::chrono::milliseconds spread) {
  degu::run([&] {
    sleep(least + std::chrono::microseconds(random_u64() % static_cast<uint64_t>(spread.count() * 1000)));
  });
}

// ---- grouped writes: each moves 1 between two accounts and adds a row; acknowledged rows are noted in a
// file.

std::unique_ptr<Database> open_accounts(const std::string& dir) {
  return Database::open(
      dir + "/accounts.db",
      {.migrations = {{1, "accounts",
                       "CREATE TABLE account(k INTEGER PRIMARY KEY, sum INTEGER NOT NULL) STRICT;"
                       "INSERT INTO account VALUES(0, 0), (1, 0), (2, 0), (3, 0);"
                       "CREATE TABLE moved(id TEXT PRIMARY KEY) STRICT"}}});
}

TEST(DISABLED_CrashChild, Writes) {
  ASSERT_EQ(crash_argument(), "child") << "not to be run by itself";
  const std::string dir = ".";
  const int acks = ::open((dir + "/acks").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  degu::run([&] {
    auto db = open_accounts(dir);
    WaitGroup wg;
    for (int worker = 0; worker < 16; ++worker) {
      wg.go([&, worker] {
        for (int i = 0;; ++i) {
          const std::string id = fmt::format("{}-{}-{}", ::getpid(), worker, i);
          db->write([&](Transaction& tx) {
            tx.exec("UPDATE account SET sum=sum-1 WHERE k=?", worker % 4);
            tx.exec("INSERT INTO moved VALUES(?)", id);
            tx.exec("UPDATE account SET sum=sum+1 WHERE k=?", i % 4);
          });
          const std::string line = id + "\n";
          if (::write(acks, line.data(), line.size()) < 0) return;
        }
      });
    }
    wg.wait();
  });
}

TEST(CrashTest, AcknowledgedWritesSurvive) {
  const TempDir dir;
  std::set<std::string> last;
  for (int round = 0; round < kRounds; ++round) {
    CrashChild child("DISABLED_CrashChild.Writes", dir.path());
    pause(30ms, 60ms);
    child.kill();
    std::set<std::string> there;
    degu::run([&] {
      auto db = open_accounts(dir.path());
      db->read([&](Snapshot& s) {
        EXPECT_EQ(s.value<std::string>("PRAGMA integrity_check"), "ok");
        EXPECT_EQ(s.value<int64_t>("SELECT sum(sum) FROM account"), 0) << "half a transaction was kept";
        auto rows = s.prepare("SELECT id FROM moved");
        while (auto row = rows.next()) there.insert(row->get<std::string>(0));
      });
      db->close();
    });
    std::ifstream acks(dir.file("acks"));
    for (std::string id; std::getline(acks, id);) {
      ASSERT_TRUE(there.contains(id)) << "round " << round << ": acknowledged " << id << " is missing";
    }
  }
  std::ifstream acks(dir.file("acks"));
  int64_t lines = 0;
  for (std::string id; std::getline(acks, id);) ++lines;
  EXPECT_GT(lines, 100) << "the child did not get to do anything";
}

// ---- sagas over two databases: "here" runs them, "there" holds their effects.

struct Two {
  explicit Two(const std::string& dir)
      : here(Database::open(dir + "/here.db", {.migrations = {{1, "saga", std::string(SagaEngine::schema())},
                                                              {2, "order",
                                                               "CREATE TABLE business(id TEXT PRIMARY KEY,"
                                                               " state TEXT NOT NULL) STRICT"}}})),
        there(Database::open(
            dir + "/there.db",
            {.migrations = {{1, "effects",
                             "CREATE TABLE effect(saga TEXT, step TEXT, times INTEGER NOT NULL,"
                             " undone INTEGER NOT NULL, PRIMARY KEY(saga, step)) STRICT"}}})),
        engine(*here) {
    SagaDefinition saga;
    saga.name = "s";
    for (const char* name : {"one", "two", "three"}) saga.steps.push_back(step(name));
    saga.ended = [](SagaRun& run, Transaction& tx) {
      tx.exec("UPDATE business SET state=? WHERE id=?", run.failure_code() == Code::kOk ? "done" : "undone",
              run.id());
    };
    engine.define(std::move(saga));
  }

  SagaStep step(const std::string& name) {
    SagaStep made;
    made.name = name;
    made.act = [this, name](SagaRun& run) {
      if (name == "three" && run.id().back() % 3 == 0)
        throw Error(Code::kFailedPrecondition, "every third fails");
      there->write([&](Transaction& tx) {
        if (tx.value<int64_t>("SELECT undone FROM effect WHERE saga=? AND step=?", run.id(), name) == 1) {
          throw Error(Code::kFailedPrecondition, "undone before");
        }
        tx.exec("INSERT INTO effect VALUES(?,?,1,0) ON CONFLICT DO NOTHING", run.id(), name);
      });
    };
    made.undo = [this, name](SagaRun& run) {
      there->write([&](Transaction& tx) {
        tx.exec("INSERT INTO effect VALUES(?,?,0,1) ON CONFLICT DO UPDATE SET times=0, undone=1", run.id(),
                name);
      });
    };
    return made;
  }

  void close() {
    engine.stop(0ms);
    here->close();
    there->close();
  }

  std::unique_ptr<Database> here;
  std::unique_ptr<Database> there;
  SagaEngine engine;
};

TEST(DISABLED_CrashChild, Sagas) {
  ASSERT_EQ(crash_argument(), "child") << "not to be run by itself";
  const std::string dir = ".";
  degu::run([&] {
    Two two(dir);
    two.engine.resume();
    WaitGroup wg;
    for (int worker = 0; worker < 8; ++worker) {
      wg.go([&, worker] {
        for (int i = 0;; ++i) {
          const std::string id = fmt::format("{}-{}-{}", ::getpid(), worker, i);
          two.here->write([&](Transaction& tx) {
            tx.exec("INSERT INTO business VALUES(?, 'begun')", id);
            two.engine.begin(tx, "s", id, "");
          });
          two.engine.launch(id);
          two.engine.wait(id);
        }
      });
    }
    wg.wait();
  });
}

TEST(CrashTest, SagasEndWhateverHappens) {
  const TempDir dir;
  for (int round = 0; round < kRounds; ++round) {
    CrashChild child("DISABLED_CrashChild.Sagas", dir.path());
    pause(40ms, 80ms);
    child.kill();
  }
  degu::run([&] {
    Two two(dir.path());
    two.engine.resume();
    const auto open = [&] {
      return *two.here->read([](Snapshot& s) {
        return s.value<int64_t>("SELECT count(*) FROM saga WHERE state NOT IN ('completed', 'compensated')");
      });
    };
    while (open() > 0) sleep(5ms);
    std::set<std::string> done;
    std::set<std::string> undone;
    two.here->read([&](Snapshot& s) {
      auto rows = s.prepare("SELECT id, state FROM business");
      while (auto row = rows.next()) {
        const auto state = row->get<std::string>(1);
        EXPECT_TRUE(state == "done" || state == "undone") << state;
        (state == "done" ? done : undone).insert(row->get<std::string>(0));
      }
    });
    EXPECT_GT(done.size(), 20U);
    EXPECT_GT(undone.size(), 10U);
    two.there->read([&](Snapshot& s) {
      auto rows = s.prepare("SELECT saga, sum(times), max(times) FROM effect GROUP BY saga");
      size_t seen = 0;
      while (auto row = rows.next()) {
        const bool is_done = done.contains(row->get<std::string>(0));
        seen += is_done ? 1 : 0;
        EXPECT_EQ(row->get<int64_t>(1), is_done ? 3 : 0) << row->get<std::string>(0);
      }
      EXPECT_EQ(seen, done.size());
    });
    two.close();
  });
}

}  // namespace
}  // namespace degu::store
