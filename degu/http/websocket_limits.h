// WebSocketLimits: what both ends of a WebSocket bound.
#pragma once

#include <chrono>
#include <cstddef>

namespace degu::http {

/// permessage-deflate, RFC 7692. Secrets beside text that an attacker chooses should not be compressed together.
struct WebSocketCompression {
  bool enabled = false;
  /// Messages refer to those before. Better compression, for up to 300 KiB a connection that stay.
  bool context_takeover = true;
  int window_bits = 15;         ///< of our window, 9 to 15: 2^n bytes
  int level = 6;                ///< 1 to 9
  std::size_t min_bytes = 256;  ///< shorter messages go as they are
};

struct WebSocketLimits {
  /// As sent and as decompressed; beyond it 1009. So too if more than 64 KiB came out of less than 1/200 of that.
  std::size_t max_message_bytes = 1024 * 1024;
  std::size_t max_fragments = 1024;  ///< of a message; beyond it 1008
  /// A ping is sent that often. Not positive: none.
  std::chrono::nanoseconds ping_interval = std::chrono::seconds(25);
  /// Whoever waits in recv() for that long without a byte from the other end gives it up. Not positive: never.
  std::chrono::nanoseconds idle_timeout = std::chrono::seconds(60);
  std::chrono::nanoseconds write_timeout = std::chrono::seconds(30);  ///< of a frame, behind that 1 KiB/s
  std::chrono::nanoseconds close_timeout = std::chrono::seconds(5);   ///< for the answer to a Close
  WebSocketCompression compression = {};
};

}  // namespace degu::http
