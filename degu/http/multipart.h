// MultipartParser: multipart/form-data, part by part.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace degu::http {

/// Beyond any of these the body is refused with 413.
struct MultipartLimits {
  std::size_t max_parts = 1000;
  std::size_t max_header_bytes = 4 * 1024;            ///< of one part
  std::size_t max_part_bytes = 64 * 1024 * 1024;      ///< content of one part
  std::size_t max_content_bytes = 256 * 1024 * 1024;  ///< content of all parts
};

/// What the header section of a part says.
struct PartHead {
  std::string name;
  /// Present for files. The last component only: what stands before a '/' or '\' is dropped, and a name that would
  /// lead elsewhere is refused, so it may be joined to a folder. Empty when a browser sends a file field without a
  /// file.
  std::optional<std::string> filename;
  std::string content_type = "text/plain";
};

/// The boundary of a multipart/form-data Content-Type; nothing when that is another type, or its boundary is absent,
/// repeated or not one of RFC 2046 section 5.1.1 (1 to 70 characters).
std::optional<std::string> multipart_boundary(std::string_view content_type);

/// Parses a multipart/form-data body (RFC 7578, RFC 2046 section 5.1). Incremental: the input may come in any
/// pieces, the parts are the same. Keeps no content, only the header section of the current part, within its limit.
/// Not thread-safe.
///
///   MultipartParser parser(*multipart_boundary(c.header("content-type")));
///   while (true) {
///     switch (parser.next(input)) {
///       case MultipartParser::Event::kPart: open(parser.head()); break;
///       case MultipartParser::Event::kContent: append(parser.content()); break;
///       ...
///
/// What two parsers could read differently is refused with 400: text before the first or behind the last boundary,
/// a boundary line that goes on, a part without its blank line, bare CR or LF and control characters in headers, a
/// repeated name or header, filename* (RFC 7578 section 4.2 forbids it), transfer encodings that change the
/// content, names that are not UTF-8.
class MultipartParser {
 public:
  enum class Event : uint8_t {
    kNeedInput,  ///< all of `input` is used up
    kPart,       ///< a part begins: head()
    kContent,    ///< a piece of its content: content()
    kPartEnd,
    kError,  ///< error_status(), error_reason(); stays so
  };

  explicit MultipartParser(std::string_view boundary, MultipartLimits limits = {});

  /// Goes on to the next event and removes from `input` what was read.
  Event next(std::string_view& input);
  /// The closing boundary has been read: when the input ends here, the body was whole.
  bool complete() const noexcept { return step_ == Step::kEpilogue && (line_.empty() || line_ == "\r\n"); }

  const PartHead& head() const noexcept { return head_; }
  /// Not empty; valid until the next call, and while its input lives.
  std::string_view content() const noexcept { return content_; }
  /// 400 or 413.
  int error_status() const noexcept { return error_status_; }
  std::string_view error_reason() const noexcept { return error_reason_; }

 private:
  enum class Step : uint8_t { kPreamble, kBoundaryEnd, kHeaders, kContent, kEpilogue, kError };

  Event fail(int status, std::string_view reason) noexcept;
  Event read_preamble(std::string_view& input);
  Event read_boundary_end(std::string_view& input);
  Event read_headers(std::string_view& input);
  Event read_content(std::string_view& input);
  Event read_epilogue(std::string_view& input);
  Event give(std::string_view content);
  Event end_part();
  Event begin_part();
  std::string_view parse_header(std::string_view name, std::string_view value);
  std::string_view parse_disposition(std::string_view value);

  const std::string delimiter_;  // CRLF, two dashes, the boundary
  const MultipartLimits limits_;
  PartHead head_;
  std::string_view content_;
  std::string line_;           // what the current step has collected
  std::size_t matched_ = 0;    // bytes of the delimiter that the last bytes are
  std::size_t held_from_ = 0;  // of those, the first that may turn out to be content
  std::size_t parts_ = 0;
  std::size_t part_bytes_ = 0;
  std::size_t content_bytes_ = 0;
  Step step_ = Step::kPreamble;
  bool has_disposition_ = false;
  bool has_type_ = false;
  int error_status_ = 0;
  std::string_view error_reason_;
};

}  // namespace degu::http
