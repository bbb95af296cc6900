#include <degu/base/testing/code_of.h>
#include <degu/context/cancel_scope.h>
#include <degu/http/client.h>
#include <degu/http/server.h>
#include <degu/http/testing/run_until_quiet.h>
#include <degu/net/testing/test_authority.h>
#include <degu/net/tls.h>
#include <degu/rt/run.h>
#include <degu/sync/wait_group.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <string>

namespace degu::http {
namespace {

using namespace std::chrono_literals;
using degu::testing::run_until_quiet;
using degu::testing::TestAuthority;
using ::testing::HasSubstr;

TestAuthority& authority() {
  static auto* made = new TestAuthority;
  return *made;
}

ServerOptions secure_options(net::TlsServerOptions tls = {}) {
  if (tls.certificates.empty())
    tls.certificates = {authority().issue("site", "site", "DNS:localhost,IP:127.0.0.1")};
  ServerOptions options;
  options.tls = std::make_shared<net::TlsServer>(tls);
  return options;
}

ClientOptions client_options() {
  ClientOptions options;
  options.tls.ca_file = authority().ca_file();
  return options;
}

Router router() {
  Router router;
  router.get("/whoami", [](Exchange& c) {
    const auto tls = c.tls();
    c.text(200, std::string(c.scheme()) + " " + (tls ? tls->version + " " + tls->peer_subject : "plain"));
  });
  router.get("/resumed", [](Exchange& c) { c.text(200, c.tls() && c.tls()->resumed ? "yes" : "no"); });
  router.post("/echo", [](Exchange& c) { c.raw(200, "text/plain", std::string(c.body())); });
  router.get("/large", [](Exchange& c) { c.raw(200, "text/plain", std::string(3'000'000, 'x')); });
  router.get("/stream", [](Exchange& c) {
    ResponseStream& stream = c.stream(200, "text/plain");
    for (int i = 0; i < 3; ++i) stream.write("piece,");
  });
  return router;
}

class SecureServer {
 public:
  explicit SecureServer(ServerOptions options = secure_options())
      : listener_(net::TcpListener::listen("127.0.0.1:0")), server_(router(), std::move(options)) {
    done_.go([this] { server_.serve(listener_); });
  }
  ~SecureServer() {
    server_.shutdown(5s);
    done_.wait();
  }
  std::string url(std::string_view path, std::string_view scheme = "https") const {
    return std::string(scheme) + "://" + listener_.address() + std::string(path);
  }
  std::string address() const { return listener_.address(); }
  Server& server() { return server_; }

