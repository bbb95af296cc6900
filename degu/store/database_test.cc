#include <degu/base/testing/temp_dir.h>
#include <degu/context/cancel_scope.h>
#include <degu/rt/run.h>
#include <degu/store/database.h>
#include <degu/store/sqlite_error.h>
#include <degu/sync/wait_group.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace degu::store {
namespace {

using namespace std::chrono_literals;
using degu::testing::TempDir;

constexpr const char* kSchema =
    "CREATE TABLE t(k INTEGER PRIMARY KEY, v TEXT NOT NULL UNIQUE, n INTEGER CHECK(n >= 0)) STRICT;"
    "CREATE TABLE child(k INTEGER NOT NULL REFERENCES t(k)) STRICT;";

DatabaseOptions options() {
  return {.migrations = {{1, "start", kSchema}}, .synchronous = Synchronous::kNormal};
}

int64_t count(Database& db) {
  return db.read([](Snapshot& s) { return *s.value<int64_t>("SELECT count(*) FROM t"); });
}

Code code_of(auto&& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.code();
  }
  return Code::kOk;
}

class DatabaseTest : public ::testing::Test {
 protected:
  // Runs the body as the main goroutine with an open database.
  template <class F>
  void with_database(F body, DatabaseOptions opts = options()) {
    degu::run([&] {
      auto db = Database::open(dir_.file("x.db"), std::move(opts));
      body(*db);
      db->close();
    });
  }
  TempDir dir_;
};

TEST_F(DatabaseTest, WritesThenReads) {
  with_database([](Database& db) {
    const int64_t id = db.write([](Transaction& tx) {
      EXPECT_EQ(tx.exec("INSERT INTO t(v, n) VALUES(?, ?)", "one", 1), 1);
      return tx.last_insert_id();
    });
    EXPECT_EQ(id, 1);
    const auto v =
        db.read([&](Snapshot& s) { return s.value<std::string>("SELECT v FROM t WHERE k=?", id); });
    EXPECT_EQ(v, "one");
    EXPECT_EQ(db.read([](Snapshot& s) { return s.value<std::string>("SELECT v FROM t WHERE k=99"); }),
              std::nullopt);
  });
}

TEST_F(DatabaseTest, TypesGoThroughUnchanged) {
  with_database([](Database& db) {
    db.write([](Transaction& tx) {
      const std::vector<std::byte> blob{std::byte{0}, std::byte{255}, std::byte{7}};
      auto q = tx.prepare("SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8");
      q.bind(1, int64_t{-5}).bind(2, 2.5).bind(3, true).bind(4, std::string("a\0b", 3)).bind(5, blob);
      q.bind(6, nullptr).bind(7, std::optional<int>(3)).bind(8, std::string_view());
      const auto row = q.next();
      ASSERT_TRUE(row);
      EXPECT_EQ(row->get<int64_t>(0), -5);
      EXPECT_EQ(row->get<int8_t>(0), -5);
      EXPECT_EQ(row->get<double>(1), 2.5);
      EXPECT_TRUE(row->get<bool>(2));
      EXPECT_EQ(row->get<std::string>(3), std::string("a\0b", 3));
      EXPECT_EQ(row->get<std::vector<std::byte>>(4), blob);
      EXPECT_TRUE(row->is_null(5));
      EXPECT_EQ(row->get<std::optional<std::string>>(5), std::nullopt);
      EXPECT_EQ(row->get<std::optional<int>>(6), 3);
      EXPECT_EQ(row->get<std::string>(7), "");
      EXPECT_EQ(code_of([&] { row->get<uint8_t>(0); }), Code::kDataLoss);
      EXPECT_EQ(code_of([&] { row->get<int64_t>(3); }), Code::kDataLoss);
      EXPECT_EQ(code_of([&] { row->get<int64_t>(5); }), Code::kDataLoss);
      EXPECT_EQ(code_of([&] { row->get<int64_t>(8); }), Code::kInternal);
      EXPECT_EQ(code_of([&] { q.bind(9, 1); }), Code::kInternal);
      EXPECT_EQ(code_of([&] { q.bind(1, ~uint64_t{0}); }), Code::kOutOfRange);
    });
  });
}

TEST_F(DatabaseTest, AThrowingWriteUndoesOnlyItself) {
  with_database(
      [](Database& db) {
        WaitGroup wg;
        std::atomic<int> failed{0};
        for (int i = 0; i < 200; ++i) {
          wg.go([&db, &failed, i] {
            try {
              db.write([i](Transaction& tx) {
                tx.exec("INSERT INTO t(v) VALUES(?)", i);
                if (i % 3 == 0) throw std::runtime_error("no");
              });
            } catch (const std::runtime_error&) {
              ++failed;
            }
          });
        }
        wg.wait();
        EXPECT_EQ(failed, 67);
        EXPECT_EQ(count(db), 133);
        EXPECT_EQ(db.stats().writes, 133);
        EXPECT_EQ(db.stats().failed_writes, 67);
      },
      {.migrations = {{1, "start", "CREATE TABLE t(k INTEGER PRIMARY KEY, v)"}},
       .synchronous = Synchronous::kOff});
}

