// RequestParser: the head of an HTTP/1.1 request, strictly by RFC 9112, without copying it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace degu::http {

enum class ParseState : uint8_t { kIncomplete, kDone, kError };

/// The methods that have a fast path; every other token is kOther.
enum class MethodId : uint8_t {
  kGet,
  kHead,
  kPost,
  kPut,
  kPatch,
  kDelete,
  kOptions,
  kConnect,
  kTrace,
  kOther
};

/// kOther for what is none of them; upper case counts.
MethodId method_id(std::string_view method) noexcept;

struct ParseLimits {
  std::size_t max_header_bytes = 32 * 1024;  ///< request line and header section together; more is 431
  std::size_t max_fields = 100;              ///< more is 431
  std::size_t max_uri_bytes = 8 * 1024;      ///< more is 414
};

/// A part of the buffer that a head was parsed from; offsets survive the buffer's growth.
struct Slice {
  uint32_t offset = 0;
  uint32_t size = 0;
};

/// A parsed request head: views into the buffer it was parsed from, valid while that buffer is.
class RequestHead {
 public:
  struct Field {
    Slice name;
    Slice value;
  };

  std::string_view method() const noexcept { return view(method_); }
  MethodId method_id() const noexcept { return method_id_; }
  /// As received: "/a%20b?x=1", "http://host/a" or "*".
  std::string_view target() const noexcept { return view(target_); }
  /// The part before '?', without scheme and authority; not decoded. "/" at least, or "*" for OPTIONS.
  std::string_view path() const noexcept { return path_.size == 0 ? std::string_view("/") : view(path_); }
  /// The part behind the first '?'; not decoded.
  std::string_view query() const noexcept { return view(query_); }
  /// The authority the client asked for; empty only for HTTP/1.0 without Host.
  std::string_view host() const noexcept { return view(host_); }
  /// 0 or 1. A later minor version is treated as 1 (RFC 9110 section 2.5).
  int minor_version() const noexcept { return minor_version_; }

  /// Value of the first field of that name (case-insensitive), without surrounding white space; "" when
  /// absent.
  std::string_view header(std::string_view name) const noexcept;
  bool has_header(std::string_view name) const noexcept;
  std::size_t field_count() const noexcept { return fields_.size(); }
  std::string_view field_name(std::size_t i) const noexcept { return view(fields_[i].name); }
  std::string_view field_value(std::size_t i) const noexcept { return view(fields_[i].value); }

  bool keep_alive() const noexcept { return keep_alive_; }
  bool chunked() const noexcept { return chunked_; }
  bool has_content_length() const noexcept { return has_content_length_; }
  uint64_t content_length() const noexcept { return content_length_; }
  bool expects_continue() const noexcept { return expects_continue_; }
  /// There is an x-request-timeout-ms.
  bool has_timeout() const noexcept { return has_timeout_; }
  /// There is an Upgrade.
  bool has_upgrade() const noexcept { return has_upgrade_; }
  /// The path has %-escapes, or segments that need a second look ("." or "..").
  bool path_needs_decoding() const noexcept { return path_needs_decoding_; }

  /// Tells that the buffer has moved to `base`.
  void rebase(const char* base) noexcept { base_ = base; }

 private:
  friend class RequestParser;
  std::string_view view(Slice s) const noexcept { return {base_ + s.offset, s.size}; }

  const char* base_ = nullptr;
  Slice method_, target_, path_, query_, host_, authority_;
  std::vector<Field> fields_;
  uint64_t content_length_ = 0;
  MethodId method_id_ = MethodId::kOther;
  uint8_t minor_version_ = 1;
  bool keep_alive_ = true;
  bool chunked_ = false;
  bool has_content_length_ = false;
  bool expects_continue_ = false;
  bool has_timeout_ = false;
  bool has_upgrade_ = false;
  bool path_needs_decoding_ = false;
};

/// Parses one request head after another. Incremental: parse() may be called with a growing buffer, work done
/// is not repeated, and however the input is cut the outcome is the same. Allocates only for the list of
/// fields, once. Refused with 400: all that RFC 9112 lets a server refuse and that request smuggling is made
/// of (see the source). Not thread-safe.
class RequestParser {
 public:
  explicit RequestParser(ParseLimits limits = {}) : limits_(limits) {}

  /// `input` starts with the first byte of the request and contains at least what the last call was given
  /// since reset(). After kDone, head() and consumed() are set; after kError, error_status() and
  /// error_reason().
  ParseState parse(std::string_view input);

  /// Ready for the next request; keeps its memory.
  void reset() noexcept;

  const RequestHead& head() const noexcept { return head_; }
  RequestHead& head() noexcept { return head_; }
  /// Bytes of the head; the body or the next request follows.
  std::size_t consumed() const noexcept { return line_start_; }
  /// The status to answer with: 400, 414, 417, 431, 501 or 505. The connection has to be closed after it.
  int error_status() const noexcept { return error_status_; }
  std::string_view error_reason() const noexcept { return error_reason_; }

 private:
  enum class Step : uint8_t { kStart, kRequestLine, kFields, kDone, kError };

  bool fail(int status, std::string_view reason) noexcept;
  bool too_long(std::string_view input, std::size_t end) noexcept;
  bool parse_line(std::string_view input, std::size_t end);
  bool parse_request_line(std::string_view input, std::size_t end);
  bool parse_target(std::string_view input, std::size_t begin, std::size_t end);
  bool parse_absolute_target(std::string_view input, std::size_t begin, std::size_t end);
  bool parse_version(std::string_view version);
  bool parse_field(std::string_view input, std::size_t end);
  bool known_field(std::string_view name, std::string_view value);
  bool on_host(std::string_view value);
  bool on_content_length(std::string_view value);
  bool on_transfer_encoding(std::string_view value);
  bool on_connection(std::string_view value);
  bool finish();

  ParseLimits limits_;
  RequestHead head_;
  std::size_t line_start_ = 0;
  std::size_t scanned_ = 0;  // no LF before this offset since line_start_
  Step step_ = Step::kStart;
  bool has_host_ = false;
  bool has_transfer_encoding_ = false;
  bool unknown_coding_ = false;
  bool close_ = false;
  bool keep_alive_token_ = false;
  bool unknown_expectation_ = false;
  int error_status_ = 0;
  std::string_view error_reason_;
};

}  // namespace degu::http
