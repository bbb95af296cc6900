// The catalogue as people write it: products.json and the drawings beside it, both carried within the
// program.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace shop::catalog {

/// How a product's picture is made: a drawing of art/<kind>.svg with these colours.
struct Art {
  std::string kind;
  std::string variant;              // which of the drawing's variants; may be empty
  std::vector<std::string> colors;  // "#rrggbb" or "#rgb": background, main, second, accent
};

struct DataCategory {
  std::string id;
  std::string name;
};

struct DataProduct {
  std::string sku;
  std::string category;
  std::string name;
  std::string description;
  int64_t price_minor = 0;
  int32_t stock = 0;
  Art art;
};

struct CatalogData {
  std::string currency;
  std::vector<DataCategory> categories;
  std::vector<DataProduct> products;
};

/// Reads a catalogue. Throws degu::Error(kInvalidArgument) with one detail for each fault: a missing or
/// unknown field, a category that does not exist, a SKU used twice, a price such as "9.999", a colour that is
/// none.
CatalogData parse_catalog(std::string_view json);

/// The catalogue that the program carries, read once. Goroutine-safe.
const CatalogData& builtin_catalog();

/// "12.90" → 1290. Nothing when the text is no amount with at most two decimals, or above one million.
bool parse_price(std::string_view text, int64_t& minor) noexcept;

}  // namespace shop::catalog