 private:
  net::TcpListener listener_;
  Server server_;
  WaitGroup done_;
};

TEST(ServerTls, ServesRequestsOnOneConnection) {
  run([] {
    SecureServer server;
    Client client(client_options());
    EXPECT_EQ(client.get(server.url("/whoami")).body, "https TLSv1.3 ");
    const std::string large(900'000, 'b');
    EXPECT_EQ(client.post(server.url("/echo"), "text/plain", large).body, large);
    EXPECT_EQ(client.get(server.url("/large")).body.size(), 3'000'000U);
    EXPECT_EQ(client.get(server.url("/stream")).body, "piece,piece,piece,");
    EXPECT_EQ(server.server().connections(), 1U);
    EXPECT_EQ(server.server().requests(), 4U);
  });
}

TEST(ServerTls, TheNextConnectionResumesTheSession) {
  run_until_quiet([] {
    net::TlsServerOptions tls;
    tls.certificates = {authority().issue("site", "site", "DNS:localhost,IP:127.0.0.1")};
    tls.alpn = {"h2", "http/1.1"};
    SecureServer server(secure_options(tls));
    for (const HttpVersion version : {HttpVersion::kHttp1, HttpVersion::kHttp2}) {
      ClientOptions options = client_options();
      options.version = version;
      options.max_idle = 0;  // every request has a connection of its own
      Client client(options);
      EXPECT_EQ(client.get(server.url("/resumed")).body, "no");
      EXPECT_EQ(client.get(server.url("/resumed")).body, "yes");
      EXPECT_EQ(client.get(server.url("/resumed")).body, "yes");
      options.tls.resume = false;
      Client forgetful(options);
      EXPECT_EQ(forgetful.get(server.url("/resumed")).body, "no");
      EXPECT_EQ(forgetful.get(server.url("/resumed")).body, "no");
    }
  });
}

TEST(ServerTls, TheClientWantsTheRightServer) {
  run([] {
    SecureServer server;
    TestAuthority stranger;
    ClientOptions strange;
    strange.tls.ca_file = stranger.ca_file();
    EXPECT_EQ(degu::testing::code_of([&] { Client(strange).get(server.url("/whoami")); }),
              Code::kUnavailable);
    ClientOptions missing;
    missing.tls.ca_file = "/nowhere/ca.pem";
    Client client(missing);
    for (int i = 0; i < 2; ++i)
      EXPECT_EQ(degu::testing::code_of([&] { client.get(server.url("/whoami")); }), Code::kInvalidArgument);
  });
}

TEST(ServerTls, PlainAndSecureDoNotMix) {
  run([] {
    SecureServer server;
    Client client(client_options());
    EXPECT_EQ(client.get(server.url("/whoami")).status, 200);
    EXPECT_EQ(degu::testing::code_of([&] { client.get(server.url("/whoami", "http")); }), Code::kUnavailable);
    EXPECT_EQ(client.get(server.url("/whoami")).status, 200);
  });
}

TEST(ServerTls, KnowsItsClientByCertificate) {
  run([] {
    net::TlsServerOptions tls;
    tls.certificates = {authority().issue("site", "site", "IP:127.0.0.1")};
    tls.client_certificates = net::ClientCertificates::kRequired;
    tls.client_ca_file = authority().ca_file();
    SecureServer server(secure_options(tls));
    ClientOptions options = client_options();
    EXPECT_EQ(degu::testing::code_of([&] { Client(options).get(server.url("/whoami")); }),
              Code::kUnavailable);
    options.tls.certificate = authority().issue("caller", "caller", "");
    EXPECT_EQ(Client(options).get(server.url("/whoami")).body, "https TLSv1.3 CN=caller");
  });
}

TEST(ServerTls, AHandshakeThatStallsIsCut) {
  run([] {
    ServerOptions options = secure_options();
    options.header_timeout = 50ms;
    SecureServer server(options);
    net::TcpStream slow = net::TcpStream::connect(server.address());
    slow.write({"\x16\x03\x01", 3});
    std::array<char, 64> into;
    EXPECT_EQ(slow.read(into, now() + 10s).bytes, 0U);
    Client client(client_options());
    EXPECT_EQ(client.get(server.url("/whoami")).status, 200);
  });
}

TEST(ServerTls, ShutdownEndsHandshakesAndIdleConnections) {
  run([] {
    net::TcpStream quiet, begun;
    Client client(client_options());
    const TimePoint start = now();
    {
      SecureServer server;
      quiet = net::TcpStream::connect(server.address());
      begun = net::TcpStream::connect(server.address());
      begun.write({"\x16\x03\x01", 3});
      EXPECT_EQ(client.get(server.url("/whoami")).status, 200);
      EXPECT_EQ(server.server().connections(), 3U);
    }
    EXPECT_LT(now() - start, 4s);
    std::array<char, 64> into;
    EXPECT_EQ(quiet.read(into, now() + 10s).bytes, 0U);
    EXPECT_EQ(begun.read(into, now() + 10s).bytes, 0U);
  });
}

TEST(ServerTls, ServesBehindAProxyThatNamesItsClients) {
  run([] {
    ServerOptions options;
    options.behind_proxy = true;
    Router peers;
    peers.get("/peer", [](Exchange& c) { c.text(200, c.peer()); });
    net::TcpListener listener = net::TcpListener::listen("127.0.0.1:0");
    Server server(std::move(peers), options);
    WaitGroup done;
    done.go([&] { server.serve(listener); });
    net::TcpStream stream = net::TcpStream::connect(listener.address());
    const std::string header(
        "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xCB\x00\x71\x07\x0A\x00\x00\x01\x30\x39\x01\xBB", 28);
    stream.write(header + "GET /peer HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    std::string answer;
    std::array<char, 1024> into;
    while (const std::size_t bytes = stream.read(into, now() + 10s).bytes) answer.append(into.data(), bytes);
    EXPECT_THAT(answer, HasSubstr("203.0.113.7:12345"));
    net::TcpStream liar = net::TcpStream::connect(listener.address());
    liar.write("GET /peer HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(liar.read(into, now() + 10s).bytes, 0U);
    server.shutdown(5s);
    done.wait();
  });
}

}  // namespace
}  // namespace degu::http
