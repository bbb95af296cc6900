#include <degu/base/error.h>
#include <degu/http/internal/fields.h>
#include <degu/http/static_files.h>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <utility>

namespace degu::http {
namespace {

namespace fs = std::filesystem;

struct Entry {
  std::string path;
  std::string type;
  std::string etag;
  std::shared_ptr<const std::string> content;
};

struct Files {
  std::vector<Entry> entries;  // sorted by path
  StaticOptions options;

  const Entry* find(std::string_view path) const noexcept {
    const auto at =
        std::lower_bound(entries.begin(), entries.end(), path,
                         [](const Entry& entry, std::string_view wanted) { return entry.path < wanted; });
    return at != entries.end() && at->path == path ? &*at : nullptr;
  }
};

// FNV-1a, 64 bits: tells versions of one file apart; not a defence against anyone.
uint64_t hash(std::string_view text) noexcept {
  uint64_t value = 0xcbf29ce484222325ULL;
  for (const char c : text) {
    value ^= static_cast<unsigned char>(c);
    value *= 0x100000001b3ULL;
  }
  return value;
}

// If-None-Match: "*" or a list of tags; weak ones compare as strong ones do (RFC 9110 section 13.1.2).
bool matches_etag(std::string_view header, std::string_view etag) noexcept {
  bool found = header == "*";
  internal::each_list_element(header, [&](std::string_view tag) {
    if (tag.starts_with("W/")) tag.remove_prefix(2);
    found = found || tag == etag;
  });
  return found;
}

void serve(const Files& files, Exchange& c) {
  std::string path(c.param("path"));
  if (path.empty() || path.back() == '/') path += files.options.index;
  const Entry* entry = files.find(path);
  if (entry == nullptr) throw Error(Code::kNotFound, "nothing is served at this path");
  c.set_header("ETag", entry->etag);
  c.set_header("Cache-Control", files.options.cache_control);
  c.set_header("X-Content-Type-Options", "nosniff");
  if (matches_etag(c.header("if-none-match"), entry->etag)) return c.empty(304);
  c.raw(200, entry->type, entry->content);
}

bool is_hidden(const fs::path& path) { return path.filename().string().starts_with('.'); }

std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::string content{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  if (!in.good() && !in.eof()) throw Error(Code::kUnavailable, fmt::format("cannot read {}", path.string()));
  return content;
}

std::vector<StaticFile> read_directory(const std::string& dir, std::size_t max_total_bytes) {
  std::error_code error;
  if (!fs::is_directory(dir, error)) throw Error(Code::kNotFound, fmt::format("{} is not a directory", dir));
  std::vector<StaticFile> files;
  std::size_t total = 0;
  for (auto at = fs::recursive_directory_iterator(dir); at != fs::recursive_directory_iterator(); ++at) {
    if (is_hidden(at->path()) || at->is_symlink()) {
      at.disable_recursion_pending();
      continue;
    }
    if (!at->is_regular_file()) continue;
    total += at->file_size();
    if (total > max_total_bytes) {
      throw Error(Code::kResourceExhausted, fmt::format("{} holds more than {} bytes", dir, max_total_bytes));
    }
    files.push_back({fs::relative(at->path(), dir).generic_string(), read_file(at->path())});
  }
  return files;
}

}  // namespace

std::string_view content_type_of(std::string_view path) noexcept {
  struct Row {
    std::string_view extension;
    std::string_view type;
  };
  constexpr Row kRows[] = {
      {"html", "text/html; charset=utf-8"},
      {"css", "text/css; charset=utf-8"},
      {"js", "text/javascript; charset=utf-8"},
      {"mjs", "text/javascript; charset=utf-8"},
      {"json", "application/json"},
      {"svg", "image/svg+xml"},
      {"png", "image/png"},
      {"jpg", "image/jpeg"},
      {"jpeg", "image/jpeg"},
      {"gif", "image/gif"},
      {"webp", "image/webp"},
      {"ico", "image/x-icon"},
      {"txt", "text/plain; charset=utf-8"},
      {"md", "text/markdown; charset=utf-8"},
      {"xml", "application/xml"},
      {"pdf", "application/pdf"},
      {"wasm", "application/wasm"},
      {"woff2", "font/woff2"},
      {"woff", "font/woff"},
      {"webmanifest", "application/manifest+json"},
      {"map", "application/json"},
  };
  const std::size_t dot = path.rfind('.');
  if (dot != std::string_view::npos) {
    for (const Row& row : kRows) {
      if (internal::equals_ignoring_case(path.substr(dot + 1), row.extension)) return row.type;
    }
  }
  return "application/octet-stream";
}

Handler static_files(const std::string& dir, StaticOptions options) {
  const std::size_t limit = options.max_total_bytes;
  return static_files(read_directory(dir, limit), std::move(options));
}

Handler static_files(std::vector<StaticFile> list, StaticOptions options) {
  auto files = std::make_shared<Files>();
  files->options = std::move(options);
  for (StaticFile& file : list) {
    Entry entry;
    entry.type = content_type_of(file.path);
    entry.etag = fmt::format("\"{:016x}\"", hash(file.content));
    entry.path = std::move(file.path);
    entry.content = std::make_shared<const std::string>(std::move(file.content));
    files->entries.push_back(std::move(entry));
  }
  std::sort(files->entries.begin(), files->entries.end(),
            [](const Entry& a, const Entry& b) { return a.path < b.path; });
  return [files = std::shared_ptr<const Files>(std::move(files))](Exchange& c) { serve(*files, c); };
}

}  // namespace degu::http
