#include <degu/http/internal/percent.h>
#include <degu/http/internal/utf8.h>

#include <cstddef>

namespace degu::http::internal {
namespace {

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The byte of the escape at text[at] == '%'; -1 when malformed.
int escape_at(std::string_view text, std::size_t at) noexcept {
  if (at + 2 >= text.size()) return -1;
  const int high = hex_digit(text[at + 1]);
  const int low = hex_digit(text[at + 2]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

bool is_dot_segment(std::string_view segment) noexcept { return segment == "." || segment == ".."; }

bool has_dot_segment(std::string_view path) noexcept {
  std::size_t start = 0;
  for (std::size_t i = 0; i <= path.size(); ++i) {
    if (i < path.size() && path[i] != '/' && path[i] != kEncodedSlash && path[i] != '\\') continue;
    if (is_dot_segment(path.substr(start, i - start))) return true;
    start = i + 1;
  }
  return false;
}

}  // namespace

bool decode_path(std::string_view path, std::string& out) {
  const std::size_t begin = out.size();
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (path[i] != '%') {
      out.push_back(path[i]);
      continue;
    }
    const int byte = escape_at(path, i);
    if (byte < 0x20 || byte == 0x7F) return false;
    out.push_back(byte == '/' ? kEncodedSlash : static_cast<char>(byte));
    i += 2;
  }
  const std::string_view decoded = std::string_view(out).substr(begin);
  return is_utf8(decoded) && !has_dot_segment(decoded);
}

bool decode_query(std::string_view text, std::string& out) {
  const std::size_t begin = out.size();
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+') {
      out.push_back(' ');
    } else if (text[i] != '%') {
      out.push_back(text[i]);
    } else {
      const int byte = escape_at(text, i);
      if (byte <= 0) return false;
      out.push_back(static_cast<char>(byte));
      i += 2;
    }
  }
  return is_utf8(std::string_view(out).substr(begin));
}

void append_percent_encoded(std::string& out, std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  for (const char c : text) {
    const bool unreserved = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                            c == '-' || c == '.' || c == '_' || c == '~';
    if (unreserved) {
      out.push_back(c);
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out.push_back('%');
    out.push_back(kHex[byte >> 4]);
    out.push_back(kHex[byte & 15]);
  }
}

}  // namespace degu::http::internal
