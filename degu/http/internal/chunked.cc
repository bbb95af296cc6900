#include <degu/http/internal/chunked.h>
#include <degu/http/internal/fields.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace degu::http::internal {
namespace {

constexpr std::size_t kMaxExtension = 1024;
constexpr std::size_t kMaxExtensionTotal = 16 * 1024;
constexpr std::size_t kMaxTrailer = 8 * 1024;
constexpr std::size_t kMaxTrailerFields = 32;
constexpr std::size_t kMaxSizeDigits = 15;

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = to_lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// Fields that frame, route or authenticate a message mean nothing, or mischief, behind its body.
bool is_forbidden_trailer(std::string_view name) noexcept {
  constexpr std::array<std::string_view, 14> kForbidden{"transfer-encoding",
                                                        "content-length",
                                                        "host",
                                                        "connection",
                                                        "trailer",
                                                        "te",
                                                        "upgrade",
                                                        "authorization",
                                                        "cookie",
                                                        "content-type",
                                                        "content-encoding",
                                                        "content-range",
                                                        "expect",
                                                        "set-cookie"};
  return std::any_of(kForbidden.begin(), kForbidden.end(),
                     [&](std::string_view forbidden) { return equals_ignoring_case(name, forbidden); });
}

}  // namespace

ParseState ChunkedDecoder::decode(const char* input, std::size_t size, char* output) {
  consumed_ = 0;
  produced_ = 0;
  while (consumed_ < size && step_ != Step::kDone && step_ != Step::kError) {
    if (step_ != Step::kData) {
      step_ = step(input[consumed_]);
      if (step_ != Step::kError) ++consumed_;
      continue;
    }
    const auto count = static_cast<std::size_t>(std::min<uint64_t>(left_, size - consumed_));
    std::memmove(output + produced_, input + consumed_, count);
    consumed_ += count;
    produced_ += count;
    left_ -= count;
    if (left_ == 0) step_ = Step::kDataCr;
  }
  if (step_ == Step::kError) return ParseState::kError;
  return step_ == Step::kDone ? ParseState::kDone : ParseState::kIncomplete;
}

ChunkedDecoder::Step ChunkedDecoder::step(char c) {
  switch (step_) {
    case Step::kSizeStart:
      left_ = 0;
      size_digits_ = 0;
      extension_bytes_ = 0;
      if (hex_digit(c) < 0) return fail(400, "chunk without a size");
      return on_size(c);
    case Step::kSize:
      return on_size(c);
    case Step::kExtension:
      return on_extension(c);
    case Step::kSizeLf:
      return c == '\n' ? on_size_end() : fail(400, "bad end of a chunk size");
    case Step::kDataCr:
      return c == '\r' ? Step::kDataLf : fail(400, "chunk longer than its size");
    case Step::kDataLf:
      return c == '\n' ? Step::kSizeStart : fail(400, "bad end of a chunk");
    case Step::kTrailer:
      return on_trailer(c);
    case Step::kData:
    case Step::kDone:
    case Step::kError:
      break;
  }
  return step_;
}

ChunkedDecoder::Step ChunkedDecoder::fail(int status, std::string_view reason) noexcept {
  error_status_ = status;
  error_reason_ = reason;
  return Step::kError;
}

ChunkedDecoder::Step ChunkedDecoder::on_size(char c) {
  if (c == '\r') return Step::kSizeLf;
  if (c == ';') return Step::kExtension;
  const int digit = hex_digit(c);
  if (digit < 0) return fail(400, "bad chunk size");
  if (++size_digits_ > kMaxSizeDigits) return fail(400, "chunk size out of range");
  left_ = left_ * 16 + static_cast<uint64_t>(digit);
  return Step::kSize;
}

ChunkedDecoder::Step ChunkedDecoder::on_extension(char c) {
  if (c == '\r') return Step::kSizeLf;
  if (!is_field_value(std::string_view(&c, 1))) return fail(400, "control character in a chunk extension");
  if (++extension_bytes_ > kMaxExtension || ++extension_total_ > kMaxExtensionTotal) {
    return fail(400, "chunk extensions too long");
  }
  return Step::kExtension;
}

ChunkedDecoder::Step ChunkedDecoder::on_size_end() {
  if (left_ == 0) return Step::kTrailer;
  if (left_ > max_body_ || total_ > max_body_ - left_) return fail(413, "body too large");
  total_ += left_;
  return Step::kData;
}

ChunkedDecoder::Step ChunkedDecoder::on_trailer(char c) {
  if (++trailer_bytes_ > kMaxTrailer) return fail(431, "trailer section too large");
  if (c != '\n') {
    line_.push_back(c);
    return Step::kTrailer;
  }
  if (line_.empty() || line_.back() != '\r') return fail(400, "line ends in a bare LF");
  line_.pop_back();
  return on_trailer_line();
}

ChunkedDecoder::Step ChunkedDecoder::on_trailer_line() {
  if (line_.empty()) return Step::kDone;
  const FieldLine field = parse_field_line(line_);
  if (!field.error.empty()) return fail(400, field.error);
  if (is_forbidden_trailer(field.name)) return fail(400, "trailer field not allowed");
  if (++trailer_fields_ > kMaxTrailerFields) return fail(431, "too many trailer fields");
  trailers_.append(field.name).append(": ").append(field.value).append("\r\n");
  if (kept_ != nullptr) kept_->emplace_back(field.name, field.value);
  line_.clear();
  return Step::kTrailer;
}

}  // namespace degu::http::internal