TEST_F(DatabaseTest, ManyWritersShareACommit) {
  with_database([](Database& db) {
    constexpr int kWriters = 64;
    WaitGroup wg;
    std::atomic<int> coming{0};
    std::atomic<bool> open{false};
    wg.go([&] {
      db.write([&](Transaction&) {
        while (!open) ::usleep(100);
      });
    });
    for (int i = 0; i < kWriters; ++i) {
      wg.go([&, i] {
        ++coming;
        for (int j = 0; j < 10; ++j) {
          const int64_t before = db.write([&](Transaction& tx) {
            tx.exec("INSERT INTO t(v) VALUES(?)", std::to_string(i * 1000 + j));
            return *tx.value<int64_t>("SELECT count(*) FROM t");
          });
          EXPECT_LE(before, count(db)) << "a write that returned is visible to every later read";
        }
      });
    }
    while (coming < kWriters) yield();  // all but one a P are queued then
    open = true;
    wg.wait();
    const DatabaseStats stats = db.stats();
    EXPECT_EQ(stats.writes, kWriters * 10 + 1);
    EXPECT_GT(stats.largest_group, kWriters / 2) << "commits were not grouped";
    EXPECT_LT(stats.commits, kWriters * 10 - kWriters / 2);
    EXPECT_EQ(count(db), kWriters * 10);
  });
}

TEST_F(DatabaseTest, WritesRunInOrderOfArrival) {
  with_database([](Database& db) {
    for (int i = 0; i < 100; ++i) {
      db.write([i](Transaction& tx) {
        EXPECT_EQ(*tx.value<int64_t>("SELECT count(*) FROM t"), i);
        tx.exec("INSERT INTO t(v) VALUES(?)", std::to_string(i));
      });
    }
  });
}

TEST_F(DatabaseTest, AQueuedWriteEndsWithItsContext) {
  with_database([](Database& db) {
    std::atomic<bool> started{false};
    std::atomic<bool> open{false};
    std::atomic<bool> ran{false};
    WaitGroup wg;
    wg.go([&] {
      db.write([&](Transaction&) {
        started = true;
        while (!open) ::usleep(100);
      });
    });
    while (!started) yield();
    EXPECT_EQ(code_of([&] {
                CancelScope scope(20ms);
                db.write([&](Transaction&) { ran = true; });
              }),
              Code::kDeadlineExceeded);
    open = true;
    wg.wait();
    db.write([](Transaction&) {});
    EXPECT_FALSE(ran);
  });
}

TEST_F(DatabaseTest, AStartedWriteCompletesThoughItsContextEnds) {
  with_database([](Database& db) {
    CancelScope scope;
    const int result = db.write([&](Transaction& tx) {
      scope.cancel();
      ::usleep(20000);
      tx.exec("INSERT INTO t(v) VALUES('kept')");
      return 7;
    });
    EXPECT_EQ(result, 7);
    const Shield shield;
    EXPECT_EQ(count(db), 1);
  });
}

TEST_F(DatabaseTest, AnEndedContextDoesNotStart) {
  with_database([](Database& db) {
    CancelScope scope;
    scope.cancel();
    EXPECT_EQ(code_of([&] { db.write([](Transaction&) { FAIL(); }); }), Code::kCancelled);
    EXPECT_EQ(code_of([&] { db.read([](Snapshot&) { FAIL(); }); }), Code::kCancelled);
  });
}

TEST_F(DatabaseTest, AFullQueueRefuses) {
  auto opts = options();
  opts.max_queued_writes = 2;
  with_database(
      [](Database& db) {
        std::atomic<bool> started{false};
        std::atomic<bool> open{false};
        WaitGroup wg;
        wg.go([&] {
          db.write([&](Transaction&) {
            started = true;
            while (!open) ::usleep(100);
          });
        });
        while (!started) yield();
        std::atomic<int> refused{0};
        for (int i = 0; i < 5; ++i) {
          wg.go([&] {
            if (code_of([&] { db.write([](Transaction&) {}); }) == Code::kResourceExhausted) ++refused;
          });
        }
        while (refused < 3) yield();
        open = true;
        wg.wait();
        EXPECT_EQ(refused, 3);
      },
      std::move(opts));
}

