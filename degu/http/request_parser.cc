// Strict RFC 9112. Everything two parsers could read differently is refused, since that is what request
// smuggling is made of: bare CR or LF, white space before a colon, folded lines, NUL and other controls,
// Content-Length together with Transfer-Encoding, repeated or list-like lengths, codings other than one final
// "chunked", two Hosts.
//
// The unit of work is a line that has ended: each is looked at once, in order, so that cutting the input
// elsewhere cannot change the outcome. A line that has not ended is only searched for its LF (from where the
// last search stopped) and measured against the limits, with the same comparison that a complete line gets.
#include <degu/http/internal/char_class.h>
#include <degu/http/internal/fields.h>
#include <degu/http/request_parser.h>

#include <algorithm>
#include <cstring>

namespace degu::http {
namespace {

using internal::CharClass;
using internal::equals_ignoring_case;
using internal::is;
using internal::skip;

// Room for the method and the version beside the URI before the request line counts as too long.
constexpr std::size_t kRequestLineExtra = 64;
constexpr std::size_t kMaxMethod = 32;

Slice slice(std::size_t offset, std::size_t size) noexcept {
  return {static_cast<uint32_t>(offset), static_cast<uint32_t>(size)};
}

bool is_port(std::string_view port) noexcept {
  uint32_t number = 0;
  for (const char c : port) {
    if (c < '0' || c > '9') return false;
    number = number * 10 + static_cast<uint32_t>(c - '0');
    if (number > 65535) return false;
  }
  return true;
}

// uri-host [ ":" port ] of RFC 9110 section 7.2, not empty.
bool is_authority(std::string_view text) noexcept {
  if (text.empty()) return false;
  std::size_t end = 0;
  if (text.front() == '[') {
    end = text.find(']');
    if (end == std::string_view::npos || end < 3) return false;
    for (const char c : text.substr(1, end - 1)) {
      if (!is(CharClass::kHexChar, c) && c != ':' && c != '.') return false;
    }
    ++end;
  } else {
    end = skip(CharClass::kHostChar, text, 0);
    if (end == 0) return false;
  }
  if (end == text.size()) return true;
  return text[end] == ':' && is_port(text.substr(end + 1));
}

std::string_view without_default_port(std::string_view authority) noexcept {
  if (authority.ends_with(":80")) authority.remove_suffix(3);
  return authority;
}

bool has_sound_escapes(std::string_view target) noexcept {
  for (std::size_t at = target.find('%'); at != std::string_view::npos; at = target.find('%', at + 1)) {
    if (at + 2 >= target.size() || !is(CharClass::kHexChar, target[at + 1]) ||
        !is(CharClass::kHexChar, target[at + 2])) {
      return false;
    }
  }
  return true;
}

bool has_dot_segment(std::string_view path) noexcept {
  for (std::size_t at = path.find("/."); at != std::string_view::npos; at = path.find("/.", at + 1)) {
    std::string_view rest = path.substr(at + 2);
    if (!rest.empty() && rest.front() == '.') rest.remove_prefix(1);
    if (rest.empty() || rest.front() == '/') return true;
  }
  return false;
}

}  // namespace

MethodId method_id(std::string_view method) noexcept {
  const auto either = [&](std::string_view name, MethodId id) {
    return method == name ? id : MethodId::kOther;
  };
  switch (method.size()) {
    case 3:
      return method == "GET" ? MethodId::kGet : either("PUT", MethodId::kPut);
    case 4:
      return method == "POST" ? MethodId::kPost : either("HEAD", MethodId::kHead);
    case 5:
      return method == "PATCH" ? MethodId::kPatch : either("TRACE", MethodId::kTrace);
    case 6:
      return either("DELETE", MethodId::kDelete);
    case 7:
      return method == "OPTIONS" ? MethodId::kOptions : either("CONNECT", MethodId::kConnect);
    default:
      return MethodId::kOther;
  }
}

std::string_view RequestHead::header(std::string_view name) const noexcept {
  for (const Field& field : fields_) {
    if (field.name.size == name.size() && equals_ignoring_case(view(field.name), name))
      return view(field.value);
  }
  return {};
}

bool RequestHead::has_header(std::string_view name) const noexcept {
  for (const Field& field : fields_) {
    if (field.name.size == name.size() && equals_ignoring_case(view(field.name), name)) return true;
  }
  return false;
}

void RequestParser::reset() noexcept {
  std::vector<RequestHead::Field> fields = std::move(head_.fields_);
  fields.clear();
  const ParseLimits limits = limits_;
  *this = RequestParser(limits);
  head_.fields_ = std::move(fields);
}

bool RequestParser::fail(int status, std::string_view reason) noexcept {
  step_ = Step::kError;
  error_status_ = status;
  error_reason_ = reason;
  return false;
}

// `end` is the offset behind what is known of the current line, its CRLF included when it has ended.
bool RequestParser::too_long(std::string_view input, std::size_t end) noexcept {
  if (step_ == Step::kRequestLine && end - line_start_ > limits_.max_uri_bytes + kRequestLineExtra) {
    // A method without end is no URI that is too long.
    const std::size_t space = input.substr(line_start_, kMaxMethod + 1).find(' ');
    fail(space == std::string_view::npos ? 400 : 414,
         space == std::string_view::npos ? "bad method" : "request target too long");
    return true;
  }
  if (end <= limits_.max_header_bytes) return false;
  fail(431, "header section too large");
  return true;
}

ParseState RequestParser::parse(std::string_view input) {
  head_.base_ = input.data();
  if (step_ == Step::kStart) {
    // One empty line before a request is forgiven (RFC 9112 section 2.2).
    if (input.empty() || (input.size() == 1 && input[0] == '\r')) return ParseState::kIncomplete;
    if (input.starts_with("\r\n")) {
      if (input.size() == 2) return ParseState::kIncomplete;
      line_start_ = 2;
    }
    scanned_ = line_start_;
    step_ = Step::kRequestLine;
    // What does not start like a request (a TLS hello, say) need not be waited for.
    if (!internal::is_token_char(input[line_start_])) fail(400, "bad method");
  }
  while (step_ == Step::kRequestLine || step_ == Step::kFields) {
    const void* found = input.size() > scanned_
                            ? std::memchr(input.data() + scanned_, '\n', input.size() - scanned_)
                            : nullptr;
    if (found == nullptr) {
      scanned_ = input.size();
      if (too_long(input, input.size())) break;
      return ParseState::kIncomplete;
    }
    const auto end = static_cast<std::size_t>(static_cast<const char*>(found) - input.data()) + 1;
    const std::size_t never_too_long =
        std::min(limits_.max_uri_bytes + kRequestLineExtra, limits_.max_header_bytes);
    if (end > never_too_long && too_long(input, end)) break;
    if (!parse_line(input, end)) break;
    line_start_ = end;
    scanned_ = end;
  }
  return step_ == Step::kDone ? ParseState::kDone : ParseState::kError;
}

bool RequestParser::parse_line(std::string_view input, std::size_t end) {
  if (end - line_start_ < 2 || input[end - 2] != '\r') return fail(400, "line ends in a bare LF");
  if (step_ == Step::kRequestLine) return parse_request_line(input, end - 2);
  if (end - line_start_ == 2) return finish();
  return parse_field(input, end - 2);
}

bool RequestParser::parse_request_line(std::string_view input, std::size_t end) {
  const std::string_view line = input.substr(0, end);
  std::size_t at = skip(CharClass::kTokenChar, line, line_start_);
  if (at == line_start_ || at == end || input[at] != ' ' || at - line_start_ > kMaxMethod) {
    return fail(400, "bad method");
  }
  head_.method_ = slice(line_start_, at - line_start_);
  head_.method_id_ = method_id(input.substr(line_start_, at - line_start_));
  const std::size_t target = ++at;
  unsigned seen = 0;
  for (; at < end; ++at) {
    const uint8_t classes = internal::kCharClasses[static_cast<unsigned char>(line[at])];
    if ((classes & CharClass::kTargetChar) == 0) break;
    seen |= classes;
  }
  if (at == end || input[at] != ' ' || at == target) return fail(400, "bad request target");
  if (at - target > limits_.max_uri_bytes) return fail(414, "request target too long");
  if (!parse_version(input.substr(at + 1, end - at - 1))) return false;
  head_.target_ = slice(target, at - target);
  step_ = Step::kFields;
  if ((seen & CharClass::kOddTargetChar) == 0 && line[target] == '/' &&
      head_.method_id_ != MethodId::kConnect) {
    head_.path_ = head_.target_;
    return true;
  }
  if (!has_sound_escapes(input.substr(target, at - target))) return fail(400, "bad percent escape");
  return parse_target(input, target, at);
}

bool RequestParser::parse_version(std::string_view version) {
  const auto digit = [&](std::size_t i) { return version[i] >= '0' && version[i] <= '9'; };
  if (version.size() != 8 || !version.starts_with("HTTP/") || !digit(5) || version[6] != '.' || !digit(7)) {
    return fail(400, "bad protocol version");
  }
  if (version[5] != '1') return fail(505, "protocol version not supported");
  head_.minor_version_ = version[7] == '0' ? 0 : 1;
  return true;
}

bool RequestParser::parse_target(std::string_view input, std::size_t begin, std::size_t end) {
  if (head_.method_id_ == MethodId::kConnect) return fail(501, "CONNECT is not supported");
  const std::string_view target = input.substr(begin, end - begin);
  if (target == "*") {
    if (head_.method_id_ != MethodId::kOptions) return fail(400, "bad request target");
    head_.path_ = head_.target_;
    return true;
  }
  if (target.front() != '/') return parse_absolute_target(input, begin, end);
  const std::size_t question = target.find('?');
  const std::string_view path = target.substr(0, question);
  head_.path_ = slice(begin, path.size());
  if (question != std::string_view::npos) {
    head_.query_ = slice(begin + question + 1, target.size() - question - 1);
  }
  head_.path_needs_decoding_ = path.find('%') != std::string_view::npos || has_dot_segment(path);
  return true;
}

bool RequestParser::parse_absolute_target(std::string_view input, std::size_t begin, std::size_t end) {
  const std::string_view target = input.substr(begin, end - begin);
  std::size_t scheme = 0;
  if (target.size() > 7 && equals_ignoring_case(target.substr(0, 7), "http://")) scheme = 7;
  if (target.size() > 8 && equals_ignoring_case(target.substr(0, 8), "https://")) scheme = 8;
  if (scheme == 0) return fail(400, "bad request target");
  std::size_t path = target.find_first_of("/?", scheme);
  if (path == std::string_view::npos) path = target.size();
  if (!is_authority(target.substr(scheme, path - scheme)))
    return fail(400, "bad authority in the request target");
  head_.authority_ = slice(begin + scheme, path - scheme);
  if (path == target.size()) return true;
  if (target[path] == '/') return parse_target(input, begin + path, end);
  // "http://host?query" has the path "/", which path() gives for an empty one.
  head_.query_ = slice(begin + path + 1, target.size() - path - 1);
  return true;
}

bool RequestParser::parse_field(std::string_view input, std::size_t end) {
  const internal::FieldLine line = internal::parse_field_line(input.substr(line_start_, end - line_start_));
  if (!line.error.empty()) return fail(400, line.error);
  if (head_.fields_.size() == limits_.max_fields) return fail(431, "too many header fields");
  const auto offset = [&](std::string_view part) {
    return static_cast<std::size_t>(part.data() - input.data());
  };
  head_.fields_.push_back(
      {slice(offset(line.name), line.name.size()), slice(offset(line.value), line.value.size())});
  return known_field(line.name, line.value);
}

// By length first: most fields are none of these.
bool RequestParser::known_field(std::string_view name, std::string_view value) {
  switch (name.size()) {
    case 4:
      return equals_ignoring_case(name, "host") ? on_host(value) : true;
    case 6:
      if (equals_ignoring_case(name, "expect")) {
        (equals_ignoring_case(value, "100-continue") ? head_.expects_continue_ : unknown_expectation_) = true;
      }
      return true;
    case 7:
      if (equals_ignoring_case(name, "upgrade")) head_.has_upgrade_ = true;
      return true;
    case 10:
      return equals_ignoring_case(name, "connection") ? on_connection(value) : true;
    case 14:
      return equals_ignoring_case(name, "content-length") ? on_content_length(value) : true;
    case 17:
      return equals_ignoring_case(name, "transfer-encoding") ? on_transfer_encoding(value) : true;
    case 20:
      if (equals_ignoring_case(name, "x-request-timeout-ms")) head_.has_timeout_ = true;
      return true;
    default:
      return true;
  }
}

bool RequestParser::on_host(std::string_view value) {
  if (has_host_) return fail(400, "more than one Host");
  if (!is_authority(value)) return fail(400, "bad Host");
  has_host_ = true;
  head_.host_ = head_.fields_.back().value;
  return true;
}

bool RequestParser::on_content_length(std::string_view value) {
  if (head_.has_content_length_) return fail(400, "more than one Content-Length");
  const auto length = internal::parse_digits(value);
  if (!length) return fail(400, "bad Content-Length");
  head_.has_content_length_ = true;
  head_.content_length_ = *length;
  return true;
}

bool RequestParser::on_transfer_encoding(std::string_view value) {
  has_transfer_encoding_ = true;
  bool sound = !value.empty();
  internal::each_list_element(value, [&](std::string_view coding) {
    if (head_.chunked_) sound = false;  // "chunked" has to come last and once
    if (equals_ignoring_case(coding, "chunked")) {
      head_.chunked_ = true;
    } else {
      unknown_coding_ = true;
    }
  });
  return sound ? true : fail(400, "bad Transfer-Encoding");
}

bool RequestParser::on_connection(std::string_view value) {
  internal::each_list_element(value, [&](std::string_view option) {
    if (equals_ignoring_case(option, "close")) close_ = true;
    if (equals_ignoring_case(option, "keep-alive")) keep_alive_token_ = true;
  });
  return true;
}

bool RequestParser::finish() {
  if (head_.minor_version_ >= 1 && !has_host_) return fail(400, "no Host");
  if (head_.authority_.size != 0) {
    const std::string_view authority = without_default_port(head_.view(head_.authority_));
    if (has_host_ && !equals_ignoring_case(authority, without_default_port(head_.host()))) {
      return fail(400, "Host differs from the request target");
    }
    head_.host_ = head_.authority_;
  }
  if (has_transfer_encoding_) {
    if (head_.minor_version_ == 0) return fail(400, "Transfer-Encoding in HTTP/1.0");
    if (head_.has_content_length_) return fail(400, "both Content-Length and Transfer-Encoding");
    if (!head_.chunked_) return fail(400, "Transfer-Encoding does not end in chunked");
    if (unknown_coding_) return fail(501, "transfer coding not supported");
  }
  if (unknown_expectation_) return fail(417, "expectation not supported");
  if (head_.minor_version_ == 0) head_.expects_continue_ = false;
  head_.keep_alive_ = !close_ && (head_.minor_version_ >= 1 || keep_alive_token_);
  step_ = Step::kDone;
  return true;
}

}  // namespace degu::http
