#include "request_template.h"

#include <degu/base/error.h>
#include <degu/http/json_writer.h>
#include <fmt/format.h>

#include <algorithm>

namespace degu::bench {
namespace {

[[noreturn]] void refuse(std::string why) { throw Error(Code::kInvalidArgument, std::move(why)); }

bool is_token(std::string_view text) noexcept {
  constexpr std::string_view kOthers = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           kOthers.find(c) != std::string_view::npos;
  });
}

bool is_control(char c) noexcept { return (c >= 0 && c < ' ' && c != '\t') || c == 127; }

std::string lowered(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return out;
}

// HTTP/2 lets no value begin or end with white space (RFC 9113 section 8.2.1); HTTP/1.1 takes it for no part of it.
void trim(std::string& value) {
  constexpr std::string_view kSpace = " \t";
  value.erase(value.find_last_not_of(kSpace) + 1);
  value.erase(0, value.find_first_not_of(kSpace));
}

void check(const RequestText& text) {
  if (!is_token(text.method)) refuse(fmt::format("\"{}\" is no method", text.method));
  if (text.method == "CONNECT") refuse("CONNECT makes a tunnel, which is not measured here");
  if (text.path.empty() || text.path[0] != '/')
    refuse(fmt::format("the path \"{}\" has to start with /", text.path));
  if (std::any_of(text.path.begin(), text.path.end(), [](char c) { return c <= ' ' || c == 127; })) {
    refuse(fmt::format("the path \"{}\" holds characters that have to be written as %XX", text.path));
  }
  for (const auto& [name, value] : text.headers) {
    if (!is_token(name)) refuse(fmt::format("\"{}\" is no name of a header", name));
    if (std::any_of(value.begin(), value.end(), is_control))
      refuse(fmt::format("the header {} holds control characters", name));
    const std::string low = lowered(name);
    if (low == "content-length" || low == "transfer-encoding" || low == "connection") {
      refuse(fmt::format("the header {} is made by the tool", name));
    }
  }
}

}  // namespace

RequestTemplate::RequestTemplate(const RequestText& text, const Target& target,
                                 const std::vector<std::string>& variables)
    : method_(text.method),
      scheme_(target.tls ? "https" : "http"),
      head_(text.method == "HEAD"),
      json_body_(text.json_body) {
  check(text);
  path_ = compile(text.path, variables);
  const auto given = [&](std::string_view name) {
    return std::count_if(text.headers.begin(), text.headers.end(),
                         [&](const auto& header) { return lowered(header.first) == name; });
  };
  if (target.http2 && given("host") > 1) refuse("the header Host is given twice");
  if (given("host") == 0) add_header("Host", target.authority, target, {});
  for (const auto& [name, value] : text.headers) add_header(name, value, target, variables);
  if (text.json_body && given("content-type") == 0)
    add_header("Content-Type", "application/json", target, {});
  body_ = compile(text.body, variables);
  has_length_ = !text.body.empty() || text.method == "POST" || text.method == "PUT" || text.method == "PATCH";
  if (!needs_.empty()) return;
  if (target.http2) {
    render({}, fixed_fields_);
  } else {
    render({}, fixed_);
  }
}

void RequestTemplate::add_header(std::string_view name, std::string_view value, const Target& target,
                                 const std::vector<std::string>& variables) {
  if (!target.http2) {
    headers_.emplace_back(name, compile(value, variables));
    return;
  }
  std::string low = lowered(name);
  const bool te = low == "te" && value != "trailers";
  if (te || low == "keep-alive" || low == "proxy-connection" || low == "upgrade")
    refuse(fmt::format("the header {} belongs to HTTP/1.1", name));
  if (low == "host") {
    headers_.emplace(headers_.begin(), ":authority", compile(value, variables));
  } else {
    headers_.emplace_back(std::move(low), compile(value, variables));
  }
}

RequestTemplate::Pieces RequestTemplate::compile(std::string_view text,
                                                 const std::vector<std::string>& variables) {
  Pieces pieces(1);
  while (!text.empty()) {
    if (text.starts_with("$${")) {
      pieces.back().literal += "${";
      text.remove_prefix(3);
    } else if (text.starts_with("${")) {
      const std::size_t end = text.find('}');
      if (end == std::string_view::npos) refuse("a ${ without its }");
      const std::string_view name = text.substr(2, end - 2);
      const auto found = std::find(variables.begin(), variables.end(), name);
      if (found == variables.end()) refuse(fmt::format("there is no variable \"{}\"", name));
      const auto position = static_cast<std::size_t>(found - variables.begin());
      pieces.back().variable = position;
      pieces.emplace_back();
      if (std::find(needs_.begin(), needs_.end(), position) == needs_.end()) needs_.push_back(position);
      text.remove_prefix(end + 1);
    } else {
      pieces.back().literal += text[0];
      text.remove_prefix(1);
    }
  }
  return pieces;
}

void RequestTemplate::render(const std::vector<std::string>& values, std::string& out) const {
  out.clear();
  out.append(method_).push_back(' ');
  fill(path_, Place::kPath, values, out);
  out.append(" HTTP/1.1\r\n");
  for (const auto& [name, pieces] : headers_) {
    out.append(name).append(": ");
    fill(pieces, Place::kHeader, values, out);
    out.append("\r\n");
  }
  if (!has_length_) {
    out.append("\r\n");
    return;
  }
  std::string body;
  fill(body_, json_body_ ? Place::kJson : Place::kText, values, body);
  fmt::format_to(std::back_inserter(out), "Content-Length: {}\r\n\r\n", body.size());
  out.append(body);
}

void RequestTemplate::render(const std::vector<std::string>& values, RequestFields& out) const {
  std::size_t count = 0;
  const auto add = [&](std::string_view name) -> std::string& {
    if (count == out.list.size()) out.list.emplace_back();
    auto& [field, value] = out.list[count++];
    field = name;
    value.clear();
    return value;
  };
  add(":method") = method_;
  add(":scheme") = scheme_;
  fill(path_, Place::kPath, values, add(":path"));
  for (const auto& [name, pieces] : headers_) {
    std::string& value = add(name);
    fill(pieces, Place::kHeader, values, value);
    trim(value);
  }
  out.body.clear();
  if (has_length_) {
    fill(body_, json_body_ ? Place::kJson : Place::kText, values, out.body);
    fmt::format_to(std::back_inserter(add("content-length")), "{}", out.body.size());
  }
  out.list.resize(count);
}

void RequestTemplate::fill(const Pieces& pieces, Place place, const std::vector<std::string>& values,
                           std::string& out) {
  for (const Piece& piece : pieces) {
    out.append(piece.literal);
    if (piece.variable != kNone) escape(values[piece.variable], place, out);
  }
}

void RequestTemplate::escape(std::string_view value, Place place, std::string& out) {
  if (place == Place::kText) {
    out.append(value);
  } else if (place == Place::kHeader) {
    std::copy_if(value.begin(), value.end(), std::back_inserter(out), [](char c) { return !is_control(c); });
  } else if (place == Place::kJson) {
    std::string quoted;
    json::Writer(quoted).value(value);
    out.append(quoted, 1, quoted.size() - 2);
  } else {
    for (const char c : value) {
      const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                         c == '-' || c == '.' || c == '_' || c == '~';
      if (plain) {
        out.push_back(c);
      } else {
        fmt::format_to(std::back_inserter(out), "%{:02X}", static_cast<unsigned char>(c));
      }
    }
  }
}

}  // namespace degu::bench