TEST_F(DatabaseTest, ANestedWriteIsRefused) {
  with_database([](Database& db) {
    EXPECT_EQ(code_of([&] { db.write([&](Transaction&) { db.write([](Transaction&) {}); }); }),
              Code::kInternal);
  });
}

TEST_F(DatabaseTest, AWriteMayNotEndItsTransaction) {
  with_database([](Database& db) {
    EXPECT_EQ(code_of([&] { db.write([&](Transaction& tx) { tx.exec("COMMIT"); }); }), Code::kInternal);
    db.write([](Transaction& tx) { tx.exec("INSERT INTO t(v) VALUES('x')"); });
    EXPECT_EQ(count(db), 1);
  });
}

TEST_F(DatabaseTest, ConstraintsAreErrorsWithACause) {
  with_database([](Database& db) {
    db.write([](Transaction& tx) { tx.exec("INSERT INTO t(v) VALUES('x')"); });
    const auto write = [&](const char* sql) {
      return code_of([&] { db.write([&](Transaction& tx) { tx.exec(sql); }); });
    };
    EXPECT_EQ(write("INSERT INTO t(v) VALUES('x')"), Code::kAlreadyExists);
    EXPECT_EQ(write("INSERT INTO t(k, v) VALUES(1, 'y')"), Code::kAlreadyExists);
    EXPECT_EQ(write("INSERT INTO t(v, n) VALUES('z', -1)"), Code::kFailedPrecondition);
    EXPECT_EQ(write("INSERT INTO child(k) VALUES(99)"), Code::kFailedPrecondition);
    EXPECT_EQ(write("SELECT nonsense"), Code::kInternal);
    EXPECT_EQ(write("SELECT 1; SELECT 2"), Code::kInternal);
    try {
      db.write([](Transaction& tx) { tx.exec("INSERT INTO t(v) VALUES(?)", "x"); });
      FAIL();
    } catch (const Error& error) {
      ASSERT_TRUE(error.cause());
      try {
        std::rethrow_exception(error.cause());
      } catch (const SqliteError& cause) {
        EXPECT_EQ(cause.extended_code(), SQLITE_CONSTRAINT_UNIQUE);
        EXPECT_EQ(cause.sql(), "INSERT INTO t(v) VALUES(?)") << "the statement, not the values";
      }
    }
  });
}

TEST_F(DatabaseTest, AReadSeesOneState) {
  with_database([](Database& db) {
    db.write([](Transaction& tx) { tx.exec("INSERT INTO t(v) VALUES('a')"); });
    db.read([&](Snapshot& s) {
      EXPECT_EQ(*s.value<int64_t>("SELECT count(*) FROM t"), 1);
      std::atomic<bool> done{false};
      go([&] {
        db.write([](Transaction& tx) { tx.exec("INSERT INTO t(v) VALUES('b')"); });
        done = true;
      });
      while (!done) ::usleep(100);
      EXPECT_EQ(*s.value<int64_t>("SELECT count(*) FROM t"), 1) << "a write in between showed through";
    });
    EXPECT_EQ(count(db), 2);
  });
}

TEST_F(DatabaseTest, AReadMayNotWrite) {
  with_database([](Database& db) {
    EXPECT_EQ(code_of([&] { db.read([](Snapshot& s) { s.exec("INSERT INTO t(v) VALUES('x')"); }); }),
              Code::kPermissionDenied);
    EXPECT_EQ(count(db), 0);
  });
}

TEST_F(DatabaseTest, ReadersShareAFewConnections) {
  auto opts = options();
  opts.readers = 3;
  with_database(
      [](Database& db) {
        std::atomic<int> inside{0};
        std::atomic<int> most{0};
        WaitGroup wg;
        for (int i = 0; i < 100; ++i) {
          wg.go([&] {
            db.read([&](Snapshot& s) {
              const int now_inside = ++inside;
              int seen = most;
              while (seen < now_inside && !most.compare_exchange_weak(seen, now_inside)) {
              }
              EXPECT_EQ(*s.value<int64_t>("SELECT 1"), 1);
              ::usleep(500);
              --inside;
            });
          });
        }
        wg.wait();
        EXPECT_EQ(most, 3);
        EXPECT_EQ(db.stats().reads, 100);
      },
      std::move(opts));
}

TEST_F(DatabaseTest, ALongQueryEndsWithItsContext) {
  with_database([](Database& db) {
    const auto code = code_of([&] {
      CancelScope scope(30ms);
      db.read([](Snapshot& s) {
        s.value<int64_t>(
            "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c) SELECT count(*) FROM c");
      });
    });
    EXPECT_EQ(code, Code::kDeadlineExceeded);
    EXPECT_EQ(count(db), 0) << "the connection is usable again";
  });
}

