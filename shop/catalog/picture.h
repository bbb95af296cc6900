// Pictures of products: SVG drawings with the colours of each product filled in.
#pragma once

#include <shop/catalog/data_file.h>

#include <string>
#include <string_view>
#include <vector>

namespace shop::catalog {

/// Fills a drawing. `{bg}`, `{a}`, `{b}`, `{c}` stand for the four colours, `{a-}` and `{a+}` for a darker
/// and a lighter shade. What stands between `<!--if name-->` and `<!--end-->` is kept only for that variant.
/// Throws degu::Error(kInvalidArgument) for an unknown placeholder, an open condition, or fewer than four
/// colours.
std::string draw(std::string_view drawing, const Art& art);

/// "#c8704d" mixed with white (share > 0) or black (share < 0); the share is between -1 and 1.
std::string shade(std::string_view color, double share);

struct Picture {
  std::string name;  // "CT-101.svg"
  std::string svg;
};

/// One picture for each product of the catalogue that the program carries. Throws degu::Error(kInternal) when
/// a drawing is missing.
std::vector<Picture> builtin_pictures();

}  // namespace shop::catalog
