// Properties: however the input is cut, the frames are the same and so is the error; payloads lie in the input; what was
// parsed is printed to frames that parse to the same. For both sides, with and without compression.
#include <degu/base/assert.h>
#include <degu/http/internal/websocket_frame.h>
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

namespace degu::http::internal {
namespace {

struct Frame {
  FrameHead head;
  std::string payload;
  bool ended = false;
};

struct Outcome {
  std::vector<Frame> frames;
  int error_code = 0;
};

Outcome parse(std::string_view text, std::size_t step, const FrameRules& rules) {
  Outcome outcome;
  FrameParser parser(rules);
  while (!text.empty() && outcome.error_code == 0) {
    // A block of its own for each piece, so that reading beyond it is seen.
    const std::size_t size = std::min(step, text.size());
    const auto memory = std::make_unique<char[]>(size);
    std::copy_n(text.data(), size, memory.get());
    text.remove_prefix(size);
    std::span<char> input(memory.get(), size);
    for (auto event = parser.next(input); event != FrameParser::Event::kNeedInput;
         event = parser.next(input)) {
      if (event == FrameParser::Event::kFrame) outcome.frames.push_back({parser.head(), "", false});
      if (event == FrameParser::Event::kPayload) outcome.frames.back().payload += parser.payload();
      if (event == FrameParser::Event::kFrameEnd) outcome.frames.back().ended = true;
      if (event != FrameParser::Event::kError) continue;
      outcome.error_code = parser.error_code();
      break;
    }
  }
  return outcome;
}

std::string print(const Outcome& outcome) {
  std::string text;
  for (const Frame& frame : outcome.frames) {
    text += fmt::format("{} {} {} {} {} {}\n", static_cast<int>(frame.head.opcode), frame.head.fin,
                        frame.head.compressed, frame.head.size, frame.payload, frame.ended);
  }
  return text + std::to_string(outcome.error_code);
}

void check(std::string_view text, std::size_t step, const FrameRules& rules) {
  const Outcome whole = parse(text, text.size(), rules);
  const Outcome cut = parse(text, step, rules);
  DEGU_CHECK(print(whole) == print(cut), "{}\n{}", print(whole), print(cut));
  std::string again;
  Outcome complete;
  for (const Frame& frame : whole.frames) {
    DEGU_CHECK(frame.payload.size() <= frame.head.size && frame.head.size <= rules.max_payload_bytes);
    if (!frame.ended) break;
    DEGU_CHECK(frame.payload.size() == frame.head.size);
    const auto mask = rules.masked ? std::optional(std::array<uint8_t, 4>{1, 2, 3, 250}) : std::nullopt;
    append_frame(again, frame.head, frame.payload, mask);
    complete.frames.push_back(frame);
  }
  const Outcome reparsed = parse(again, again.size(), rules);
  DEGU_CHECK(print(reparsed) == print(complete), "{}\n{}", print(reparsed), print(complete));
}

}  // namespace
}  // namespace degu::http::internal

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  degu::http::internal::check(
      text, 1 + (data[0] >> 2) % 32,
      {.masked = (data[0] & 1) != 0, .compression = (data[0] & 2) != 0, .max_payload_bytes = 70'000});
  return 0;
}
