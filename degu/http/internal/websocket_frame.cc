#include <degu/http/internal/websocket_frame.h>

#include <algorithm>

namespace degu::http::internal {
namespace {

constexpr uint8_t kFin = 0x80;
constexpr uint8_t kCompressed = 0x40;
constexpr uint8_t kReserved = 0x30;
constexpr uint8_t kOpcode = 0x0F;
constexpr uint8_t kMasked = 0x80;
constexpr uint8_t kSize = 0x7F;
constexpr uint8_t kSize16 = 126;
constexpr uint8_t kSize64 = 127;

constexpr bool is_opcode(unsigned bits) noexcept { return bits <= 2 || (bits >= 8 && bits <= 10); }

}  // namespace

// How long the head is, as far as what has come of it tells.
std::size_t FrameParser::head_bytes() const noexcept {
  if (raw_size_ < 2) return 2;
  const unsigned size = raw_[1] & kSize;
  return 2U + (size == kSize16 ? 2U : size == kSize64 ? 8U : 0U) + ((raw_[1] & kMasked) != 0 ? 4U : 0U);
}

FrameParser::Event FrameParser::fail(int code, std::string_view reason) noexcept {
  state_ = State::kError;
  error_code_ = code;
  error_reason_ = reason;
  return Event::kError;
}

// What is wrong with the first two bytes.
std::string_view FrameParser::fault_of_bits() const noexcept {
  const unsigned opcode = raw_[0] & kOpcode;
  const bool fin = (raw_[0] & kFin) != 0;
  const bool compressed = (raw_[0] & kCompressed) != 0;
  const bool masked = (raw_[1] & kMasked) != 0;
  if ((raw_[0] & kReserved) != 0 || (compressed && !rules_.compression)) return "a reserved bit is set";
  if (!is_opcode(opcode)) return "a reserved opcode";
  if (masked != rules_.masked) return rules_.masked ? "a frame is not masked" : "a frame is masked";
  if (is_control(static_cast<Opcode>(opcode))) {
    if (!fin) return "a control frame is fragmented";
    if (compressed) return "a control frame is compressed";
    return (raw_[1] & kSize) > kMaxControlBytes ? "a control frame is too long" : "";
  }
  const bool continues = opcode == static_cast<unsigned>(Opcode::kContinuation);
  if (continues && compressed) return "a continuation says that it is compressed";
  if (continues && !in_message_) return "a continuation of nothing";
  return !continues && in_message_ ? "a message begins within another" : "";
}

// Sections 5.2: in as few bytes as possible, below 2^63.
std::string_view FrameParser::fault_of_size() const noexcept {
  const unsigned size = raw_[1] & kSize;
  if (size == kSize16 && head_.size < kSize16) return "a length is not minimal";
  if (size == kSize64 && head_.size <= 0xFFFF) return "a length is not minimal";
  return head_.size >> 63 != 0 ? "a length has its highest bit set" : "";
}

FrameParser::Event FrameParser::head_complete() noexcept {
  const unsigned size = raw_[1] & kSize;
  const std::size_t size_bytes = size == kSize16 ? 2 : size == kSize64 ? 8 : 0;
  head_.opcode = static_cast<Opcode>(raw_[0] & kOpcode);
  head_.fin = (raw_[0] & kFin) != 0;
  head_.compressed = (raw_[0] & kCompressed) != 0;
  head_.size = size_bytes == 0 ? size : 0;
  for (std::size_t i = 0; i < size_bytes; ++i) head_.size = head_.size << 8 | raw_[2 + i];
  if (const std::string_view fault = fault_of_size(); !fault.empty()) return fail(1002, fault);
  if (head_.size > rules_.max_payload_bytes) return fail(1009, "a frame is too long");
  if (rules_.masked) std::copy_n(raw_.begin() + 2 + size_bytes, mask_.size(), mask_.begin());
  if (!is_control(head_.opcode)) in_message_ = !head_.fin;
  raw_size_ = 0;
  seen_ = 0;
  state_ = head_.size == 0 ? State::kEnd : State::kPayload;
  return Event::kFrame;
}

void FrameParser::unmask(std::span<char> bytes) noexcept {
  std::size_t at = static_cast<std::size_t>(seen_ % mask_.size());
  for (char& byte : bytes) {
    byte = static_cast<char>(static_cast<unsigned char>(byte) ^ mask_[at]);
    at = (at + 1) % mask_.size();
  }
}

FrameParser::Event FrameParser::next(std::span<char>& input) noexcept {
  if (state_ == State::kError) return Event::kError;
  if (state_ == State::kEnd) {
    state_ = State::kHead;
    return Event::kFrameEnd;
  }
  if (state_ == State::kHead) {
    while (raw_size_ < head_bytes()) {
      if (input.empty()) return Event::kNeedInput;
      raw_[raw_size_++] = static_cast<uint8_t>(input.front());
      input = input.subspan(1);
      if (raw_size_ != 2) continue;
      if (const std::string_view fault = fault_of_bits(); !fault.empty()) return fail(1002, fault);
    }
    return head_complete();
  }
  if (input.empty()) return Event::kNeedInput;
  const auto size = static_cast<std::size_t>(std::min<uint64_t>(input.size(), head_.size - seen_));
  if (rules_.masked) unmask(input.first(size));
  payload_ = {input.data(), size};
  input = input.subspan(size);
  seen_ += size;
  if (seen_ == head_.size) state_ = State::kEnd;
  return Event::kPayload;
}

void append_frame(std::string& out, const FrameHead& head, std::string_view payload,
                  const std::optional<std::array<uint8_t, 4>>& mask) {
  const uint8_t masked = mask ? kMasked : 0;
  const std::size_t size = payload.size();
  const auto put = [&](unsigned byte) { out.push_back(static_cast<char>(byte & 0xFFU)); };
  put((head.fin ? kFin : 0U) | (head.compressed ? kCompressed : 0U) | static_cast<unsigned>(head.opcode));
  int size_bytes = 0;
  if (size < kSize16) {
    put(masked | static_cast<unsigned>(size));
  } else {
    size_bytes = size <= 0xFFFF ? 2 : 8;
    put(masked | unsigned{size_bytes == 2 ? kSize16 : kSize64});
  }
  for (int i = size_bytes; i-- > 0;) put(static_cast<unsigned>(uint64_t{size} >> (8 * i)));
  if (!mask) {
    out.append(payload);
    return;
  }
  for (const uint8_t byte : *mask) put(byte);
  for (std::size_t i = 0; i < size; ++i)
    put(static_cast<unsigned char>(payload[i]) ^ unsigned{(*mask)[i % 4]});
}

bool is_close_code(int code) noexcept {
  if (code >= 3000 && code <= 4999) return true;
  return code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006;
}

}  // namespace degu::http::internal
