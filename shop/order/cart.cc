#include <degu/base/error.h>
#include <fmt/core.h>
#include <shop/order/caller.h>
#include <shop/order/cart.h>
#include <shop/order/money.h>
#include <shop/order/order_store.h>

#include <string>
#include <unordered_map>
#include <utility>

namespace shop::order {
namespace {

using degu::Code;
using degu::Error;
using degu::store::Database;
using degu::store::Snapshot;
using degu::store::Transaction;

constexpr int64_t kMostLines = 100;

class Carts final : public v1::CartService {
 public:
  Carts(std::shared_ptr<Database> database, std::shared_ptr<catalog::v1::CatalogService> catalog)
      : database_(std::move(database)), catalog_(std::move(catalog)) {}

  v1::Cart get_cart(const v1::GetCartRequest&) override { return view(caller()); }

  v1::Cart set_cart_item(const v1::SetCartItemRequest& request) override {
    const std::string user = caller();
    if (request.quantity < 1 || request.quantity > 99) {
      throw Error(Code::kInvalidArgument, "the quantity must be 1 to 99", {{"quantity", "must be 1 to 99"}});
    }
    catalog::v1::GetBySkuRequest product;
    product.sku = request.sku;
    catalog_->get_by_sku(product);  // NOT_FOUND for an unknown one
    database_->write([&](Transaction& tx) {
      tx.exec(
          "INSERT INTO cart_items(user_id, sku, quantity, position)"
          " VALUES(?1, ?2, ?3, (SELECT coalesce(max(position), 0) + 1 FROM cart_items WHERE user_id=?1))"
          " ON CONFLICT(user_id, sku) DO UPDATE SET quantity=?3",
          user, request.sku, request.quantity);
      if (*tx.value<int64_t>("SELECT count(*) FROM cart_items WHERE user_id=?", user) > kMostLines) {
        throw Error(Code::kResourceExhausted,
                    fmt::format("a cart holds {} different products at most", kMostLines));
      }
    });
    return view(user);
  }

  v1::Cart remove_cart_item(const v1::RemoveCartItemRequest& request) override {
    const std::string user = caller();
    database_->write([&](Transaction& tx) {
      tx.exec("DELETE FROM cart_items WHERE user_id=? AND sku=?", user, request.sku);
    });
    return view(user);
  }

  v1::Cart clear_cart(const v1::ClearCartRequest&) override {
    const std::string user = caller();
    database_->write([&](Transaction& tx) { tx.exec("DELETE FROM cart_items WHERE user_id=?", user); });
    return view(user);
  }

 private:
  v1::Cart view(const std::string& user) {
    const auto lines = database_->read([&](Snapshot& snapshot) { return load_cart(snapshot, user); });
    v1::Cart cart;
    cart.total.emplace();
    cart.total->currency = "EUR";
    if (lines.empty()) return cart;
    catalog::v1::ListBySkuRequest wanted;
    for (const CartLine& line : lines) wanted.skus.push_back(line.sku);
    auto found = catalog_->list_by_sku(wanted);
    std::unordered_map<std::string, catalog::v1::Product> products;
    for (auto& product : found.products) products.emplace(product.sku, std::move(product));
    for (const CartLine& line : lines) {
      const auto at = products.find(line.sku);
      if (at == products.end() || !at->second.price) continue;  // no longer sold
      const catalog::v1::Product& product = at->second;
      v1::CartItem item;
      item.sku = line.sku;
      item.product_id = product.id;
      item.name = product.name;
      item.quantity = line.quantity;
      item.price = product.price;
      item.image_url = product.image_url;
      cart.total->currency = product.price->currency;
      cart.total->minor = add_times(cart.total->minor, product.price->minor, line.quantity);
      cart.items.push_back(std::move(item));
    }
    return cart;
  }

  std::shared_ptr<Database> database_;
  std::shared_ptr<catalog::v1::CatalogService> catalog_;
};

}  // namespace

std::shared_ptr<v1::CartService> make_cart_service(std::shared_ptr<Database> database,
                                                   std::shared_ptr<catalog::v1::CatalogService> catalog) {
  return std::make_shared<Carts>(std::move(database), std::move(catalog));
}

}  // namespace shop::order
