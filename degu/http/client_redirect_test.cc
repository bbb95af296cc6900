#include <degu/base/testing/code_of.h>
#include <degu/http/client.h>
#include <degu/http/server.h>
#include <degu/http/testing/raw_server.h>
#include <degu/net/tcp.h>
#include <degu/net/testing/test_authority.h>
#include <degu/net/tls.h>
#include <degu/rt/run.h>
#include <degu/sync/wait_group.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace degu::http {
namespace {

using namespace std::chrono_literals;
using degu::testing::code_of;
using degu::testing::RawServer;
using degu::testing::receive;
using degu::testing::send;
using ::testing::HasSubstr;
using ::testing::Not;

// "/go/307?to" leads to "to"; "/end" tells what came.
Router redirecting_router() {
  Router router;
  const auto go_on = [](Exchange& c) {
    c.empty(std::stoi(std::string(c.param("status"))));
    if (!c.query("to").empty()) c.set_header("Location", c.query("to"));
  };
  const auto tell = [](Exchange& c) {
    c.text(200, fmt::format("{} [{}] {}|{}|{}|{}", c.method(), c.body(), c.header("content-type"),
                            c.header("authorization"), c.header("cookie"), c.header("x-own")));
  };
  for (const char* method : {"GET", "POST", "PUT", "DELETE"}) {
    router.handle(method, "/go/:status", go_on);
    router.handle(method, "/end", tell);
    router.handle(method, "/deep/go/:status", go_on);
    router.handle(method, "/deep/end", tell);
  }
  return router;
}

class Site {
 public:
  explicit Site(ServerOptions options = {})
      : listener_(net::TcpListener::listen("127.0.0.1:0")),
        server_(redirecting_router(), std::move(options)) {
    done_.go([this] { server_.serve(listener_); });
  }
  ~Site() {
    server_.shutdown(5s);
    done_.wait();
  }
  std::string url(std::string_view path, std::string_view scheme = "http") const {
    return fmt::format("{}://{}{}", scheme, listener_.address(), path);
  }
  Server& server() { return server_; }

