#include <degu/base/testing/temp_dir.h>
#include <degu/rt/run.h>
#include <degu/sync/wait_group.h>
#include <gtest/gtest.h>
#include <shop/inventory/service.h>

#include <atomic>

namespace shop::inventory {
namespace {

using degu::Code;
using degu::Error;
using namespace std::chrono_literals;

Code code_of(auto&& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.code();
  }
  return Code::kOk;
}

v1::ReserveRequest reserve(const std::string& order, std::vector<std::pair<std::string, int32_t>> lines,
                           int32_t ttl_s = 0) {
  v1::ReserveRequest request;
  request.idempotency_key = order + "/reserved";
  request.order_id = order;
  for (auto& [sku, quantity] : lines) {
    v1::StockLine line;
    line.sku = sku;
    line.quantity = quantity;
    request.lines.push_back(line);
  }
  request.ttl_seconds = ttl_s;
  return request;
}

v1::ReleaseRequest release(const std::string& order) {
  v1::ReleaseRequest request;
  request.idempotency_key = order + "/release";
  request.order_id = order;
  return request;
}

v1::CommitRequest commit(const std::string& order) {
  v1::CommitRequest request;
  request.idempotency_key = order + "/commit";
  request.order_id = order;
  return request;
}

struct Counts {
  int32_t initial, free, reserved, sold;
  friend bool operator==(const Counts&, const Counts&) = default;
};

Counts counts(InventoryComponent& inventory, const std::string& sku) {
  v1::GetStockRequest request;
  request.sku = sku;
  const v1::Stock stock = inventory.get_stock(request);
  EXPECT_EQ(stock.free + stock.reserved + stock.sold, stock.initial);
  return {stock.initial, stock.free, stock.reserved, stock.sold};
}

class InventoryTest : public ::testing::Test {
 protected:
  template <class F>
  void with_inventory(F body) {
    degu::run([&] {
      auto inventory = make_inventory_service({.database_path = dir_.file("inventory.db"),
                                               .synchronous = degu::store::Synchronous::kNormal,
                                               .sweep_interval = 5ms});
      inventory->add_stock({{"a", 10}, {"b", 5}});
      body(*inventory);
      inventory->stop({});
    });
  }
  degu::testing::TempDir dir_;
};

TEST_F(InventoryTest, ReserveCommitReleaseAndAllAgain) {
  with_inventory([](InventoryComponent& inventory) {
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(inventory.reserve(reserve("o1", {{"a", 2}, {"b", 1}, {"a", 1}})).state,
                v1::ReservationState::kReserved);
      EXPECT_EQ(counts(inventory, "a"), (Counts{10, 7, 3, 0}));
    }
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(inventory.commit(commit("o1")).state, v1::ReservationState::kCommitted);
      EXPECT_EQ(counts(inventory, "a"), (Counts{10, 7, 0, 3}));
    }
    EXPECT_EQ(inventory.reserve(reserve("o1", {{"a", 3}, {"b", 1}})).state, v1::ReservationState::kCommitted);
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(inventory.release(release("o1")).state, v1::ReservationState::kReleased);
      EXPECT_EQ(counts(inventory, "a"), (Counts{10, 10, 0, 0}));
      EXPECT_EQ(counts(inventory, "b"), (Counts{5, 5, 0, 0}));
    }
    EXPECT_EQ(code_of([&] { inventory.commit(commit("o1")); }), Code::kFailedPrecondition);
    EXPECT_EQ(code_of([&] {
                inventory.reserve(reserve("o1", {{"a", 3}, {"b", 1}}));
              }),
              Code::kFailedPrecondition);
  });
}

TEST_F(InventoryTest, AllLinesOrNone) {
  with_inventory([](InventoryComponent& inventory) {
    try {
      inventory.reserve(reserve("o1", {{"a", 10}, {"b", 6}}));
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::kFailedPrecondition);
      ASSERT_EQ(error.details().size(), 1U);
      EXPECT_EQ(error.details()[0].field, "b");
    }
    EXPECT_EQ(counts(inventory, "a"), (Counts{10, 10, 0, 0}));
    EXPECT_EQ(inventory.reserve(reserve("o1", {{"a", 10}, {"b", 5}})).state, v1::ReservationState::kReserved)
        << "a refusal leaves no trace";
  });
}

