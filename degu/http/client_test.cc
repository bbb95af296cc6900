#include <degu/base/testing/code_of.h>
#include <degu/context/cancel_scope.h>
#include <degu/http/client.h>
#include <degu/http/content_coding.h>
#include <degu/http/server.h>
#include <degu/http/testing/raw_server.h>
#include <degu/net/tcp.h>
#include <degu/rt/run.h>
#include <degu/sync/chan.h>
#include <degu/sync/wait_group.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

namespace degu::http {
namespace {

using namespace std::chrono_literals;
using degu::testing::code_of;
using degu::testing::RawServer;
using degu::testing::receive;
using degu::testing::send;
using degu::testing::wait_for_close;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;

// --- Timeouts

std::string message_of(Client& client, const std::string& url) {
  try {
    client.get(url);
  } catch (const Error& error) {
    return std::string(to_string(error.code())) + " " + error.message();
  }
  return "no error";
}

TEST(ClientTimeouts, OfTheHead) {
  run([] {
    RawServer server([](net::TcpStream& stream, int) {
      receive(stream);
      send(stream, "HTTP/1.1 200 OK\r\nX: ");
      wait_for_close(stream);
    });
    ClientOptions options;
    options.head_timeout = 20ms;
    Client client(options);
    EXPECT_THAT(message_of(client, server.url()), HasSubstr("DEADLINE_EXCEEDED the server has stalled"));
  });
}

TEST(ClientTimeouts, OfAnIdleBody) {
  run([] {
    RawServer server([](net::TcpStream& stream, int) {
      receive(stream);
      send(stream, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab");
      wait_for_close(stream);
    });
    ClientOptions options;
    options.body_idle_timeout = 20ms;
    Client client(options);
    EXPECT_THAT(message_of(client, server.url()), HasSubstr("DEADLINE_EXCEEDED the server has stalled"));
    OpenResponse opened = client.open({"GET", server.url(), {}, {}});
    EXPECT_EQ(opened.body.next(), "ab");
    EXPECT_EQ(code_of([&] { opened.body.next(); }), Code::kDeadlineExceeded);
    EXPECT_EQ(opened.body.next(), "");
  });
}

TEST(ClientTimeouts, OfTheTlsHandshake) {
  run([] {
    RawServer server([](net::TcpStream& stream, int) { wait_for_close(stream); });
    ClientOptions options;
    options.tls_timeout = 20ms;
    Client client(options);
    EXPECT_EQ(message_of(client, "https://" + server.address() + "/"),
              "UNAVAILABLE the TLS handshake took too long");
    const CancelScope scope(20ms);
    options.tls_timeout = 10s;
    Client patient(options);
    EXPECT_THAT(message_of(patient, "https://" + server.address() + "/"), HasSubstr("DEADLINE_EXCEEDED"));
  });
}

TEST(ClientTimeouts, WithoutADeadlineTheDefaultCounts) {
  run([] {
    RawServer server([](net::TcpStream& stream, int) { wait_for_close(stream); });
    ClientOptions options;
    options.default_timeout = 20ms;
    Client client(options);
    EXPECT_THAT(message_of(client, server.url()),
                HasSubstr("DEADLINE_EXCEEDED the server did not answer in time"));
  });
}

// --- Answers piece by piece

TEST(ClientOpen, GivesPiecesAsTheyCome) {
  run([] {
    Chan<int> seen = make_chan<int>();
    RawServer server([&](net::TcpStream& stream, int) {
      receive(stream);
      send(stream, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: b\r\n\r\n3\r\none\r\n");
      seen.recv();
      send(stream, "3\r\ntwo\r\n");
      seen.recv();
      send(stream, "0\r\nX-Sum: 6\r\n\r\n");
      receive(stream);
      send(stream, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext");
    });
    Client client;
    OpenResponse opened = client.open({"GET", server.url("/a"), {}, {}});
    EXPECT_EQ(opened.status, 200);
    EXPECT_EQ(opened.header("x-a"), "b");
    EXPECT_EQ(opened.url, server.url("/a"));
    EXPECT_EQ(opened.body.next(), "one");
    seen.send(1);
    EXPECT_EQ(opened.body.next(), "two");
    EXPECT_TRUE(opened.body.trailers().empty());
    seen.send(1);
    EXPECT_EQ(opened.body.next(), "");
    EXPECT_EQ(opened.body.next(), "");
    EXPECT_THAT(opened.body.trailers(), ElementsAre(Pair("X-Sum", "6")));
    EXPECT_EQ(client.get(server.url()).body, "next");
    EXPECT_EQ(server.connections(), 1);
  });
}

TEST(ClientOpen, DecodesPieces) {
  run([] {
    const std::string text(300'000, 'd');
    RawServer server([&](net::TcpStream& stream, int nth) {
      receive(stream);
      const Coding coding = nth == 0 ? Coding::kGzip : Coding::kBrotli;
      const std::string packed = encode(coding, text);
      send(stream, "HTTP/1.1 200 OK\r\nContent-Encoding: " + std::string(to_string(coding)) + "\r\n\r\n");
      for (const char c : packed) send(stream, std::string_view(&c, 1));
    });
    ClientOptions options;
    options.max_body_bytes = 1000;  // not for open()
    Client client(options);
    for (int i = 0; i < 2; ++i) {
      OpenResponse opened = client.open({"GET", server.url(), {}, {}});
      EXPECT_EQ(opened.header("content-encoding"), "");
      std::string all;
      for (std::string_view piece = opened.body.next(); !piece.empty(); piece = opened.body.next()) {
        EXPECT_LE(piece.size(), 16U * 1024);  // however well it was compressed
        all += piece;
      }
      EXPECT_EQ(all, text);
    }
  });
}

TEST(ClientOpen, NotReadToItsEndClosesTheConnection) {
  run([] {
    RawServer server([](net::TcpStream& stream, int) {
      receive(stream);
      send(stream, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nab");
      wait_for_close(stream);
    });
    Client client;
    { OpenResponse dropped = client.open({"GET", server.url(), {}, {}}); }
    OpenResponse closed = client.open({"GET", server.url(), {}, {}});
    EXPECT_EQ(closed.body.next(), "ab");
    closed.body.close();
    EXPECT_EQ(closed.body.next(), "");
    EXPECT_EQ(server.connections(), 2);
  });
}

TEST(ClientOpen, FailsWhenTheBodyBreaksOff) {
  run([] {
    RawServer server([](net::TcpStream& stream, int nth) {
      receive(stream);
      send(stream, nth == 0 ? "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nab"
                            : "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabX");
    });
    Client client;
    OpenResponse cut = client.open({"GET", server.url(), {}, {}});
    EXPECT_EQ(cut.body.next(), "ab");
    EXPECT_EQ(code_of([&] { cut.body.next(); }), Code::kUnavailable);
    OpenResponse bad = client.open({"GET", server.url(), {}, {}});
    EXPECT_EQ(code_of([&] { bad.body.read_all(100); }), Code::kInternal);
  });
}

TEST(ClientOpen, OutlivesItsClientAndIsBoundedByReadAll) {
  run([] {
    RawServer server([](net::TcpStream& stream, int) {
      receive(stream);
      send(stream, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd");
      wait_for_close(stream);
    });
    OpenResponse opened = Client().open({"GET", server.url(), {}, {}});
    EXPECT_EQ(opened.body.read_all(4), "abcd");
    opened = Client().open({"GET", server.url(), {}, {}});
    EXPECT_EQ(code_of([&] { opened.body.read_all(3); }), Code::kResourceExhausted);
  });
}

TEST(ClientOpen, BelongsToTheContextThatReads) {
  run([] {
    RawServer server([](net::TcpStream& stream, int) {
      receive(stream);
      send(stream, "HTTP/1.1 200 OK\r\n\r\n");
      wait_for_close(stream);
    });
    ClientOptions options;
    options.default_timeout = 5s;
    Client client(options);
    OpenResponse opened = client.open({"GET", server.url(), {}, {}});
    CancelScope scope;
    scope.cancel();
    EXPECT_EQ(code_of([&] { opened.body.next(); }), Code::kCancelled);
  });
}

TEST(Client, GivesUpOnEndlessInterimAnswers) {
  run([] {
    RawServer server([](net::TcpStream& stream, int) {
      receive(stream);
      while (send(stream, "HTTP/1.1 102 Processing\r\n\r\n")) {
      }
    });
    Client client;
    EXPECT_EQ(message_of(client, server.url()), "INTERNAL malformed response: too many interim answers");
  });
}

// --- Requests piece by piece

TEST(ClientUpload, SendsWhatAFunctionWrites) {
  run([] {
    Router router;
    router.post("/echo", [](Exchange& c) { c.text(200, c.body()); }, {.max_body_bytes = 1 << 20});
    net::TcpListener listener = net::TcpListener::listen("127.0.0.1:0");
    Server server(std::move(router));
    WaitGroup done;
    done.go([&] { server.serve(listener); });
    const std::string url = "http://" + listener.address() + "/echo";
    Client client;
    const std::string large(200'000, 'l');
    const Response response = client.request({"POST", url, {}, "not this"}, [&](RequestBody& body) {
      body.write("one,");
      body.write("");
      body.write(large);
    });
    EXPECT_EQ(response.body, "one," + large);
    EXPECT_EQ(client.request({"POST", url, {}, {}}, [](RequestBody&) {}).body, "");
    EXPECT_EQ(client.request({"POST", url, {}, large}).body, large);
    EXPECT_EQ(client.open({"POST", url, {}, {}}, [](RequestBody& body) { body.write("x"); }).body.read_all(9),
              "x");
    EXPECT_EQ(server.connections(), 1U);
    server.shutdown(5s);
    done.wait();
  });
}

TEST(ClientUpload, EndsByWhatTheFunctionThrows) {
  run([] {
    RawServer server([](net::TcpStream& stream, int) {
      EXPECT_THAT(receive(stream, "\x01 never"), Not(HasSubstr("\r\n0\r\n")));
    });
    Client client;
    EXPECT_THROW(client.request({"POST", server.url(), {}, {}},
                                [](RequestBody& body) {
                                  body.write("half");
                                  throw std::runtime_error("no more");
                                }),
                 std::runtime_error);
  });
}

TEST(ClientUpload, StopsWhenTheServerRefuses) {
  run([] {
    RawServer server([](net::TcpStream& stream, int) {
      receive(stream);
      send(stream, "HTTP/1.1 413 Too Much\r\nContent-Length: 3\r\n\r\nbig");
      wait_for_close(stream);
    });
    Client client;
    int pieces = 0;
    const Response refused = client.request({"POST", server.url(), {}, {}}, [&](RequestBody& body) {
      for (;; ++pieces) body.write(std::string(100'000, 'x'));
    });
    EXPECT_EQ(refused.status, 413);
    EXPECT_EQ(refused.body, "big");
    EXPECT_EQ(client.request({"POST", server.url(), {}, std::string(50'000'000, 'x')}).status, 413);
    EXPECT_EQ(server.connections(), 2);  // what lay in between is nobody's next request
  });
}

TEST(ClientUpload, GoesOnAfterAnEarlySuccess) {
  run([] {
    RawServer server([](net::TcpStream& stream, int) {
      receive(stream);
      send(stream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
      receive(stream, "0\r\n\r\n");
    });
    Client client;
    bool whole = false;
    EXPECT_EQ(client
                  .request({"POST", server.url(), {}, {}},
                           [&](RequestBody& body) {
                             for (int i = 0; i < 20; ++i) body.write(std::string(100'000, 'x'));
                             whole = true;
                           })
                  .body,
              "ok");
    EXPECT_TRUE(whole);
  });
}

TEST(ClientUpload, FailsWhenTheServerBreaksOff) {
  run([] {
    RawServer server([](net::TcpStream& stream, int) { receive(stream); });
    Client client;
    EXPECT_EQ(code_of([&] {
                client.request({"PUT", server.url(), {}, {}}, [](RequestBody& body) {
                  for (;;) body.write(std::string(100'000, 'x'));
                });
              }),
              Code::kUnavailable);
    EXPECT_EQ(server.connections(), 1);  // a body cannot be made twice
  });
}

TEST(ClientUpload, ObservesItsContextAndStalls) {
  run([] {
    net::TcpListener deaf = net::TcpListener::listen("127.0.0.1:0");
    ClientOptions options;
    options.body_idle_timeout = 30ms;
    Client client(options);
    const auto flood = [](RequestBody& body) {
      for (;;) body.write(std::string(1'000'000, 'x'));
    };
    const std::string url = "http://" + deaf.address() + "/";
    EXPECT_EQ(code_of([&] { client.request({"PUT", url, {}, {}}, flood); }), Code::kDeadlineExceeded);
    options.body_idle_timeout = 10s;
    Client patient(options);
    const CancelScope scope(30ms);
    EXPECT_EQ(code_of([&] { patient.request({"PUT", url, {}, {}}, flood); }), Code::kDeadlineExceeded);
  });
}

TEST(ClientUpload, FailsForAFunctionThatTakesNoNoticeToo) {
  run([] {
    net::TcpListener deaf = net::TcpListener::listen("127.0.0.1:0");
    ClientOptions options;
    options.body_idle_timeout = 30ms;
    Client client(options);
    int failures = 0;
    const auto stubborn = [&](RequestBody& body) {
      while (failures < 3) {
        try {
          body.write(std::string(1'000'000, 'x'));
        } catch (const Error&) {
          ++failures;
        }
      }
    };
    EXPECT_EQ(code_of([&] {
                client.request({"PUT", "http://" + deaf.address() + "/"}, stubborn);
              }),
              Code::kDeadlineExceeded);
    EXPECT_EQ(failures, 3);
  });
}

// --- Expect: 100-continue

TEST(ClientExpect, WaitsForTheServersWord) {
  run([] {
    RawServer server([](net::TcpStream& stream, int) {
      const std::string head = receive(stream);
      EXPECT_THAT(head, HasSubstr("Expect: 100-continue\r\n"));
      EXPECT_THAT(head, Not(HasSubstr("body")));
      send(stream, "HTTP/1.1 100 Continue\r\n\r\n");
      EXPECT_EQ(receive(stream, "body"), "body");
      send(stream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
      wait_for_close(stream);
    });
    Client client;
    EXPECT_EQ(
        client.request({.method = "POST", .url = server.url(), .body = "body", .expect_continue = true}).body,
        "ok");
  });
}

TEST(ClientExpect, SendsNothingToWhoRefuses) {
  run([] {
    RawServer server([](net::TcpStream& stream, int nth) {
      receive(stream);
      send(stream, nth == 0 ? "HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\nno"
                            : "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
      EXPECT_EQ(receive(stream, "\x01 never"), "");
    });
    Client client;
    bool called = false;
    for (const char* said : {"no", "ok"}) {
      EXPECT_EQ(client
                    .request({.method = "POST", .url = server.url(), .expect_continue = true},
                             [&](RequestBody&) { called = true; })
                    .body,
                said);
    }
    EXPECT_FALSE(called);
    EXPECT_EQ(server.connections(), 2);
  });
}

TEST(ClientExpect, AsksAgainWithoutWhereItIsNotKnown) {
  run([] {
    RawServer server([](net::TcpStream& stream, int nth) {
      const std::string head = receive(stream, nth == 0 ? "\r\n\r\n" : "body");
      EXPECT_EQ(head.find("Expect") != std::string::npos, nth == 0);
      send(stream, nth == 0 ? "HTTP/1.1 417 What\r\nContent-Length: 0\r\n\r\n"
                            : "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    });
    Client client;
    EXPECT_EQ(
        client.request({.method = "POST", .url = server.url(), .body = "body", .expect_continue = true}).body,
        "ok");
  });
}

TEST(ClientExpect, GoesOnWhenNothingIsSaid) {
  run([] {
    RawServer server([](net::TcpStream& stream, int) {
      receive(stream, "body");
      send(stream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    });
    Client client;
    EXPECT_EQ(
        client.request({.method = "POST", .url = server.url(), .body = "body", .expect_continue = true}).body,
        "ok");
  });
}

}  // namespace
}  // namespace degu::http
