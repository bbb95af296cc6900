// ClientHttp2Stream: one request of a client on an HTTP/2 connection, and its answer.
#pragma once

#include <degu/base/time.h>
#include <degu/http/internal/body_reader.h>
#include <degu/http/internal/response_parser.h>
#include <degu/sync/cond.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace degu::http::internal {

/// Guarded by the lock of its connection, which shares it with the call.
struct ClientHttp2Stream {
  /// Nothing more will come: it is closed, or we want no more of it.
  bool gone() const noexcept { return closed || too_large; }

  int32_t id = 0;
  std::size_t index = 0;  // in the connection's list
  Cond changed;           // the call waits for it

  // The request. Its body is the caller's memory, or comes piece by piece.
  std::string_view body;
  std::string piece;
  std::size_t sent = 0;      // of `piece`
  bool streamed = false;     // by `piece`
  bool held = false;         // the server has to say first that it wants it
  bool body_ended = false;   // there will be no more pieces
  bool stopped = false;      // no more is to be sent
  bool upload_done = false;  // all of it is on its way
  bool head_sent = false;
  bool unsendable = false;  // its head is larger than nghttp2 sends
  TimePoint progress_at{};  // when some of the body went last

  // The answer.
  ResponseHead head;
  int interim = 0;               // heads of 1xx
  std::size_t header_bytes = 0;  // of the current head, or of the trailers
  std::string data;              // of its body; no more than the window
  HeaderList trailers;
  bool head_done = false;
  bool ended = false;

  // How it ended otherwise.
  bool abandoned = false;  // by the call: nothing is kept
  bool too_large = false;  // its fields
  bool closed = false;
  std::optional<uint32_t> reset;  // by the server
  uint32_t close_code = 0;
};

}  // namespace degu::http::internal
