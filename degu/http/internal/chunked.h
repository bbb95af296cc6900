// ChunkedDecoder: the chunked transfer coding (RFC 9112 section 7.1), strictly and in any pieces.
#pragma once

#include <degu/http/request_parser.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace degu::http::internal {

/// Refused: sizes with anything but hexadecimal digits or beyond 60 bits, white space around a size,
/// extensions over 1 KiB a chunk or 16 KiB in total, bare CR or LF, trailers over 8 KiB or 32 fields or that
/// repeat framing fields (RFC 9110 section 6.5.1). Extensions are dropped.
class ChunkedDecoder {
 public:
  /// A body longer than `max_body_bytes` is refused with 413.
  explicit ChunkedDecoder(uint64_t max_body_bytes) noexcept : max_body_(max_body_bytes) {}

  /// Decodes what is new: reads `input`, writes at most as many bytes to `output`, which may be the same
  /// memory or lie before it. consumed() and produced() tell about this call. After kDone, bytes behind
  /// consumed() are the next message's.
  ParseState decode(const char* input, std::size_t size, char* output);

  /// "Name: value\r\n" lines; after kDone.
  const std::string& trailers() const noexcept { return trailers_; }
  /// Trailers are added to `list` besides, which has to live as long as this.
  void keep_trailers(std::vector<std::pair<std::string, std::string>>& list) noexcept { kept_ = &list; }
  std::size_t consumed() const noexcept { return consumed_; }
  std::size_t produced() const noexcept { return produced_; }
  int error_status() const noexcept { return error_status_; }
  std::string_view error_reason() const noexcept { return error_reason_; }

 private:
  enum class Step : uint8_t {
    kSizeStart,
    kSize,
    kExtension,
    kSizeLf,
    kData,
    kDataCr,
    kDataLf,
    kTrailer,
    kDone,
    kError
  };

  Step step(char c);
  Step fail(int status, std::string_view reason) noexcept;
  Step on_size(char c);
  Step on_extension(char c);
  Step on_size_end();
  Step on_trailer(char c);
  Step on_trailer_line();

  uint64_t max_body_;
  uint64_t total_ = 0;
  uint64_t left_ = 0;  // of the chunk's size while it is read, then of its data
  std::size_t size_digits_ = 0;
  std::size_t extension_bytes_ = 0;
  std::size_t extension_total_ = 0;
  std::size_t trailer_bytes_ = 0;
  std::size_t trailer_fields_ = 0;
  std::string line_;
  std::string trailers_;
  std::vector<std::pair<std::string, std::string>>* kept_ = nullptr;
  std::size_t consumed_ = 0;
  std::size_t produced_ = 0;
  Step step_ = Step::kSizeStart;
  int error_status_ = 0;
  std::string_view error_reason_;
};

}  // namespace degu::http::internal
