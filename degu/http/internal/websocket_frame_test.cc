#include <degu/http/internal/utf8.h>
#include <degu/http/internal/websocket_frame.h>
#include <degu/http/internal/websocket_handshake.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace degu::http::internal {
namespace {

using std::string_literals::operator""s;

// "text+fin 5 Hello." for each frame, then the error's code.
std::string parse(std::string bytes, std::size_t step, FrameRules rules) {
  std::string said;
  FrameParser parser(rules);
  std::span<char> left(bytes);
  while (!left.empty()) {
    std::span<char> input = left.first(std::min(step, left.size()));
    left = left.subspan(input.size());
    for (auto event = parser.next(input); event != FrameParser::Event::kNeedInput;
         event = parser.next(input)) {
      const FrameHead& head = parser.head();
      if (event == FrameParser::Event::kError) return said + std::to_string(parser.error_code());
      if (event == FrameParser::Event::kFrame)
        said += fmt::format("{}{}{} {} ", static_cast<int>(head.opcode), head.fin ? "+" : "-",
                            head.compressed ? "z" : "", head.size);
      if (event == FrameParser::Event::kPayload) said += parser.payload();
      if (event == FrameParser::Event::kFrameEnd) said += ".";
    }
  }
  return said;
}

std::string parsed(const std::string& bytes, FrameRules rules) {
  const std::string whole = parse(bytes, bytes.size(), rules);
  for (std::size_t step = 1; step < std::min<std::size_t>(bytes.size(), 20); ++step)
    EXPECT_EQ(parse(bytes, step, rules), whole) << "cut into " << step;
  return whole;
}

constexpr FrameRules kFromServer{.masked = false};

// The examples of RFC 6455 section 5.7.
TEST(WebSocketFrame, ParsesTheExamplesOfTheRfc) {
  EXPECT_EQ(parsed("\x81\x05Hello", kFromServer), "1+ 5 Hello.");
  EXPECT_EQ(parsed("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", {}), "1+ 5 Hello.");
  EXPECT_EQ(parsed("\x01\x03Hel\x80\x02lo", kFromServer), "1- 3 Hel.0+ 2 lo.");
  EXPECT_EQ(parsed("\x89\x05Hello", kFromServer), "9+ 5 Hello.");
  EXPECT_EQ(parsed("\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", {}), "10+ 5 Hello.");
  EXPECT_EQ(parsed("\x82\x7e\x01\x00"s + std::string(256, 'x'), kFromServer),
            "2+ 256 " + std::string(256, 'x') + ".");
  const std::string large(65536, 'y');
  EXPECT_EQ(parse("\x82\x7f\0\0\0\0\0\1\0\0"s + large, 1000, kFromServer), "2+ 65536 " + large + ".");
}

TEST(WebSocketFrame, TakesControlFramesBetweenFragments) {
  EXPECT_EQ(parsed("\x01\x01"
                   "a\x89\x01p\x00\x01"
                   "b\x8a\x00\x80\x00"s,
                   kFromServer),
            "1- 1 a.9+ 1 p.0- 1 b.10+ 0 .0+ 0 .");
}

struct Case {
  std::string bytes;
  std::string outcome;
  FrameRules rules = {.masked = false};
};

TEST(WebSocketFrame, RefusesWhatBreaksTheRules) {
  const FrameRules compressed{.masked = false, .compression = true};
  const std::vector<Case> cases = {
      {"\xc1\x00"s, "1002"},  // RSV1 that was not agreed on
      {"\xa1\x00"s, "1002"},  // RSV2
      {"\x91\x00"s, "1002"},  // RSV3
      {"\xc1\x00"s, "1+z 0 .", compressed},
      {"\x41\x00\x80\x00"s, "1-z 0 .0+ 0 .", compressed},
      {"\x41\x00\xc0\x00"s, "1-z 0 .1002", compressed},  // RSV1 on a continuation
      {"\xc9\x00"s, "1002", compressed},                 // RSV1 on a ping
      {"\x83\x00"s, "1002"},                             // reserved opcodes
      {"\x87\x00"s, "1002"},
      {"\x8b\x00"s, "1002"},
      {"\x8f\x00"s, "1002"},
      {"\x81\x80\0\0\0\0"s, "1002"},  // masked by a server
      {"\x81\x00"s, "1002", {}},      // not masked by a client
      {"\x09\x00"s, "1002"},          // fragmented control frames
      {"\x08\x00"s, "1002"},
      {"\x89\x7d"s + std::string(125, 'p'), "9+ 125 " + std::string(125, 'p') + "."},
      {"\x89\x7e\x00\x7e"s, "1002"},  // a ping of 126 bytes
      {"\x88\x7f"s, "1002"},
      {"\x80\x00"s, "1002"},  // continues nothing
      {"\x81\x00\x80\x00"s, "1+ 0 .1002"},
      {"\x01\x00\x81\x00"s, "1- 0 .1002"},  // a message within another
      {"\x01\x00\x02\x00"s, "1- 0 .1002"},
      {"\x82\x7e\x00\x7d"s, "1002"},  // lengths that are longer than need be
      {"\x82\x7f\0\0\0\0\0\0\xff\xff"s, "1002"},
      {"\x82\x7f\x80\0\0\0\0\0\0\0"s, "1002"},  // 2^63
      {"\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff"s, "1009"},
      {"\x82\x7e\x01\x01"s, "1009", {.masked = false, .max_payload_bytes = 256}},
      {"\x82\x7e\x01\x00"s, "2+ 256 ", {.masked = false, .max_payload_bytes = 256}},
  };
  for (const Case& c : cases)
    EXPECT_EQ(parsed(c.bytes, c.rules), c.outcome) << ::testing::PrintToString(c.bytes);
}

TEST(WebSocketFrame, WritesWhatItParses) {
  for (const std::size_t size : {0U, 1U, 125U, 126U, 127U, 65535U, 65536U, 70000U}) {
    for (const bool masked : {false, true}) {
      const std::string payload(size, 'q');
      std::string bytes;
      const auto mask = masked ? std::optional(std::array<uint8_t, 4>{0xff, 0, 0x80, 7}) : std::nullopt;
      append_frame(bytes, {.opcode = Opcode::kBinary}, payload, mask);
      EXPECT_EQ(parse(bytes, 999, {.masked = masked}), fmt::format("2+ {} {}.", size, payload));
    }
  }
}

TEST(WebSocketFrame, KnowsCloseCodes) {
  for (const int code :
       {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1014, 3000, 3999, 4000, 4999})
    EXPECT_TRUE(is_close_code(code)) << code;
  for (const int code : {0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535})
    EXPECT_FALSE(is_close_code(code)) << code;
}

TEST(WebSocketHandshake, AcceptsAsTheRfcSays) {
  EXPECT_EQ(websocket_accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

// Against the check of whole texts, at each place where a text can be cut.
TEST(Utf8Stream, AgreesWithTheCheckOfWholeTexts) {
  const std::vector<std::string> texts = {"",
                                          "plain",
                                          "\xc3\xa4",
                                          "\xe2\x82\xac",
                                          "\xf0\x9f\x98\x80",
                                          "\xef\xbf\xbf",
                                          "\xf4\x8f\xbf\xbf",
                                          "\xed\x9f\xbf",
                                          "\xee\x80\x80",
                                          "\xc0\xaf",
                                          "\xc1\xbf",
                                          "\xe0\x9f\xbf",
                                          "\xed\xa0\x80",
                                          "\xf0\x8f\xbf\xbf",
                                          "\xf4\x90\x80\x80",
                                          "\xf5\x80\x80\x80",
                                          "\xff",
                                          "\x80",
                                          "\xc3",
                                          "\xe2\x82",
                                          "\xf0\x9f\x98",
                                          "\xe2\x28\xa1",
                                          "a\xc3\xa4z\xe2\x82\xac!",
                                          "\xed\x80\x80\xe0\xa0\x80\xf4\x80\x80\x80\xf0\x90\x80\x80"};
  for (const std::string& text : texts) {
    for (std::size_t cut = 0; cut <= text.size(); ++cut) {
      Utf8Stream stream;
      const bool fine = stream.feed(std::string_view(text).substr(0, cut)) &&
                        stream.feed(std::string_view(text).substr(cut)) && stream.complete();
      EXPECT_EQ(fine, is_utf8(text)) << ::testing::PrintToString(text) << " cut at " << cut;
    }
  }
}

}  // namespace
}  // namespace degu::http::internal
