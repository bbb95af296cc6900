#include <degu/base/testing/temp_dir.h>
#include <degu/rt/run.h>
#include <degu/store/database.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace degu::store {
namespace {

using degu::testing::TempDir;
using ::testing::HasSubstr;

const Migration kFirst{1, "first", "CREATE TABLE a(x INTEGER) STRICT; INSERT INTO a VALUES(1)"};
const Migration kSecond{2, "second", "ALTER TABLE a ADD COLUMN y INTEGER NOT NULL DEFAULT 7"};

class MigrationTest : public ::testing::Test {
 protected:
  // Opens with these migrations; returns the sum of column `column`, or throws.
  int64_t sum(std::vector<Migration> migrations, const std::string& column) {
    int64_t result = 0;
    degu::run([&] {
      auto db = Database::open(dir_.file("m.db"), {.migrations = std::move(migrations)});
      result = db->read([&](Snapshot& s) { return *s.value<int64_t>("SELECT sum(" + column + ") FROM a"); });
      db->close();
    });
    return result;
  }
  std::string refusal(std::vector<Migration> migrations) {
    std::string message;
    degu::run([&] {
      try {
        Database::open(dir_.file("m.db"), {.migrations = std::move(migrations)});
      } catch (const Error& error) {
        message = error.what();
      }
    });
    return message;
  }
  TempDir dir_;
};

TEST_F(MigrationTest, EachIsAppliedOnce) {
  EXPECT_EQ(sum({kFirst}, "x"), 1);
  EXPECT_EQ(sum({kFirst}, "x"), 1);
  EXPECT_EQ(sum({kFirst, kSecond}, "y"), 7);
  EXPECT_EQ(sum({kFirst, kSecond}, "x"), 1);
}

TEST_F(MigrationTest, AnEditedOneIsRefused) {
  sum({kFirst}, "x");
  EXPECT_THAT(refusal({{1, "first", "CREATE TABLE a(x INTEGER, z INTEGER)"}}),
              HasSubstr("FAILED_PRECONDITION: migration 1"));
  EXPECT_EQ(sum({kFirst}, "x"), 1);
}

TEST_F(MigrationTest, ANewerDatabaseIsRefused) {
  sum({kFirst, kSecond}, "x");
  EXPECT_THAT(refusal({kFirst}), HasSubstr("newer release"));
}

TEST_F(MigrationTest, NumbersWithoutGaps) {
  EXPECT_THAT(refusal({{2, "second", "SELECT 1"}}), HasSubstr("INVALID_ARGUMENT"));
  EXPECT_THAT(refusal({kFirst, {3, "third", "SELECT 1"}}), HasSubstr("INVALID_ARGUMENT"));
}

TEST_F(MigrationTest, AFailedOneLeavesNothing) {
  EXPECT_THAT(refusal({kFirst, {2, "second", "CREATE TABLE b(x); INSERT INTO nowhere VALUES(1)"}}),
              HasSubstr("migration 2 (second)"));
  EXPECT_EQ(sum({kFirst, {2, "second", "CREATE TABLE b(x)"}}, "x"), 1)
      << "table b of the failed try is there";
}

}  // namespace
}  // namespace degu::store
