// The fields are written as an HTTP/1.1 head and read by RequestParser: one set of rules says what a request is, whichever
// way it came, so nothing can pass here that would be refused there. What could break out of a line is refused before.
#include <degu/http/internal/fields.h>
#include <degu/http/internal/http2_request.h>

#include <algorithm>

namespace degu::http::internal {
namespace {

// Those that belong to a connection of HTTP/1.1 (RFC 9113 section 8.2.2).
bool is_connection_field(std::string_view name) noexcept {
  for (const std::string_view field :
       {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"}) {
    if (name == field) return true;
  }
  return false;
}

bool is_lower_token(std::string_view name) noexcept {
  return is_token(name) &&
         std::none_of(name.begin(), name.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

bool is_visible(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7F; });
}

}  // namespace

bool Http2Request::fail(int status, std::string_view reason) noexcept {
  if (error_status_ == 0) {
    error_status_ = status;
    error_reason_ = reason;
  }
  return false;
}

void Http2Request::add_pseudo(std::string_view name, std::string_view value) {
  if (!is_visible(value)) {
    fail(400, "a pseudo-field has characters that are not allowed");
  } else if (name == ":method") {
    method_ = value;
  } else if (name == ":path") {
    path_ = value;
  } else if (name == ":authority") {
    authority_ = value;
  } else if (name == ":scheme") {
    scheme_ = value;
  } else if (name == ":protocol") {
    has_protocol_ = true;
    protocol_ = value;
  } else {
    fail(400, "unknown pseudo-field");
  }
}

void Http2Request::add(std::string_view name, std::string_view value) {
  if (error_status_ != 0) return;
  bytes_ += name.size() + value.size() + 4;
  if (name == ":path" && value.size() > limits_.max_uri_bytes) {
    fail(414, "request target too long");
  } else if (bytes_ > limits_.max_header_bytes) {
    fail(431, "header section too large");
  } else if (name.starts_with(':')) {
    add_pseudo(name, value);
  } else if (++count_ > limits_.max_fields) {
    fail(431, "too many header fields");
  } else if (!is_lower_token(name) || !is_field_value(value)) {
    fail(400, "a field has characters that are not allowed");
  } else if (is_connection_field(name)) {
    fail(400, "a field of HTTP/1.1 connections");
  } else if (name == "te" && value != "trailers") {
    fail(400, "TE may only be trailers");
  } else if (name == "host") {
    if (has_host_) fail(400, "more than one Host");
    has_host_ = true;
    host_ = value;
  } else if (name == "cookie") {
    // May come in crumbs (section 8.2.3).
    if (!cookie_.empty()) cookie_ += "; ";
    cookie_ += value;
  } else {
    fields_.append(name).append(": ").append(value).append("\r\n");
  }
}

void Http2Request::take(const RequestHead& head) {
  add(":method", head.method());
  std::string target(head.path());
  if (!head.query().empty()) target.append("?").append(head.query());
  add(":path", target);
  add(":authority", head.host());
  for (std::size_t i = 0; i < head.field_count(); ++i) {
    std::string name(head.field_name(i));
    std::transform(name.begin(), name.end(), name.begin(), to_lower);
    if (is_connection_field(name) || name == "host" || name == "te" || name == "http2-settings") continue;
    add(name, head.field_value(i));
  }
}

// RFC 8441 section 4. The route is that of a GET (RFC 6455 section 4.1): one route serves both ways.
bool Http2Request::finish_protocol() {
  if (method_ != "CONNECT" || scheme_.empty() || path_.empty() || authority_.empty())
    return fail(400, "an extended CONNECT lacks what it needs");
  if (!equals_ignoring_case(protocol_, "websocket")) return fail(501, "no such :protocol");
  websocket_ = true;
  method_ = "GET";
  return true;
}

bool Http2Request::finish() {
  if (error_status_ != 0 || (has_protocol_ && !finish_protocol())) return false;
  if (has_host_ && !authority_.empty() && !equals_ignoring_case(host_, authority_))
    return fail(400, "Host differs from :authority");
  const bool connect = method_ == "CONNECT" && path_.empty();  // it has an authority only (section 8.5)
  text_.append(method_).append(" ").append(connect ? authority_ : path_).append(" HTTP/1.1\r\nhost: ");
  text_.append(authority_.empty() ? host_ : authority_).append("\r\n").append(fields_);
  if (!cookie_.empty()) text_.append("cookie: ").append(cookie_).append("\r\n");
  text_ += "\r\n";
  if (parser_.parse(text_) == ParseState::kDone && parser_.consumed() == text_.size())
    return !websocket_ || !head().has_content_length() || fail(400, "a CONNECT has no content");
  return parser_.error_status() != 0 ? fail(parser_.error_status(), parser_.error_reason())
                                     : fail(400, "malformed request");
}

void Http2Request::reset() noexcept {
  parser_.reset();
  for (std::string* text :
       {&method_, &protocol_, &scheme_, &path_, &authority_, &host_, &cookie_, &fields_, &text_})
    text->clear();
  bytes_ = count_ = 0;
  has_host_ = has_protocol_ = websocket_ = false;
  error_status_ = 0;
}

}  // namespace degu::http::internal
