#include <degu/base/random.h>
#include <degu/http/internal/bad_requests_for_test.h>
#include <degu/http/internal/chunked.h>
#include <degu/http/request_parser.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace degu::http {
namespace {

// All that a parse can say, as text.
std::string outcome(const RequestParser& parser, ParseState state) {
  if (state == ParseState::kIncomplete) return "incomplete";
  if (state == ParseState::kError) {
    return std::to_string(parser.error_status()) + " " + std::string(parser.error_reason());
  }
  const RequestHead& head = parser.head();
  std::string text = std::string(head.method()) + "|" + std::string(head.path()) + "|" +
                     std::string(head.query()) + "|" + std::string(head.host()) + "|" +
                     std::to_string(head.minor_version()) + std::to_string(head.keep_alive()) +
                     std::to_string(head.chunked()) + std::to_string(head.content_length()) + "|" +
                     std::to_string(parser.consumed());
  for (std::size_t i = 0; i < head.field_count(); ++i) {
    text += "|" + std::string(head.field_name(i)) + "=" + std::string(head.field_value(i));
  }
  return text;
}

// Each call gets its own exactly sized memory, so that AddressSanitizer sees a read beyond the input.
ParseState parse_copy(RequestParser& parser, std::string_view text, std::unique_ptr<char[]>& memory) {
  memory = std::make_unique<char[]>(text.size());
  std::copy(text.begin(), text.end(), memory.get());
  return parser.parse({memory.get(), text.size()});
}

std::string parse_whole(std::string_view text) {
  RequestParser parser;
  std::unique_ptr<char[]> memory;
  const ParseState state = parse_copy(parser, text, memory);
  return outcome(parser, state);
}

std::string parse_cut(std::string_view text, Random& random) {
  RequestParser parser;
  std::unique_ptr<char[]> memory;
  std::size_t size = 0;
  while (size < text.size()) {
    size = std::min(text.size(), size + 1 + random.below(random.below(4) == 0 ? 3000 : 5));
    const ParseState state = parse_copy(parser, text.substr(0, size), memory);
    if (state != ParseState::kIncomplete) return outcome(parser, state);
  }
  return "incomplete";
}

constexpr std::string_view kGoodHeads[] = {
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /a/b?x=1&y=%20 HTTP/1.1\r\nHost: example.com:8080\r\nAccept: */*\r\n\r\nrest",
    "POST /a HTTP/1.1\r\nhost:a\r\nContent-Length: 5\r\n\r\nhello",
    "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n",
    "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:  chunked , \r\n\r\n",
    "GET http://A:80/x?y HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET http://a?y HTTP/1.1\r\nHost: a\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET / HTTP/1.0\r\n\r\n",
    "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: [::1]:80\r\nConnection: foo, close\r\n\r\n",
    "GET / HTTP/1.7\r\nHost: a\r\n\r\n",
    "X-ODD|METHOD / HTTP/1.1\r\nHost: a\r\nEmpty:\r\nTab:\ta\tb\t\r\nLatin: \xE4\r\n\r\n",
};

TEST(RequestParser, ReadsARequest) {
  RequestParser parser;
  const std::string text =
      "POST /orders/7?verbose=1 HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 12\r\nX-One:  a b \r\n\r\n";
  ASSERT_EQ(parser.parse(text), ParseState::kDone);
  const RequestHead& head = parser.head();
  EXPECT_EQ(head.method(), "POST");
  EXPECT_EQ(head.method_id(), MethodId::kPost);
  EXPECT_EQ(head.path(), "/orders/7");
  EXPECT_EQ(head.query(), "verbose=1");
  EXPECT_EQ(head.host(), "shop.example");
  EXPECT_EQ(head.header("x-one"), "a b");
  EXPECT_EQ(head.header("x-two"), "");
  EXPECT_TRUE(head.keep_alive());
  EXPECT_TRUE(head.has_content_length());
  EXPECT_EQ(head.content_length(), 12U);
  EXPECT_EQ(parser.consumed(), text.size());
}

TEST(RequestParser, KnowsWhenAConnectionStays) {
  EXPECT_THAT(parse_whole("GET / HTTP/1.0\r\n\r\n"), testing::HasSubstr("|000"));
  EXPECT_THAT(parse_whole("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"), testing::HasSubstr("|010"));
  EXPECT_THAT(parse_whole("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), testing::HasSubstr("|110"));
  EXPECT_THAT(parse_whole("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n"),
              testing::HasSubstr("|100"));
}

TEST(RequestParser, TakesAbsoluteTargetsApart) {
  EXPECT_THAT(parse_whole("GET http://A:80/x?y HTTP/1.1\r\nHost: a\r\n\r\n"),
              testing::StartsWith("GET|/x|y|A:80|"));
  EXPECT_THAT(parse_whole("GET http://a?y HTTP/1.1\r\nHost: a\r\n\r\n"), testing::StartsWith("GET|/|y|a|"));
}

TEST(RequestParser, NoticesPathsThatNeedDecoding) {
  for (const auto& [path, wanted] : std::initializer_list<std::pair<std::string, bool>>{{"/a", false},
                                                                                        {"/a.b/..c", false},
                                                                                        {"/a%20", true},
                                                                                        {"/./a", true},
                                                                                        {"/a/..", true},
                                                                                        {"/a/../b", true},
                                                                                        {"/...", false}}) {
    RequestParser parser;
    const std::string text = "GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n";
    ASSERT_EQ(parser.parse(text), ParseState::kDone) << path;
    EXPECT_EQ(parser.head().path_needs_decoding(), wanted) << path;
  }
}

TEST(RequestParser, RefusesBadHeads) {
  const auto cases = internal::bad_heads();
  ASSERT_GE(cases.size(), 60U);
  for (const auto& bad : cases) {
    EXPECT_THAT(parse_whole(bad.text), testing::StartsWith(std::to_string(bad.status) + " ")) << bad.name;
  }
}

TEST(RequestParser, OutcomeDoesNotDependOnCuts) {
  Random random(1);
  std::vector<std::string> texts(std::begin(kGoodHeads), std::end(kGoodHeads));
  for (auto& bad : internal::bad_heads()) texts.push_back(bad.text);
  for (const std::string& text : texts) {
    const std::string whole = parse_whole(text);
    for (int round = 0; round < 5; ++round) EXPECT_EQ(parse_cut(text, random), whole) << text.substr(0, 200);
  }
}

// Heads damaged at random: whatever they have become, cuts must not matter.
TEST(RequestParser, OutcomeDoesNotDependOnCutsOfDamagedHeads) {
  Random random(2);
  for (int round = 0; round < 3000; ++round) {
    std::string text(kGoodHeads[random.below(std::size(kGoodHeads))]);
    for (uint32_t i = 0; i <= random.below(3); ++i) {
      text[random.below(static_cast<uint32_t>(text.size()))] = static_cast<char>(random.below(256));
    }
    EXPECT_EQ(parse_cut(text, random), parse_whole(text)) << text;
  }
}

TEST(RequestParser, IsReusedForPipelinedRequests) {
  RequestParser parser;
  const std::string text = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: b\r\n\r\n";
  ASSERT_EQ(parser.parse(text), ParseState::kDone);
  EXPECT_EQ(parser.head().path(), "/1");
  const std::size_t first = parser.consumed();
  parser.reset();
  ASSERT_EQ(parser.parse(std::string_view(text).substr(first)), ParseState::kDone);
  EXPECT_EQ(parser.head().path(), "/2");
  EXPECT_EQ(first + parser.consumed(), text.size());
}

TEST(RequestParser, FollowsItsBufferAround) {
  RequestParser parser;
  std::string text = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n";
  ASSERT_EQ(parser.parse(text), ParseState::kDone);
  const std::string moved = text;
  text.assign(text.size(), 'x');
  parser.head().rebase(moved.data());
  EXPECT_EQ(parser.head().path(), "/1");
  EXPECT_EQ(parser.head().host(), "a");
}

// ---------------------------------------------------------------------------------------------------------------------

std::string decode(std::string_view text, uint64_t limit, Random* random, std::string* body) {
  internal::ChunkedDecoder decoder(limit);
  std::string buffer(text);
  std::size_t in = 0;
  std::size_t out = 0;
  ParseState state = ParseState::kIncomplete;
  while (state == ParseState::kIncomplete && in < buffer.size()) {
    std::size_t size = buffer.size() - in;
    if (random != nullptr) size = std::min<std::size_t>(size, 1 + random->below(4));
    state = decoder.decode(buffer.data() + in, size, buffer.data() + out);
    in += decoder.consumed();
    out += decoder.produced();
  }
  *body = buffer.substr(0, out);
  if (state == ParseState::kError) {
    return std::to_string(decoder.error_status()) + " " + std::string(decoder.error_reason());
  }
  return state == ParseState::kDone ? "done " + std::to_string(in) : "incomplete";
}

TEST(ChunkedDecoder, DecodesInPlaceWhateverTheCuts) {
  const std::string text =
      "5\r\nhello\r\n1;ext=\"v\"\r\n \r\n00A\r\n0123456789\r\n0;x\r\nX-Sum: 1\r\n\r\nNEXT";
  Random random(3);
  std::string body;
  const std::string whole = decode(text, 100, nullptr, &body);
  EXPECT_EQ(whole, "done " + std::to_string(text.size() - 4));
  EXPECT_EQ(body, "hello 0123456789");
  for (int round = 0; round < 100; ++round) {
    std::string cut;
    EXPECT_EQ(decode(text, 100, &random, &cut), whole);
    EXPECT_EQ(cut, body);
  }
}

TEST(ChunkedDecoder, RefusesBadChunks) {
  Random random(4);
  for (const auto& bad : internal::bad_chunks()) {
    std::string body;
    const std::string whole = decode(bad.text, 1024 * 1024, nullptr, &body);
    EXPECT_THAT(whole, testing::StartsWith(std::to_string(bad.status) + " ")) << bad.name;
    EXPECT_EQ(decode(bad.text, 1024 * 1024, &random, &body), whole) << bad.name;
  }
}

TEST(ChunkedDecoder, LimitsTheSumOfChunks) {
  std::string body;
  EXPECT_EQ(decode("5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n", 10, nullptr, &body), "done 25");
  EXPECT_THAT(decode("5\r\nhello\r\n6\r\nworld!\r\n0\r\n\r\n", 10, nullptr, &body),
              testing::StartsWith("413 "));
}

TEST(ChunkedDecoder, LimitsExtensionsInTotal) {
  std::string text;
  for (int i = 0; i < 17; ++i) text += "1;" + std::string(1000, 'x') + "\r\na\r\n";
  std::string body;
  EXPECT_THAT(decode(text, 1000, nullptr, &body), testing::StartsWith("400 "));
}

}  // namespace
}  // namespace degu::http
