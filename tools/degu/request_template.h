// RequestTemplate: a request with places for values, made into bytes.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "target.h"

namespace degu::bench {

/// What a request is made of. Path, header values and body may hold ${name}; $${ stands for ${ itself.
struct RequestText {
  std::string method = "GET";
  std::string path = "/";
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string body = {};
  bool json_body =
      false;  ///< values are escaped for a JSON string, and Content-Type says so unless a header does
};

/// A request of HTTP/2: its fields, pseudo-fields first (RFC 9113 section 8.3), and its body.
struct RequestFields {
  std::vector<std::pair<std::string, std::string>> list;
  std::string body;
};

/// Compiled once; then thread-safe.
class RequestTemplate {
 public:
  RequestTemplate() = default;
  /// `variables`: the names there are; their positions are what render() takes values by. Throws
  /// Error(kInvalidArgument) for a bad method, path or header, for a header that is the tool's own business (Host,
  /// Content-Length, Transfer-Encoding, Connection; for HTTP/2 whatever belongs to connections of HTTP/1.1), and for a name
  /// that does not exist.
  RequestTemplate(const RequestText& text, const Target& target, const std::vector<std::string>& variables);

  bool is_head() const noexcept { return head_; }
  const std::string& method() const noexcept { return method_; }
  /// The variables it needs, by position, each once.
  const std::vector<std::size_t>& needs() const noexcept { return needs_; }
  /// The bytes of a request of HTTP/1.1 that needs nothing.
  std::string_view fixed() const noexcept { return fixed_; }
  /// A request of HTTP/2 that needs nothing.
  const RequestFields& fixed_fields() const noexcept { return fixed_fields_; }
  /// Writes the request to `out`, in place of what it held. Values are escaped for where they stand: percent-encoded in
  /// the path, without control characters in a header, as a JSON string's text in a JSON body.
  void render(const std::vector<std::string>& values, std::string& out) const;
  /// The same for a target that speaks HTTP/2; reuses the memory of `out`.
  void render(const std::vector<std::string>& values, RequestFields& out) const;

 private:
  enum class Place : uint8_t { kPath, kHeader, kText, kJson };
  struct Piece {
    std::string literal;
    std::size_t variable = kNone;  // behind the literal
  };
  using Pieces = std::vector<Piece>;
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  void add_header(std::string_view name, std::string_view value, const Target& target,
                  const std::vector<std::string>& variables);
  Pieces compile(std::string_view text, const std::vector<std::string>& variables);
  static void fill(const Pieces& pieces, Place place, const std::vector<std::string>& values,
                   std::string& out);
  static void escape(std::string_view value, Place place, std::string& out);

  std::string method_;
  std::string_view scheme_;
  bool head_ = false;
  bool json_body_ = false;
  bool has_length_ = false;
  Pieces path_;
  std::vector<std::pair<std::string, Pieces>>
      headers_;  // for HTTP/2 the authority is the first, other names are small
  Pieces body_;
  std::vector<std::size_t> needs_;
  std::string fixed_;
  RequestFields fixed_fields_;
};

}  // namespace degu::bench
