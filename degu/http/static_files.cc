#include <degu/base/error.h>
#include <degu/http/internal/fields.h>
#include <degu/http/internal/static_source.h>
#include <degu/http/static_files.h>
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

namespace degu::http {

namespace internal {

bool is_servable(std::string_view path) noexcept {
  constexpr std::size_t kMaxPath = 1024;
  if (path.size() > kMaxPath || path.ends_with('/')) return false;
  if (std::any_of(path.begin(), path.end(),
                  [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }))
    return false;
  while (!path.empty()) {
    const std::string_view segment = path.substr(0, path.find('/'));
    if (segment.empty() || segment.front() == '.') return false;
    path.remove_prefix(std::min(segment.size() + 1, path.size()));
  }
  return true;
}

std::string_view suffix_of(Coding coding) noexcept {
  switch (coding) {
    case Coding::kBrotli:
      return ".br";
    case Coding::kGzip:
      return ".gz";
    case Coding::kIdentity:
      break;
  }
  return "";
}

}  // namespace internal

namespace {

std::string_view last_segment(std::string_view path) noexcept { return path.substr(path.rfind('/') + 1); }

// A date like 20240131 must not be taken for a hash, hence digits and letters.
bool is_hash(std::string_view part) noexcept {
  constexpr std::size_t kMinDigits = 8;
  bool digits = false;
  bool letters = false;
  for (const char c : part) {
    const bool digit = c >= '0' && c <= '9';
    if (!digit && !(c >= 'a' && c <= 'f')) return false;
    (digit ? digits : letters) = true;
  }
  return part.size() >= kMinDigits && digits && letters;
}

bool has_hash(std::string_view path) noexcept {
  std::string_view name = last_segment(path);
  std::size_t end = name.find_first_of(".-");
  while (end != std::string_view::npos) {
    if (is_hash(name.substr(0, end))) return true;
    name.remove_prefix(end + 1);
    end = name.find_first_of(".-");
  }
  return false;  // what is behind the last dot is an extension
}

// No file has a '/' in its name.
bool has_encoded_slash(std::string_view raw_path) noexcept {
  for (std::size_t at = raw_path.find('%'); at != std::string_view::npos; at = raw_path.find('%', at + 1)) {
    if (internal::equals_ignoring_case(raw_path.substr(at, 3), "%2f")) return true;
  }
  return false;
}

// Relative, and marked as such: "//host" or "scheme:" in a name cannot lead elsewhere.
void redirect_to_folder(Exchange& c) {
  const std::string_view query = c.target().substr(std::min(c.target().find('?'), c.target().size()));
  c.set_header("Location", fmt::format("./{}/{}", last_segment(c.path()), query));
  c.empty(301);
}

struct Site {
  std::unique_ptr<internal::StaticSource> source;
  StaticOptions options;

  bool try_file(Exchange& c, const std::string& path) const {
    return !path.empty() && internal::is_servable(path) && source->serve(c, path);
  }
  bool try_redirect(Exchange& c, const std::string& path) const {
    const std::string index = path + "/" + options.index;
    if (options.index.empty() || !internal::is_servable(index) || !source->has(index)) return false;
    redirect_to_folder(c);
    return true;
  }

  void serve(Exchange& c) const {
    c.set_header("X-Content-Type-Options", "nosniff");
    const std::string path(c.param("path"));
    if (!has_encoded_slash(c.path())) {
      if (path.empty() || path.back() == '/') {
        if (try_file(c, path + options.index)) return;
      } else {
        if (try_file(c, path) || try_redirect(c, path)) return;
      }
      const bool is_page = last_segment(path).find('.') == std::string_view::npos;
      if (is_page && try_file(c, options.fallback)) return;
    }
    throw Error(Code::kNotFound, "nothing is served at this path");
  }
};

Handler handler_of(std::unique_ptr<internal::StaticSource> source, StaticOptions options) {
  auto site = std::make_unique<const Site>(Site{std::move(source), std::move(options)});
  return [site = std::move(site)](Exchange& c) { site->serve(c); };
}

}  // namespace

std::string_view internal::cache_control_of(std::string_view path, const StaticOptions& options) noexcept {
  constexpr std::string_view kImmutable = "public, max-age=31536000, immutable";  // a year
  return options.immutable_hashes && has_hash(path) ? kImmutable : std::string_view(options.cache_control);
}

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
  if (!options.from_disk) {
    const std::size_t limit = options.max_total_bytes;
    return static_files(internal::read_directory(dir, limit), std::move(options));
  }
  auto source = internal::make_disk_source(dir, options);
  return handler_of(std::move(source), std::move(options));
}

Handler static_files(std::vector<StaticFile> files, StaticOptions options) {
  auto source = internal::make_memory_source(std::move(files), options);
  return handler_of(std::move(source), std::move(options));
}

}  // namespace degu::http
