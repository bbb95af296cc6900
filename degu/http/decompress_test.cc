#include <degu/http/client.h>
#include <degu/http/content_coding.h>
#include <degu/http/decompress.h>
#include <degu/http/router.h>
#include <degu/http/server.h>
#include <degu/http/test_call.h>
#include <degu/net/tcp.h>
#include <degu/rt/run.h>
#include <degu/sync/wait_group.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace degu::http {

struct Parcel {
  std::string name;
  int weight = 0;
};
BOOST_DESCRIBE_STRUCT(Parcel, (), (name, weight))

namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using Headers = std::vector<std::pair<std::string, std::string>>;

constexpr std::size_t kRouteLimit = 10'000;

Router echo(DecompressOptions options = {}) {
  Router router;
  router.use(decompress(options));
  const auto answer = [](Exchange& c) { c.raw(200, "text/plain", std::string(c.body())); };
  router.post("/echo", answer);
  router.post("/small", answer, {.max_body_bytes = kRouteLimit});
  router.post("/parcel", [](Exchange& c) {
    const auto parcel = c.bind<Parcel>();
    c.text(200, fmt::format("{} {} {}", parcel.name, parcel.weight, c.header("content-encoding")));
  });
  return router;
}

Response post(const Router& router, std::string_view path, const std::string& body, const Headers& headers) {
  return test::call(router, "POST", path, body, headers);
}

TEST(Decompress, HandlersSeeDecodedBytes) {
  const Router router = echo();
  for (const auto& [name, coding] :
       {std::pair("gzip", Coding::kGzip), std::pair("GZIP", Coding::kGzip),
        std::pair("x-gzip", Coding::kGzip), std::pair("br", Coding::kBrotli),
        std::pair("identity", Coding::kIdentity), std::pair("identity, br,", Coding::kBrotli),
        std::pair("", Coding::kIdentity)}) {
    const Response response = post(router, "/echo", encode(coding, "a text"), {{"Content-Encoding", name}});
    EXPECT_EQ(response.status, 200) << name;
    EXPECT_EQ(response.body, "a text") << name;
  }
  EXPECT_EQ(post(router, "/echo", "plain", {}).body, "plain");
  EXPECT_EQ(post(router, "/echo", "", {{"Content-Encoding", "gzip"}}).status, 200);
}

TEST(Decompress, BindsAndParsesDecodedBytes) {
  for (const Coding coding : {Coding::kGzip, Coding::kBrotli}) {
    const Headers headers = {{"Content-Type", "application/json"},
                             {"Content-Encoding", std::string(to_string(coding))}};
    EXPECT_EQ(post(echo(), "/parcel", encode(coding, R"({"name":"box","weight":7})"), headers).body,
              fmt::format("box 7 {}", to_string(coding)));
    EXPECT_EQ(post(echo(), "/parcel", encode(coding, "{"), headers).status, 400);
  }
}

TEST(Decompress, RefusesOtherCodings) {
  const std::string packed = encode(Coding::kGzip, "x");
  for (const char* name :
       {"deflate", "zstd", "gzip2", "gzip, zstd", "zstd, gzip", "gzip, br", "gzip, gzip", "gzip;q=1", "*"}) {
    const Response response = post(echo(), "/echo", packed, {{"Content-Encoding", name}});
    EXPECT_EQ(response.status, 415) << name;
    EXPECT_EQ(response.header("accept-encoding"), "gzip, br") << name;
  }
  EXPECT_EQ(post(echo(), "/echo", packed, {{"Content-Encoding", "gzip"}, {"Content-Encoding", "br"}}).status,
            415);
  // Where nothing is served, that is the answer.
  EXPECT_EQ(post(echo(), "/none", packed, {{"Content-Encoding", "zstd"}}).status, 404);
}

TEST(Decompress, RefusesDamagedBodies) {
  for (const Coding coding : {Coding::kGzip, Coding::kBrotli}) {
    const Headers headers = {{"Content-Encoding", std::string(to_string(coding))}};
    const std::string packed = encode(coding, std::string(500, 'a') + "and an end");
    for (const std::string& body : {std::string("not packed"), packed.substr(0, packed.size() - 1),
                                    packed + "more", packed.substr(1), std::string(1, packed[0])}) {
      const Response response = post(echo(), "/echo", body, headers);
      EXPECT_EQ(response.status, 400) << to_string(coding) << " " << body.size();
      EXPECT_THAT(response.body, HasSubstr("damaged"));
    }
  }
}

