#include <degu/base/error.h>
#include <degu/http/internal/fields.h>
#include <degu/http/internal/response_parser.h>
#include <fmt/format.h>

#include <algorithm>

namespace degu::http::internal {
namespace {

[[noreturn]] void malformed(std::string_view what) {
  throw Error(Code::kInternal, fmt::format("malformed response: {}", what));
}

bool parse_status_line(std::string_view line, ResponseHead& head) {
  const auto digit = [&](std::size_t i) { return line[i] >= '0' && line[i] <= '9'; };
  if (line.size() < 12 || !line.starts_with("HTTP/1.") || !digit(7) || line[8] != ' ') return false;
  if (!digit(9) || !digit(10) || !digit(11) || (line.size() > 12 && line[12] != ' ')) return false;
  head.keep_alive = line[7] != '0';
  head.status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
  return head.status >= 100 && is_field_value(line);
}

void on_field(std::string_view name, std::string_view value, ResponseHead& head) {
  if (equals_ignoring_case(name, "content-length")) {
    const auto length = parse_digits(value);
    if (!length || head.content_length) malformed("bad Content-Length");
    head.content_length = length;
  } else if (equals_ignoring_case(name, "transfer-encoding")) {
    if (head.chunked || !equals_ignoring_case(value, "chunked")) malformed("bad Transfer-Encoding");
    head.chunked = true;
  } else if (equals_ignoring_case(name, "connection")) {
    each_list_element(value, [&](std::string_view option) {
      if (equals_ignoring_case(option, "close")) head.keep_alive = false;
      if (equals_ignoring_case(option, "keep-alive")) head.keep_alive = true;
    });
  }
}

}  // namespace

std::optional<ResponseHead> parse_response_head(std::string_view text, std::size_t& scanned) {
  const std::size_t end = text.find("\r\n\r\n", scanned);
  if (end == std::string_view::npos) {
    scanned = text.size() < 3 ? 0 : text.size() - 3;
    return std::nullopt;
  }
  ResponseHead head;
  head.bytes = end + 4;
  std::string_view left = text.substr(0, end + 2);
  const auto next_line = [&] {
    const std::size_t length = left.find("\r\n");
    const std::string_view line = left.substr(0, length);
    left.remove_prefix(length + 2);
    return line;
  };
  if (!parse_status_line(next_line(), head)) malformed("bad status line");
  while (!left.empty()) {
    const FieldLine line = parse_field_line(next_line());
    if (!line.error.empty()) malformed(line.error);
    head.headers.emplace_back(line.name, line.value);
    on_field(line.name, line.value, head);
  }
  if (head.chunked && head.content_length) malformed("both Content-Length and Transfer-Encoding");
  return head;
}

}  // namespace degu::http::internal
