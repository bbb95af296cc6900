// static_files: a directory or embedded files as a handler.
#pragma once

#include <degu/http/exchange.h>

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace degu::http {

struct StaticFile {
  std::string path;  ///< relative, with '/': "css/site.css"
  std::string content;
  std::optional<std::chrono::system_clock::time_point> modified = {};
};

struct StaticOptions {
  std::string index = "index.html";                 ///< served for "" and for "dir/"
  std::string cache_control = "no-cache";           ///< clients revalidate by ETag
  std::size_t max_total_bytes = 256 * 1024 * 1024;  ///< of the directory, and of what precompress adds
  /// Served with 200 where there is no file, if the last segment of the path has no '.': "index.html" for a single-page
  /// application, which makes its own routes. "": 404.
  std::string fallback = {};
  /// Names with a content hash, eight or more hexadecimal digits between '.' or '-' as in "app.3f9a1c2b.js", are cached
  /// for a year without asking again.
  bool immutable_hashes = false;
  /// In memory: compresses text of at least 1 KiB beforehand, to br and gzip, where no such file lies beside it.
  bool precompress = false;
  /// Reads files when they are asked for, instead of all beforehand: for folders that are large or change.
  bool from_disk = false;
};

/// Serves the files below `dir`. Register it under a rest parameter called "path":
/// `router.get("/assets/*path", static_files("web"))`.
///
/// Answers as serve_content() does: ETag, Last-Modified, conditions, ranges. Content-Type by extension. If "x.js.br" or
/// "x.js.gz" lies beside "x.js", clients that accept that coding get it, with an ETag of its own and
/// Vary: Accept-Encoding. "/dir" is redirected to "/dir/" when there is an index in it. Everything else is 404, also
/// what a name could be tricked into: names that start with '.', encoded slashes, symbolic links, anything but plain
/// files.
///
/// From memory, the files are read here, once: the calling thread blocks for it, and no request touches the disk; throws
/// Error(kNotFound) when `dir` is none, kResourceExhausted beyond max_total_bytes. From disk, a request opens its file by
/// net::Root and streams it in pieces of 64 KiB, at the pace of the client; a file that shrinks meanwhile cuts the
/// connection. ETags are then made of size and time of change. Throws what net::Root::open throws.
Handler static_files(const std::string& dir, StaticOptions options = {});

/// The same for files that the program carries within itself.
Handler static_files(std::vector<StaticFile> files, StaticOptions options = {});

/// "text/html; charset=utf-8" for "a.html"; application/octet-stream for unknown extensions.
std::string_view content_type_of(std::string_view path) noexcept;

}  // namespace degu::http
