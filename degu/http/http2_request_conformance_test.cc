// What RFC 9113 demands of requests and answers (section 8), and RFC 7541 of their blocks; see http2_conformance_test.cc.
#include <degu/http/testing/conformance.h>
#include <degu/http/testing/frame_client.h>
#include <degu/rt/run.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace degu::http {
namespace {

using namespace degu::testing::http2;
using degu::testing::Answer;
using degu::testing::Fields;
using degu::testing::Frame;
using degu::testing::FrameClient;

// Section 8.1: what a request is made of.
TEST(Http2RequestConformance, SequencesOfFramesThatAreNoRequest) {
  run([] {
    const std::string trailers = FrameClient::block({{"x-sum", "1"}});
    const std::string post_head = FrameClient::block(post("/echo", {{"content-length", "4"}}));
    const std::string with_length = frame(FrameClient::kHeaders, kEndHeaders, 1, post_head);
    expect_stream_errors({
        {"8.1",
         "trailers that do not end the stream",
         open_request() + frame(FrameClient::kHeaders, kEndHeaders, 1, trailers),
         {kProtocolError}},
        {"8.1",
         "trailers with a pseudo-field",
         open_request() + frame(FrameClient::kHeaders, kWhole, 1, FrameClient::block({{":path", "/x"}})),
         {kProtocolError}},
        {"8.1",
         "trailers with an upper-case name",
         open_request() + frame(FrameClient::kHeaders, kWhole, 1, FrameClient::block({{"X-Sum", "1"}})),
         {kProtocolError}},
        {"8.1",
         "trailers with a field of connections",
         open_request() + frame(FrameClient::kHeaders, kWhole, 1, FrameClient::block({{"connection", "x"}})),
         {kProtocolError}},
        {"8.1.1",
         "less than Content-Length",
         with_length + frame(FrameClient::kData, kEndStream, 1, "abc"),
         {kProtocolError}},
        {"8.1.1",
         "more than Content-Length",
         with_length + frame(FrameClient::kData, 0, 1, "abcde"),
         {kProtocolError}},
        {"8.1.1", "no body at all", frame(FrameClient::kHeaders, kWhole, 1, post_head), {kProtocolError}},
        {"8.1.1",
         "less than Content-Length, and trailers",
         with_length + frame(FrameClient::kData, 0, 1, "abc") +
             frame(FrameClient::kHeaders, kWhole, 1, trailers),
         {kProtocolError}},
    });
    ConformanceServer server;
    FrameClient client(server.address());
    client.send_raw(with_length + frame(FrameClient::kData, 0, 1, "abcd") +
                    frame(FrameClient::kHeaders, kWhole, 1, trailers));
    EXPECT_EQ(client.wait(1).body, "abcd");
    EXPECT_EQ(server.server().requests(), 1U);
  });
}

// Section 8.2.1: bytes that no name, and that no value, may have.
TEST(Http2RequestConformance, ForbiddenBytesInFields) {
  run([] {
    ConformanceServer server;
    std::optional<FrameClient> client;
    int calls = 0;
    const auto refused = [&](const std::string& name, const std::string& value) {
      if (calls++ % 50 == 0) client.emplace(server.address());  // each refusal costs of what a connection may
      const Answer answer = client->call(get("/ping", {{name, value}}));
      EXPECT_FALSE(client->over());
      return answer.status == 400 || answer.reset == kProtocolError;
    };
    for (int byte = 0; byte < 256; ++byte) {
      const char c = static_cast<char>(byte);
      const bool in_name =
          (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
          (c != '\0' && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos);
      EXPECT_EQ(refused(std::string("a") + c + "b", "1"), !in_name) << byte;
      // The RFC forbids NUL, LF and CR; all other controls are refused besides, as in HTTP/1.1.
      const bool in_value = c == '\t' || (byte >= 0x20 && byte != 0x7f);
      EXPECT_EQ(refused("a", std::string("x") + c + "y"), !in_value) << byte;
    }
    EXPECT_TRUE(refused("", "1"));
    for (const char* const padded : {" a", "a ", "\ta", "a\t", " "})
      EXPECT_TRUE(refused("x-a", padded)) << '"' << padded << '"';
    EXPECT_EQ(client->call(get("/fields", {{"x-a", ""}, {"x-b", "a b"}})).body, "|a b");
  });
}

// Section 8.2.2.
TEST(Http2RequestConformance, FieldsOfConnections) {
  run([] {
    ConformanceServer server;
    FrameClient client(server.address());
    for (const Fields& fields : std::vector<Fields>{{{"connection", "keep-alive"}},
                                                    {{"connection", ""}},
                                                    {{"keep-alive", "timeout=5"}},
                                                    {{"proxy-connection", "keep-alive"}},
                                                    {{"transfer-encoding", "chunked"}},
                                                    {{"transfer-encoding", "identity"}},
                                                    {{"upgrade", "websocket"}},
                                                    {{"te", ""}},
                                                    {{"te", "trailers, deflate"}},
                                                    {{"te", "gzip"}}}) {
      const Answer answer = client.call(get("/ping", fields));
      EXPECT_TRUE(answer.status == 400 || answer.reset == kProtocolError)
          << fields[0].first << ": " << fields[0].second;
    }
    EXPECT_EQ(client.call(get("/ping", {{"te", "trailers"}})).body, "pong");
  });
}

// Section 8.2.3.
TEST(Http2RequestConformance, CrumbsOfCookies) {
  run([] {
    ConformanceServer server;
    FrameClient client(server.address());
    EXPECT_EQ(
        client.call(get("/cookie", {{"cookie", "a=b"}, {"x", "1"}, {"cookie", "c=d; e=f"}, {"cookie", "g"}}))
            .body,
        "a=b; c=d; e=f; g");
    EXPECT_EQ(client.call(get("/cookie", {{"cookie", "a=b"}})).body, "a=b");
  });
}

// Sections 8.3, 8.3.1 and 8.5.
TEST(Http2RequestConformance, PseudoFields) {
  run([] {
    ConformanceServer server;
    FrameClient client(server.address());
    const std::pair<std::string, std::string> method{":method", "GET"};
    const std::pair<std::string, std::string> scheme{":scheme", "http"};
    const std::pair<std::string, std::string> path{":path", "/ping"};
    const std::pair<std::string, std::string> authority{":authority", "a.test"};
    const std::vector<std::pair<const char*, Fields>> bad{
        {"behind a field", {method, scheme, path, {"a", "1"}, authority}},
        {"two methods", {method, method, scheme, path, authority}},
        {"two schemes", {method, scheme, scheme, path, authority}},
        {"two paths", {method, scheme, path, path, authority}},
        {"two authorities", {method, scheme, path, authority, authority}},
        {"no method", {scheme, path, authority}},
        {"no scheme", {method, path, authority}},
        {"no path", {method, scheme, authority}},
        {"none at all", {{"a", "1"}}},
        {"unknown", {method, scheme, path, authority, {":extra", "1"}}},
        {"upper-case", {{":Method", "GET"}, scheme, path, authority}},
        {"of a response", {method, scheme, path, authority, {":status", "200"}}},
        {"empty name", {method, scheme, path, authority, {":", "1"}}},
        {":protocol without the setting (RFC 8441)",
         {{":method", "CONNECT"}, {":protocol", "websocket"}, scheme, path, authority}},
        {"empty path", {method, scheme, {":path", ""}, authority}},
        {"asterisk for GET", {method, scheme, {":path", "*"}, authority}},
        {"path of another form", {method, scheme, {":path", "ping"}, authority}},
        {"user information", {method, scheme, path, {":authority", "user@a.test"}}},
        {"empty authority and no Host", {method, scheme, path, {":authority", ""}}},
        {"authority unlike Host", {method, scheme, path, authority, {"host", "b.test"}}},
        {"CONNECT with a scheme and a path", {{":method", "CONNECT"}, scheme, path, authority}},
        {"CONNECT without an authority", {{":method", "CONNECT"}}},
    };
    for (const auto& [name, fields] : bad) {
      const Answer answer = client.call(fields);
      EXPECT_TRUE(answer.status == 400 || answer.reset == kProtocolError) << name << ": " << answer.status;
      ASSERT_FALSE(client.over()) << name;
    }
    EXPECT_EQ(client.call({{":path", "/ping"}, authority, scheme, method}).body, "pong");  // in any order
    EXPECT_EQ(client.call({method, scheme, path, {"host", "a.test"}}).body,
              "pong");  // translated from HTTP/1.1
    EXPECT_EQ(client.call(FrameClient::request("OPTIONS", "*")).status, 204);
    EXPECT_EQ(client.call({{":method", "CONNECT"}, {":authority", "a.test:443"}}).status, 501);
  });
}

// --- Answers

TEST(Http2RequestConformance, FieldsOfAnswers) {
  run([] {
    ConformanceServer server;
    FrameClient client(server.address());
    const Answer answer = client.call(get("/head"));
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.field("x-upper"), "1");
    for (const auto& [name, value] : answer.fields) {
      for (const char c : name) EXPECT_FALSE(c >= 'A' && c <= 'Z') << name;
      for (const char* const field :
           {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"})
        EXPECT_NE(name, field);
      EXPECT_FALSE(value.starts_with(' ') || value.ends_with(' ')) << name;
    }
    for (const Frame& got : client.frames) EXPECT_NE(got.type, FrameClient::kPush);
  });
}

// --- HPACK

std::string with_block(const std::string& block) { return frame(FrameClient::kHeaders, kWhole, 1, block); }

TEST(Http2RequestConformance, BlocksThatAreNoHpack) {
  run([] {
    const std::string path = std::string("\x04", 1);  // literal without indexing, name of index 4: ":path"
    expect_connection_errors({
        {"7541 6.1", "index 0", with_block("\x80"), {kCompressionError}},
        {"7541 2.3.3", "index behind both tables", with_block("\xbe"), {kCompressionError}},
        {"7541 2.3.3", "name behind both tables", with_block("\x7f\x20\x01x"), {kCompressionError}},
        {"7541 5.1",
         "integer that has no end",
         with_block("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"),
         {kCompressionError}},
        {"7541 5.1", "integer that is cut", with_block("\xff\x80"), {kCompressionError}},
        {"7541 5.2", "string that is cut", with_block(path + "\x05/pi"), {kCompressionError}},
        {"7541 5.2",
         "padding of a code that is longer than 7 bits",
         with_block(path + "\x82\x63\xff\xff"),
         {kCompressionError}},
        {"7541 5.2", "padding that is no EOS", with_block(path + "\x81\x60"), {kCompressionError}},
        {"7541 5.2", "EOS within a string", with_block(path + "\x84\xff\xff\xff\xff"), {kCompressionError}},
        {"7541 6.3",
         "table larger than the setting",
         with_block("\x3f\xe2\x1f" + ping_head()),
         {kCompressionError}},
        {"7541 4.2", "size of the table behind a field", with_block("\x82\x20"), {kCompressionError}},
    });
  });
}

TEST(Http2RequestConformance, KeepsTheTableOfTheClient) {
  run([] {
    ConformanceServer server;
    FrameClient client(server.address());
    const std::string stored = std::string("\x40\x03x-a\x05value", 11);
    const std::string fields = FrameClient::block(get("/fields"));
    client.send(FrameClient::kHeaders, kWhole, 1, fields + stored);
    EXPECT_EQ(client.wait(1).body, "value|");
    client.send(FrameClient::kHeaders, kWhole, 3, fields + "\xbe");  // index 62: the latest of the table
    EXPECT_EQ(client.wait(3).body, "value|");
    // Section 4.3 of RFC 9113: what is refused, reset or a trailer counts for the table all the same.
    client.send(FrameClient::kHeaders, kWhole, 5,
                FrameClient::block(get("/fields", {{"te", "x"}})) + std::string("\x40\x03x-b\x03two", 9));
    EXPECT_NE(client.wait(5).status, 200);
    client.send(FrameClient::kHeaders, kEndHeaders, 7, FrameClient::block(post("/echo")));
    client.send(FrameClient::kReset, 0, 7, number(kCancel));
    client.send(FrameClient::kHeaders, kWhole, 9, fields + "\xbe\xbf");
    EXPECT_EQ(client.wait(9).body, "value|two");
    // ... and what comes for a stream that is closed.
    client.send(FrameClient::kHeaders, kWhole, 1, fields + std::string("\x40\x03x-b\x05three", 11));
    client.send(FrameClient::kHeaders, kWhole, 11, fields + "\xbe\xc0");
    EXPECT_EQ(client.wait(11).body, "value|three");
    // A table of nothing forgets everything (RFC 7541 section 4.3), and one of the full size begins empty.
    client.send(FrameClient::kHeaders, kWhole, 13, "\x20\x3f\xe1\x1f" + fields + stored);
    EXPECT_EQ(client.wait(13).body, "value|");
    client.send(FrameClient::kHeaders, kWhole, 15, fields + "\xbf");
    EXPECT_TRUE(client.wait_for_end());
    EXPECT_EQ(client.goaways.back().second, kCompressionError);
  });
}

// RFC 7541 section 4.2: a smaller table is acknowledged at the beginning of the next block, and used from then on.
TEST(Http2RequestConformance, KeepsToTheTableThatTheClientAllows) {
  run([] {
    ConformanceServer server;
    FrameClient client(server.address());
    EXPECT_EQ(client.call(get("/ping")).body, "pong");
    client.send_raw(settings(setting(1, 0)));
    EXPECT_EQ(client.call(get("/ping")).status, 200);
    const auto head = std::find_if(client.frames.rbegin(), client.frames.rend(),
                                   [](const Frame& got) { return got.type == FrameClient::kHeaders; });
    ASSERT_NE(head, client.frames.rend());
    EXPECT_EQ(head->payload[0], '\x20');
    for (int i = 0; i < 3; ++i) EXPECT_EQ(client.call(get("/ping")).body, "pong");
  });
}

}  // namespace
}  // namespace degu::http