TEST_F(InventoryTest, OtherContentUnderTheSameOrderIsRefused) {
  with_inventory([](InventoryComponent& inventory) {
    inventory.reserve(reserve("o1", {{"a", 1}}));
    EXPECT_EQ(code_of([&] { inventory.reserve(reserve("o1", {{"a", 2}})); }), Code::kAlreadyExists);
    auto other = reserve("o1", {{"a", 1}});
    other.idempotency_key = "another";
    EXPECT_EQ(code_of([&] { inventory.reserve(other); }), Code::kAlreadyExists);
    EXPECT_EQ(counts(inventory, "a"), (Counts{10, 9, 1, 0}));
  });
}

TEST_F(InventoryTest, ALateReserveAfterItsReleaseIsKeptOut) {
  with_inventory([](InventoryComponent& inventory) {
    EXPECT_EQ(inventory.release(release("o1")).state, v1::ReservationState::kReleased);
    EXPECT_EQ(code_of([&] { inventory.reserve(reserve("o1", {{"a", 1}})); }), Code::kFailedPrecondition);
    EXPECT_EQ(counts(inventory, "a"), (Counts{10, 10, 0, 0}));
  });
}

TEST_F(InventoryTest, UnknownAndWrong) {
  with_inventory([](InventoryComponent& inventory) {
    EXPECT_EQ(code_of([&] { counts(inventory, "zzz"); }), Code::kNotFound);
    EXPECT_EQ(code_of([&] { inventory.reserve(reserve("o1", {{"a", 1}, {"zzz", 1}})); }), Code::kNotFound);
    EXPECT_EQ(code_of([&] { inventory.reserve(reserve("o1", {{"a", -1}})); }), Code::kInvalidArgument);
    EXPECT_EQ(code_of([&] { inventory.reserve(reserve("o1", {})); }), Code::kInvalidArgument);
    EXPECT_EQ(code_of([&] { inventory.commit(commit("o1")); }), Code::kNotFound);
    EXPECT_EQ(counts(inventory, "a"), (Counts{10, 10, 0, 0}));
  });
}

TEST_F(InventoryTest, TheLastPiecesGoToAsManyAsThereAre) {
  with_inventory([](InventoryComponent& inventory) {
    degu::WaitGroup wg;
    std::atomic<int> won{0};
    std::atomic<int> lost{0};
    for (int i = 0; i < 64; ++i) {
      wg.go([&, i] {
        const Code code = code_of([&] {
          inventory.reserve(reserve("o" + std::to_string(i), {{"b", 1}, {"a", 1}}));
        });
        if (code == Code::kOk) {
          ++won;
          inventory.commit(commit("o" + std::to_string(i)));
        } else {
          EXPECT_EQ(code, Code::kFailedPrecondition);
          ++lost;
        }
      });
    }
    wg.wait();
    EXPECT_EQ(won, 5);
    EXPECT_EQ(lost, 59);
    EXPECT_EQ(counts(inventory, "b"), (Counts{5, 0, 0, 5}));
    EXPECT_EQ(counts(inventory, "a"), (Counts{10, 5, 0, 5}));
  });
}

TEST_F(InventoryTest, WhatIsOutOfTimeIsSwept) {
  with_inventory([](InventoryComponent& inventory) {
    inventory.reserve(reserve("kept", {{"a", 1}}));
    inventory.reserve(reserve("sold", {{"a", 2}}, 1));
    inventory.commit(commit("sold"));
    inventory.reserve(reserve("late", {{"a", 4}}, 1));
    EXPECT_EQ(inventory.sweep(), 0);
    inventory.start();
    while (counts(inventory, "a").reserved != 1) degu::sleep(5ms);
    EXPECT_EQ(counts(inventory, "a"), (Counts{10, 7, 1, 2}));
    EXPECT_EQ(code_of([&] { inventory.commit(commit("late")); }), Code::kFailedPrecondition);
  });
}

TEST_F(InventoryTest, StockSurvivesARestart) {
  with_inventory([](InventoryComponent& inventory) { inventory.reserve(reserve("o1", {{"a", 4}})); });
  with_inventory([](InventoryComponent& inventory) {
    EXPECT_EQ(counts(inventory, "a"), (Counts{10, 6, 4, 0}));
    EXPECT_EQ(inventory.add_stock({{"a", 99}, {"c", 1}}), 1) << "known stock keeps what it has";
    EXPECT_EQ(counts(inventory, "a"), (Counts{10, 6, 4, 0}));
    inventory.release(release("o1"));
    EXPECT_EQ(counts(inventory, "a"), (Counts{10, 10, 0, 0}));
  });
}

}  // namespace
}  // namespace shop::inventory
