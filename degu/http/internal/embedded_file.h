// EmbeddedFile: a file of the source tree that the library carries within itself.
#pragma once

#include <span>
#include <string_view>

namespace degu::http::internal {

/// Path below the embedded folder and content; both live as long as the process. Made by degu_embed() in
/// layer.cmake.
struct EmbeddedFile {
  std::string_view path;
  std::string_view content;
};

/// The folder degu/http/viewer.
std::span<const EmbeddedFile> viewer_files();

}  // namespace degu::http::internal