TEST_F(DatabaseTest, AFailedReadGivesItsConnectionBack) {
  auto opts = options();
  opts.readers = 1;
  with_database(
      [](Database& db) {
        for (int i = 0; i < 5; ++i) {
          EXPECT_THROW(db.read([](Snapshot&) { throw std::runtime_error("no"); }), std::runtime_error);
        }
        EXPECT_EQ(count(db), 0);
      },
      std::move(opts));
}

TEST_F(DatabaseTest, TheSameStatementTwiceAtOnce) {
  with_database([](Database& db) {
    db.write([](Transaction& tx) {
      for (const char* v : {"a", "b", "c"}) tx.exec("INSERT INTO t(v) VALUES(?)", v);
      constexpr const char* kSql = "SELECT v FROM t ORDER BY k";
      int pairs = 0;
      auto outer = tx.prepare(kSql);
      while (outer.next()) {
        auto inner = tx.prepare(kSql);
        while (inner.next()) ++pairs;
      }
      EXPECT_EQ(pairs, 9);
      for (int i = 0; i < 500; ++i)
        tx.value<int64_t>("SELECT " + std::to_string(i));  // more than the cache holds
    });
  });
}

TEST_F(DatabaseTest, CloseDrainsAndRefuses) {
  degu::run([&] {
    auto db = Database::open(dir_.file("x.db"), options());
    WaitGroup wg;
    std::atomic<int> done{0};
    for (int i = 0; i < 50; ++i) {
      wg.go([&, i] {
        const Code code = code_of([&] {
          db->write([i](Transaction& tx) { tx.exec("INSERT INTO t(v) VALUES(?)", std::to_string(i)); });
        });
        EXPECT_TRUE(code == Code::kOk || code == Code::kUnavailable) << to_string(code);
        if (code == Code::kOk) ++done;
      });
    }
    yield();
    db->close();
    db->close();
    wg.wait();
    EXPECT_EQ(code_of([&] { db->write([](Transaction&) {}); }), Code::kUnavailable);
    EXPECT_EQ(code_of([&] { db->read([](Snapshot&) {}); }), Code::kUnavailable);
    EXPECT_FALSE(std::filesystem::exists(dir_.file("x.db-wal"))) << "the log was not folded in";
    db = Database::open(dir_.file("x.db"), options());
    EXPECT_EQ(count(*db), done);
    db->close();
  });
}

TEST_F(DatabaseTest, ASecondOpenIsRefused) {
  with_database([&](Database&) {
    EXPECT_EQ(code_of([&] { Database::open(dir_.file("x.db"), options()); }), Code::kUnavailable);
  });
  with_database([](Database&) {});
}

TEST_F(DatabaseTest, WhatIsNoDatabaseIsRefused) {
  std::ofstream(dir_.file("x.db")) << std::string(4096, 'x');
  degu::run(
      [&] { EXPECT_EQ(code_of([&] { Database::open(dir_.file("x.db"), options()); }), Code::kDataLoss); });
  degu::run([&] {
    EXPECT_EQ(code_of([&] { Database::open(dir_.file("no/such/x.db"), options()); }), Code::kUnavailable);
    EXPECT_EQ(code_of([&] { Database::open(":memory:"); }), Code::kInvalidArgument);
  });
}

TEST_F(DatabaseTest, AFullDiskFailsOneWriteAndIsForgotten) {
  with_database([](Database& db) {
    db.write([](Transaction& tx) {
      tx.exec("INSERT INTO t(v) VALUES('before')");
      tx.value<int64_t>("PRAGMA max_page_count=20");  // SQLite's own stand-in for a full disk
    });
    EXPECT_EQ(
        code_of([&] {
          db.write([](Transaction& tx) { tx.exec("INSERT INTO t(v) VALUES(?)", std::string(200000, 'x')); });
        }),
        Code::kUnavailable);
    db.write([](Transaction& tx) { tx.exec("INSERT INTO t(v) VALUES('after')"); });
    EXPECT_EQ(count(db), 2);
  });
}

TEST(SqliteErrorTest, Codes) {
  EXPECT_EQ(code_of_sqlite(SQLITE_IOERR_FSYNC), Code::kUnavailable);
  EXPECT_EQ(code_of_sqlite(SQLITE_FULL), Code::kUnavailable);
  EXPECT_EQ(code_of_sqlite(SQLITE_CORRUPT_INDEX), Code::kDataLoss);
  EXPECT_EQ(code_of_sqlite(SQLITE_BUSY_SNAPSHOT), Code::kUnavailable);
  EXPECT_EQ(code_of_sqlite(SQLITE_MISUSE), Code::kInternal);
  EXPECT_THAT(make_sqlite_error(SQLITE_FULL, "m", "s").what(), ::testing::HasSubstr("full"));
}

}  // namespace
}  // namespace degu::store
