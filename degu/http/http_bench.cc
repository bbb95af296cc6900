// What a request costs outside the kernel: parsing, routing, JSON, and the whole way through a router without
// a socket.
#include <benchmark/benchmark.h>
#include <degu/http/internal/route_table.h>
#include <degu/http/json_codec.h>
#include <degu/http/request_parser.h>
#include <degu/http/router.h>
#include <degu/http/test_call.h>

#include <string>
#include <vector>

namespace degu::http {

struct User {
  int64_t id = 0;
  std::string name;
  std::string email;
  std::string created_at;
};
BOOST_DESCRIBE_STRUCT(User, (), (id, name, email, created_at))

namespace {

void parse_head(benchmark::State& state, std::string_view text) {
  RequestParser parser;
  for (auto _ : state) {
    parser.reset();
    benchmark::DoNotOptimize(parser.parse(text));
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(text.size()));
}

void BM_ParseSmall(benchmark::State& state) {
  parse_head(state, "GET /ping HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n");
}
BENCHMARK(BM_ParseSmall);

void BM_ParseBrowser(benchmark::State& state) {
  parse_head(
      state,
      "GET /api/v1/products?q=lamp&page_size=20 HTTP/1.1\r\nHost: shop.example.com\r\nConnection: "
      "keep-alive\r\n"
      "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 "
      "Safari/537.36\r\nAccept: "
      "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;"
      "q=0.8\r\nAccept-Encoding: gzip, deflate, br\r\nAccept-Language: en-US,en;q=0.9,de;q=0.8\r\n"
      "Referer: http://shop.example.com/\r\nCookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n"
      "Sec-Fetch-Dest: empty\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Site: same-origin\r\n\r\n");
}
BENCHMARK(BM_ParseBrowser);

void BM_RouteAmong200(benchmark::State& state) {
  internal::RouteTable table;
  const Handler* handler = table.keep([](Exchange&) {});
  std::vector<std::string> paths;
  for (int i = 0; i < 50; ++i) {
    const std::string base = "/api/v1/things" + std::to_string(i);
    for (const char* tail : {"", "/:id", "/:id/parts", "/:id/parts/:part"}) {
      table.add("GET", base + tail, {}, handler, {});
    }
    for (const char* tail : {"", "/17", "/17/parts", "/17/parts/4"}) paths.push_back(base + tail);
  }
  internal::MatchParams params;
  std::size_t i = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(table.match("GET", paths[i], params));
    i = i + 1 == paths.size() ? 0 : i + 1;
  }
}
BENCHMARK(BM_RouteAmong200);

std::vector<User> ten_users() {
  std::vector<User> users;
  for (int i = 0; i < 10; ++i) {
    users.push_back(
        {1000 + i, "Ada Lovelace " + std::to_string(i), "ada@example.com", "2026-01-02T03:04:05Z"});
  }
  return users;
}

void BM_WriteTenUsers(benchmark::State& state) {
  const std::vector<User> users = ten_users();
  std::string out;
  for (auto _ : state) {
    out.clear();
    json::Writer writer(out);
    json::write(writer, users);
    benchmark::DoNotOptimize(out.data());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(out.size()));
}
BENCHMARK(BM_WriteTenUsers);

void BM_ReadTenUsers(benchmark::State& state) {
  const std::string text = json::to_string(ten_users());
  for (auto _ : state) benchmark::DoNotOptimize(json::from_string<std::vector<User>>(text));
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(text.size()));
}
BENCHMARK(BM_ReadTenUsers);

void BM_ReadSmallObject(benchmark::State& state) {
  const std::string text = R"({"id":7,"name":"Ada","email":"ada@example.com"})";
  for (auto _ : state) benchmark::DoNotOptimize(json::from_string<User>(text));
}
BENCHMARK(BM_ReadSmallObject);

void BM_CallPing(benchmark::State& state) {
  Router router;
  router.get("/ping", [](Exchange& c) { c.text(200, "pong"); });
  for (auto _ : state) benchmark::DoNotOptimize(test::call(router, "GET", "/ping"));
}
BENCHMARK(BM_CallPing);

}  // namespace
}  // namespace degu::http
