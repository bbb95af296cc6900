#include "response_parser.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace degu::bench {
namespace {

using State = ResponseParser::State;

struct Read {
  State state;
  int status;
  bool keep_alive;
  std::size_t used;
  std::string body;
  std::string error;
};

Read read(std::string_view text, std::size_t piece, bool to_head = false, bool close = false) {
  ResponseParser parser;
  std::string body;
  parser.start(to_head, &body);
  std::size_t used = 0;
  while (used < text.size() && parser.state() == State::kMore) used += parser.feed(text.substr(used, piece));
  if (close) parser.close();
  return {parser.state(), parser.status(), parser.keep_alive(), used, body, std::string(parser.error())};
}

struct Good {
  std::string text;
  int status;
  bool keep_alive;
  std::string body;
};

TEST(ResponseParser, FindsTheEndHoweverTheBytesCome) {
  const std::vector<Good> cases = {
      {"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npong", 200, true, "pong"},
      {"HTTP/1.1 200 OK\r\ncontent-length:\t4 \r\nconnection: x, CLOSE\r\n\r\npong", 200, false, "pong"},
      {"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", 200, true, ""},
      {"HTTP/1.0 404 Not Found\r\nContent-Length: 1\r\n\r\nx", 404, false, "x"},
      {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\nx", 200, true, "x"},
      {"HTTP/1.1 204 No Content\r\n\r\n", 204, true, ""},
      {"HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\n\r\n", 304, true, ""},
      {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 "
       "OK\r\nContent-Length: 2\r\n\r\nok",
       200, true, "ok"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n",
       200, true, "abc0123456789"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n1 \r\na\r\n00\r\nTrailer: b\r\n\r\n", 200, true,
       "a"},
  };
  for (const Good& good : cases) {
    for (const std::size_t piece :
         {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{7}, std::size_t{4096}}) {
      const Read got = read(good.text + "HTTP/1.1 ", piece);
      EXPECT_EQ(got.state, State::kDone) << good.text << got.error;
      EXPECT_EQ(got.status, good.status) << good.text;
      EXPECT_EQ(got.keep_alive, good.keep_alive) << good.text;
      EXPECT_EQ(got.used, good.text.size()) << good.text << " in pieces of " << piece;
      EXPECT_EQ(got.body, good.body) << good.text;
    }
  }
}

TEST(ResponseParser, ReadsUntilTheEndWithoutALength) {
  const Read got = read("HTTP/1.1 200 OK\r\n\r\nall of it", 5, false, true);
  EXPECT_EQ(got.state, State::kDone);
  EXPECT_EQ(got.body, "all of it");
  EXPECT_FALSE(got.keep_alive);
}

TEST(ResponseParser, MissesWhatWasCutOff) {
  EXPECT_EQ(read("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npon", 100, false, true).state, State::kMore);
  EXPECT_EQ(read("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", 100, false, true).state,
            State::kMore);
  EXPECT_EQ(read("HTTP/1.1 200 OK\r\n", 100, false, true).state, State::kMore);
}

TEST(ResponseParser, ExpectsNoBodyOfAnAnswerToHead) {
  EXPECT_EQ(read("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", 100, true).state, State::kDone);
}

TEST(ResponseParser, RefusesWhatIsNoResponse) {
  const std::string_view head = "HTTP/1.1 200 OK\r\n";
  const std::vector<std::string> cases = {
      "SSH-2.0-OpenSSH\r\n\r\n",
      "HTTP/2 200 OK\r\n\r\n",
      "HTTP/1.1 20 OK\r\n\r\n",
      "HTTP/1.1 099 X\r\n\r\n",
      "HTTP/1.1 2000\r\n\r\n",
      "HTTP/1.1 101 Switching Protocols\r\n\r\n",
      std::string(head) + "no colon\r\n\r\n",
      std::string(head) + "A : b\r\n\r\n",
      std::string(head) + "A: b\r\n c\r\n\r\n",
      std::string(head) + "Content-Length: x\r\n\r\n",
      std::string(head) + "Content-Length: -1\r\n\r\n",
      std::string(head) + "Content-Length:\r\n\r\n",
      std::string(head) + "Content-Length: 99999999999999999999\r\n\r\n",
      std::string(head) + "Content-Length: 1\r\nContent-Length: 1\r\n\r\n",
      std::string(head) + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
      std::string(head) + "Transfer-Encoding: gzip\r\n\r\n",
      std::string(head) + "Transfer-Encoding: chunked\r\n\r\nx\r\n",
      std::string(head) + "Transfer-Encoding: chunked\r\n\r\n\r\n",
      std::string(head) + "Transfer-Encoding: chunked\r\n\r\n11111111111111111\r\n",
      std::string(head) + "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
      std::string(head) + "Transfer-Encoding: chunked\r\n\r\n1;" + std::string(2000, 'x'),
      std::string(head) + "A: " + std::string(70'000, 'x'),
      std::string(head) + "Transfer-Encoding: chunked\r\n\r\n0\r\n" + std::string(70'000, 'x')};
  for (const std::string& text : cases) {
    for (const std::size_t piece : {std::size_t{1}, std::size_t{100'000}}) {
      const Read got = read(text, piece);
      EXPECT_EQ(got.state, State::kBad) << text.substr(0, 100);
      EXPECT_FALSE(got.error.empty());
    }
  }
}

TEST(ResponseParser, KeepsOneMebibyteOfABody) {
  std::string text = "HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n";
  text.append(3'000'000, 'x');
  const Read got = read(text, 10'000);
  EXPECT_EQ(got.state, State::kDone);
  EXPECT_EQ(got.body.size(), 1024u * 1024);
}

TEST(ResponseParser, ServesOneResponseAfterAnother) {
  ResponseParser parser;
  for (int i = 0; i < 3; ++i) {
    parser.start(false, nullptr);
    parser.feed(i == 1 ? "HTTP/1.1 500 X\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"
                       : "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na");
    EXPECT_EQ(parser.state(), State::kDone);
    EXPECT_EQ(parser.status(), i == 1 ? 500 : 200);
  }
}

}  // namespace
}  // namespace degu::bench
