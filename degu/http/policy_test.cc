// The middleware of policy in the order in which a service uses it, over a socket and on goroutines' stacks.
#include <degu/http/client.h>
#include <degu/http/cors.h>
#include <degu/http/csrf.h>
#include <degu/http/jwt.h>
#include <degu/http/middleware.h>
#include <degu/http/rate_limit.h>
#include <degu/http/real_ip.h>
#include <degu/http/secure_headers.h>
#include <degu/http/server.h>
#include <degu/net/tcp.h>
#include <degu/rt/run.h>
#include <degu/sync/wait_group.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <string>

namespace degu::http {
namespace {

using namespace std::chrono_literals;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

JwtKey key() { return JwtKey::hmac(JwtAlgorithm::kHs256, std::string(32, 's')); }

std::string bearer(std::string subject) {
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  return "Bearer " + sign_jwt(key(), JwtClaims{.issuer = "login",
                                               .subject = std::move(subject),
                                               .audience = {"shop"},
                                               .expires_at = now + 1h,
                                               .not_before = now});
}

Router make_router() {
  Router router;
  router.use(real_ip({.trusted = {"127.0.0.1"}}));
  router.use(secure_headers());
  router.use(cors({.origins = {"https://shop.example"}, .headers = {"Authorization"}}));
  router.use(csrf({.trusted_origins = {"https://shop.example"}}));
  router.use(rate_limit({.per_second = 0.001, .burst = 5}));
  auto orders = router.group("/orders");
  orders.use(jwt({.keys = {key()}, .issuers = {"login"}, .audience = "shop"}));
  orders.post("/", [](Exchange& c) { c.text(200, c.get<JwtClaims>()->subject + " from " + client_ip(c)); });
  return router;
}

class PolicyServer {
 public:
  explicit PolicyServer(Router router)
      : listener_(net::TcpListener::listen("127.0.0.1:0")), server_(std::move(router)) {
    done_.go([this] { server_.serve(listener_); });
  }
  ~PolicyServer() {
    server_.shutdown(5s);
    done_.wait();
  }

  // The answer as it comes, to a request with these lines.
  std::string talk(std::string_view lines,
                   std::string_view more = "Host: api.example\r\nConnection: close\r\n") {
    net::TcpStream stream = net::TcpStream::connect(listener_.address());
    const std::string text = std::string(lines) + std::string(more) + "\r\n";
    stream.write({text.data(), text.size()}, now() + 5s);
    std::string answer;
    std::array<char, 4096> part;
    for (;;) {
      const auto got = stream.read({part.data(), part.size()}, now() + 5s);
      if (got.bytes == 0) return answer;
      answer.append(part.data(), got.bytes);
    }
  }

 private:
  net::TcpListener listener_;
  Server server_;
  WaitGroup done_;
};

TEST(Policy, HoldsTogether) {
  run([] {
    PolicyServer server(make_router());
    const std::string preflight = server.talk(
        "OPTIONS /orders/ HTTP/1.1\r\nOrigin: https://shop.example\r\nAccess-Control-Request-Method: "
        "POST\r\n");
    EXPECT_THAT(preflight, StartsWith("HTTP/1.1 204 No Content\r\n"));
    EXPECT_THAT(preflight, HasSubstr("\r\nAccess-Control-Allow-Origin: https://shop.example\r\n"));
    EXPECT_THAT(preflight, HasSubstr("\r\nAccess-Control-Allow-Headers: Authorization\r\n"));
    EXPECT_THAT(preflight, Not(HasSubstr("Content-Length")));
    EXPECT_THAT(preflight, Not(HasSubstr("RateLimit")));

    const std::string login = server.talk("POST /orders/ HTTP/1.1\r\nOrigin: https://shop.example\r\n");
    EXPECT_THAT(login, StartsWith("HTTP/1.1 401 Unauthorized\r\n"));
    EXPECT_THAT(login, HasSubstr("\r\nWWW-Authenticate: Bearer\r\n"));
    EXPECT_THAT(login, HasSubstr("\r\nAccess-Control-Allow-Origin: https://shop.example\r\n"));
    EXPECT_THAT(login, HasSubstr("\r\nX-Content-Type-Options: nosniff\r\n"));
    EXPECT_THAT(login, HasSubstr("\r\nRateLimit: \"default\";r=4;"));
    EXPECT_THAT(login, Not(HasSubstr("Strict-Transport-Security")));

    const std::string order = server.talk(
        "POST /orders/ HTTP/1.1\r\nSec-Fetch-Site: same-origin\r\nX-Forwarded-Proto: https\r\n"
        "X-Forwarded-For: 1.2.3.4\r\nAuthorization: " +
        bearer("ada") + "\r\n");
    EXPECT_THAT(order, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(order, HasSubstr("\r\nStrict-Transport-Security: max-age=31536000\r\n"));
    EXPECT_THAT(order, EndsWith("ada from 1.2.3.4"));

    const std::string forged = server.talk(
        "POST /orders/ HTTP/1.1\r\nSec-Fetch-Site: cross-site\r\nAuthorization: " + bearer("ada") + "\r\n");
    EXPECT_THAT(forged, StartsWith("HTTP/1.1 403 Forbidden\r\n"));

    std::string last;
    for (int i = 0; i < 5; ++i) last = server.talk("GET /none HTTP/1.1\r\n");
    EXPECT_THAT(last, StartsWith("HTTP/1.1 429 Too Many Requests\r\n"));
    EXPECT_THAT(last, HasSubstr("\r\nRetry-After: "));
  });
}

TEST(Policy, RefusesForgeriesThatNameNoHost) {
  run([] {
    Router router;
    router.use(csrf());
    router.post("/", [](Exchange& c) { c.text(200, "done"); });
    PolicyServer server(std::move(router));
    EXPECT_THAT(server.talk("POST / HTTP/1.0\r\n", ""), EndsWith("done"));
    EXPECT_THAT(server.talk("POST / HTTP/1.0\r\nOrigin: null\r\n", ""), HasSubstr(" 403 Forbidden\r\n"));
    EXPECT_THAT(server.talk("POST / HTTP/1.0\r\nOrigin: https://evil.example\r\n", ""),
                HasSubstr(" 403 Forbidden\r\n"));
  });
}

TEST(Policy, VerifiesTokensConcurrently) {
  run([] {
    Router router;
    router.use(jwt({.keys = {key()}, .issuers = {"login"}, .audience = "shop"}));
    router.get("/", [](Exchange& c) { c.text(200, c.get<JwtClaims>()->subject); });
    PolicyServer server(std::move(router));
    std::atomic<int> good{0};
    WaitGroup clients;
    for (int i = 0; i < 8; ++i) {
      clients.go([&, i] {
        for (int j = 0; j < 20; ++j) {
          const std::string name = std::to_string(i) + "-" + std::to_string(j);
          const std::string answer = server.talk("GET / HTTP/1.1\r\nAuthorization: " + bearer(name) + "\r\n");
          if (answer.ends_with("\r\n\r\n" + name)) ++good;
        }
      });
    }
    clients.wait();
    EXPECT_EQ(good, 160);
  });
}

}  // namespace
}  // namespace degu::http
