#include <degu/base/error.h>
#include <fmt/format.h>
#include <shop/catalog/picture.h>
#include <shop/embedded.h>

#include <array>
#include <charconv>
#include <cmath>
#include <span>

namespace shop {
std::span<const EmbeddedFile> catalog_files();
}

namespace shop::catalog {
namespace {

constexpr std::string_view kIf = "<!--if ";
constexpr std::string_view kThen = "-->";
constexpr std::string_view kEnd = "<!--end-->";
constexpr double kLighter = 0.30;
constexpr double kDarker = -0.22;
constexpr double kDarkerBackground = -0.12;  // of shadows on it

[[noreturn]] void faulty(std::string_view what) {
  throw degu::Error(degu::Code::kInvalidArgument, fmt::format("faulty drawing: {}", what));
}

std::string keep_variant(std::string_view drawing, std::string_view variant) {
  std::string out;
  out.reserve(drawing.size());
  while (true) {
    const std::size_t start = drawing.find(kIf);
    out.append(drawing.substr(0, start));
    if (start == std::string_view::npos) return out;
    drawing.remove_prefix(start + kIf.size());
    const std::size_t then = drawing.find(kThen);
    const std::size_t end = drawing.find(kEnd);
    if (then == std::string_view::npos || end == std::string_view::npos || end < then)
      faulty("a condition has no end");
    if (drawing.substr(0, then) == variant) {
      out.append(drawing.substr(then + kThen.size(), end - then - kThen.size()));
    }
    drawing.remove_prefix(end + kEnd.size());
  }
}

std::string color_of(std::string_view placeholder, const Art& art) {
  double share = 0;
  std::string_view name = placeholder;
  if (name.ends_with('+') || name.ends_with('-')) {
    share = name.back() == '+' ? kLighter : kDarker;
    name.remove_suffix(1);
  }
  if (share < 0 && name == "bg") share = kDarkerBackground;
  constexpr std::array<std::string_view, 4> kNames = {"bg", "a", "b", "c"};
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return share == 0 ? art.colors[i] : shade(art.colors[i], share);
  }
  faulty(fmt::format("nothing is called {{{}}}", placeholder));
}

}  // namespace

std::string shade(std::string_view color, double share) {
  const bool is_short = color.size() == 4;
  std::string out = "#";
  for (std::size_t i = 0; i < 3; ++i) {
    const std::string digits =
        is_short ? std::string(2, color[1 + i]) : std::string(color.substr(1 + 2 * i, 2));
    int value = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    const double target = share < 0 ? 0 : 255;
    out += fmt::format("{:02x}", static_cast<int>(std::lround(value + (target - value) * std::abs(share))));
  }
  return out;
}

std::string draw(std::string_view drawing, const Art& art) {
  if (art.colors.size() < 4) faulty("a product needs four colours");
  const std::string text = keep_variant(drawing, art.variant);
  std::string_view rest = text;
  std::string out;
  out.reserve(text.size() + text.size() / 8);
  while (true) {
    const std::size_t open = rest.find('{');
    out.append(rest.substr(0, open));
    if (open == std::string_view::npos) return out;
    const std::size_t close = rest.find('}', open);
    if (close == std::string_view::npos) faulty("a brace is not closed");
    out.append(color_of(rest.substr(open + 1, close - open - 1), art));
    rest.remove_prefix(close + 1);
  }
}

std::vector<Picture> builtin_pictures() {
  std::vector<Picture> pictures;
  for (const DataProduct& product : builtin_catalog().products) {
    const std::string path = fmt::format("art/{}.svg", product.art.kind);
    const EmbeddedFile* drawing = nullptr;
    for (const EmbeddedFile& file : catalog_files()) {
      if (file.path == path) drawing = &file;
    }
    if (drawing == nullptr) {
      throw degu::Error(degu::Code::kInternal,
                        fmt::format("{} wants {}, which does not exist", product.sku, path));
    }
    pictures.push_back({product.sku + ".svg", draw(drawing->content, product.art)});
  }
  return pictures;
}

}  // namespace shop::catalog
