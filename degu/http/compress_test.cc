#include <degu/http/client.h>
#include <degu/http/compress.h>
#include <degu/http/middleware.h>
#include <degu/http/server.h>
#include <degu/http/test_call.h>
#include <degu/net/tcp.h>
#include <degu/rt/run.h>
#include <degu/sync/chan.h>
#include <degu/sync/wait_group.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <string>

namespace degu::http {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

const std::string kPage = [] {
  std::string text;
  while (text.size() < 5000) text += "<p>many similar lines make a page</p>\n";
  return text;
}();

Router serving(Handler handler, CompressOptions options = {}) {
  Router router;
  router.use(compress(std::move(options)));
  router.get("/", std::move(handler));
  return router;
}

Router page(CompressOptions options = {}) {
  return serving([](Exchange& c) { c.raw(200, "text/html; charset=utf-8", kPage); }, std::move(options));
}

Response ask(const Router& router, const std::string& accept, std::string_view method = "GET") {
  return test::call(router, method, "/", {}, {{"Accept-Encoding", accept}});
}

void expect_plain(const Response& response) {
  EXPECT_EQ(response.header("content-encoding"), "");
  EXPECT_TRUE(response.body == kPage) << response.body.size();
}

TEST(Compress, EncodesAsTheClientLikes) {
  const Router router = page();
  for (const auto& [accept, coding] :
       {std::pair("gzip", Coding::kGzip), std::pair("br", Coding::kBrotli),
        std::pair("gzip, br", Coding::kBrotli), std::pair("gzip, br;q=0.9", Coding::kGzip),
        std::pair("*", Coding::kBrotli), std::pair("identity;q=0, gzip;q=0.1", Coding::kGzip)}) {
    const Response response = ask(router, accept);
    EXPECT_EQ(response.header("content-encoding"), to_string(coding)) << accept;
    EXPECT_EQ(response.header("vary"), "Accept-Encoding");
    EXPECT_EQ(response.header("content-type"), "text/html; charset=utf-8");
    EXPECT_LT(response.body.size(), kPage.size() / 4);
    EXPECT_TRUE(decode(coding, response.body) == kPage);
  }
  EXPECT_EQ(
      ask(page({.preference = {Coding::kGzip, Coding::kBrotli}}), "gzip, br").header("content-encoding"),
      "gzip");
  EXPECT_EQ(ask(page({.preference = {Coding::kGzip}}), "br").header("content-encoding"), "");
}

TEST(Compress, LeavesTheBodyOfOtherClientsButSaysThatItVaries) {
  for (const char* accept :
       {"", "identity", "gzip;q=0", "deflate", "gzip;q=0.5, identity", "*;q=0", "br;q=x"}) {
    const Response response = ask(page(), accept);
    expect_plain(response);
    EXPECT_EQ(response.header("vary"), "Accept-Encoding") << accept;
  }
  expect_plain(test::call(page(), "GET", "/"));
}

// RFC 9110 section 5.3: the lines of a field are one list.
TEST(Compress, ReadsAFieldInSeveralLines) {
  const Response response =
      test::call(page(), "GET", "/", {}, {{"Accept-Encoding", "br;q=0"}, {"accept-encoding", "gzip"}});
  EXPECT_EQ(response.header("content-encoding"), "gzip");
}

TEST(Compress, LeavesSmallAndHugeBodies) {
  const auto sized = [](std::size_t bytes) {
    return ask(serving([=](Exchange& c) { c.text(200, std::string(bytes, 'a')); }, {.max_bytes = 5000}),
               "gzip");
  };
  EXPECT_EQ(sized(1023).header("content-encoding"), "");
  EXPECT_EQ(sized(1023).header("vary"), "");
  EXPECT_EQ(sized(1024).header("content-encoding"), "gzip");
  EXPECT_EQ(sized(5000).header("content-encoding"), "gzip");
  EXPECT_EQ(sized(5001).header("content-encoding"), "");
}

TEST(Compress, ChoosesByType) {
  const auto coding = [](const char* type, CompressOptions options = {}) {
    const Router router = serving([=](Exchange& c) { c.raw(200, type, kPage); }, std::move(options));
    return std::string(ask(router, "gzip").header("content-encoding"));
  };
  for (const char* type :
       {"text/html", "TEXT/Plain; charset=utf-8", "application/json", "application/problem+json",
        "text/javascript", "application/javascript", "application/xml", "image/svg+xml", "application/wasm",
        "application/manifest+json ; v=1"}) {
    EXPECT_EQ(coding(type), "gzip") << type;
  }
  for (const char* type : {"image/png", "video/mp4", "application/zip", "application/octet-stream", "text",
                           "", "font/woff2", "+json", "text/event-stream"}) {
    EXPECT_EQ(coding(type), "") << type;
  }
  EXPECT_EQ(coding("image/bmp", {.types = {"image/bmp"}}), "gzip");
  EXPECT_EQ(coding("text/html", {.types = {"image/bmp"}}), "");
  EXPECT_EQ(coding("text/event-stream", {.event_streams = true}), "gzip");
}

TEST(Compress, LeavesWhatMustNotBeTransformed) {
  const std::pair<const char*, const char*> fields[] = {{"Content-Encoding", "zstd"},
                                                        {"Content-Range", "bytes 0-9/10"},
                                                        {"Cache-Control", "public, No-Transform"},
                                                        {"Repr-Digest", "sha-256=:AA==:"}};
  for (const auto& [name, value] : fields) {
    const Response response = ask(serving([=](Exchange& c) {
                                    c.raw(200, "text/html", kPage);
                                    c.set_header(name, value);
                                    c.set_header("ETag", "\"a\"");
                                  }),
                                  "gzip");
    EXPECT_TRUE(response.body == kPage) << name;
    EXPECT_EQ(response.header("vary"), "") << name;
    EXPECT_EQ(response.header("etag"), "\"a\"") << name;
  }
  EXPECT_EQ(ask(serving([](Exchange& c) {
                  c.raw(200, "text/html", kPage);
                  c.set_header("Cache-Control", "public, max-age=5");
                }),
                "gzip")
                .header("content-encoding"),
            "gzip");
}

TEST(Compress, LeavesStatusesWithoutAWholeBody) {
  for (const int status : {204, 205, 206, 304}) {
    const Response response = ask(serving([=](Exchange& c) { c.raw(status, "text/html", kPage); }), "gzip");
    EXPECT_EQ(response.header("content-encoding"), "") << status;
    EXPECT_EQ(response.header("vary"), status == 304 ? "Accept-Encoding" : "") << status;
  }
  const Response empty = ask(serving([](Exchange& c) { c.empty(304); }), "gzip");
  EXPECT_EQ(empty.header("vary"), "Accept-Encoding");
  EXPECT_EQ(ask(serving([](Exchange&) {}), "gzip").status, 204);
  // Errors have bodies like others.
  EXPECT_EQ(
      ask(serving([](Exchange& c) { c.raw(404, "text/html", kPage); }), "gzip").header("content-encoding"),
      "gzip");
}

TEST(Compress, LeavesWhatDoesNotShrink) {
  std::string noise;
  for (uint32_t i = 1; noise.size() < 3000; i = i * 1664525 + 1013904223)
    noise.push_back(static_cast<char>(i >> 24));
  const Response response = ask(serving([=](Exchange& c) { c.raw(200, "text/plain", noise); }), "gzip");
  EXPECT_EQ(response.header("content-encoding"), "");
  EXPECT_EQ(response.header("vary"), "Accept-Encoding");
  EXPECT_TRUE(response.body == noise);
}

TEST(Compress, MergesVaryAndWeakensETags) {
  const auto fields = [](const char* vary, const char* etag) {
    const Response response = ask(serving([=](Exchange& c) {
                                    c.raw(200, "text/html", kPage);
                                    c.set_header("Vary", vary);
                                    c.add_header("Vary", "Cookie");
                                    c.set_header("ETag", etag);
                                    c.set_header("Accept-Ranges", "bytes");
                                  }),
                                  "gzip");
    EXPECT_EQ(response.header("accept-ranges"), "");
    return std::string(response.header("vary")) + " " + std::string(response.header("etag"));
  };
  EXPECT_EQ(fields("Origin, Accept", "\"x\""), "Origin, Accept, Cookie, Accept-Encoding W/\"x\"");
  EXPECT_EQ(fields("accept-encoding", "W/\"x\""), "accept-encoding W/\"x\"");
  EXPECT_EQ(fields("*", "\"x\""), "* W/\"x\"");
}

TEST(Compress, GivesHeadTheFieldsOfGet) {
  run([] {
    net::TcpListener listener = net::TcpListener::listen("127.0.0.1:0");
    Server server(page());
    WaitGroup done;
    done.go([&] { server.serve(listener); });
    Client client;
    const std::string url = "http://" + listener.address() + "/";
    const Response get = client.request({"GET", url, {{"Accept-Encoding", "gzip"}}, {}});
    const Response head = client.request({"HEAD", url, {{"Accept-Encoding", "gzip"}}, {}});
    EXPECT_EQ(get.header("content-length"), fmt::format("{}", get.body.size()));
    for (const char* name : {"content-length", "content-encoding", "vary"}) {
      EXPECT_EQ(head.header(name), get.header(name)) << name;
    }
    EXPECT_EQ(client.get(url).body, kPage);  // decoded by the client
    server.shutdown(5s);
    done.wait();
  });
}

TEST(Compress, NestsWithoutEncodingTwice) {
  Router router;
  router.use(compress());
  auto group = router.group("/in");
  group.use(compress({.preference = {Coding::kGzip}}));
  group.get("/page", [](Exchange& c) { c.raw(200, "text/html", kPage); });
  const Response response = test::call(router, "GET", "/in/page", {}, {{"Accept-Encoding", "gzip, br"}});
  EXPECT_EQ(response.header("content-encoding"), "br");
  EXPECT_TRUE(decode(Coding::kBrotli, response.body) == kPage);
}

// What comes after it may replace the body; nothing of the coding may stay behind.
TEST(Compress, LeavesNoTraceOnABodyThatReplacesIts) {
  Router router;
  router.use([](Exchange& c) {
    c.next();
    if (c.query("then") == "throw") throw Error(Code::kNotFound, "gone");
    if (c.query("then") == "text") c.text(200, "other");
    if (c.query("then") == "empty") c.empty(202);
  });
  router.use(compress());
  router.get("/", [](Exchange& c) { c.raw(200, "text/html", kPage); });
  for (const auto& [then, status] :
       {std::pair("throw", 404), std::pair("text", 200), std::pair("empty", 202)}) {
    const Response response =
        test::call(router, "GET", std::string("/?then=") + then, {}, {{"Accept-Encoding", "gzip"}});
    EXPECT_EQ(response.status, status);
    EXPECT_EQ(response.header("content-encoding"), "") << then;
  }
}

TEST(Compress, EncodesProblemsOfRecovery) {
  Router router;
  router.use(compress({.min_bytes = 1}));
  router.use(recovery());
  router.get("/", [](Exchange&) { throw Error(Code::kNotFound, kPage); });
  const Response response = ask(router, "gzip");
  EXPECT_EQ(response.status, 404);
  EXPECT_THAT(decode(Coding::kGzip, response.body), HasSubstr("many similar lines"));
}

// --- Streams

Router streaming(const char* type, CompressOptions options = {}) {
  return serving(
      [type](Exchange& c) {
        c.set_header("ETag", "\"s\"");
        ResponseStream& stream = c.stream(200, type);
        stream.write("first,");
        stream.write("");
        stream.write("second");
      },
      std::move(options));
}

TEST(Compress, EncodesStreams) {
  for (const Coding coding : {Coding::kGzip, Coding::kBrotli}) {
    const Response response = ask(streaming("text/plain"), std::string(to_string(coding)));
    EXPECT_EQ(response.header("content-encoding"), to_string(coding));
    EXPECT_EQ(response.header("vary"), "Accept-Encoding");
    EXPECT_EQ(response.header("etag"), "W/\"s\"");
    EXPECT_EQ(decode(coding, response.body), "first,second");
  }
  const Response plain = ask(streaming("text/plain"), "");
  EXPECT_EQ(plain.body, "first,second");
  EXPECT_EQ(plain.header("vary"), "Accept-Encoding");
  EXPECT_EQ(ask(streaming("image/png"), "gzip").body, "first,second");
  EXPECT_EQ(ask(streaming("text/event-stream"), "gzip").body, "first,second");
  EXPECT_EQ(decode(Coding::kGzip, ask(streaming("text/event-stream", {.event_streams = true}), "gzip").body),
            "first,second");
  const Response head = ask(streaming("text/plain"), "gzip", "HEAD");
  EXPECT_EQ(head.body, "");
  EXPECT_EQ(head.header("content-encoding"), "gzip");
}

TEST(Compress, EncodesStreamsThatAreEmpty) {
  const Router router = serving([](Exchange& c) { c.stream(200, "text/plain"); });
  EXPECT_EQ(decode(Coding::kGzip, ask(router, "gzip").body), "");
  EXPECT_EQ(ask(router, "").body, "");
}

TEST(Compress, ForgetsTheLengthOfAStreamThatItEncodes) {
  const Router router = serving([](Exchange& c) { c.stream(200, "text/plain", kPage.size()).write(kPage); });
  EXPECT_TRUE(decode(Coding::kGzip, ask(router, "gzip").body) == kPage);
  expect_plain(ask(router, ""));
}

std::string read_until(net::TcpStream& stream, std::string_view enough) {
  std::string text;
  std::array<char, 4096> part;
  while (text.find(enough) == std::string::npos) {
    const net::IoResult result = stream.read(part, now() + 10s);
    if (result.bytes == 0) break;
    text.append(part.data(), result.bytes);
  }
  return text;
}

// The handler waits for the client to have understood the first piece before it sends the second.
TEST(Compress, EachPieceArrivesAtOnce) {
  for (const Coding coding : {Coding::kGzip, Coding::kBrotli}) {
    run([coding] {
      const auto understood = make_chan<int>();
      net::TcpListener listener = net::TcpListener::listen("127.0.0.1:0");
      Server server(serving([&](Exchange& c) {
        ResponseStream& stream = c.stream(200, "text/plain");
        stream.write("first,");
        understood.recv();
        stream.write("second");
      }));
      WaitGroup done;
      done.go([&] { server.serve(listener); });
      net::TcpStream stream = net::TcpStream::connect(listener.address());
      const std::string request =
          fmt::format("GET / HTTP/1.0\r\nHost: a\r\nAccept-Encoding: {}\r\n\r\n", to_string(coding));
      stream.write({request.data(), request.size()}, now() + 5s);
      // Until the connection closes, so what follows the head is the coded text and nothing else.
      std::string answer = read_until(stream, "\r\n\r\n");
      std::string body = answer.substr(answer.find("\r\n\r\n") + 4);
      ContentDecoder decoder(coding);
      std::string text;
      decoder.write(body, text);
      while (text != "first,") {
        std::array<char, 256> part;
        const net::IoResult result = stream.read(part, now() + 10s);
        ASSERT_GT(result.bytes, 0U);
        decoder.write({part.data(), result.bytes}, text);
      }
      understood.send(1);
      decoder.write(read_until(stream, "\x01never\x01"), text);
      decoder.finish();
      EXPECT_EQ(text, "first,second");
      server.shutdown(5s);
      done.wait();
    });
  }
}

TEST(Compress, CutsAStreamThatFails) {
  run([] {
    net::TcpListener listener = net::TcpListener::listen("127.0.0.1:0");
    Server server(serving([](Exchange& c) {
      c.stream(200, "text/plain").write(kPage);
      throw Error(Code::kUnavailable, "lost");
    }));
    WaitGroup done;
    done.go([&] { server.serve(listener); });
    EXPECT_THROW(Client().get("http://" + listener.address() + "/"), Error);
    server.shutdown(5s);
    done.wait();
  });
}

}  // namespace
}  // namespace degu::http
