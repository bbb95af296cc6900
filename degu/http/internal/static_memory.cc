// Files in memory, sorted by path, each with the forms that clients may get it in. Nothing changes after it was made, so
// requests share it without locks.
#include <degu/base/error.h>
#include <degu/http/content_coding.h>
#include <degu/http/internal/accept_encoding.h>
#include <degu/http/internal/exchange_access.h>
#include <degu/http/internal/joined_fields.h>
#include <degu/http/internal/media_types.h>
#include <degu/http/internal/static_source.h>
#include <degu/http/serve_content.h>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

namespace degu::http::internal {
namespace {

namespace fs = std::filesystem;

// Smaller files gain little: they fit into a packet or two as they are.
constexpr std::size_t kMinPrecompressed = 1024;
constexpr EncodeOptions kHighest = {.gzip_level = 9, .brotli_level = 9};

struct Form {
  Coding coding = Coding::kIdentity;
  std::string etag;
  std::shared_ptr<const std::string> content;
};

struct Entry {
  std::string path;
  std::string type;
  std::optional<std::chrono::system_clock::time_point> modified;
  std::vector<Form> forms;  // the first is the file as it is
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

Form make_form(Coding coding, std::shared_ptr<const std::string> content) {
  return {coding, fmt::format("\"{:016x}\"", hash(*content)), std::move(content)};
}

class MemorySource final : public StaticSource {
 public:
  MemorySource(std::vector<StaticFile> files, const StaticOptions& options) : options_(options) {
    for (StaticFile& file : files) {
      total_bytes_ += file.content.size();
      Entry entry;
      entry.type = content_type_of(file.path);
      entry.path = std::move(file.path);
      entry.modified = file.modified;
      entry.forms.push_back(
          make_form(Coding::kIdentity, std::make_shared<const std::string>(std::move(file.content))));
      entries_.push_back(std::move(entry));
    }
    std::sort(entries_.begin(), entries_.end(),
              [](const Entry& a, const Entry& b) { return a.path < b.path; });
    for (Entry& entry : entries_) {
      for (const Coding coding : {Coding::kBrotli, Coding::kGzip}) add_form(entry, coding);
    }
  }

  bool serve(Exchange& c, const std::string& path) const override {
    const Entry* entry = find(path);
    if (entry == nullptr) return false;
    const Form& form = choose(*entry, *ExchangeAccess::state(c).head);
    serve_content(c, {.shared = form.content,
                      .content_type = entry->type,
                      .etag = form.etag,
                      .last_modified = entry->modified,
                      .cache_control = cache_control_of(path, options_),
                      .content_encoding =
                          form.coding == Coding::kIdentity ? std::string_view() : to_string(form.coding),
                      .varies_by_coding = entry->forms.size() > 1});
    return true;
  }

  bool has(const std::string& path) const override { return find(path) != nullptr; }

 private:
  const Entry* find(std::string_view path) const noexcept {
    const auto at =
        std::lower_bound(entries_.begin(), entries_.end(), path,
                         [](const Entry& entry, std::string_view wanted) { return entry.path < wanted; });
    return at != entries_.end() && at->path == path ? &*at : nullptr;
  }

  static const Form& choose(const Entry& entry, const RequestHead& head) {
    if (entry.forms.size() == 1) return entry.forms.front();
    std::vector<Coding> offered;
    for (const Form& form : entry.forms) offered.push_back(form.coding);
    std::string storage;
    const Coding coding = AcceptEncoding(joined_fields(head, "accept-encoding", storage)).choose(offered);
    return *std::find_if(entry.forms.begin(), entry.forms.end(),
                         [&](const Form& form) { return form.coding == coding; });
  }

  // The file that lies beside it, or one made now.
  void add_form(Entry& entry, Coding coding) {
    if (const Entry* sibling = find(entry.path + std::string(suffix_of(coding)))) {
      entry.forms.push_back(make_form(coding, sibling->forms.front().content));
      return;
    }
    const std::string& plain = *entry.forms.front().content;
    if (!options_.precompress || plain.size() < kMinPrecompressed ||
        !matches_media_type(entry.type, compressible_types()))
      return;
    std::string packed = encode(coding, plain, kHighest);
    if (packed.size() >= plain.size() || total_bytes_ + packed.size() > options_.max_total_bytes) return;
    total_bytes_ += packed.size();
    entry.forms.push_back(make_form(coding, std::make_shared<const std::string>(std::move(packed))));
  }

  std::vector<Entry> entries_;
  StaticOptions options_;
  std::size_t total_bytes_ = 0;
};

bool is_hidden(const fs::path& path) { return path.filename().string().starts_with('.'); }

std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::string content{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  if (!in.good() && !in.eof()) throw Error(Code::kUnavailable, fmt::format("cannot read {}", path.string()));
  return content;
}

std::chrono::system_clock::time_point modified_at(const fs::directory_entry& entry) {
  return std::chrono::time_point_cast<std::chrono::system_clock::duration>(
      fs::file_time_type::clock::to_sys(entry.last_write_time()));
}

}  // namespace

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
    files.push_back(
        {fs::relative(at->path(), dir).generic_string(), read_file(at->path()), modified_at(*at)});
  }
  return files;
}

std::unique_ptr<StaticSource> make_memory_source(std::vector<StaticFile> files,
                                                 const StaticOptions& options) {
  return std::make_unique<MemorySource>(std::move(files), options);
}

}  // namespace degu::http::internal