TEST(Decompress, HoldsToTheLimitOfTheRoute) {
  std::string text;
  for (int i = 0; text.size() < kRouteLimit; ++i) text += fmt::format("{:x},", i * 7919);
  text.resize(kRouteLimit);
  for (const Coding coding : {Coding::kGzip, Coding::kBrotli}) {
    const Headers headers = {{"Content-Encoding", std::string(to_string(coding))}};
    EXPECT_EQ(post(echo(), "/small", encode(coding, text), headers).status, 200);
    const Response refused = post(echo(), "/small", encode(coding, text + "x"), headers);
    EXPECT_EQ(refused.status, 413);
    EXPECT_THAT(refused.body, HasSubstr("more than 10000 bytes"));
  }
}

TEST(Decompress, HoldsToARatio) {
  const std::string zeros(900'000, '0');
  for (const Coding coding : {Coding::kGzip, Coding::kBrotli}) {
    const Headers headers = {{"Content-Encoding", std::string(to_string(coding))}};
    const std::string bomb = encode(coding, zeros);
    EXPECT_EQ(post(echo(), "/echo", bomb, headers).status, 413);
    EXPECT_EQ(post(echo({.max_ratio = 0}), "/echo", bomb, headers).body.size(), zeros.size());
    EXPECT_EQ(post(echo(), "/echo", encode(coding, zeros.substr(0, 60'000)), headers).status, 200);
    EXPECT_EQ(
        post(echo({.ratio_free_bytes = 0}), "/echo", encode(coding, zeros.substr(0, 60'000)), headers).status,
        413);
    // More than the server's limit of 1 MiB, whatever the ratio.
    EXPECT_EQ(
        post(echo({.max_ratio = 0}), "/echo", encode(coding, std::string(1'048'577, '0')), headers).status,
        413);
  }
}

TEST(Decompress, DecodesOnceWhenNested) {
  Router router;
  router.use(decompress());
  RouterGroup group = router.group("/in");
  group.use(decompress());
  group.post("/echo", [](Exchange& c) { c.raw(200, "text/plain", std::string(c.body())); });
  // Decoded twice it would be "x".
  const std::string inner = encode(Coding::kGzip, "x");
  EXPECT_EQ(post(router, "/in/echo", encode(Coding::kGzip, inner), {{"Content-Encoding", "gzip"}}).body,
            inner);
}

// One connection: nothing of a request's body may stay for the next, and limits are those of the server.
TEST(Decompress, WorksOverTheWire) {
  run([] {
    net::TcpListener listener = net::TcpListener::listen("127.0.0.1:0");
    ServerOptions options;
    options.max_body_bytes = 50'000;
    Server server(echo(), options);
    WaitGroup done;
    done.go([&] { server.serve(listener); });
    Client client;
    const std::string url = "http://" + listener.address() + "/echo";
    for (int i = 0; i < 3; ++i) {
      const std::string text(static_cast<std::size_t>(i) * 10'000 + 1, 'w');
      EXPECT_EQ(
          client.request({"POST", url, {{"Content-Encoding", "br"}}, encode(Coding::kBrotli, text)}).body,
          text);
      EXPECT_EQ(client.request({"POST", url, {}, "plain"}).body, "plain");
      EXPECT_EQ(client.request({"POST", url, {}, ""}).body, "");
    }
    const std::string large = encode(Coding::kGzip, std::string(50'001, 'w'));
    EXPECT_EQ(client.request({"POST", url, {{"Content-Encoding", "gzip"}}, large}).status, 413);
    EXPECT_EQ(client.request({"POST", url, {{"Content-Encoding", "gzip"}}, "?"}).status, 400);
    // The body was read whole, so the connection can go on.
    EXPECT_EQ(client.request({"POST", url, {}, "after"}).body, "after");
    EXPECT_EQ(server.connections(), 1U);
    server.shutdown(5s);
    done.wait();
  });
}

}  // namespace
}  // namespace degu::http
