// Frames of the WebSocket protocol (RFC 6455 section 5): a parser that takes them in any pieces, and how they are written.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace degu::http::internal {

enum class Opcode : uint8_t {
  kContinuation = 0,
  kText = 1,
  kBinary = 2,
  kClose = 8,
  kPing = 9,
  kPong = 10,
};

constexpr bool is_control(Opcode opcode) noexcept { return static_cast<uint8_t>(opcode) >= 8; }

inline constexpr std::size_t kMaxControlBytes = 125;

struct FrameHead {
  Opcode opcode = Opcode::kText;
  bool fin = true;
  bool compressed = false;  ///< RSV1 of RFC 7692: of the first frame of a message
  uint64_t size = 0;        ///< of the payload
};

struct FrameRules {
  bool masked = true;        ///< frames come from a client; false: from a server, unmasked
  bool compression = false;  ///< permessage-deflate was agreed on
  uint64_t max_payload_bytes = 1024 * 1024;
};

/// Splits what comes into frames. Checks all that one frame, or the order of frames, can be wrong in; not what payloads
/// say. Allocates nothing. However the input is cut, the frames are the same, and so is the error.
class FrameParser {
 public:
  explicit FrameParser(const FrameRules& rules) noexcept : rules_(rules) {}

  enum class Event : uint8_t {
    kNeedInput,  ///< the input is used up
    kFrame,      ///< a frame begins: head()
    kPayload,    ///< a piece of it, at least one byte: payload()
    kFrameEnd,   ///< it is complete
    kError,      ///< error_code(), error_reason(); nothing can follow
  };
  /// Takes what it needs from the front of `input`, and unmasks in it.
  Event next(std::span<char>& input) noexcept;

  const FrameHead& head() const noexcept { return head_; }
  /// Lies in the input.
  std::string_view payload() const noexcept { return payload_; }
  /// 1002 or 1009.
  int error_code() const noexcept { return error_code_; }
  std::string_view error_reason() const noexcept { return error_reason_; }

 private:
  enum class State : uint8_t { kHead, kPayload, kEnd, kError };

  std::size_t head_bytes() const noexcept;
  Event head_complete() noexcept;
  Event fail(int code, std::string_view reason) noexcept;
  std::string_view fault_of_bits() const noexcept;
  std::string_view fault_of_size() const noexcept;
  void unmask(std::span<char> bytes) noexcept;

  const FrameRules rules_;
  State state_ = State::kHead;
  FrameHead head_;
  std::array<uint8_t, 14> raw_{};  // the head as it came
  std::size_t raw_size_ = 0;
  std::array<uint8_t, 4> mask_{};
  uint64_t seen_ = 0;        // bytes of the payload
  bool in_message_ = false;  // its last frame has not come
  std::string_view payload_;
  int error_code_ = 0;
  std::string_view error_reason_;
};

/// Appends a frame with this payload; `head.size` is not looked at. `mask`: by a client.
void append_frame(std::string& out, const FrameHead& head, std::string_view payload,
                  const std::optional<std::array<uint8_t, 4>>& mask);

/// Whether a Close frame may carry this code (section 7.4, and those registered since).
bool is_close_code(int code) noexcept;

}  // namespace degu::http::internal
