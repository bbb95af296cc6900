// Files as they are on the disk when they are asked for. Whether compressed siblings exist is only known to a request
// that may use them, so every file of a type that compresses says that it varies.
#include <degu/base/error.h>
#include <degu/http/internal/accept_encoding.h>
#include <degu/http/internal/content_answer.h>
#include <degu/http/internal/dispatch.h>
#include <degu/http/internal/exchange_access.h>
#include <degu/http/internal/joined_fields.h>
#include <degu/http/internal/media_types.h>
#include <degu/http/internal/static_source.h>
#include <degu/net/root.h>
#include <degu/sync/pool.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>
#include <utility>

namespace degu::http::internal {
namespace {

// Ranges up to here are read at once, and answered like any other body.
constexpr std::size_t kPiece = 64 * 1024;
using Piece = std::array<char, kPiece>;

struct OpenedFile {
  net::File file;
  net::FileInfo info;
  Coding coding = Coding::kIdentity;
  explicit operator bool() const noexcept { return static_cast<bool>(file); }
};

std::string etag_of(const OpenedFile& opened) {
  return fmt::format("\"{:x}-{:x}{}\"", opened.info.bytes, opened.info.modified.count(),
                     suffix_of(opened.coding));
}

class DiskSource final : public StaticSource {
 public:
  DiskSource(const std::string& dir, const StaticOptions& options)
      : root_(net::Root::open(dir)), options_(options) {}

  bool has(const std::string& path) const override { return static_cast<bool>(open(path)); }

  bool serve(Exchange& c, const std::string& path) const override {
    OpenedFile opened = open(path);
    if (!opened) return false;
    const std::string_view type = content_type_of(path);
    const bool varies = matches_media_type(type, compressible_types());
    if (varies) use_sibling(opened, path, *ExchangeAccess::state(c).head);
    const std::string etag = etag_of(opened);
    Representation representation{opened.info.bytes, type, {etag, std::nullopt}};
    representation.validators.last_modified =
        std::chrono::duration_cast<std::chrono::seconds>(opened.info.modified).count();
    representation.cache_control = cache_control_of(path, options_);
    if (opened.coding != Coding::kIdentity) representation.content_encoding = to_string(opened.coding);
    representation.varies_by_coding = varies;
    const ContentAnswer answer = answer_content(c, representation);
    if (answer.status != 0) send(c, answer, opened.file);
    return true;
  }

 private:
  // Empty unless it is a plain file that may be read.
  OpenedFile open(const std::string& path) const {
    try {
      OpenedFile opened{root_.open_file(path), {}, Coding::kIdentity};
      opened.info = opened.file.stat();
      if (opened.info.type == net::FileType::kRegular) return opened;
    } catch (const Error& error) {
      if (error.code() != Code::kNotFound && error.code() != Code::kPermissionDenied) throw;
    }
    return {};
  }

  // Takes the form that the client likes best among those that are there.
  void use_sibling(OpenedFile& opened, const std::string& path, const RequestHead& head) const {
    std::string storage;
    const AcceptEncoding accept(joined_fields(head, "accept-encoding", storage));
    std::array codings = {Coding::kBrotli, Coding::kGzip};
    std::span<Coding> left(codings);
    while (!left.empty()) {
      const Coding coding = accept.choose(left);
      if (coding == Coding::kIdentity) return;
      if (OpenedFile sibling = open(path + std::string(suffix_of(coding)))) {
        opened = std::move(sibling);
        opened.coding = coding;
        return;
      }
      std::remove(left.begin(), left.end(), coding);
      left = left.first(left.size() - 1);
    }
  }

  static void read(net::File& file, std::span<char> into, uint64_t offset) {
    const net::IoResult result = file.pread(into, offset);
    if (result.bytes == into.size()) return;
    throw Error(Code::kUnavailable, "a file became shorter, or could not be read, while it was served");
  }

  static void send(Exchange& c, const ContentAnswer& answer, net::File& file) {
    if (answer.parts.size() <= 1 && answer.length <= kPiece) {
      std::string body(static_cast<std::size_t>(answer.length), '\0');
      if (!body.empty()) read(file, body, answer.parts[0].range.first);
      return c.raw(answer.status, answer.content_type, std::move(body));
    }
    ResponseStream& stream = c.stream(answer.status, answer.content_type, answer.length);
    if (c.method() == "HEAD") return;
    static Pool<Piece> pieces;
    const auto piece = pieces.borrow();
    for (const ContentAnswer::Part& part : answer.parts) {
      stream.write(part.before);
      for (uint64_t at = part.range.first; at <= part.range.last;) {
        const auto size = static_cast<std::size_t>(std::min<uint64_t>(kPiece, part.range.last - at + 1));
        read(file, std::span(*piece).first(size), at);
        stream.write({piece->data(), size});
        at += size;
      }
    }
    stream.write(answer.after);
  }

  net::Root root_;
  StaticOptions options_;
};

}  // namespace

std::unique_ptr<StaticSource> make_disk_source(const std::string& dir, const StaticOptions& options) {
  return std::make_unique<DiskSource>(dir, options);
}

}  // namespace degu::http::internal
