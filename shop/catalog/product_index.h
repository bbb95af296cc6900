// ProductIndex: the catalogue in memory, searched without a database.
#pragma once

#include <shop/proto/catalog.degu.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace shop::catalog {

/// Immutable once made, so it may be shared between goroutines without a lock.
///
/// A search splits its text into words; a product is found when each word occurs in its name or description,
/// whatever the case and with or without Latin accents ("cafe" finds "Café"). Products with all words in the
/// name come first, otherwise the order is that of the catalogue. A search looks at every text: a few
/// milliseconds for 100,000 products.
class ProductIndex {
 public:
  /// `products` in the order in which they are listed.
  ProductIndex(std::vector<v1::Product> products, std::vector<v1::Category> categories);

  /// A page. Throws degu::Error(kInvalidArgument) for a token that no list has given out.
  v1::ListProductsResponse list(const v1::ListProductsRequest& request) const;

  /// Null when there is none.
  const v1::Product* by_id(std::string_view id) const;
  const v1::Product* by_sku(std::string_view sku) const;

  const std::vector<v1::Category>& categories() const noexcept { return categories_; }
  std::size_t size() const noexcept { return products_.size(); }

 private:
  struct Text {
    std::string name;
    std::string all;  // name and description
  };
  using Positions = std::vector<uint32_t>;

  Positions search(std::string_view query, const Positions* within) const;

  std::vector<v1::Product> products_;
  std::vector<v1::Category> categories_;
  std::vector<Text> texts_;  // folded, by position
  std::unordered_map<std::string_view, uint32_t> by_id_;
  std::unordered_map<std::string_view, uint32_t> by_sku_;
  std::unordered_map<std::string_view, Positions> by_category_;
};

/// Lower case, and Latin letters without their accents: "Café" → "cafe". Other characters stay as they are.
std::string fold(std::string_view text);

}  // namespace shop::catalog
