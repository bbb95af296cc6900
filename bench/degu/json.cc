// A page of a hundred orders to JSON and back. Twin of bench/go/json.go.
#include <degu/base/assert.h>
#include <degu/http/json_codec.h>
#include <degu/rt/run.h>

#include <boost/describe.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "report.h"

namespace {

struct Money {
  std::string currency;
  int64_t units = 0;
};
BOOST_DESCRIBE_STRUCT(Money, (), (currency, units))

struct Item {
  std::string sku;
  std::string name;
  int quantity = 0;
  Money price;
};
BOOST_DESCRIBE_STRUCT(Item, (), (sku, name, quantity, price))

struct Order {
  std::string id;
  int64_t user_id = 0;
  std::string state;
  std::string created_at;
  bool paid = false;
  Money total;
  std::vector<Item> items;
};
BOOST_DESCRIBE_STRUCT(Order, (), (id, user_id, state, created_at, paid, total, items))

struct Page {
  std::vector<Order> orders;
  std::string next_page_token;
};
BOOST_DESCRIBE_STRUCT(Page, (), (orders, next_page_token))

Page example() {
  Page page;
  page.next_page_token = "b3JkZXItMTAw";
  for (int i = 0; i < 100; ++i) {
    Order order{fmt::format("order-{:06}", i),
                1000 + i,
                "CAPTURED",
                "2026-01-02T03:04:05Z",
                i % 3 != 0,
                {"EUR", 12345 + i},
                {}};
    for (int k = 0; k < 3; ++k)
      order.items.push_back({fmt::format("CT-{}", 100 + k),
                             "A \"useful\" thing, quite <long> named",
                             1 + k,
                             {"EUR", 1999 * (k + 1)}});
    page.orders.push_back(std::move(order));
  }
  return page;
}

}  // namespace

int main() {
  return degu::run([] {
    const Page page = example();
    const std::string text = degu::json::to_string(page);
    const int rounds = bench::scaled(5'000);
    std::size_t bytes = 0;
    const bench::Stopwatch encoding;
    for (int i = 0; i < rounds; ++i) bytes += degu::json::to_string(page).size();
    bench::report("json_encode_100_orders", encoding.per(rounds) / 1e3, "us");
    DEGU_CHECK(bytes == text.size() * static_cast<std::size_t>(rounds), "the page changed its size");
    std::size_t orders = 0;
    const bench::Stopwatch decoding;
    for (int i = 0; i < rounds; ++i) orders += degu::json::from_string<Page>(text).orders.size();
    bench::report("json_decode_100_orders", decoding.per(rounds) / 1e3, "us");
    DEGU_CHECK(orders == 100U * static_cast<std::size_t>(rounds), "orders were lost");
    bench::report("json_bytes", static_cast<double>(text.size()), "bytes");
  });
}
