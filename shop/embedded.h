// EmbeddedFile: a file of the source tree that the program carries within itself.
#pragma once

#include <string_view>

namespace shop {

/// Path below the embedded folder and content; both live as long as the process. Made by shop_embed() in
/// CMakeLists.txt.
struct EmbeddedFile {
  std::string_view path;
  std::string_view content;
};

}  // namespace shop
