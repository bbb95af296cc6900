// permessage-deflate (RFC 7692): what two ends agree on, and the two directions of it. zlib is seen by the .cc file only.
#pragma once

#include <degu/http/websocket_limits.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace degu::http::internal {

/// Of one direction.
struct DeflateWindow {
  int bits = 15;         ///< of the window, 8 to 15
  bool takeover = true;  ///< it lasts from message to message
};

struct DeflateAgreement {
  DeflateWindow server;  ///< of what the server sends
  DeflateWindow client;
};

/// The client's offer, for Sec-WebSocket-Extensions.
std::string deflate_offer(const WebSocketCompression& compression);
/// The first acceptable offer among `extensions`, the joined fields of a request; nothing: there is none.
std::optional<DeflateAgreement> accept_deflate(std::string_view extensions,
                                               const WebSocketCompression& compression);
/// How the server says what it accepted.
std::string deflate_answer(const DeflateAgreement& agreement);
/// What the server's answer to deflate_offer() means. Throws Error(kInternal) for what was not offered.
std::optional<DeflateAgreement> read_deflate_answer(std::string_view extensions,
                                                    const WebSocketCompression& compression);

/// Compresses messages. Belongs to one goroutine at a time. The memory, up to 260 KiB, is taken with the first message.
class MessageDeflater {
 public:
  MessageDeflater(const DeflateWindow& window, int level);
  ~MessageDeflater();
  /// Appends the compressed message. Throws std::bad_alloc.
  void deflate(std::string_view message, std::string& out);

 private:
  struct Stream;
  const DeflateWindow window_;
  const int level_;
  std::unique_ptr<Stream> stream_;
};

/// Decompresses messages, piece by piece. As MessageDeflater; 44 KiB.
class MessageInflater {
 public:
  explicit MessageInflater(bool takeover);
  ~MessageInflater();

  enum class Result : uint8_t { kFine, kCorrupt, kTooLarge };
  /// Appends to `out`, which is the message so far and never grows beyond `max_bytes`; nor beyond kMaxRatio times what has
  /// come of the message, once it has kRatioFreeBytes. `last`: the message ends behind this piece. Throws std::bad_alloc.
  Result inflate(std::string_view piece, bool last, std::string& out, std::size_t max_bytes);

  static constexpr std::size_t kMaxRatio = 200;
  static constexpr std::size_t kRatioFreeBytes = 64 * 1024;

 private:
  struct Stream;
  Result run(std::string_view piece, std::string& out, std::size_t max_bytes);
  void go_on_after_last_block();

  const bool takeover_;
  std::unique_ptr<Stream> stream_;
  std::size_t came_ = 0;  // of this message
};

}  // namespace degu::http::internal
