// ResponseParser: where a response of HTTP/1.1 ends, and its status, without keeping it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace degu::bench {

/// Reads responses in any pieces, by RFC 9112 §6: Content-Length, chunked, or until the connection closes. Interim
/// answers (1xx) are passed over. Allocates only for a head that comes in pieces. A head is at most 64 KiB. Not
/// thread-safe.
class ResponseParser {
 public:
  enum class State : uint8_t { kMore, kDone, kBad };

  /// Before each response. `to_head`: of a HEAD request, which has no body. `body`, unless null, gets the first MiB
  /// of the body, and has to live until the response is done.
  void start(bool to_head, std::string* body);
  /// Takes what belongs to the response and returns how much that was.
  std::size_t feed(std::string_view bytes);
  /// The connection has been closed: kDone for a body that lasts until then, otherwise kMore.
  State close() noexcept;

  State state() const noexcept { return state_; }
  int status() const noexcept { return status_; }
  /// The connection may carry another request; once kDone.
  bool keep_alive() const noexcept { return keep_alive_; }
  /// Of the response has come: nothing at all.
  bool untouched() const noexcept { return untouched_; }
  /// What was wrong, when kBad.
  std::string_view error() const noexcept { return error_; }

 private:
  enum class Part : uint8_t {
    kHead,
    kFixed,
    kUntilClose,
    kChunkSize,
    kChunkExtension,
    kChunkData,
    kChunkEnd,
    kTrailer
  };

  std::size_t feed_head(std::string_view bytes);
  std::size_t feed_body(std::string_view bytes);
  std::size_t feed_chunked(std::string_view bytes);
  void chunk_size_byte(char byte);
  void chunk_starts();
  void trailer_byte(char byte);
  void parse_head(std::string_view head);
  void on_field(std::string_view name, std::string_view value);
  void on_connection(std::string_view value);
  void body_follows();
  void fail(std::string_view why) noexcept;

  State state_ = State::kDone;
  Part part_ = Part::kHead;
  bool to_head_ = false;
  bool keep_alive_ = true;
  bool untouched_ = true;
  bool chunked_ = false;
  bool has_length_ = false;
  bool digits_seen_ = false;
  int status_ = 0;
  uint64_t left_ = 0;     // of the body or the chunk
  std::size_t line_ = 0;  // bytes of the line: chunk extension, trailer
  std::size_t trailers_ = 0;
  std::string head_;  // as far as it has come in an earlier piece
  std::string* body_ = nullptr;
  std::string_view error_;
};

}  // namespace degu::bench
