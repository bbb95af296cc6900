#include <degu/base/error.h>
#include <degu/http/json_reader.h>
#include <shop/catalog/data_file.h>
#include <shop/embedded.h>

#include <algorithm>
#include <optional>
#include <set>
#include <span>

namespace shop {
std::span<const EmbeddedFile> catalog_files();
}

namespace shop::catalog {
namespace {

using degu::json::FieldErrors;
using degu::json::Value;

constexpr int64_t kMaxPriceMinor = 100'000'000;
constexpr std::size_t kColors = 4;

std::string text(const Value& object, std::string_view name, FieldErrors& errors) {
  const auto member = object.find(name);
  const auto value = member ? member->string() : std::nullopt;
  if (!value || value->empty()) {
    errors.add(name, "must be a text that is not empty");
    return {};
  }
  return std::string(*value);
}

bool is_color(std::string_view text) {
  if ((text.size() != 4 && text.size() != 7) || text[0] != '#') return false;
  return std::all_of(text.begin() + 1, text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
  });
}

Art read_art(const Value& object, FieldErrors& errors) {
  const auto value = object.find("art");
  if (!value) {
    errors.add("art", "is missing");
    return {};
  }
  FieldErrors::Scope scope(errors, "art");
  Art art;
  art.kind = text(*value, "kind", errors);
  if (value->find("variant")) art.variant = text(*value, "variant", errors);
  if (const auto colors = value->find("colors")) {
    colors->each_element([&](Value color) { art.colors.emplace_back(color.string().value_or("")); });
  }
  if (art.colors.size() != kColors || !std::all_of(art.colors.begin(), art.colors.end(), is_color)) {
    errors.add("colors", "must be four colours such as #c8704d");
  }
  return art;
}

DataProduct read_product(const Value& object, const std::set<std::string>& categories, FieldErrors& errors) {
  DataProduct product;
  product.sku = text(object, "sku", errors);
  product.name = text(object, "name", errors);
  product.description = text(object, "description", errors);
  product.category = text(object, "category", errors);
  if (!product.category.empty() && !categories.contains(product.category)) {
    errors.add("category", "is not among the categories");
  }
  const std::string price = text(object, "price", errors);
  if (!price.empty() && !parse_price(price, product.price_minor)) {
    errors.add("price", "must be an amount such as 12.90");
  }
  const auto stock = object.find("stock");
  const auto pieces = stock ? stock->int64() : std::nullopt;
  if (!pieces || *pieces < 0 || *pieces > 1'000'000) {
    errors.add("stock", "must be a number from 0 to 1000000");
  } else {
    product.stock = static_cast<int32_t>(*pieces);
  }
  product.art = read_art(object, errors);
  return product;
}

template <class F>
void each_of(const Value& root, std::string_view name, FieldErrors& errors, F read) {
  FieldErrors::Scope scope(errors, name);
  const auto list = root.find(name);
  if (!list || list->type() != degu::json::Type::kArray) {
    errors.add("", "must be a list");
    return;
  }
  std::size_t index = 0;
  list->each_element([&](Value element) {
    FieldErrors::Scope entry(errors, index++);
    read(element);
  });
}

}  // namespace

bool parse_price(std::string_view text, int64_t& minor) noexcept {
  const std::size_t point = text.find('.');
  const std::string_view whole = text.substr(0, point);
  std::string_view decimals = point == std::string_view::npos ? std::string_view() : text.substr(point + 1);
  if (whole.empty() || whole.size() > 7) return false;
  if (point != std::string_view::npos && (decimals.empty() || decimals.size() > 2)) return false;
  int64_t value = 0;
  for (const char c : whole) {
    if (c < '0' || c > '9') return false;
    value = value * 10 + (c - '0');
  }
  for (std::size_t i = 0; i < 2; ++i) {
    const char c = i < decimals.size() ? decimals[i] : '0';
    if (c < '0' || c > '9') return false;
    value = value * 10 + (c - '0');
  }
  if (value > kMaxPriceMinor) return false;
  minor = value;
  return true;
}

CatalogData parse_catalog(std::string_view json) {
  const degu::json::Document document = degu::json::Document::parse(json);
  const Value root = document.root();
  FieldErrors errors;
  CatalogData data;
  data.currency = text(root, "currency", errors);
  std::set<std::string> categories;
  each_of(root, "categories", errors, [&](const Value& object) {
    DataCategory category{text(object, "id", errors), text(object, "name", errors)};
    if (!categories.insert(category.id).second) errors.add("id", "is used twice");
    data.categories.push_back(std::move(category));
  });
  std::set<std::string> skus;
  each_of(root, "products", errors, [&](const Value& object) {
    DataProduct product = read_product(object, categories, errors);
    if (!skus.insert(product.sku).second) errors.add("sku", "is used twice");
    data.products.push_back(std::move(product));
  });
  errors.throw_if_any("the catalogue has faults");
  return data;
}

const CatalogData& builtin_catalog() {
  static const CatalogData data = [] {
    for (const EmbeddedFile& file : catalog_files()) {
      if (file.path == "products.json") return parse_catalog(file.content);
    }
    throw degu::Error(degu::Code::kInternal, "the program carries no products.json");
  }();
  return data;
}

}  // namespace shop::catalog
