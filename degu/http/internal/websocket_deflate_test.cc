#include <degu/base/error.h>
#include <degu/base/random.h>
#include <degu/base/testing/code_of.h>
#include <degu/http/internal/websocket_deflate.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace degu::http::internal {
namespace {

using degu::testing::code_of;
using std::string_literals::operator""s;
using Result = MessageInflater::Result;

constexpr std::size_t kLimit = 1024 * 1024;

std::string answer(std::string_view offers, const WebSocketCompression& compression = {.enabled = true}) {
  const auto agreement = accept_deflate(offers, compression);
  return agreement ? deflate_answer(*agreement) : "none";
}

TEST(WebSocketDeflate, AnswersOffers) {
  const std::vector<std::pair<std::string_view, std::string_view>> cases = {
      {"", "none"},
      {"x-other", "none"},
      {"permessage-deflate", "permessage-deflate"},
      {" permessage-deflate ; client_max_window_bits", "permessage-deflate"},
      {"permessage-deflate; client_max_window_bits=10", "permessage-deflate"},
      {"permessage-deflate; server_no_context_takeover", "permessage-deflate; server_no_context_takeover"},
      {"permessage-deflate; client_no_context_takeover", "permessage-deflate; client_no_context_takeover"},
      {"permessage-deflate; server_max_window_bits=10", "permessage-deflate; server_max_window_bits=10"},
      {"permessage-deflate; server_max_window_bits=\"10\"", "permessage-deflate; server_max_window_bits=10"},
      {"permessage-deflate; server_max_window_bits=15", "permessage-deflate"},
      {"permessage-deflate; server_max_window_bits=8", "none"},
      {"permessage-deflate; server_max_window_bits=8, permessage-deflate", "permessage-deflate"},
      {"x-other; a=\"b, permessage-deflate, c\", y", "none"},
      {"x-other, permessage-deflate; unknown, permessage-deflate; server_max_window_bits=9",
       "permessage-deflate; server_max_window_bits=9"},
      {"permessage-deflate; server_max_window_bits", "none"},
      {"permessage-deflate; server_max_window_bits=7", "none"},
      {"permessage-deflate; server_max_window_bits=16", "none"},
      {"permessage-deflate; server_max_window_bits=010", "none"},
      {"permessage-deflate; server_max_window_bits=10; server_max_window_bits=10", "none"},
      {"permessage-deflate; client_max_window_bits=0", "none"},
      {"permessage-deflate; client_max_window_bits; client_max_window_bits", "none"},
      {"permessage-deflate; server_no_context_takeover=1", "none"},
      {"permessage-deflate; server_no_context_takeover; server_no_context_takeover", "none"},
  };
  for (const auto& [offers, expected] : cases) EXPECT_EQ(answer(offers), expected) << offers;
  EXPECT_EQ(answer("permessage-deflate", {.enabled = true, .context_takeover = false, .window_bits = 11}),
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
            "server_max_window_bits=11");
}

TEST(WebSocketDeflate, ReadsAnswers) {
  const WebSocketCompression on{.enabled = true};
  EXPECT_EQ(deflate_offer(on), "permessage-deflate; client_max_window_bits");
  EXPECT_FALSE(read_deflate_answer("", on));
  const auto agreed =
      read_deflate_answer("permessage-deflate; client_max_window_bits=9; server_no_context_takeover", on);
  ASSERT_TRUE(agreed);
  EXPECT_EQ(agreed->client.bits, 9);
  EXPECT_TRUE(agreed->client.takeover);
  EXPECT_FALSE(agreed->server.takeover);
  for (const std::string_view bad :
       {"x-other", "permessage-deflate, permessage-deflate", "permessage-deflate; unknown",
        "permessage-deflate; client_max_window_bits", "permessage-deflate, x"}) {
    EXPECT_EQ(code_of([&] { read_deflate_answer(bad, on); }), Code::kInternal) << bad;
  }
  EXPECT_EQ(code_of([&] { read_deflate_answer("permessage-deflate", {}); }), Code::kInternal);
  const WebSocketCompression forgetful{.enabled = true, .context_takeover = false};
  EXPECT_EQ(code_of([&] { read_deflate_answer("permessage-deflate", forgetful); }), Code::kInternal);
}

std::string inflated(MessageInflater& inflater, std::string_view bytes, std::size_t step = 1) {
  std::string out;
  while (!bytes.empty()) {
    const std::string_view piece = bytes.substr(0, step);
    bytes.remove_prefix(piece.size());
    EXPECT_EQ(inflater.inflate(piece, false, out, kLimit), Result::kFine);
  }
  EXPECT_EQ(inflater.inflate({}, true, out, kLimit), Result::kFine);
  return out;
}

// RFC 7692 section 7.2.3: one block, the window of the message before, no compression, a last block, two blocks.
TEST(WebSocketDeflate, InflatesTheExamplesOfTheRfc) {
  MessageInflater inflater(true);
  EXPECT_EQ(inflated(inflater, "\xf2\x48\xcd\xc9\xc9\x07\x00"s), "Hello");
  EXPECT_EQ(inflated(inflater, "\xf2\x00\x11\x00\x00"s), "Hello");
  EXPECT_EQ(inflated(inflater, "\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"s), "Hello");
  EXPECT_EQ(inflated(inflater, "\xf3\x48\xcd\xc9\xc9\x07\x00\x00"s), "Hello");
  EXPECT_EQ(inflated(inflater, "\xf2\x00\x11\x00\x00"s), "Hello");  // the window outlives a last block
  EXPECT_EQ(inflated(inflater, "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"s), "Hello");
}

TEST(WebSocketDeflate, WhatWasDeflatedComesBack) {
  Random random(7);
  for (const int bits : {9, 12, 15}) {
    for (const bool takeover : {true, false}) {
      MessageDeflater deflater({.bits = bits, .takeover = takeover}, 6);
      MessageInflater inflater(takeover);
      std::string first;
      for (const std::size_t size : {1U, 100U, 100U, 5000U, 70'000U, 300'000U}) {
        std::string message(size, ' ');
        for (char& c : message) c = static_cast<char>('a' + random.below(4));
        std::string packed;
        deflater.deflate(message, packed);
        EXPECT_EQ(inflated(inflater, packed, 1 + random.below(1000)), message) << bits << takeover << size;
      }
    }
  }
}

TEST(WebSocketDeflate, ForgetsUnlessToldOtherwise) {
  const std::string message = "the same words, the same words as before";
  std::string first;
  std::string second;
  MessageDeflater remembers({.takeover = true}, 6);
  remembers.deflate(message, first);
  remembers.deflate(message, second);
  EXPECT_LT(second.size(), first.size() / 2);
  MessageDeflater forgets({.takeover = false}, 6);
  std::string third;
  forgets.deflate(message, third);
  EXPECT_EQ(third, first);
  third.clear();
  forgets.deflate(message, third);
  EXPECT_EQ(third, first);
}

TEST(WebSocketDeflate, BoundsWhatABombMakes) {
  std::string bomb;
  MessageDeflater({}, 9).deflate(std::string(64 << 20, '\0'), bomb);
  std::string out;
  EXPECT_EQ(MessageInflater(true).inflate(bomb, true, out, kLimit), Result::kTooLarge);
  EXPECT_LE(out.size(), kLimit);
  // 4 KiB that make less than the limit allows, but much more than came.
  bomb.clear();
  MessageDeflater({}, 9).deflate(std::string(kLimit - 1, '\0'), bomb);
  out.clear();
  EXPECT_EQ(MessageInflater(true).inflate(bomb, true, out, kLimit), Result::kTooLarge);
  EXPECT_LE(out.size(), bomb.size() * (MessageInflater::kMaxRatio + 20));
}

TEST(WebSocketDeflate, RefusesGarbage) {
  for (const std::string& bad :
       {"\xff\xff\xff\xff"s, "\x07"s, "\x00\x05\x00\x00\x00Hello"s, "\x00\x09\x00\xf6\xff\x48"s}) {
    std::string out;
    MessageInflater inflater(true);
    const Result result = inflater.inflate(bad, false, out, kLimit);
    EXPECT_TRUE(result == Result::kCorrupt || inflater.inflate({}, true, out, kLimit) == Result::kCorrupt)
        << ::testing::PrintToString(bad);
  }
}

}  // namespace
}  // namespace degu::http::internal
