// Who may ask, how often, and what browsers may do with the answer: middleware in the order in which it works.
#include <degu/degu.h>
#include <degu/http/cors.h>
#include <degu/http/csrf.h>
#include <degu/http/http.h>
#include <degu/http/jwt.h>
#include <degu/http/rate_limit.h>
#include <degu/http/real_ip.h>
#include <degu/http/secure_headers.h>
#include <degu/net/tcp.h>
#include <fmt/core.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
namespace http = degu::http;

http::JwtKey key() {
  return http::JwtKey::hmac(http::JwtAlgorithm::kHs256, "32 random bytes, from a secret file", "k1");
}

// [chain]
http::Router make_router() {
  http::Router router;
  router.use(http::access_log());
  router.use(http::recovery());
  router.use(http::real_ip({.trusted = {"127.0.0.1"}}));                  // who asks, behind our proxy
  router.use(http::secure_headers());                                     // what browsers must not do
  router.use(http::cors({.origins = {"https://shop.example"}}));          // whose pages may read answers
  router.use(http::csrf({.trusted_origins = {"https://shop.example"}}));  // whose pages may change things
  router.use(http::rate_limit({.per_second = 0.1, .burst = 4}));          // how often one client may come

  auto orders = router.group("/orders");
  orders.use(http::jwt({.keys = {key()}, .issuers = {"login"}, .audience = "shop"}));
  orders.post("/", [](http::Exchange& c) {
    c.text(200, c.get<http::JwtClaims>()->subject + " at " + http::client_ip(c));
  });
  return router;
}
// [/chain]

std::string token() {
  const auto now = std::chrono::floor<std::chrono::seconds>(degu::wall_now());
  return http::sign_jwt(
      key(),
      {.issuer = "login", .subject = "ada", .audience = {"shop"}, .expires_at = now + 1h, .not_before = now});
}

int main() {
  return degu::run([] {
    http::Server server(make_router());
    auto listener = degu::net::TcpListener::listen("127.0.0.1:0");
    degu::WaitGroup serving;
    serving.go([&] { server.serve(listener); });

    http::Client client;
    const auto post = [&](std::vector<std::pair<std::string, std::string>> headers) {
      const http::Response response = client.request({.method = "POST",
                                                      .url = "http://" + listener.address() + "/orders/",
                                                      .headers = std::move(headers),
                                                      .body = {}});
      fmt::print("{}{}{}\n", response.status, response.status < 402 ? " " : "",
                 response.status == 200 ? response.body : std::string(response.header("www-authenticate")));
    };
    post({});
    post({{"Authorization", "Bearer " + token()}, {"X-Forwarded-For", "192.0.2.7"}});
    post({{"Authorization", "Bearer " + token()}, {"Sec-Fetch-Site", "cross-site"}});
    post({{"Authorization", "Bearer " + token() + "x"}});
    for (int i = 0; i < 3; ++i) post({{"Authorization", "Bearer " + token()}});
    server.shutdown(5s);
    serving.wait();
  });
}
