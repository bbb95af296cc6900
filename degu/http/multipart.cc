// The delimiter is CRLF "--" boundary, and CR stands nowhere else in it: so when a match breaks off, what was matched
// is content for certain, and the search goes on at the byte that broke it. Hence nothing of the content has to be
// kept: what is held back between two pieces of input is a part of the delimiter, which is known.
//
// A part's content begins as if its CRLF had been seen (matched_ = 2). That finds the delimiter right behind the
// blank line, which RFC 2046 lets mean a part without a body and others read as content: it is refused.
#include <degu/http/internal/fields.h>
#include <degu/http/internal/media_type.h>
#include <degu/http/internal/utf8.h>
#include <degu/http/multipart.h>

#include <algorithm>
#include <utility>

namespace degu::http {
namespace {

constexpr std::size_t kMaxPaddingBytes = 64;
constexpr std::size_t kNewline = 2;  // length of CRLF

bool is_boundary(std::string_view text) noexcept {
  constexpr std::string_view kOthers = "'()+_,-./:=? ";
  return !text.empty() && text.size() <= 70 && text.back() != ' ' &&
         std::all_of(text.begin(), text.end(), [&](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  kOthers.find(c) != std::string_view::npos;
         });
}

// Browsers write a quote as %22 (WHATWG's multipart/form-data encoding algorithm).
void unescape_quotes(std::string& text) {
  for (std::size_t at = text.find("%22"); at != std::string::npos; at = text.find("%22", at + 1)) {
    text.replace(at, 3, 1, '"');
  }
}

bool is_identity_coding(std::string_view coding) noexcept {
  return internal::equals_ignoring_case(coding, "7bit") || internal::equals_ignoring_case(coding, "8bit") ||
         internal::equals_ignoring_case(coding, "binary");
}

}  // namespace

std::optional<std::string> multipart_boundary(std::string_view content_type) {
  const auto type = internal::parse_media_type(content_type);
  if (!type || !internal::equals_ignoring_case(type->essence, "multipart/form-data")) return std::nullopt;
  const auto parameters = internal::parse_parameters(type->parameters);
  if (!parameters) return std::nullopt;
  const std::string* boundary = internal::find_parameter(*parameters, "boundary");
  if (boundary == nullptr || !is_boundary(*boundary)) return std::nullopt;
  return *boundary;
}

MultipartParser::MultipartParser(std::string_view boundary, MultipartLimits limits)
    : delimiter_("\r\n--" + std::string(boundary)), limits_(limits), matched_(kNewline) {}

MultipartParser::Event MultipartParser::fail(int status, std::string_view reason) noexcept {
  step_ = Step::kError;
  error_status_ = status;
  error_reason_ = reason;
  return Event::kError;
}

MultipartParser::Event MultipartParser::next(std::string_view& input) {
  content_ = {};
  while (!input.empty() || step_ == Step::kError) {
    Event event = Event::kNeedInput;
    switch (step_) {
      case Step::kPreamble:
        event = read_preamble(input);
        break;
      case Step::kBoundaryEnd:
        event = read_boundary_end(input);
        break;
      case Step::kHeaders:
        event = read_headers(input);
        break;
      case Step::kContent:
        event = read_content(input);
        break;
      case Step::kEpilogue:
        event = read_epilogue(input);
        break;
      case Step::kError:
        return Event::kError;
    }
    if (event != Event::kNeedInput) return event;
  }
  return Event::kNeedInput;
}

// The body starts with the first boundary line, without its CRLF.
MultipartParser::Event MultipartParser::read_preamble(std::string_view& input) {
  while (!input.empty() && matched_ < delimiter_.size()) {
    if (input.front() != delimiter_[matched_]) {
      return fail(400, "the multipart body does not start with its boundary");
    }
    input.remove_prefix(1);
    ++matched_;
  }
  if (matched_ == delimiter_.size()) step_ = Step::kBoundaryEnd;
  return Event::kNeedInput;
}

// Behind a boundary: "--" ends the body; padding and CRLF begin a part.
MultipartParser::Event MultipartParser::read_boundary_end(std::string_view& input) {
  while (!input.empty()) {
    const char c = input.front();
    input.remove_prefix(1);
    line_.push_back(c);
    if (line_ == "--") {
      line_.clear();
      step_ = Step::kEpilogue;
      return Event::kNeedInput;
    }
    if (line_.ends_with("\r\n")) {
      line_.clear();
      return begin_part();
    }
    const bool padding = (c == ' ' || c == '\t') && line_.find_first_of("-\r") == std::string::npos;
    const bool first_dash = line_ == "-";
    const bool first_return = c == '\r' && line_.find_first_of("-\r") == line_.size() - 1;
    if ((!padding && !first_dash && !first_return) || line_.size() > kMaxPaddingBytes) {
      return fail(400, "a multipart boundary line goes on behind the boundary");
    }
  }
  return Event::kNeedInput;
}

MultipartParser::Event MultipartParser::begin_part() {
  if (++parts_ > limits_.max_parts) return fail(413, "the multipart body has too many parts");
  head_ = PartHead();
  has_disposition_ = false;
  has_type_ = false;
  part_bytes_ = 0;
  step_ = Step::kHeaders;
  return Event::kNeedInput;
}

MultipartParser::Event MultipartParser::read_headers(std::string_view& input) {
  while (!input.empty()) {
    line_.push_back(input.front());
    input.remove_prefix(1);
    if (++part_bytes_ > limits_.max_header_bytes) return fail(413, "the headers of a part are too long");
    if (!line_.ends_with("\r\n")) continue;
    const std::string_view line = std::string_view(line_).substr(0, line_.size() - kNewline);
    if (line.empty()) {
      if (!has_disposition_) return fail(400, "a part has no Content-Disposition");
      line_.clear();
      part_bytes_ = 0;
      matched_ = kNewline;
      held_from_ = kNewline;
      step_ = Step::kContent;
      return Event::kPart;
    }
    const internal::FieldLine field = internal::parse_field_line(line);
    const std::string_view error =
        field.error.empty() ? parse_header(field.name, field.value) : "a header of a part is malformed";
    if (!error.empty()) return fail(400, error);
    line_.clear();
  }
  return Event::kNeedInput;
}

// "" or what is wrong. Headers that are not named here are ignored (RFC 7578 section 4.8).
std::string_view MultipartParser::parse_header(std::string_view name, std::string_view value) {
  if (internal::equals_ignoring_case(name, "content-disposition")) return parse_disposition(value);
  if (internal::equals_ignoring_case(name, "content-type")) {
    if (std::exchange(has_type_, true)) return "a part has two Content-Types";
    if (!internal::parse_media_type(value)) return "the Content-Type of a part is malformed";
    head_.content_type = value;
  } else if (internal::equals_ignoring_case(name, "content-transfer-encoding") &&
             !is_identity_coding(value)) {
    return "the Content-Transfer-Encoding of a part is not supported";
  }
  return {};
}

std::string_view MultipartParser::parse_disposition(std::string_view value) {
  if (std::exchange(has_disposition_, true)) return "a part has two Content-Dispositions";
  const std::size_t semicolon = value.find(';');
  const auto parameters = internal::parse_parameters(
      semicolon == std::string_view::npos ? std::string_view() : value.substr(semicolon));
  if (!internal::equals_ignoring_case(internal::trim(value.substr(0, semicolon)), "form-data") ||
      !parameters) {
    return "the Content-Disposition of a part is malformed";
  }
  for (const internal::Parameter& parameter : *parameters) {
    if (parameter.name.back() == '*') return "filename* is not allowed in multipart/form-data";
    if (!internal::is_utf8(parameter.value)) return "a name in a Content-Disposition is not UTF-8";
  }
  const std::string* name = internal::find_parameter(*parameters, "name");
  if (name == nullptr || name->empty()) return "a part has no name";
  head_.name = *name;
  unescape_quotes(head_.name);
  if (const std::string* filename = internal::find_parameter(*parameters, "filename")) {
    head_.filename = filename->substr(filename->find_last_of("/\\") + 1);
    unescape_quotes(*head_.filename);
    const bool leads_elsewhere = *head_.filename == "." || *head_.filename == "..";
    if (leads_elsewhere || (head_.filename->empty() && !filename->empty())) return "a filename names no file";
  }
  return {};
}

MultipartParser::Event MultipartParser::read_content(std::string_view& input) {
  while (!input.empty()) {
    if (matched_ == 0) {
      const std::string_view plain = input.substr(0, input.find('\r'));
      input.remove_prefix(plain.size());
      if (!plain.empty()) return give(plain);
    }
    if (input.front() == delimiter_[matched_]) {
      input.remove_prefix(1);
      if (++matched_ == delimiter_.size()) return end_part();
      continue;
    }
    const std::string_view held = std::string_view(delimiter_).substr(held_from_, matched_ - held_from_);
    matched_ = 0;
    held_from_ = 0;
    if (!held.empty()) return give(held);
  }
  return Event::kNeedInput;
}

MultipartParser::Event MultipartParser::give(std::string_view content) {
  part_bytes_ += content.size();
  content_bytes_ += content.size();
  if (part_bytes_ > limits_.max_part_bytes) return fail(413, "a part is too large");
  if (content_bytes_ > limits_.max_content_bytes) return fail(413, "the multipart body is too large");
  content_ = content;
  return Event::kContent;
}

MultipartParser::Event MultipartParser::end_part() {
  if (held_from_ != 0) return fail(400, "a part has no content behind its blank line");
  step_ = Step::kBoundaryEnd;
  return Event::kPartEnd;
}

// Nothing but one CRLF may follow the closing boundary.
MultipartParser::Event MultipartParser::read_epilogue(std::string_view& input) {
  line_.push_back(input.front());
  input.remove_prefix(1);
  if (line_ == "\r" || line_ == "\r\n") return Event::kNeedInput;
  return fail(400, "there is text behind the multipart body");
}

}  // namespace degu::http
