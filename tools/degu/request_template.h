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

/// Compiled once; then thread-safe.
class RequestTemplate {
 public:
  RequestTemplate() = default;
  /// `variables`: the names there are; their positions are what render() takes values by. Throws
  /// Error(kInvalidArgument) for a bad method, path or header, for a header that is the tool's own business (Host,
  /// Content-Length, Transfer-Encoding, Connection), and for a name that does not exist.
  RequestTemplate(const RequestText& text, const Target& target, const std::vector<std::string>& variables);

  bool is_head() const noexcept { return head_; }
  const std::string& method() const noexcept { return method_; }
  /// The variables it needs, by position, each once.
  const std::vector<std::size_t>& needs() const noexcept { return needs_; }
  /// The bytes of a request that needs nothing.
  std::string_view fixed() const noexcept { return fixed_; }
  /// Writes the request to `out`, in place of what it held. Values are escaped for where they stand: percent-encoded in
  /// the path, without control characters in a header, as a JSON string's text in a JSON body.
  void render(const std::vector<std::string>& values, std::string& out) const;

 private:
  enum class Place : uint8_t { kPath, kHeader, kText, kJson };
  struct Piece {
    std::string literal;
    std::size_t variable = kNone;  // behind the literal
  };
  using Pieces = std::vector<Piece>;
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  Pieces compile(std::string_view text, const std::vector<std::string>& variables);
  static void fill(const Pieces& pieces, Place place, const std::vector<std::string>& values,
                   std::string& out);
  static void escape(std::string_view value, Place place, std::string& out);

  std::string method_;
  bool head_ = false;
  bool json_body_ = false;
  bool has_length_ = false;
  Pieces path_;
  std::vector<std::pair<std::string, Pieces>> headers_;
  Pieces body_;
  std::vector<std::size_t> needs_;
  std::string fixed_;
};

}  // namespace degu::bench
