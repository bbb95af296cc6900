#include <degu/base/testing/code_of.h>
#include <degu/http/client.h>
#include <degu/http/internal/proxy_rules.h>
#include <degu/http/server.h>
#include <degu/http/testing/raw_server.h>
#include <degu/net/testing/test_authority.h>
#include <degu/net/tls.h>
#include <degu/rt/run.h>
#include <degu/sync/wait_group.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

namespace degu::http {
namespace {

using namespace std::chrono_literals;
using degu::testing::code_of;
using degu::testing::RawServer;
using degu::testing::receive;
using degu::testing::send;
using degu::testing::wait_for_close;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

bool goes_through(const ProxyOptions& options, const std::string& url) {
  return internal::ProxyRules(options).route_for(internal::parse_url(url)) != nullptr;
}

TEST(ProxyRules, KnowWhoIsAskedDirectly) {
  const ProxyOptions options{
      "http://proxy:3128",
      "http://proxy:3128",
      {"Example.com", ".below.test", "ported.test:8080", "10.0.0.0/8", "192.0.2.1", "2001:db8::/32"}};
  for (const char* direct :
       {"http://example.com/", "https://EXAMPLE.com:444/", "http://a.b.example.com/", "http://x.below.test/",
        "http://ported.test:8080/", "http://10.1.2.3/", "http://192.0.2.1:81/", "http://[2001:db8::1]/",
        "http://localhost/", "http://127.9.9.9/", "http://[::1]:8080/"}) {
    EXPECT_FALSE(goes_through(options, direct)) << direct;
  }
  for (const char* through : {"http://notexample.com/", "http://example.com.evil.test/", "http://below.test/",
                              "http://ported.test/", "http://11.0.0.1/", "http://192.0.2.2/",
                              "http://[2001:db9::1]/", "http://localhost.test/"}) {
    EXPECT_TRUE(goes_through(options, through)) << through;
  }
  EXPECT_FALSE(goes_through({"http://proxy", "", {"*"}}, "http://a/"));
  EXPECT_FALSE(goes_through({"http://proxy", "", {}}, "https://a/"));
  EXPECT_FALSE(goes_through({"", "http://proxy", {}}, "http://a/"));
  EXPECT_TRUE(goes_through({"", "http://proxy", {"a:80"}}, "https://a/"));
  EXPECT_FALSE(goes_through({"http://proxy", "", {"a:80"}}, "http://a/"));
}

TEST(ProxyRules, TakeProxiesApart) {
  const auto route = [](const std::string& proxy) {
    return *internal::ProxyRules({proxy, "", {}}).route_for(internal::parse_url("http://a/"));
  };
  EXPECT_EQ(route("http://Proxy").address, "proxy:80");
  EXPECT_EQ(route("http://[::1]:3128/").address, "[::1]:3128");
  EXPECT_EQ(route("http://proxy").authorization, "");
  EXPECT_EQ(route("http://user:p%40ss%3A+@proxy").authorization, "Basic dXNlcjpwQHNzOis=");
  EXPECT_EQ(route("http://user@proxy").authorization, "Basic dXNlcjo=");
}

TEST(ProxyRules, RefuseWhatIsNone) {
  for (const char* proxy : {"proxy:3128", "https://proxy", "socks5://proxy", "http://", "http://a/path",
                            "http://u:%zz@a", "http://u:%0A@a", "http://u%3Av:p@a", "http://a b"}) {
    ClientOptions options;
    options.proxy.http = proxy;
    EXPECT_EQ(code_of([&] { const Client client(options); }), Code::kInvalidArgument) << proxy;
  }
  for (const char* host : {"", ".", "a/b", "10.0.0.0/33", "a b", "http://a", "a#b", "a:x"}) {
    EXPECT_EQ(code_of([&] { internal::ProxyRules({"", "", {host}}); }), Code::kInvalidArgument) << host;
  }
  try {
    internal::ProxyRules({"http://user:secret@", "", {}});
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_THAT(error.message(), Not(HasSubstr("secret")));
  }
}

TEST(ProxyRules, ReadTextsOfTheEnvironment) {
  const ProxyOptions options = proxy_options("proxy:1", "http://other:2", " a, .b ,,c:3");
  EXPECT_EQ(options.http, "http://proxy:1");
  EXPECT_EQ(options.https, "http://other:2");
  EXPECT_THAT(options.no_proxy, ::testing::ElementsAre("a", ".b", "c:3"));
  EXPECT_EQ(proxy_options("", "", "").http, "");
}

ClientOptions through(const RawServer& proxy, const std::string& credentials = {}) {
  ClientOptions options;
  options.proxy.http = options.proxy.https = "http://" + credentials + proxy.address();
  return options;
}

TEST(ClientProxy, IsAskedForTheWholeUrl) {
  run([] {
    std::vector<std::string> heads;
    RawServer proxy([&](net::TcpStream& stream, int) {
      for (std::string head = receive(stream); !head.empty(); head = receive(stream)) {
        heads.push_back(head);
        send(stream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
      }
    });
    {
      Client client(through(proxy, "u:p@"));
      EXPECT_EQ(client.get("http://shop.test/a?b#c").body, "ok");
      EXPECT_EQ(client.get("http://other.test:81").body, "ok");
      EXPECT_EQ(client.request({"GET", "http://shop.test/", {{"Proxy-Authorization", "Own"}}}).body, "ok");
    }
    ASSERT_EQ(heads.size(), 3U);
    EXPECT_THAT(heads[0], StartsWith("GET http://shop.test/a?b HTTP/1.1\r\nHost: shop.test\r\n"));
    EXPECT_THAT(heads[0], HasSubstr("Proxy-Authorization: Basic dTpw\r\n"));
    EXPECT_THAT(heads[1], StartsWith("GET http://other.test:81/ HTTP/1.1\r\nHost: other.test:81\r\n"));
    EXPECT_THAT(heads[2], Not(HasSubstr("dTpw")));
    EXPECT_EQ(proxy.connections(), 1);
  });
}

// Passes bytes on in both directions until one side ends.
void splice(net::TcpStream& client, net::TcpStream& server) {
  const auto pass = [](net::TcpStream& from, net::TcpStream& to) {
    std::array<char, 4096> part;
    for (;;) {
      const net::IoResult got = from.read(part);
      if (got.bytes == 0 || !send(to, {part.data(), got.bytes})) break;
    }
    to.shutdown_write();
  };
  WaitGroup both;
  both.go([&] { pass(client, server); });
  pass(server, client);
  both.wait();
}

TEST(ClientProxy, MakesATunnelForTls) {
  run([] {
    degu::testing::TestAuthority authority;
    net::TlsServerOptions tls;
    tls.certificates = {authority.issue("site", "site", "DNS:shop.test")};
    ServerOptions secure;
    secure.tls = std::make_shared<net::TlsServer>(tls);
    Router router;
    router.get("/", [](Exchange& c) {
      c.text(200, std::string(c.host()) + " " + std::string(c.target()) + "|" +
                      std::string(c.header("proxy-authorization")));
    });
    net::TcpListener listener = net::TcpListener::listen("127.0.0.1:0");
    Server server(std::move(router), secure);
    WaitGroup done;
    done.go([&] { server.serve(listener); });
    std::string asked;
    {
      RawServer proxy([&](net::TcpStream& stream, int) {
        asked = receive(stream);
        net::TcpStream to = net::TcpStream::connect(listener.address());
        send(stream, "HTTP/1.1 102 Wait\r\n\r\nHTTP/1.1 200 Connected\r\n\r\n");
        splice(stream, to);
      });
      ClientOptions options = through(proxy, "u:p@");
      options.tls.ca_file = authority.ca_file();
      Client client(options);
      for (int i = 0; i < 3; ++i) EXPECT_EQ(client.get("https://shop.test/").body, "shop.test /|");
      EXPECT_EQ(proxy.connections(), 1);
      EXPECT_EQ(code_of([&] { client.get("https://other.test/"); }),
                Code::kUnavailable);  // not who it should be
    }
    EXPECT_THAT(asked, HasSubstr("CONNECT other.test:443 HTTP/1.1\r\nHost: other.test:443\r\n"));
    EXPECT_THAT(asked, HasSubstr("Proxy-Authorization: Basic dTpw\r\n"));
    server.shutdown(5s);
    done.wait();
  });
}

TEST(ClientProxy, ThatMakesNoTunnelIsAFault) {
  run([] {
    const std::pair<std::string, Code> cases[] = {
        {"HTTP/1.1 407 Who\r\nContent-Length: 0\r\n\r\n", Code::kPermissionDenied},
        {"HTTP/1.1 403 No\r\n\r\n", Code::kPermissionDenied},
        {"HTTP/1.1 502 Bad\r\n\r\n", Code::kUnavailable},
        {"HTTP/1.1 302 Go\r\nLocation: http://a/\r\n\r\n", Code::kUnavailable},
        {"HTTP/1.1 200 OK\r\n\r\n\x16\x03\x01 early", Code::kInternal},
        {"nonsense\r\n\r\n", Code::kInternal},
        {"", Code::kUnavailable},
        {"HTTP/1.1 200 OK\r\n", Code::kUnavailable},
        {"HTTP/1.1 200 OK\r\nX: " + std::string(100'000, 'x'), Code::kResourceExhausted},
    };
    for (const auto& [answer, code] : cases) {
      RawServer proxy([&answer = answer](net::TcpStream& stream, int) {
        receive(stream);
        send(stream, answer);
      });
      Client client(through(proxy));
      EXPECT_EQ(code_of([&] { client.get("https://shop.test/"); }), code) << answer.substr(0, 100);
    }
  });
}

TEST(ClientProxy, ThatIsSilentIsGivenUp) {
  run([] {
    RawServer proxy([](net::TcpStream& stream, int) { wait_for_close(stream); });
    ClientOptions options = through(proxy);
    options.connect_timeout = 20ms;
    EXPECT_EQ(code_of([&] { Client(options).get("https://shop.test/"); }), Code::kUnavailable);
    options.connect_timeout = 10s;
    options.default_timeout = 20ms;
    EXPECT_EQ(code_of([&] { Client(options).get("https://shop.test/"); }), Code::kDeadlineExceeded);
  });
}

TEST(ClientProxy, RedirectsChooseAgain) {
  run([] {
    RawServer direct([](net::TcpStream& stream, int) {
      receive(stream);
      send(stream, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\ndirect");
    });
    RawServer proxy([&](net::TcpStream& stream, int) {
      receive(stream);
      send(stream, "HTTP/1.1 302 Go\r\nLocation: " + direct.url() + "\r\nContent-Length: 0\r\n\r\n");
    });
    Client client(through(proxy, "u:p@"));
    const Response response = client.get("http://shop.test/");
    EXPECT_EQ(response.body, "direct");
    EXPECT_EQ(response.url, direct.url());
  });
}

}  // namespace
}  // namespace degu::http
