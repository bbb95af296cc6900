// StaticSource: where static_files() has its files from.
#pragma once

#include <degu/http/content_coding.h>
#include <degu/http/static_files.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace degu::http::internal {

/// Safe to call concurrently. Paths are relative, decoded, and have passed is_servable().
class StaticSource {
 public:
  StaticSource() = default;
  StaticSource(const StaticSource&) = delete;
  StaticSource& operator=(const StaticSource&) = delete;
  virtual ~StaticSource() = default;
  /// Answers with that file; false: there is none.
  virtual bool serve(Exchange& c, const std::string& path) const = 0;
  virtual bool has(const std::string& path) const = 0;
};

std::unique_ptr<StaticSource> make_memory_source(std::vector<StaticFile> files, const StaticOptions& options);
std::unique_ptr<StaticSource> make_disk_source(const std::string& dir, const StaticOptions& options);

/// All files of a directory that may be served.
std::vector<StaticFile> read_directory(const std::string& dir, std::size_t max_total_bytes);

/// Segments that are not empty and do not start with '.', without control characters, 1,024 bytes at most.
bool is_servable(std::string_view path) noexcept;

/// Cache-Control for that file.
std::string_view cache_control_of(std::string_view path, const StaticOptions& options) noexcept;

/// "br" files end with ".br", "gzip" ones with ".gz".
std::string_view suffix_of(Coding coding) noexcept;

}  // namespace degu::http::internal
