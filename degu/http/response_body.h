// ResponseBody: the body of an answer, read piece by piece.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace degu::http {

namespace internal {
class BodyReader;
}  // namespace internal

/// What the server sends is taken from the connection as it is read here, no faster: a few pieces of 64 KiB are held. Once
/// it was read to its end the connection serves others; before, close() and the destructor cut it (of HTTP/2: the stream).
/// Movable; one goroutine
/// at a time.
class ResponseBody {
 public:
  /// Empty.
  ResponseBody() noexcept;
  explicit ResponseBody(std::unique_ptr<internal::BodyReader> reader) noexcept;
  ~ResponseBody();
  ResponseBody(ResponseBody&&) noexcept;
  ResponseBody& operator=(ResponseBody&&) noexcept;

  /// The next piece, valid until the next call; "" at the end, and from then on. Blocks until something comes. Throws
  /// Error: kUnavailable when the connection breaks, kInternal when the body is malformed; DeadlineExceeded by
  /// ClientOptions::body_idle_timeout and by the deadline of the context in which the request was made; Cancelled and
  /// DeadlineExceeded by the current context. After that it is closed.
  std::string_view next();
  /// All that is left. Throws as next(), and Error(kResourceExhausted) beyond `max_bytes`.
  std::string read_all(std::size_t max_bytes);

  /// What came behind the body; empty before its end.
  const std::vector<std::pair<std::string, std::string>>& trailers() const noexcept;

  /// No more is wanted.
  void close() noexcept;

 private:
  std::unique_ptr<internal::BodyReader> reader_;  // null at the end
  std::string piece_;
  std::vector<std::pair<std::string, std::string>> trailers_;
};

}  // namespace degu::http
