#include <degu/http/client.h>
#include <degu/http/content_coding.h>
#include <degu/http/router.h>
#include <degu/http/server.h>
#include <degu/net/tcp.h>
#include <degu/rt/run.h>
#include <degu/sync/wait_group.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

namespace degu::http {
namespace {

using namespace std::chrono_literals;

const std::string kText(2000, 'd');

// Answers with `kText` in the coding that the path names; says which codings it was asked for.
Router coded_router() {
  Router router;
  const auto add = [&](const char* path, std::string fields, std::string body) {
    router.get(path, [fields = std::move(fields), body = std::move(body)](Exchange& c) {
      c.raw(200, "text/plain", body);
      if (!fields.empty()) c.set_header("Content-Encoding", fields);
      c.set_header("X-Asked", c.header("accept-encoding"));
    });
  };
  add("/plain", "", kText);
  add("/gzip", "gzip", encode(Coding::kGzip, kText));
  add("/br", "br", encode(Coding::kBrotli, kText));
  add("/upper", "GZIP", encode(Coding::kGzip, kText));
  add("/empty", "gzip", "");
  add("/zstd", "zstd", "whatever");
  add("/twice", "gzip, br", encode(Coding::kBrotli, encode(Coding::kGzip, kText)));
  add("/damaged", "gzip", "not gzip at all");
  add("/short", "br", encode(Coding::kBrotli, kText).substr(0, 5));
  add("/bomb", "gzip", encode(Coding::kGzip, std::string(200'000, 'x')));
  router.get("/pieces", [](Exchange& c) {
    ResponseStream& stream = c.stream(200, "text/plain");
    c.set_header("Content-Encoding", "gzip");
    const std::string packed = encode(Coding::kGzip, kText);
    stream.write(packed.substr(0, 10));
    stream.write(packed.substr(10));
  });
  return router;
}

template <class F>
void with_server(F body) {
  run([&] {
    net::TcpListener listener = net::TcpListener::listen("127.0.0.1:0");
    Server server(coded_router());
    WaitGroup done;
    done.go([&] { server.serve(listener); });
    body("http://" + listener.address());
    server.shutdown(5s);
    done.wait();
  });
}

Code failure(Client& client, const std::string& url) {
  try {
    client.get(url);
  } catch (const Error& error) {
    return error.code();
  }
  return Code::kOk;
}

TEST(ClientCoding, DecodesWhatItAskedFor) {
  with_server([](const std::string& url) {
    Client client;
    for (const char* path : {"/plain", "/gzip", "/br", "/upper", "/pieces"}) {
      const Response response = client.get(url + path);
      EXPECT_EQ(response.body, kText) << path;
      EXPECT_EQ(response.header("content-encoding"), "") << path;
      EXPECT_EQ(response.header("content-type"), "text/plain") << path;
    }
    EXPECT_EQ(client.get(url + "/gzip").header("x-asked"), "gzip, br");
    EXPECT_EQ(client.get(url + "/gzip").header("content-length"), "");
    EXPECT_EQ(client.get(url + "/plain").header("content-length"), "2000");
    EXPECT_EQ(client.get(url + "/empty").body, "");
  });
}

TEST(ClientCoding, LeavesWhatItDidNotAskFor) {
  with_server([](const std::string& url) {
    Client client;
    EXPECT_EQ(client.get(url + "/zstd").body, "whatever");
    EXPECT_EQ(client.get(url + "/zstd").header("content-encoding"), "zstd");
    EXPECT_EQ(client.get(url + "/twice").header("content-encoding"), "gzip, br");
    const std::string packed = encode(Coding::kGzip, kText);
    for (const auto& [name, value] : {std::pair("Accept-Encoding", "gzip"), std::pair("range", "bytes=0-")}) {
      const Response response = client.request({"GET", url + "/gzip", {{name, value}}, {}});
      EXPECT_EQ(response.body, packed) << name;
      EXPECT_EQ(response.header("content-encoding"), "gzip") << name;
      EXPECT_EQ(response.header("x-asked"), name[0] == 'A' ? "gzip" : "") << name;
    }
    const Response head = client.request({"HEAD", url + "/gzip", {}, {}});
    EXPECT_EQ(head.header("x-asked"), "");
    EXPECT_EQ(head.header("content-length"), fmt::format("{}", packed.size()));
    ClientOptions options;
    options.decode_content = false;
    Client plain(options);
    EXPECT_EQ(plain.get(url + "/gzip").body, packed);
    EXPECT_EQ(plain.get(url + "/gzip").header("x-asked"), "");
  });
}

TEST(ClientCoding, SurvivesBadContent) {
  with_server([](const std::string& url) {
    ClientOptions options;
    options.max_body_bytes = 100'000;
    Client client(options);
    EXPECT_EQ(failure(client, url + "/damaged"), Code::kInternal);
    EXPECT_EQ(failure(client, url + "/short"), Code::kInternal);
    EXPECT_EQ(failure(client, url + "/bomb"), Code::kResourceExhausted);
    EXPECT_EQ(failure(client, url + "/gzip"), Code::kOk);
  });
}

}  // namespace
}  // namespace degu::http
