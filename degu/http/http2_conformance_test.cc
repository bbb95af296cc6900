// What RFC 9113 demands of a server's connections, streams and frames (sections 3 to 6), beyond what server_http2_test.cc shows
// by the way; requests are in http2_request_conformance_test.cc. docs/internals/http2-conformance.md says where each demand is
// tested. nghttp2 1.52 reads the frames: where it bears what the RFC calls an error, the test says so.
#include <degu/http/testing/conformance.h>
#include <degu/http/testing/frame_client.h>
#include <degu/net/tcp.h>
#include <degu/rt/run.h>
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

namespace degu::http {
namespace {

using namespace std::chrono_literals;
using namespace degu::testing::http2;
using degu::testing::Answer;
using degu::testing::Frame;
using degu::testing::FrameClient;

TEST(Http2Conformance, FramesOfWrongSizes) {
  run([] {
    const std::string long_payload(16'385, '\0');
    expect_connection_errors({
        {"4.2",
         "HEADERS too large",
         frame(FrameClient::kHeaders, kWhole, 1, long_payload),
         {kFrameSizeError}},
        {"4.2",
         "DATA too large",
         open_request() + frame(FrameClient::kData, 0, 1, long_payload),
         {kFrameSizeError}},
        {"4.2", "SETTINGS too large", settings(long_payload), {kFrameSizeError}},
        {"4.2", "unknown frame too large", frame(0x42, 0, 0, long_payload), {kFrameSizeError}},
        {"6.3", "PRIORITY of 4", frame(FrameClient::kPriority, 0, 1, number(0)), {kFrameSizeError}},
        {"6.3", "PRIORITY of 6", frame(FrameClient::kPriority, 0, 1, number(0, 6)), {kFrameSizeError}},
        {"6.4",
         "RST_STREAM of 3",
         open_request() + frame(FrameClient::kReset, 0, 1, number(0, 3)),
         {kFrameSizeError}},
        {"6.4",
         "RST_STREAM of 5",
         open_request() + frame(FrameClient::kReset, 0, 1, number(0, 5)),
         {kFrameSizeError}},
        {"6.5", "SETTINGS of 5", settings("12345"), {kFrameSizeError}},
        {"6.5", "SETTINGS of 7", settings("1234567"), {kFrameSizeError}},
        {"6.5",
         "acknowledgement with settings",
         frame(FrameClient::kSettings, 1, 0, setting(3, 1)),
         {kFrameSizeError}},
        {"6.7", "PING of 7", frame(FrameClient::kPing, 0, 0, "1234567"), {kFrameSizeError}},
        {"6.7", "PING of 9", frame(FrameClient::kPing, 0, 0, "123456789"), {kFrameSizeError}},
        {"6.8", "GOAWAY of 7", frame(FrameClient::kGoaway, 0, 0, "1234567"), {kFrameSizeError}},
        {"6.9", "WINDOW_UPDATE of 3", frame(FrameClient::kWindow, 0, 0, number(1, 3)), {kFrameSizeError}},
        {"6.9", "WINDOW_UPDATE of 5", frame(FrameClient::kWindow, 0, 0, number(1, 5)), {kFrameSizeError}},
        {"6.2",
         "HEADERS with no room for its priority",
         frame(FrameClient::kHeaders, kWhole | kPriorityFlag, 1, "\0\0\0"),
         {kFrameSizeError, kProtocolError}},
        {"6.1",
         "padded DATA without its length",
         open_request() + frame(FrameClient::kData, kPadded, 1, {}),
         {kFrameSizeError, kProtocolError}},
    });
  });
}

TEST(Http2Conformance, TakesFramesOfTheFullSize) {
  run([] {
    ConformanceServer server;
    FrameClient client(server.address());
    client.send_raw(open_request() + frame(FrameClient::kData, kEndStream, 1, std::string(16'384, 'b')));
    EXPECT_EQ(client.wait(1).body, std::string(16'384, 'b'));
    client.send(FrameClient::kHeaders, kWhole, 3, FrameClient::block(get("/large")));
    EXPECT_EQ(client.wait(3).body.size(), 200'000U);
    for (const Frame& got : client.frames) EXPECT_LE(got.payload.size(), 16'384U);  // SETTINGS_MAX_FRAME_SIZE
  });
}

TEST(Http2Conformance, FramesOnTheWrongStreams) {
  run([] {
    expect_connection_errors({
        {"5.1", "DATA on an idle stream", frame(FrameClient::kData, kEndStream, 1, "x"), {kProtocolError}},
        {"5.1",
         "RST_STREAM on an idle stream",
         frame(FrameClient::kReset, 0, 1, number(kCancel)),
         {kProtocolError}},
        {"5.1",
         "WINDOW_UPDATE on an idle stream",
         frame(FrameClient::kWindow, 0, 1, number(1)),
         {kProtocolError}},
        {"5.1",
         "CONTINUATION on an idle stream",
         frame(FrameClient::kContinuation, kEndHeaders, 1, ping_head()),
         {kProtocolError}},
        {"5.1.1",
         "HEADERS on an even stream",
         frame(FrameClient::kHeaders, kWhole, 2, ping_head()),
         {kProtocolError}},
        {"6.1", "DATA on stream 0", frame(FrameClient::kData, 0, 0, "x"), {kProtocolError}},
        {"6.2",
         "HEADERS on stream 0",
         frame(FrameClient::kHeaders, kWhole, 0, ping_head()),
         {kProtocolError}},
        {"6.3", "PRIORITY on stream 0", frame(FrameClient::kPriority, 0, 0, number(1, 5)), {kProtocolError}},
        {"6.4",
         "RST_STREAM on stream 0",
         frame(FrameClient::kReset, 0, 0, number(kCancel)),
         {kProtocolError}},
        {"6.5", "SETTINGS on a stream", frame(FrameClient::kSettings, 0, 1, {}), {kProtocolError}},
        {"6.6",
         "PUSH_PROMISE from a client",
         open_request() + frame(FrameClient::kPush, kEndHeaders, 1, number(2) + ping_head()),
         {kProtocolError}},
        {"6.7", "PING on a stream", frame(FrameClient::kPing, 0, 1, "12345678"), {kProtocolError}},
        {"6.8", "GOAWAY on a stream", frame(FrameClient::kGoaway, 0, 1, number(0, 8)), {kProtocolError}},
        {"6.10",
         "CONTINUATION on stream 0",
         frame(FrameClient::kContinuation, kEndHeaders, 0, ping_head()),
         {kProtocolError}},
    });
  });
}

// A stream that its client has ended takes WINDOW_UPDATE, PRIORITY and RST_STREAM; after RST_STREAM it takes PRIORITY.
TEST(Http2Conformance, FramesOnStreamsThatHaveEnded) {
  run([] {
    expect_connection_errors({
        {"5.1",
         "CONTINUATION behind a whole head",
         whole_request() + frame(FrameClient::kContinuation, kEndHeaders, 1, ping_head()),
         {kProtocolError, kStreamClosed}},
        {"5.1",
         "DATA on a half-closed stream",
         whole_request() + frame(FrameClient::kData, kEndStream, 1, "x"),
         {kStreamClosed}},
        {"5.1",
         "HEADERS on a half-closed stream",
         whole_request() + frame(FrameClient::kHeaders, kWhole, 1, ping_head()),
         {kStreamClosed}},
    });
    expect_borne({
        {"5.1",
         "WINDOW_UPDATE on a half-closed stream",
         whole_request() + frame(FrameClient::kWindow, 0, 1, number(1)),
         {}},
        {"5.1",
         "PRIORITY on a half-closed stream",
         whole_request() + frame(FrameClient::kPriority, 0, 1, number(3, 5)),
         {}},
        {"5.1",
         "RST_STREAM on a half-closed stream",
         whole_request() + frame(FrameClient::kReset, 0, 1, number(kCancel)),
         {}},
        {"5.1", "PRIORITY on an idle stream", frame(FrameClient::kPriority, 0, 7, number(3, 5)), {}},
    });
  });
}

// Frames that were on their way when the stream was closed are no faults (section 5.1, "closed").
TEST(Http2Conformance, FramesOnClosedStreams) {
  run([] {
    ConformanceServer server;
    for (const bool reset : {false, true}) {
      FrameClient client(server.address());
      client.send_raw(reset ? open_request() + frame(FrameClient::kReset, 0, 1, number(kCancel))
                            : whole_request());
      EXPECT_EQ(reset ? "pong" : client.wait(1).body, "pong");
      client.send(FrameClient::kWindow, 0, 1, number(1));
      client.send(FrameClient::kPriority, 0, 1, number(3, 5));
      client.send(FrameClient::kReset, 0, 1, number(kCancel));
      client.send(FrameClient::kHeaders, kWhole, 3, ping_head());
      EXPECT_EQ(client.wait(3).body, "pong");
      EXPECT_TRUE(client.goaways.empty());
      EXPECT_FALSE(client.answer(1).reset);  // section 5.4.2: none in response to one
      // HEADERS and DATA are faults. nghttp2 1.52 keeps no closed streams, and ignores what comes for them.
      client.send(FrameClient::kHeaders, kWhole, 1, ping_head());
      client.send(FrameClient::kData, kEndStream, 1, "x");
      client.send(FrameClient::kHeaders, kWhole, 5, ping_head());
      EXPECT_EQ(client.wait(5).body, "pong");
      EXPECT_TRUE(client.goaways.empty());
    }
    EXPECT_EQ(server.server().requests(), 6U);  // nothing became a request on stream 1 again
  });
}

// Section 5.1.1: a number below the last one is a connection error. nghttp2 1.52 takes it for a stream that was closed, and
// ignores its frames: no handler runs, nothing is answered, and the connection goes on.
TEST(Http2Conformance, StreamNumbersThatGoBack) {
  run([] {
    ConformanceServer server;
    FrameClient client(server.address());
    client.send(FrameClient::kHeaders, kWhole, 5, ping_head());
    EXPECT_EQ(client.wait(5).body, "pong");
    client.send(FrameClient::kHeaders, kWhole, 3, ping_head());
    client.send(FrameClient::kHeaders, kWhole, 7, ping_head());
    EXPECT_EQ(client.wait(7).body, "pong");
    EXPECT_EQ(client.answer(3).status, 0);
    EXPECT_TRUE(client.goaways.empty());
    EXPECT_EQ(server.server().requests(), 2U);
  });
}

TEST(Http2Conformance, Padding) {
  run([] {
    expect_connection_errors({
        {"6.1",
         "DATA: padding as long as the frame",
         open_request() + frame(FrameClient::kData, kPadded, 1,
                                "\x06"
                                "abcde"),
         {kProtocolError}},
        {"6.2",
         "HEADERS: padding longer than the frame",
         frame(FrameClient::kHeaders, kWhole | kPadded, 1, "\xff" + ping_head()),
         {kProtocolError}},
    });
    ConformanceServer server;
    FrameClient client(server.address());
    client.send(FrameClient::kHeaders, kEndHeaders | kPadded, 1,
                "\x02" + FrameClient::block(post("/echo")) + std::string(2, '\0'));
    client.send(FrameClient::kData, kPadded, 1, std::string("\x03", 1) + "ab" + std::string(3, '\0'));
    client.send(FrameClient::kData, kPadded | kEndStream, 1,
                std::string("\x01", 1) + "c" + std::string(1, '\0'));
    EXPECT_EQ(client.wait(1).body, "abc");
    // Padding counts in the windows (section 6.9.1), so it has to be given back like data: 2 MB of it pass.
    const uint32_t id = 3;
    client.send(FrameClient::kHeaders, kEndHeaders, id, FrameClient::block(post("/echo")));
    int64_t room = 65'535;
    const std::string padded =
        frame(FrameClient::kData, kPadded, id, std::string("\xff", 1) + "x" + std::string(255, '\0'));
    std::size_t seen = client.frames.size();
    for (int i = 0; i < 8000 && !client.over(); ++i) {
      while (room < 257 && client.receive()) {
        for (; seen < client.frames.size(); ++seen) {
          const Frame& got = client.frames[seen];
          if (got.type != FrameClient::kWindow || got.stream != id) continue;
          room += static_cast<int64_t>(static_cast<unsigned char>(got.payload[0])) << 24 |
                  static_cast<unsigned char>(got.payload[1]) << 16 |
                  static_cast<unsigned char>(got.payload[2]) << 8 |
                  static_cast<unsigned char>(got.payload[3]);
        }
      }
      client.send_raw(padded);
      room -= 257;
    }
    client.send(FrameClient::kData, kEndStream, id, {});
    EXPECT_EQ(client.wait(id).body, std::string(8000, 'x'));
  });
}

// Sections 5.3.2 and 6.3: priorities mean nothing any more, whatever they say. RFC 7540 called a stream that depends on itself
// a stream error; RFC 9113 does not, nghttp2 does, for HEADERS as for PRIORITY, by ending the connection.
TEST(Http2Conformance, Priorities) {
  run([] {
    ConformanceServer server;
    FrameClient client(server.address());
    client.send(FrameClient::kHeaders, kWhole | kPriorityFlag, 1, number(0x80000003) + "\xff" + ping_head());
    EXPECT_EQ(client.wait(1).body, "pong");
    client.send(FrameClient::kPriority, 0, 9, number(0x80000001) + "\x07");
    EXPECT_EQ((client.send(FrameClient::kHeaders, kWhole, 11, ping_head()), client.wait(11).body), "pong");
    for (const std::string& self :
         {frame(FrameClient::kPriority, 0, 13, number(13) + "\x07"),
          frame(FrameClient::kHeaders, kWhole | kPriorityFlag, 13, number(13) + "\x07" + ping_head())}) {
      FrameClient odd(server.address());
      odd.send_raw(self + frame(FrameClient::kHeaders, kWhole, 15, ping_head()));
      EXPECT_TRUE(odd.wait_for_end());
      ASSERT_FALSE(odd.goaways.empty());
      EXPECT_EQ(odd.goaways.back().second, kProtocolError);
    }
  });
}

TEST(Http2Conformance, ValuesOfSettings) {
  run([] {
    expect_connection_errors({
        {"6.5.2", "ENABLE_PUSH of 2", settings(setting(2, 2)), {kProtocolError}},
        {"6.5.2", "INITIAL_WINDOW_SIZE of 2^31", settings(setting(4, 0x80000000)), {kFlowControlError}},
        {"6.5.2", "MAX_FRAME_SIZE of 16,383", settings(setting(5, 16'383)), {kProtocolError}},
        {"6.5.2", "MAX_FRAME_SIZE of 2^24", settings(setting(5, 1 << 24)), {kProtocolError}},
    });
    // Section 6.9.2 wants the end of the connection here; nghttp2 ends the stream whose window it is.
    expect_stream_errors({
        {"6.9.2",
         "a stream's window grows beyond 2^31-1 by INITIAL_WINDOW_SIZE",
         open_request() + frame(FrameClient::kWindow, 0, 1, number(0x7fffffff - 65'535)) +
             settings(setting(4, 0x7fffffff)),
         {kFlowControlError}},
    });
    expect_borne({
        {"6.5.2", "unknown settings", settings(setting(0x1234, 7) + setting(0xffff, 0xffffffff)), {}},
        {"6.5", "none", settings({}), {}},
        {"6.5.2", "no HEADER_TABLE", settings(setting(1, 0)), {}},
        {"6.5.2", "a large HEADER_TABLE", settings(setting(1, 0xffffffff)), {}},
        {"6.5.2", "MAX_FRAME_SIZE of 2^24-1", settings(setting(5, (1 << 24) - 1)), {}},
        {"6.5.2", "MAX_CONCURRENT_STREAMS of 0, for pushes", settings(setting(3, 0)), {}},
        {"6.5.2", "MAX_HEADER_LIST_SIZE of 0, an advice", settings(setting(6, 0)), {}},
        {"6.5", "the last of several counts", settings(setting(4, 1) + setting(4, 65'535)), {}},
    });
  });
}

TEST(Http2Conformance, AcknowledgesSettingsAndPings) {
  run([] {
    ConformanceServer server;
    FrameClient client(server.address());
    client.send_raw(settings(setting(4, 100)) + settings(setting(5, 20'000)));
    client.send(FrameClient::kPing, 0, 0, "\x01\xff 34567");
    client.send(FrameClient::kPing, FrameClient::kAck, 0, "nobody's");
    EXPECT_EQ(client.call(get("/ping")).body, "pong");
    ASSERT_FALSE(client.frames.empty());
    EXPECT_EQ(client.frames[0].type, FrameClient::kSettings);  // section 3.4: the first frame
    EXPECT_EQ(client.frames[0].flags, 0);
    int settings_acks = 0;
    std::vector<std::string> pings;
    for (const Frame& got : client.frames) {
      if (got.type == FrameClient::kSettings && got.flags == FrameClient::kAck) {
        ++settings_acks;
        EXPECT_EQ(got.payload, "");
      }
      if (got.type == FrameClient::kPing) {
        EXPECT_EQ(got.flags, FrameClient::kAck);  // section 6.7: a PING that is one already gets none
        pings.push_back(got.payload);
      }
    }
    EXPECT_EQ(settings_acks, 3);  // of the preface too
    EXPECT_EQ(pings, std::vector<std::string>{"\x01\xff 34567"});
  });
}

TEST(Http2Conformance, Preface) {
  run([] {
    ConformanceServer server;
    const auto end_of = [&](std::string_view bytes) {
      net::TcpStream stream = net::TcpStream::connect(server.address());
      stream.write({bytes.data(), bytes.size()});
      std::string all;
      std::array<char, 1024> into;
      while (true) {
        const net::IoResult got = stream.read(into, now() + 10s);
        if (got.bytes == 0) return got.error == ETIMEDOUT ? std::string("open") : all;
        all.append(into.data(), got.bytes);
      }
    };
    const std::string preface(FrameClient::kPreface);
    for (const std::string& wrong : {preface + frame(FrameClient::kPing, 0, 0, "12345678"),
                                     preface + frame(FrameClient::kHeaders, kWhole, 1, ping_head()),
                                     preface + frame(FrameClient::kSettings, FrameClient::kAck, 0, {}),
                                     preface + "GET / HTTP/1.1\r\nHost: a\r\n\r\n"}) {
      const std::string answer = end_of(wrong);
      ASSERT_NE(answer, "open");
      EXPECT_EQ(answer.find("pong"), std::string::npos);
      EXPECT_TRUE(answer.empty() ||
                  answer[3] == FrameClient::kSettings);  // the server's preface comes first all the same
    }
    // Not HTTP/2 at all: the parser of HTTP/1.1 refuses it.
    EXPECT_TRUE(end_of("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n").starts_with("HTTP/1.1 "));
    EXPECT_TRUE(end_of("PRI * HTTP/1.1\r\nHost: a\r\n\r\n").starts_with("HTTP/1.1 "));
  });
}

TEST(Http2Conformance, HeadsThatAreCut) {
  run([] {
    const std::string head = ping_head();
    const std::string begun = frame(FrameClient::kHeaders, kEndStream, 1, head.substr(0, 10));
    expect_connection_errors({
        {"6.10", "PING within a head", begun + frame(FrameClient::kPing, 0, 0, "12345678"), {kProtocolError}},
        {"6.10",
         "CONTINUATION of another stream",
         begun + frame(FrameClient::kContinuation, kEndHeaders, 3, head),
         {kProtocolError}},
        {"6.10",
         "HEADERS within a head",
         begun + frame(FrameClient::kHeaders, kWhole, 3, head),
         {kProtocolError}},
        {"5.5", "unknown frame within a head", begun + frame(0x42, 0, 1, "x"), {kProtocolError}},
        {"6.10",
         "CONTINUATION behind DATA",
         open_request() + frame(FrameClient::kData, 0, 1, "x") +
             frame(FrameClient::kContinuation, kEndHeaders, 1, head),
         {kProtocolError}},
    });
    ConformanceServer server;
    FrameClient client(server.address());
    std::string pieces = frame(FrameClient::kHeaders, kEndStream, 1, {});
    for (std::size_t i = 0; i < 5; ++i)
      pieces += frame(FrameClient::kContinuation, 0, 1, head.substr(i * 4, 4));
    client.send_raw(pieces + frame(FrameClient::kContinuation, kEndHeaders, 1, head.substr(20)));
    EXPECT_EQ(client.wait(1).body, "pong");
  });
}

TEST(Http2Conformance, UnknownFramesAndFlags) {
  run([] {
    expect_borne({
        {"5.5", "unknown frame on the connection", frame(0x0a, 0xff, 0, "x"), {}},
        {"5.5", "unknown frame on an idle stream", frame(0xff, 0, 9, std::string(16'384, 'x')), {}},
        {"5.5", "unknown frame on a stream", whole_request() + frame(0x77, 0xff, 1, {}), {}},
        {"4.1", "flags that a frame does not have", frame(FrameClient::kPing, 0xfe, 0, "12345678"), {}},
        {"4.1", "flags of SETTINGS", frame(FrameClient::kSettings, 0xfe, 0, {}), {}},
        {"4.1", "flags of HEADERS", frame(FrameClient::kHeaders, kWhole | 0xd2, 1, ping_head()), {}},
        {"4.1", "the reserved bit", frame(FrameClient::kPing, 0, 0x80000000, "12345678"), {}},
        {"6.9",
         "the reserved bit of WINDOW_UPDATE",
         frame(FrameClient::kWindow, 0, 0, number(0x80000001)),
         {}},
    });
  });
}

// --- Windows

TEST(Http2Conformance, WindowsThatAreBroken) {
  run([] {
    expect_connection_errors({
        {"6.9",
         "a stream's window grows by nothing: section 5.4.1 lets the connection end for it",
         open_request() + frame(FrameClient::kWindow, 0, 1, number(0)),
         {kProtocolError}},
        {"6.9",
         "the connection's window grows by nothing",
         frame(FrameClient::kWindow, 0, 0, number(0)),
         {kProtocolError}},
        {"6.9.1",
         "the connection's window beyond 2^31-1",
         frame(FrameClient::kWindow, 0, 0, number(0x7fffffff)),
         {kFlowControlError}},
    });
    expect_stream_errors({
        {"6.9.1",
         "a stream's window beyond 2^31-1",
         open_request() + frame(FrameClient::kWindow, 0, 1, number(0x7fffffff)),
         {kFlowControlError}},
    });
    // A client that sends more than it has room for.
    ConformanceServer server;
    FrameClient client(server.address());
    client.send_raw(open_request());
    const std::string piece = frame(FrameClient::kData, 0, 1, std::string(16'384, 'x'));
    std::string flood;
    for (int i = 0; i < 100; ++i) flood += piece;
    client.send_raw(flood);
    const bool reset = client.wait(1).reset == kFlowControlError;
    EXPECT_TRUE(reset || (!client.goaways.empty() && client.goaways.back().second == kFlowControlError));
  });
}

TEST(Http2Conformance, SendsNoMoreThanTheWindowsTake) {
  run([] {
    ConformanceServer server;
    FrameClient client(server.address());
    client.give_room = false;
    const auto sent = [&](std::size_t wanted) {
      while (client.answer(1).body.size() < wanted && client.receive()) {
      }
      client.send(FrameClient::kPing, 0, 0, "is there");
      while (client.receive() && client.frames.back().type != FrameClient::kPing) {
      }
      return client.answer(1).body.size();
    };
    // Section 6.9.2: 100 bytes for a stream, from before it.
    client.send_raw(settings(setting(4, 100)));
    client.send(FrameClient::kHeaders, kWhole, 1, FrameClient::block(get("/large")));
    EXPECT_EQ(sent(100), 100U);
    // The window of a stream that is open moves with the setting, below nothing too: then it has to come back up.
    client.send_raw(settings(setting(4, 150)));
    EXPECT_EQ(sent(150), 150U);
    client.send_raw(settings(setting(4, 10)));
    client.send(FrameClient::kWindow, 0, 1, number(140));
    EXPECT_EQ(sent(150), 150U);
    client.send(FrameClient::kWindow, 0, 1, number(7));
    EXPECT_EQ(sent(157), 157U);
    // No setting moves the window of the connection.
    client.send_raw(settings(setting(4, 0x7fffffff - 1000)));
    EXPECT_EQ(sent(65'535), 65'535U);
    client.send(FrameClient::kWindow, 0, 0, number(1'000'000));
    EXPECT_EQ(client.wait(1).body.size(), 200'000U);
    // What has no body needs no room.
    client.send_raw(settings(setting(4, 0)));
    client.send(FrameClient::kHeaders, kWhole, 3, FrameClient::block(FrameClient::request("HEAD", "/ping")));
    EXPECT_EQ(client.wait(3).status, 200);
    client.send(FrameClient::kHeaders, kWhole, 5, ping_head());
    while (client.answer(5).status == 0 && client.receive()) {
    }
    EXPECT_EQ(client.answer(5).body, "");
    client.send(FrameClient::kWindow, 0, 5, number(4));
    EXPECT_EQ(client.wait(5).body, "pong");
  });
}

// --- The ends of connections

// Section 6.8: a client that says goodbye is answered what it has asked before, and may go on with it.
TEST(Http2Conformance, AnswersAfterTheClientsGoaway) {
  run([] {
    ConformanceServer server;
    FrameClient client(server.address());
    client.send_raw(open_request());
    client.send(FrameClient::kGoaway, 0, 0, number(0) + number(kNoError) + "debug data");
    client.send(FrameClient::kData, kEndStream, 1, "body");
    EXPECT_EQ(client.wait(1).body, "body");
  });
}

TEST(Http2Conformance, GoawayNamesTheLastStream) {
  run([] {
    ConformanceServer server;
    FrameClient client(server.address());
    EXPECT_EQ(client.call(get("/ping")).body, "pong");
    EXPECT_EQ(client.call(get("/ping")).body, "pong");
    client.send(FrameClient::kPing, 0, 1, "12345678");
    EXPECT_TRUE(client.wait_for_end());
    ASSERT_FALSE(client.goaways.empty());
    EXPECT_EQ(client.goaways.back(), (std::pair<uint32_t, uint32_t>(3, kProtocolError)));
  });
}

}  // namespace
}  // namespace degu::http
