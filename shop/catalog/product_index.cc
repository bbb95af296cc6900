#include <degu/base/error.h>
#include <shop/catalog/product_index.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace shop::catalog {
namespace {

constexpr int32_t kDefaultPage = 20;

// U+00C0 to U+00FF, the second byte after 0xC3; a dot stands for "leave it".
constexpr std::string_view kLatin1 = "aaaaaa.ceeeeiiii.nooooo.ouuuuy..aaaaaa.ceeeeiiii.nooooo.ouuuuy.y";

bool contains(const std::string& text, std::string_view word) {
  return memmem(text.data(), text.size(), word.data(), word.size()) != nullptr;
}

bool contains_all(const std::string& text, const std::vector<std::string_view>& words) {
  return std::all_of(words.begin(), words.end(), [&](std::string_view word) { return contains(text, word); });
}

std::vector<std::string_view> split(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  std::vector<std::string_view> words;
  while (true) {
    const std::size_t start = text.find_first_not_of(kSpace);
    if (start == std::string_view::npos) return words;
    text.remove_prefix(start);
    const std::size_t end = std::min(text.find_first_of(kSpace), text.size());
    words.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
}

// A page token is the position of the next product, as the list is the same for as long as the process lives.
std::size_t position_of(std::string_view token) {
  if (token.empty()) return 0;
  std::size_t position = 0;
  const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), position);
  if (error != std::errc() || end != token.data() + token.size()) {
    throw degu::Error(degu::Code::kInvalidArgument, "the request has invalid fields",
                      {{"pageToken", "is not a token that a list has given out"}});
  }
  return position;
}

}  // namespace

std::string fold(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c >= 'A' && c <= 'Z') {
      out.push_back(static_cast<char>(c - 'A' + 'a'));
      continue;
    }
    if (static_cast<unsigned char>(c) == 0xC3 && i + 1 < text.size()) {
      const std::size_t index = static_cast<unsigned char>(text[i + 1]) - std::size_t{0x80};
      if (index < kLatin1.size() && kLatin1[index] != '.') {
        out.push_back(kLatin1[index]);
        ++i;
        continue;
      }
    }
    out.push_back(c);
  }
  return out;
}

ProductIndex::ProductIndex(std::vector<v1::Product> products, std::vector<v1::Category> categories)
    : products_(std::move(products)), categories_(std::move(categories)) {
  texts_.reserve(products_.size());
  by_id_.reserve(products_.size());
  by_sku_.reserve(products_.size());
  for (uint32_t i = 0; i < products_.size(); ++i) {
    const v1::Product& product = products_[i];
    Text text;
    text.name = fold(product.name);
    text.all = text.name + '\n' + fold(product.description);
    texts_.push_back(std::move(text));
    by_id_.emplace(product.id, i);
    by_sku_.emplace(product.sku, i);
    by_category_[product.category].push_back(i);
  }
  for (v1::Category& category : categories_) {
    const auto found = by_category_.find(category.id);
    category.product_count = found == by_category_.end() ? 0 : static_cast<int32_t>(found->second.size());
  }
}

ProductIndex::Positions ProductIndex::search(std::string_view query, const Positions* within) const {
  const std::string folded = fold(query);
  const std::vector<std::string_view> words = split(folded);
  Positions named;
  Positions described;
  const auto look = [&](uint32_t position) {
    if (!contains_all(texts_[position].all, words)) return;
    (contains_all(texts_[position].name, words) ? named : described).push_back(position);
  };
  if (within != nullptr) {
    for (const uint32_t position : *within) look(position);
  } else {
    for (uint32_t position = 0; position < products_.size(); ++position) look(position);
  }
  named.insert(named.end(), described.begin(), described.end());
  return named;
}

v1::ListProductsResponse ProductIndex::list(const v1::ListProductsRequest& request) const {
  const std::size_t start = position_of(request.page_token);
  const auto wanted = static_cast<std::size_t>(request.page_size > 0 ? request.page_size : kDefaultPage);
  static const Positions kNone;
  const Positions* within = nullptr;  // null: all products
  if (!request.category.empty()) {
    const auto found = by_category_.find(request.category);
    within = found == by_category_.end() ? &kNone : &found->second;
  }
  Positions found;
  if (request.q.find_first_not_of(" \t\r\n") != std::string::npos) {
    found = search(request.q, within);
    within = &found;
  }
  const std::size_t total = within == nullptr ? products_.size() : within->size();
  v1::ListProductsResponse response;
  response.total = static_cast<int32_t>(total);
  const std::size_t first = std::min(start, total);
  const std::size_t last = std::min(first + wanted, total);
  response.products.reserve(last - first);
  for (std::size_t i = first; i < last; ++i) {
    response.products.push_back(products_[within == nullptr ? i : (*within)[i]]);
  }
  if (last < total) response.next_page_token = std::to_string(last);
  return response;
}

const v1::Product* ProductIndex::by_id(std::string_view id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : &products_[found->second];
}

const v1::Product* ProductIndex::by_sku(std::string_view sku) const {
  const auto found = by_sku_.find(sku);
  return found == by_sku_.end() ? nullptr : &products_[found->second];
}

}  // namespace shop::catalog
