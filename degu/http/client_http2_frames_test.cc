// The client's HTTP/2 with servers that say what they should not, leave, or fall silent.
#include <degu/base/testing/code_of.h>
#include <degu/context/cancel_scope.h>
#include <degu/http/client.h>
#include <degu/http/testing/frame_server.h>
#include <degu/http/testing/raw_server.h>
#include <degu/http/testing/run_until_quiet.h>
#include <degu/rt/run.h>
#include <degu/sync/chan.h>
#include <degu/sync/wait_group.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace degu::http {
namespace {

using namespace std::chrono_literals;
using degu::testing::code_of;
using degu::testing::Fields;
using degu::testing::Frame;
using degu::testing::FrameClient;
using degu::testing::FrameServer;
using degu::testing::RawServer;
using degu::testing::run_until_quiet;
using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::Eq;
using ::testing::HasSubstr;
using ::testing::Pair;

constexpr uint32_t kNoError = 0;
constexpr uint32_t kProtocolError = 1;
constexpr uint32_t kInternalError = 2;
constexpr uint32_t kRefusedStream = 7;
constexpr uint32_t kCancel = 8;
constexpr uint32_t kEnhanceYourCalm = 11;
constexpr uint32_t kLastOfAll = 0x7fffffff;
constexpr uint16_t kMaxConcurrent = 3;

ClientOptions plain_http2() {
  ClientOptions options;
  options.version = HttpVersion::kHttp2;
  return options;
}

// What a client makes of a server that talks so on every connection.
struct Outcome {
  Code code = Code::kOk;
  std::string message;
  std::optional<uint32_t> goodbye;  // of the last connection
  int connections = 0;
};

Outcome outcome_of(const std::function<void(FrameServer&)>& talk, const Request& asked = {},
                   const ClientOptions& options = plain_http2()) {
  Outcome outcome;
  {
    RawServer server([&](net::TcpStream& stream, int) {
      FrameServer at(stream);
      talk(at);
      at.wait_for_end();
      outcome.goodbye = at.goodbye();
    });
    Client client(options);
    Request request = asked;
    request.url = server.url();
    try {
      client.request(request);
    } catch (const Error& error) {
      outcome.code = error.code();
      outcome.message = error.message();
    }
    outcome.connections = server.connections();
  }
  return outcome;
}

// --- Leaving, refusing

TEST(ClientHttp2Frames, WhatAGoawayLeavesOutIsAskedElsewhere) {
  run_until_quiet([] {
    auto first_asked = make_chan<bool>(1);
    RawServer server([&](net::TcpStream& stream, int nth) {
      FrameServer at(stream);
      if (nth > 0) {
        at.answer(at.next_request(), "second");
        return at.wait_for_end();
      }
      const uint32_t first = at.next_request();
      first_asked.send(true);
      EXPECT_GT(at.next_request(), first);
      at.goaway(first, kNoError);
      at.answer(first, "first");
      at.wait_for_end();  // the client leaves by itself
    });
    Client client(plain_http2());
    WaitGroup asking;
    asking.go([&] { EXPECT_EQ(client.get(server.url()).body, "first"); });
    first_asked.recv();
    EXPECT_EQ(client.post(server.url(), "text/plain", "whatever its method").body, "second");
    asking.wait();
    EXPECT_EQ(server.connections(), 2);
  });
}

TEST(ClientHttp2Frames, AWarnedClientFinishesAndOpensNothingMore) {
  run_until_quiet([] {
    auto gone = make_chan<bool>(1);
    RawServer server([&](net::TcpStream& stream, int nth) {
      FrameServer at(stream);
      const uint32_t id = at.next_request();
      if (nth == 0) at.goaway(kLastOfAll, kNoError);
      at.send_head(id, {{":status", "200"}});
      at.send(FrameClient::kData, 0, id, "half,");
      at.send(FrameClient::kPing, 0, 0, "12345678");
      EXPECT_TRUE(at.wait_for(FrameClient::kPing).has_value());
      at.send(FrameClient::kData, FrameClient::kEndStream, id, "whole");
      at.wait_for_end();
      EXPECT_EQ(at.next_request(), 0U);
      if (nth == 0) gone.send(true);
    });
    Client client(plain_http2());
    EXPECT_EQ(client.get(server.url()).body, "half,whole");
    gone.recv();  // without another request, or the end of the client
    EXPECT_EQ(client.get(server.url()).body, "half,whole");
    EXPECT_EQ(server.connections(), 2);
  });
}

TEST(ClientHttp2Frames, ARefusedStreamIsRepeatedWhateverItsMethod) {
  run_until_quiet([] {
    std::atomic<int> asked{0};
    RawServer server([&](net::TcpStream& stream, int) {
      FrameServer at(stream);
      while (const uint32_t id = at.next_request()) {
        if (++asked < 4) {
          at.reset(id, kRefusedStream);
        } else {
          at.answer(id, "done");
        }
      }
    });
    Client client(plain_http2());
    EXPECT_EQ(client.post(server.url(), "text/plain", "x").body, "done");
    EXPECT_EQ(asked, 4);
    EXPECT_EQ(server.connections(), 1);
    asked = -100;
    EXPECT_EQ(code_of([&] { client.get(server.url()); }), Code::kUnavailable);
    EXPECT_EQ(asked, -96);
    asked = 0;
    int begun = 0;
    EXPECT_EQ(code_of([&] {
                client.request({"POST", server.url()}, [&](RequestBody& body) {
                  ++begun;
                  for (;;) body.write(std::string(1000, 'x'));
                });
              }),
              Code::kUnavailable);
    EXPECT_EQ(begun, 1);
    EXPECT_EQ(asked, 1);
  });
}

TEST(ClientHttp2Frames, AResetIsRepeatedAsABrokenConnection) {
  run_until_quiet([] {
    std::atomic<int> asked{0};
    RawServer server([&](net::TcpStream& stream, int) {
      FrameServer at(stream);
      while (const uint32_t id = at.next_request()) {
        if (++asked == 1) {
          at.reset(id, kInternalError);
        } else {
          at.answer(id, "done");
        }
      }
    });
    ClientOptions options = plain_http2();
    options.retry.max_attempts = 2;
    options.retry.initial_backoff = 1ns;
    Client client(options);
    EXPECT_EQ(client.get(server.url()).body, "done");
    asked = 0;
    EXPECT_EQ(code_of([&] { client.post(server.url(), "text/plain", "x"); }), Code::kUnavailable);
    EXPECT_EQ(asked, 1);
  });
}

TEST(ClientHttp2Frames, AConnectionThatBreaksIsReplaced) {
  run_until_quiet([] {
    std::atomic<int> asked{0};
    RawServer server([&](net::TcpStream& stream, int) {
      FrameServer at(stream);
      at.answer(at.next_request(), "once");
      if (at.next_request() != 0) ++asked;
    });
    Client client(plain_http2());
    EXPECT_EQ(client.get(server.url()).body, "once");
    EXPECT_EQ(client.get(server.url()).body, "once");  // on the second one
    EXPECT_EQ(server.connections(), 2);
    EXPECT_EQ(code_of([&] { client.post(server.url(), "text/plain", "x"); }), Code::kUnavailable);
    EXPECT_EQ(server.connections(), 2);
    EXPECT_EQ(asked, 2);
  });
}

TEST(ClientHttp2Frames, OneThatBreaksWithinAnAnswerIsAFault) {
  run_until_quiet([] {
    const Outcome outcome = outcome_of([](FrameServer& at) {
      const uint32_t id = at.next_request();
      at.send_head(id, {{":status", "200"}});
      at.send(FrameClient::kData, 0, id, "half");
      at.reset(id, kNoError);
    });
    EXPECT_EQ(outcome.code, Code::kUnavailable);
    EXPECT_EQ(outcome.message, "the server has reset the stream: NO_ERROR");
    EXPECT_EQ(outcome.connections, 1);
  });
}

// --- Sharing connections

TEST(ClientHttp2Frames, TheFirstConnectionIsWaitedFor) {
  run_until_quiet([] {
    RawServer server([](net::TcpStream& stream, int) {
      FrameServer at(stream);
      while (const uint32_t id = at.next_request()) at.answer(id, "x");
    });
    Client client(plain_http2());
    WaitGroup asking;
    for (int i = 0; i < 50; ++i) asking.go([&] { EXPECT_EQ(client.get(server.url()).body, "x"); });
    asking.wait();
    EXPECT_EQ(server.connections(), 1);
  });
}

TEST(ClientHttp2Frames, WhenItFailsEverybodyTriesForHimself) {
  run_until_quiet([] {
    std::string address;
    {
      net::TcpListener listener = net::TcpListener::listen("127.0.0.1:0");
      address = listener.address();
    }
    Client client(plain_http2());
    WaitGroup asking;
    for (int i = 0; i < 20; ++i) {
      asking.go(
          [&] { EXPECT_EQ(code_of([&] { client.get("http://" + address + "/"); }), Code::kUnavailable); });
    }
    asking.wait();
  });
}

TEST(ClientHttp2Frames, TheServerSaysHowManyStreamsThereMayBe) {
  run_until_quiet([] {
    for (const std::size_t most : {std::size_t{1}, std::size_t{3}}) {
      auto asked = make_chan<bool>(10);
      auto go_on = make_chan<bool>();
      RawServer server([&](net::TcpStream& stream, int) {
        FrameServer at(stream, FrameServer::setting(kMaxConcurrent, 1));
        while (const uint32_t id = at.next_request()) {
          at.send(FrameClient::kPing, 0, 0, "settings");
          at.wait_for(FrameClient::kPing);  // the client has read them
          asked.send(true);
          go_on.recv();
          at.answer(id, "x");
        }
      });
      ClientOptions options = plain_http2();
      options.max_connections_per_host = most;
      Client client(options);
      WaitGroup asking;
      std::atomic<int> right{0};
      const auto ask = [&] {
        if (client.get(server.url()).body == "x") ++right;
      };
      for (std::size_t i = 0; i < most; ++i) {
        asking.go(ask);
        asked.recv();
      }
      for (int i = 0; i < 5; ++i) asking.go(ask);
      EXPECT_EQ(right, 0);
      go_on.close();
      asking.wait();
      EXPECT_EQ(right, static_cast<int>(most) + 5);
      EXPECT_EQ(server.connections(), static_cast<int>(most));
    }
  });
}

TEST(ClientHttp2Frames, NoMoreAreOpenThanTheServerAllows) {
  run_until_quiet([] {
    std::atomic<std::size_t> most{0};
    RawServer server([&](net::TcpStream& stream, int) {
      FrameServer at(stream, FrameServer::setting(kMaxConcurrent, 2));
      std::vector<uint32_t> open;
      while (const auto got = at.receive()) {
        if (got->type == FrameClient::kHeaders) {
          open.push_back(got->stream);
          most = std::max(most.load(), open.size());
          at.send(FrameClient::kPing, 0, 0, "12345678");
        } else if (got->type == FrameClient::kPing) {  // whatever it sent before has come
          for (const uint32_t id : open) at.answer(id, "x");
          open.clear();
        }
      }
    });
    ClientOptions options = plain_http2();
    options.max_connections_per_host = 3;
    Client client(options);
    WaitGroup asking;
    std::atomic<int> right{0};
    for (int i = 0; i < 100; ++i) {
      asking.go([&] {
        if (client.get(server.url()).body == "x") ++right;
      });
    }
    asking.wait();
    EXPECT_EQ(right, 100);
    EXPECT_LE(most, 2U);
    EXPECT_LE(server.connections(), 3);
  });
}

TEST(ClientHttp2Frames, AConnectionThatAllowsNoneIsReplacedWhenItEnds) {
  run_until_quiet([] {
    RawServer server([](net::TcpStream& stream, int nth) {
      FrameServer at(stream, nth == 0 ? FrameServer::setting(kMaxConcurrent, 0) : std::string());
      at.send(FrameClient::kPing, 0, 0, "12345678");
      if (nth == 0) {
        at.wait_for(FrameClient::kPing);
        at.goaway(0, kNoError);  // what came before it knew has to be asked elsewhere
        return at.wait_for_end();
      }
      while (const uint32_t id = at.next_request()) at.answer(id, "x");
    });
    ClientOptions options = plain_http2();
    options.max_connections_per_host = 1;
    Client client(options);
    WaitGroup asking;
    std::atomic<int> right{0};
    for (int i = 0; i < 10; ++i) {
      asking.go([&] {
        if (client.get(server.url()).body == "x") ++right;
      });
    }
    asking.wait();
    EXPECT_EQ(right, 10);
    EXPECT_EQ(server.connections(), 2);
  });
}

TEST(ClientHttp2Frames, WhoWaitsForAStreamHasADeadline) {
  run_until_quiet([] {
    RawServer server([](net::TcpStream& stream, int) {
      FrameServer at(stream, FrameServer::setting(kMaxConcurrent, 1));
      at.answer(at.next_request(), "x");
      at.wait_for_end();
    });
    ClientOptions options = plain_http2();
    options.max_connections_per_host = 1;
    options.default_timeout = 20ms;
    Client client(options);
    EXPECT_EQ(client.get(server.url()).body, "x");
    WaitGroup asking;
    for (int i = 0; i < 3; ++i) {
      asking.go([&] { EXPECT_EQ(code_of([&] { client.get(server.url()); }), Code::kDeadlineExceeded); });
    }
    asking.wait();
  });
}

// --- Streams

TEST(ClientHttp2Frames, SaysWhatARequestIs) {
  run_until_quiet([] {
    Fields fields;
    RawServer server([&](net::TcpStream& stream, int) {
      FrameServer at(stream);
      const uint32_t id = at.next_request();
      fields = at.request;
      at.answer(id, "x");
      at.wait_for_end();
    });
    ClientOptions options = plain_http2();
    options.decode_content = false;
    Client client(options);
    client.request(
        {"PUT",
         server.url("/a?b=c"),
         {{"X-Mixed-Case", "1"}, {"Upgrade", "h2c"}, {"TE", "trailers"}, {"Proxy-Connection", "x"}},
         "body"});
    EXPECT_THAT(fields,
                ElementsAre(Pair(":method", "PUT"), Pair(":scheme", "http"),
                            Pair(":authority", server.address()), Pair(":path", "/a?b=c"),
                            Pair("x-mixed-case", "1"), Pair("te", "trailers"), Pair("content-length", "4")));
  });
}

TEST(ClientHttp2Frames, AHeadThatIsTooLargeIsTheCallersFault) {
  run_until_quiet([] {
    RawServer server([](net::TcpStream& stream, int) {
      FrameServer at(stream);
      while (const uint32_t id = at.next_request()) at.answer(id, "x");
    });
    Client client(plain_http2());
    EXPECT_EQ(code_of([&] {
                client.request({"GET", server.url(), {{"X", std::string(70'000, 'x')}}});
              }),
              Code::kInvalidArgument);
    EXPECT_EQ(client.get(server.url()).body, "x");
    EXPECT_EQ(server.connections(), 1);
  });
}

TEST(ClientHttp2Frames, PassesOverInterimAnswers) {
  run_until_quiet([] {
    const auto talk = [](int interim) {
      return [interim](FrameServer& at) {
        const uint32_t id = at.next_request();
        for (int i = 0; i < interim; ++i) at.send_head(id, {{":status", "103"}, {"link", "</a>"}});
        at.answer(id, {{":status", "200"}}, "x");
      };
    };
    EXPECT_EQ(outcome_of(talk(15)).code, Code::kOk);
    const Outcome outcome = outcome_of(talk(16));
    EXPECT_EQ(outcome.code, Code::kInternal);
    EXPECT_EQ(outcome.message, "malformed response: too many interim answers");
  });
}

TEST(ClientHttp2Frames, WaitsForAWordBeforeItSends) {
  run_until_quiet([] {
    std::string body;
    RawServer server([&](net::TcpStream& stream, int) {
      FrameServer at(stream);
      const uint32_t id = at.next_request();
      EXPECT_EQ(at.field("expect"), "100-continue");
      at.send(FrameClient::kPing, 0, 0, "12345678");
      EXPECT_TRUE(at.wait_for(FrameClient::kPing).has_value());
      for (const Frame& frame : at.frames) EXPECT_NE(frame.type, FrameClient::kData);
      at.send_head(id, {{":status", "100"}});
      body = at.wait_for(FrameClient::kData)->payload;
      at.answer(id, "done");
      at.wait_for_end();
    });
    Client client(plain_http2());
    EXPECT_EQ(client.request({"POST", server.url(), {}, "asked for", true}).body, "done");
    EXPECT_EQ(body, "asked for");
  });
}

TEST(ClientHttp2Frames, AnUploadKeepsToTheWindowAndEndsByAnAnswer) {
  run_until_quiet([] {
    constexpr std::size_t kWindow = 65535;
    RawServer server([&](net::TcpStream& stream, int) {
      FrameServer at(stream);
      const uint32_t id = at.next_request();
      std::size_t total = 0;
      for (bool all = false; !all;) {
        std::size_t since = 0;
        while (since < kWindow && !all) {
          const auto piece = at.wait_for(FrameClient::kData);
          if (!piece) return;
          since += piece->payload.size();
          all = (piece->flags & FrameClient::kEndStream) != 0;
        }
        EXPECT_LE(since, kWindow);
        total += since;
        at.send(FrameClient::kWindow, 0, 0, FrameClient::number(since, 4));
        if (!all) at.send(FrameClient::kWindow, 0, id, FrameClient::number(since, 4));
      }
      at.answer(id, std::to_string(total));
      const uint32_t second = at.next_request();  // a whole answer, and no wish for more
      at.answer(second, {{":status", "200"}}, "enough");
      at.reset(second, kNoError);
      at.wait_for_end();
    });
    Client client(plain_http2());
    EXPECT_EQ(client.post(server.url(), "text/plain", std::string(500'000, 'x')).body, "500000");
    EXPECT_EQ(client.post(server.url(), "text/plain", std::string(500'000, 'y')).body, "enough");
    EXPECT_EQ(server.connections(), 1);
  });
}

TEST(ClientHttp2Frames, HoldsNoMoreThanAWindow) {
  run_until_quiet([] {
    constexpr std::size_t kWindow = 256 * 1024;
    auto filled = make_chan<bool>(1);
    std::atomic<std::size_t> given{0};
    RawServer server([&](net::TcpStream& stream, int) {
      FrameServer at(stream);
      const uint32_t id = at.next_request();
      at.send_head(id, {{":status", "200"}});
      for (std::size_t sent = 0; sent < kWindow; sent += 16384)
        at.send(FrameClient::kData, 0, id, std::string(16384, 'x'));
      at.send(FrameClient::kPing, 0, 0, "12345678");
      at.wait_for(FrameClient::kPing);
      for (const Frame& frame : at.frames) {
        if (frame.type == FrameClient::kWindow && frame.stream == id)
          given += FrameServer::code_in(frame.payload);
      }
      filled.send(true);
      const auto room = at.wait_for(FrameClient::kWindow);
      EXPECT_EQ(room->stream, id);
      EXPECT_EQ(FrameServer::code_in(room->payload), kWindow);
      at.send(FrameClient::kData, FrameClient::kEndStream, id, "end");
      at.wait_for_end();
    });
    Client client(plain_http2());
    OpenResponse open = client.open({"GET", server.url()});
    filled.recv();
    EXPECT_EQ(given, 0U);
    EXPECT_EQ(open.body.read_all(kWindow + 3).size(), kWindow + 3);
  });
}

TEST(ClientHttp2Frames, WhatIsNotWantedIsReset) {
  run_until_quiet([] {
    std::vector<uint32_t> codes;
    RawServer server([&](net::TcpStream& stream, int) {
      FrameServer at(stream);
      const uint32_t first = at.next_request();
      at.send_head(first, {{":status", "200"}});
      at.send(FrameClient::kData, 0, first, "unread");
      codes.push_back(FrameServer::code_in(at.wait_for(FrameClient::kReset)->payload));
      at.send(FrameClient::kData, 0, first, "late");
      at.next_request();  // no answer: the deadline
      codes.push_back(FrameServer::code_in(at.wait_for(FrameClient::kReset)->payload));
      at.answer(at.next_request(), "still here");
      at.wait_for_end();
    });
    Client client(plain_http2());
    client.open({"GET", server.url()}).body.close();
    {
      const CancelScope scope(20ms);
      EXPECT_EQ(code_of([&] { client.get(server.url()); }), Code::kDeadlineExceeded);
    }
    EXPECT_EQ(client.get(server.url()).body, "still here");
    EXPECT_THAT(codes, ElementsAre(kCancel, kCancel));
    EXPECT_EQ(server.connections(), 1);
  });
}

TEST(ClientHttp2Frames, TimeoutsOfTheParts) {
  run_until_quiet([] {
    ClientOptions options = plain_http2();
    options.head_timeout = 20ms;
    Outcome outcome = outcome_of([](FrameServer& at) { at.next_request(); }, {}, options);
    EXPECT_EQ(outcome.code, Code::kDeadlineExceeded);
    EXPECT_EQ(outcome.message, "the server has stalled");
    options = plain_http2();
    options.body_idle_timeout = 20ms;
    outcome = outcome_of(
        [](FrameServer& at) {
          const uint32_t id = at.next_request();
          at.send_head(id, {{":status", "200"}});
          at.send(FrameClient::kData, 0, id, "half");
        },
        {}, options);
    EXPECT_EQ(outcome.code, Code::kDeadlineExceeded);
    EXPECT_EQ(outcome.message, "the server has stalled");
    outcome = outcome_of([](FrameServer& at) { at.next_request(); },
                         {"POST", {}, {}, std::string(1'000'000, 'x')}, options);
    EXPECT_EQ(outcome.code, Code::kDeadlineExceeded);
    EXPECT_EQ(outcome.message, "the server did not take the request in time");
  });
}

// --- Whether the server lives

TEST(ClientHttp2Frames, ASilentServerIsGivenUp) {
  run_until_quiet([] {
    ClientOptions options = plain_http2();
    options.http2_ping_after = 20ms;
    const Outcome outcome = outcome_of(
        [](FrameServer& at) {
          at.answers = false;
          at.next_request();
        },
        {}, options);
    EXPECT_EQ(outcome.code, Code::kUnavailable);
    EXPECT_EQ(outcome.message, "the server has fallen silent");
  });
}

TEST(ClientHttp2Frames, ASlowOneThatAnswersIsNot) {
  run_until_quiet([] {
    ClientOptions options = plain_http2();
    options.http2_ping_after = 5ms;
    RawServer server([](net::TcpStream& stream, int) {
      FrameServer at(stream);
      const uint32_t id = at.next_request();
      for (int pings = 0; pings < 5; ++pings) EXPECT_TRUE(at.wait_for(FrameClient::kPing).has_value());
      at.answer(id, "late");
      at.wait_for_end();
    });
    Client client(options);
    EXPECT_EQ(client.get(server.url()).body, "late");
  });
}

// --- Hostile servers

TEST(ClientHttp2Hostile, MalformedAnswersAreFaultsOfTheirStreams) {
  const std::vector<Fields> heads{
      {{"content-type", "text/plain"}},                        // no status
      {{":status", "2x0"}},                                    // none
      {{":status", "200"}, {":status", "200"}},                // two
      {{":status", "101"}},                                    // not in HTTP/2
      {{"x", "y"}, {":status", "200"}},                        // late
      {{":status", "200"}, {":path", "/"}},                    // of requests
      {{":status", "200"}, {"Upper", "x"}},                    //
      {{":status", "200"}, {"bad name", "x"}},                 //
      {{":status", "200"}, {"x", "a\r\nb: c"}},                //
      {{":status", "200"}, {"connection", "close"}},           // of HTTP/1.1
      {{":status", "200"}, {"transfer-encoding", "chunked"}},  //
      {{":status", "200"}, {"content-length", "-1"}},          //
      {{":status", "200"}, {"content-length", "1"}, {"content-length", "1"}},
  };
  run_until_quiet([&] {
    for (const Fields& head : heads) {
      RawServer server([&](net::TcpStream& stream, int) {
        FrameServer at(stream);
        at.answer(at.next_request(), head);
        at.answer(at.next_request(), "sound");
        at.wait_for_end();
      });
      Client client(plain_http2());
      EXPECT_EQ(code_of([&] { client.get(server.url()); }), Code::kInternal) << head.back().first;
      EXPECT_EQ(client.get(server.url()).body, "sound") << head.back().first;
      EXPECT_EQ(server.connections(), 1);
    }
  });
}

TEST(ClientHttp2Hostile, TheLengthHasToBeRight) {
  run_until_quiet([] {
    for (const std::string_view body : {"1", "123"}) {
      const Outcome outcome = outcome_of([&](FrameServer& at) {
        at.answer(at.next_request(), {{":status", "200"}, {"content-length", "2"}}, body);
      });
      EXPECT_EQ(outcome.code, Code::kInternal) << body;
    }
    for (const std::string_view status : {"204", "304"}) {
      const auto bodied = [&](FrameServer& at) {
        const uint32_t id = at.next_request();
        at.send_head(id, {{":status", std::string(status)}});
        at.send(FrameClient::kData, FrameClient::kEndStream, id, "body");
      };
      EXPECT_THAT(outcome_of(bodied).code, AnyOf(Code::kOk, Code::kInternal));
    }
    const Outcome head = outcome_of(
        [](FrameServer& at) {
          at.answer(at.next_request(), {{":status", "200"}, {"content-length", "1000"}});
        },
        {"HEAD", {}});
    EXPECT_EQ(head.code, Code::kOk);
  });
}

TEST(ClientHttp2Hostile, FieldsHaveALimit) {
  run_until_quiet([] {
    RawServer server([](net::TcpStream& stream, int) {
      FrameServer at(stream);
      Fields large{{":status", "200"}};
      for (int i = 0; i < 10; ++i) large.emplace_back("x-large", std::string(1000, 'x'));
      at.answer(at.next_request(), large);
      const uint32_t id = at.next_request();
      at.send_head(id, {{":status", "200"}});
      large.erase(large.begin());
      at.send_head(id, large, true);  // trailers
      at.answer(at.next_request(), "sound");
      at.wait_for_end();
    });
    ClientOptions options = plain_http2();
    options.max_header_bytes = 8 * 1024;
    Client client(options);
    EXPECT_EQ(code_of([&] { client.get(server.url()); }), Code::kResourceExhausted);
    EXPECT_EQ(code_of([&] { client.get(server.url()); }), Code::kResourceExhausted);
    EXPECT_EQ(client.get(server.url()).body, "sound");
    EXPECT_EQ(server.connections(), 1);
  });
}

TEST(ClientHttp2Hostile, BrokenFramesEndTheConnection) {
  const std::string push = FrameClient::number(2, 4) + FrameClient::block(FrameClient::request("GET", "/"));
  const std::string head = FrameClient::block({{":status", "200"}});
  const std::vector<std::pair<std::string, std::string>> cases{
      {"push", FrameClient::frame(FrameClient::kPush, FrameClient::kEndHeaders, 1, push)},
      {"data on stream 0", FrameClient::frame(FrameClient::kData, 0, 0, "x")},
      {"data on a stream that is none", FrameClient::frame(FrameClient::kData, 0, 99, "x")},
      {"head on a stream that is none", FrameClient::frame(FrameClient::kHeaders, 4, 98, head)},
      {"bad compression", FrameClient::frame(FrameClient::kHeaders, 4, 1, "\xff\xff\xff\xff\xff\xff")},
      {"a head within a head", FrameClient::frame(FrameClient::kHeaders, 0, 1, head) +
                                   FrameClient::frame(FrameClient::kData, 0, 1, "x")},
      {"continuation of nothing", FrameClient::frame(FrameClient::kContinuation, 4, 1, head)},
      {"a ping of 7", FrameClient::frame(FrameClient::kPing, 0, 0, "1234567")},
      {"settings of 5", FrameClient::frame(FrameClient::kSettings, 0, 0, "12345")},
      {"a window of 0 for all", FrameClient::frame(FrameClient::kWindow, 0, 0, FrameClient::number(0, 4))},
      {"a window too far",
       FrameClient::frame(FrameClient::kWindow, 0, 0, FrameClient::number(kLastOfAll, 4))},
      {"a frame too long", FrameClient::frame(FrameClient::kData, 0, 1, std::string(20'000, 'x'))},
      {"padding beyond the frame", FrameClient::frame(FrameClient::kData, FrameClient::kPadded, 1, "\x20x")},
      {"push allowed", FrameClient::frame(FrameClient::kSettings, 0, 0, FrameServer::setting(2, 1))},
  };
  run_until_quiet([&] {
    for (const auto& [name, bytes] : cases) {
      const Outcome outcome = outcome_of([&sent = bytes](FrameServer& at) {
        at.next_request();
        at.send_raw(sent);
      });
      EXPECT_EQ(outcome.code, Code::kInternal) << name << ": " << outcome.message;
      EXPECT_THAT(outcome.message, HasSubstr("malformed response")) << name;
      EXPECT_EQ(outcome.connections, 1) << name;
      EXPECT_TRUE(outcome.goodbye.has_value()) << name;
    }
  });
}

TEST(ClientHttp2Hostile, AServerOfHttp1IsToldFromOneOfHttp2) {
  run_until_quiet([] {
    RawServer server([](net::TcpStream& stream, int) {
      degu::testing::send(stream, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
      degu::testing::wait_for_close(stream);
    });
    Client client(plain_http2());
    EXPECT_EQ(code_of([&] { client.get(server.url()); }), Code::kInternal);
  });
}

TEST(ClientHttp2Hostile, FloodsEndTheConnection) {
  const std::vector<std::pair<std::string, std::string>> floods{
      {"ping", FrameClient::frame(FrameClient::kPing, 0, 0, "12345678")},
      {"ping acks", FrameClient::frame(FrameClient::kPing, FrameClient::kAck, 0, "12345678")},
      {"settings", FrameClient::frame(FrameClient::kSettings, 0, 0, {})},
      {"empty data", FrameClient::frame(FrameClient::kData, 0, 1, {})},
      {"windows", FrameClient::frame(FrameClient::kWindow, 0, 0, FrameClient::number(1, 4))},
      {"priority", FrameClient::frame(FrameClient::kPriority, 0, 1, std::string("\0\0\0\0\x10", 5))},
  };
  run_until_quiet([&] {
    for (const auto& [name, frame] : floods) {
      const Outcome outcome = outcome_of([&sent = frame](FrameServer& at) {
        const uint32_t id = at.next_request();
        at.send_head(id, {{":status", "200"}});
        std::string many;
        for (int i = 0; i < 100; ++i) many += sent;
        for (int i = 0; i < 1000 && at.send_raw(many); ++i) {
        }
      });
      EXPECT_EQ(outcome.code, Code::kInternal) << name << ": " << outcome.message;
    }
  });
}

TEST(ClientHttp2Hostile, AHeadHasAnEnd) {
  run_until_quiet([] {
    const std::string piece = FrameClient::block({{"x", std::string(1000, 'x')}});
    const Outcome outcome = outcome_of([&](FrameServer& at) {
      const uint32_t id = at.next_request();
      at.send(FrameClient::kHeaders, 0, id, FrameClient::block({{":status", "200"}}));
      for (int i = 0; i < 1000 && at.send(FrameClient::kContinuation, 0, id, {}); ++i) {
      }
      at.send(FrameClient::kContinuation, FrameClient::kEndHeaders, id, piece);
    });
    EXPECT_THAT(outcome.code, Eq(Code::kInternal)) << outcome.message;
  });
}

TEST(ClientHttp2Hostile, ACalmClientSaysSo) {
  run_until_quiet([] {
    const Outcome outcome = outcome_of([](FrameServer& at) {
      const uint32_t id = at.next_request();
      at.send_head(id, {{":status", "200"}});
      for (int i = 0; i < 150; ++i) at.send(FrameClient::kData, 0, id, {});
    });
    EXPECT_EQ(outcome.code, Code::kInternal);
    EXPECT_EQ(outcome.goodbye, kEnhanceYourCalm);
    const Outcome pushed = outcome_of([](FrameServer& at) {
      const uint32_t id = at.next_request();
      at.send(FrameClient::kPush, FrameClient::kEndHeaders, id,
              FrameClient::number(2, 4) + FrameClient::block(FrameClient::request("GET", "/")));
    });
    EXPECT_EQ(pushed.goodbye, kProtocolError);
  });
}

}  // namespace
}  // namespace degu::http
