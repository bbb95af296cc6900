// Http2Request: the head of a request that came as fields (RFC 9113 section 8.3), held to the same rules as one that came as
// text.
#pragma once

#include <degu/http/request_parser.h>

#include <cstddef>
#include <string>
#include <string_view>

namespace degu::http::internal {

/// Collects the fields of one request after another; reuses its memory. Not thread-safe.
class Http2Request {
 public:
  explicit Http2Request(const ParseLimits& limits) : limits_(limits), parser_(limits) {}

  /// One field, in the order of arrival; pseudo-fields begin with ':'. What exceeds the limits is not kept.
  void add(std::string_view name, std::string_view value);
  /// All fields of a request of HTTP/1.1, but for those of its connection.
  void take(const RequestHead& head);
  /// After the last field. False: error_status() and error_reason().
  bool finish();
  /// Ready for the next one.
  void reset() noexcept;

  /// An extended CONNECT that asks for a WebSocket (RFC 8441). Its head is that of the GET that would ask for it over HTTP/1.1,
  /// but for the fields of that handshake. After finish().
  bool is_websocket() const noexcept { return websocket_; }
  RequestHead& head() noexcept { return parser_.head(); }
  /// What has come as :method and :path, whatever is wrong with the rest.
  const std::string& method() const noexcept { return method_; }
  const std::string& path() const noexcept { return path_; }
  int error_status() const noexcept { return error_status_; }
  std::string_view error_reason() const noexcept { return error_reason_; }

 private:
  void add_pseudo(std::string_view name, std::string_view value);
  bool finish_protocol();
  bool fail(int status, std::string_view reason) noexcept;

  const ParseLimits limits_;
  RequestParser parser_;
  std::string method_, protocol_, scheme_, path_, authority_, host_, cookie_;
  std::string fields_;  // as lines of HTTP/1.1
  std::string text_;    // the whole head
  std::size_t bytes_ = 0;
  std::size_t count_ = 0;
  bool has_host_ = false;
  bool has_protocol_ = false;
  bool websocket_ = false;
  int error_status_ = 0;
  std::string_view error_reason_;
};

}  // namespace degu::http::internal