 private:
  net::TcpListener listener_;
  Server server_;
  WaitGroup done_;
};

TEST(ClientRedirect, IsFollowedWithTheRightMethod) {
  run([] {
    Site site;
    Client client;
    struct Case {
      const char* method;
      int status;
      const char* told;
    };
    for (const Case& it : {Case{"GET", 301, "GET [] "},
                           {"GET", 302, "GET [] "},
                           {"GET", 303, "GET [] "},
                           {"GET", 307, "GET [] "},
                           {"GET", 308, "GET [] "},
                           {"POST", 301, "GET [] |"},
                           {"POST", 302, "GET [] |"},
                           {"POST", 303, "GET [] |"},
                           {"POST", 307, "POST [b] text/plain|"},
                           {"POST", 308, "POST [b] text/plain|"},
                           {"PUT", 301, "PUT [b] text/plain|"},
                           {"PUT", 303, "GET [] |"},
                           {"DELETE", 302, "DELETE [] "}}) {
      const bool has_body = std::string_view(it.method).starts_with("P");
      Request request{it.method, site.url(fmt::format("/go/{}?to=/end", it.status)), {}, has_body ? "b" : ""};
      if (has_body) request.headers = {{"Content-Type", "text/plain"}};
      const Response response = client.request(request);
      EXPECT_THAT(response.body, ::testing::StartsWith(it.told)) << it.method << it.status;
      EXPECT_EQ(response.url, site.url("/end"));
    }
    EXPECT_EQ(client.request({"HEAD", site.url("/go/303?to=/end")}).url, site.url("/end"));
    EXPECT_EQ(site.server().connections(), 1U);
  });
}

TEST(ClientRedirect, ResolvesItsLocation) {
  run([] {
    Site site;
    Client client;
    EXPECT_EQ(client.get(site.url("/deep/go/302?to=../end%23here")).url, site.url("/deep/end"));
    EXPECT_EQ(client.get(site.url("/deep/go/302?to=/go/301%3Fto%3D/end")).url, site.url("/end"));
    Site other;
    EXPECT_EQ(client.get(site.url("/go/302?to=" + other.url("/end"))).url, other.url("/end"));
  });
}

TEST(ClientRedirect, KeepsSecretsWithinTheOrigin) {
  run([] {
    Site site;
    Site other;
    Client client;
    const auto ask = [&](const std::string& to) {
      return client
          .request({"GET",
                    site.url("/go/302?to=" + to),
                    {{"authorization", "Basic x"}, {"Cookie", "a=b"}, {"X-Own", "o"}}})
          .body;
    };
    EXPECT_EQ(ask("/end"), "GET [] |Basic x|a=b|o");
    EXPECT_EQ(ask(other.url("/end")), "GET [] |||o");
    // They stay away on the way back.
    EXPECT_EQ(ask(other.url("/go/302%3Fto%3D") + site.url("/end")), "GET [] |||o");
  });
}

TEST(ClientRedirect, EndsAfterAWhile) {
  run([] {
    RawServer server([](net::TcpStream& stream, int) {
      for (;;) {
        const std::string head = receive(stream);
        if (head.empty()) return;
        const int n = std::stoi(head.substr(5));
        send(stream, n == 0 ? "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
                            : fmt::format("HTTP/1.1 302 Go\r\nLocation: /{}\r\nContent-Length: 4\r\n\r\nbody",
                                          n - 1));
      }
    });
    Client client;
    EXPECT_EQ(client.get(server.url("/10")).body, "ok");
    EXPECT_EQ(code_of([&] { client.get(server.url("/11")); }), Code::kResourceExhausted);
    ClientOptions options;
    options.max_redirects = 0;
    Client still(options);
    const Response answer = still.get(server.url("/3"));
    EXPECT_EQ(answer.status, 302);
    EXPECT_EQ(answer.body, "body");
    EXPECT_EQ(answer.url, server.url("/3"));
    EXPECT_EQ(server.connections(), 2);
  });
}

TEST(ClientRedirect, WithoutLocationIsAnAnswer) {
  run([] {
    Site site;
    Client client;
    EXPECT_EQ(client.get(site.url("/go/302")).status, 302);
    EXPECT_EQ(client.get(site.url("/go/304?to=/end")).status, 304);
    EXPECT_EQ(client.get(site.url("/go/300?to=/end")).status, 300);
    EXPECT_EQ(client.get(site.url("/go/201?to=/end")).status, 201);
  });
}

TEST(ClientRedirect, ToNowhereIsAFault) {
  run([] {
    for (const char* fields :
         {"Location: ftp://a/\r\n", "Location: http://u:p@a/\r\n", "Location: //\r\n", "Location: /a b\r\n",
          "Location: /a\r\nLocation: /b\r\n", "Location: javascript:alert(1)\r\n"}) {
      RawServer server([&](net::TcpStream& stream, int) {
        receive(stream);
        send(stream, fmt::format("HTTP/1.1 302 Go\r\n{}Content-Length: 0\r\n\r\n", fields));
      });
      Client client;
      EXPECT_EQ(code_of([&] { client.get(server.url()); }), Code::kInternal) << fields;
    }
  });
}

TEST(ClientRedirect, DoesNotLeaveTls) {
  run([] {
    degu::testing::TestAuthority authority;
    net::TlsServerOptions tls;
    tls.certificates = {authority.issue("site", "site", "IP:127.0.0.1")};
    ServerOptions secure;
    secure.tls = std::make_shared<net::TlsServer>(tls);
    Site site(secure);
    Site plain;
    ClientOptions options;
    options.tls.ca_file = authority.ca_file();
    Client client(options);
    const std::string down = site.url("/go/302?to=" + plain.url("/end"), "https");
    EXPECT_EQ(code_of([&] { client.get(down); }), Code::kFailedPrecondition);
    EXPECT_EQ(client.get(plain.url("/go/302?to=" + site.url("/end", "https"))).url,
              site.url("/end", "https"));
    options.redirect_to_http = true;
    EXPECT_EQ(Client(options).get(down).url, plain.url("/end"));
  });
}

TEST(ClientRedirect, MakesNoBodyTwice) {
  run([] {
    Site site;
    Client client;
    int calls = 0;
    const auto write = [&](RequestBody& body) {
      ++calls;
      body.write("b");
    };
    EXPECT_EQ(client.request({"POST", site.url("/go/307?to=/end")}, write).status, 307);
    EXPECT_EQ(calls, 1);
    EXPECT_THAT(client.request({"POST", site.url("/go/303?to=/end")}, write).body, HasSubstr("GET []"));
    EXPECT_EQ(calls, 2);
  });
}

}  // namespace
}  // namespace degu::http
