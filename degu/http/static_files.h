// static_files: a directory or embedded files as a handler.
#pragma once

#include <degu/http/exchange.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace degu::http {

struct StaticFile {
  std::string path;  ///< relative, with '/': "css/site.css"
  std::string content;
};

struct StaticOptions {
  std::string index = "index.html";                 ///< served for "" and for "dir/"
  std::string cache_control = "no-cache";           ///< clients revalidate by ETag
  std::size_t max_total_bytes = 256 * 1024 * 1024;  ///< of the directory
};

/// Serves the files below `dir` from memory: they are read here, once, so a request touches no disk and no
/// path outside can be reached. Symbolic links and names that start with '.' are left out. Register it under
/// a rest parameter called "path": `router.get("/assets/*path", static_files("web"))`. Answers with
/// Content-Type by extension, ETag, 304 for If-None-Match, 404. Blocks the calling thread while it reads;
/// throws Error(kNotFound) when `dir` is none.
Handler static_files(const std::string& dir, StaticOptions options = {});

/// The same for files that the program carries within itself.
Handler static_files(std::vector<StaticFile> files, StaticOptions options = {});

/// "text/html; charset=utf-8" for "a.html"; application/octet-stream for unknown extensions.
std::string_view content_type_of(std::string_view path) noexcept;

}  // namespace degu::http
