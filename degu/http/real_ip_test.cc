#include <degu/base/testing/code_of.h>
#include <degu/http/internal/forwarded.h>
#include <degu/http/internal/ip.h>
#include <degu/http/middleware.h>
#include <degu/http/real_ip.h>
#include <degu/http/router.h>
#include <degu/http/server.h>
#include <degu/http/test_call.h>
#include <degu/net/tcp.h>
#include <degu/obs/log.h>
#include <degu/rt/run.h>
#include <degu/sync/wait_group.h>
#include <gtest/gtest.h>

#include <string>

namespace degu::http {
namespace {

using test::call;
using Headers = std::vector<std::pair<std::string, std::string>>;

constexpr std::string_view kProxy = "10.0.0.1:4711";

Router router_with(RealIpOptions options) {
  Router router;
  router.use(real_ip(std::move(options)));
  router.get("/", [](Exchange& c) { c.text(200, client_ip(c) + (c.secure() ? " tls" : "")); });
  return router;
}

// Who the client is, for proxies in 10/8 and fd00::/8.
std::string by_list(Headers headers, std::string_view peer = kProxy) {
  return call(router_with({.trusted = {"10.0.0.0/8", "fd00::/8"}}), "GET", "/", {}, headers, peer).body;
}
std::string client_of(std::string list) { return by_list(Headers{{"X-Forwarded-For", std::move(list)}}); }

std::string by_forwarded(Headers headers, std::string_view peer = kProxy) {
  const Router router = router_with({.trusted = {"10.0.0.0/8", "fd00::/8"}, .field = ProxyField::kForwarded});
  return call(router, "GET", "/", {}, headers, peer).body;
}
std::string forwarded_client_of(std::string list) {
  return by_forwarded(Headers{{"Forwarded", std::move(list)}});
}

TEST(ClientIp, IsThePeerWithoutMiddleware) {
  Router router;
  router.get("/", [](Exchange& c) { c.text(200, client_ip(c)); });
  const auto ask = [&](std::string_view peer) {
    return call(router, "GET", "/", {}, {{"X-Forwarded-For", "1.2.3.4"}}, peer).body;
  };
  EXPECT_EQ(ask("192.0.2.1:80"), "192.0.2.1");
  EXPECT_EQ(ask("[2001:db8::1]:80"), "2001:db8::1");
  EXPECT_EQ(ask("[::ffff:192.0.2.1]:80"), "192.0.2.1");
  EXPECT_EQ(ask("[fe80::1%2]:80"), "fe80::1");
  EXPECT_EQ(ask(""), "");
  EXPECT_EQ(ask("@socket"), "");
}

TEST(RealIp, WalksFromTheRightPastProxies) {
  EXPECT_EQ(client_of("1.2.3.4"), "1.2.3.4");
  EXPECT_EQ(client_of("1.2.3.4, 10.0.0.2"), "1.2.3.4");
  EXPECT_EQ(client_of("1.2.3.4,10.9.9.9 ,\t10.0.0.2"), "1.2.3.4");
  EXPECT_EQ(client_of("6.6.6.6, 1.2.3.4"), "1.2.3.4");  // the client wrote the first
  EXPECT_EQ(client_of("10.1.1.1, 10.0.0.2"), "10.1.1.1");
  EXPECT_EQ(client_of("1.2.3.4, fd00::7"), "1.2.3.4");
  EXPECT_EQ(client_of("2001:db8::1"), "2001:db8::1");
  EXPECT_EQ(client_of("2001:DB8:0::1"), "2001:db8::1");
  EXPECT_EQ(client_of("[2001:db8::1]:4711"), "2001:db8::1");
  EXPECT_EQ(client_of("1.2.3.4:4711"), "1.2.3.4");
  EXPECT_EQ(client_of("6.6.6.6, ::ffff:10.0.0.2"), "6.6.6.6");
  EXPECT_EQ(client_of("::ffff:1.2.3.4"), "1.2.3.4");
}

TEST(RealIp, TakesSeveralFieldsAsOneList) {
  EXPECT_EQ(by_list({{"X-Forwarded-For", "6.6.6.6"}, {"X-Forwarded-For", "1.2.3.4"}}), "1.2.3.4");
  EXPECT_EQ(by_list({{"X-Forwarded-For", "1.2.3.4"}, {"x-forwarded-for", "10.0.0.2"}}), "1.2.3.4");
}

TEST(RealIp, BelievesTrustedPeersOnly) {
  EXPECT_EQ(by_list({{"X-Forwarded-For", "1.2.3.4"}, {"X-Forwarded-Proto", "https"}}, "9.9.9.9:1"),
            "9.9.9.9");
  EXPECT_EQ(by_list({{"X-Forwarded-For", "1.2.3.4"}}, "[fd00::1]:1"), "1.2.3.4");
  EXPECT_EQ(by_list({{"X-Forwarded-For", "1.2.3.4"}}, "[::ffff:10.0.0.1]:1"), "1.2.3.4");
  EXPECT_EQ(by_list({{"X-Forwarded-For", "1.2.3.4"}}, ""), "");
  EXPECT_EQ(by_list({}), "10.0.0.1");
  EXPECT_EQ(by_list({{"Forwarded", "for=1.2.3.4"}}), "10.0.0.1");  // not the field that was chosen
}

TEST(RealIp, EndsAtBadEntries) {
  for (const char* bad :
       {"",          "unknown",   "_hidden",   "1.2.3",         "1.2.3.4.5",   "01.2.3.4",
        "0x1.2.3.4", "1.2.3.4:",  "1.2.3.4:x", "1.2.3.4:65536", "[1.2.3.4]",   "[::1",
        "::1]",      "[::1]x",    "[::1]:",    "fe80::1%eth0",  "\"1.2.3.4\"", "1.2.3.4 5.6.7.8",
        "1.2.3.4;",  "localhost", ":::",       "16909060"}) {
    EXPECT_EQ(client_of(std::string("6.6.6.6, ") + bad), "10.0.0.1") << bad;
    EXPECT_EQ(client_of(std::string("6.6.6.6, ") + bad + ", 10.0.0.2"), "10.0.0.2") << bad;
    EXPECT_EQ(client_of(std::string("6.6.6.6, ") + bad + ", 1.2.3.4"), "1.2.3.4") << bad;
  }
  EXPECT_EQ(client_of(",,,"), "10.0.0.1");
  std::string many;
  for (int i = 0; i < 2000; ++i) many += "10.0.0.2, ";
  EXPECT_EQ(client_of("1.2.3.4, " + many + "10.0.0.2"), "1.2.3.4");
}

TEST(RealIp, LearnsOfTls) {
  const auto with = [](const char* proto) {
    return by_list({{"X-Forwarded-For", "1.2.3.4"}, {"X-Forwarded-Proto", proto}});
  };
  EXPECT_EQ(with("https"), "1.2.3.4 tls");
  EXPECT_EQ(with("HTTPS"), "1.2.3.4 tls");
  EXPECT_EQ(with("http"), "1.2.3.4");
  EXPECT_EQ(with("https, http"), "1.2.3.4");
  EXPECT_EQ(
      by_list(
          {{"X-Forwarded-For", "1.2.3.4"}, {"X-Forwarded-Proto", "https"}, {"X-Forwarded-Proto", "http"}}),
      "1.2.3.4");
  EXPECT_EQ(forwarded_client_of("for=1.2.3.4;proto=https"), "1.2.3.4 tls");
  EXPECT_EQ(forwarded_client_of("for=1.2.3.4;proto=HTTPS, for=10.0.0.2;proto=http"), "1.2.3.4 tls");
  EXPECT_EQ(forwarded_client_of("for=1.2.3.4;proto=http, for=10.0.0.2;proto=https"), "1.2.3.4");
  EXPECT_EQ(forwarded_client_of("for=6.6.6.6;proto=https, for=1.2.3.4"), "1.2.3.4");
}

TEST(RealIp, ReadsForwarded) {
  // RFC 7239 section 4 and 6.
  EXPECT_EQ(forwarded_client_of("for=192.0.2.43, for=10.1.1.1"), "192.0.2.43");
  EXPECT_EQ(forwarded_client_of("For=\"[2001:db8:cafe::17]:4711\""), "2001:db8:cafe::17");
  EXPECT_EQ(forwarded_client_of("for=192.0.2.60;proto=http;by=203.0.113.43"), "192.0.2.60");
  EXPECT_EQ(forwarded_client_of("for=\"192.0.2.43:47011\""), "192.0.2.43");
  EXPECT_EQ(by_forwarded({{"Forwarded", "for=6.6.6.6"}, {"Forwarded", "for=192.0.2.43"}}), "192.0.2.43");
  EXPECT_EQ(forwarded_client_of("by=_x;for=192.0.2.43;host=\"a,b;for=6.6.6.6\""), "192.0.2.43");
  EXPECT_EQ(forwarded_client_of("for=192.0.2.43;ext=\"a\\\",for=6.6.6.6;b=\\\"\""), "192.0.2.43");
  EXPECT_EQ(forwarded_client_of("for = 192.0.2.43"), "10.0.0.1");
}

TEST(RealIp, EndsAtBadForwardedElements) {
  for (const char* bad :
       {"", "for=unknown", "for=_hidden", "for=\"_gazonk\"", "for", "for=", "=1.2.3.4", "by=1.2.3.4",
        "for=6.6.6.6;for=6.6.6.6", "for=6.6.6.6 x", "for=6.6.6.6;proto=http;proto=https", "for=\"6.6.6.6",
        "for=[::1]", "for=::1", "f or=6.6.6.6", "for=6.6.6.6;x"}) {
    EXPECT_EQ(forwarded_client_of(std::string("for=6.6.6.6, ") + bad + ", for=10.0.0.2"), "10.0.0.2") << bad;
    EXPECT_EQ(forwarded_client_of(std::string(bad) + ", for=1.2.3.4"), "1.2.3.4") << bad;
  }
  // A quote that the client leaves open does not swallow what the proxy appends.
  EXPECT_EQ(forwarded_client_of("for=\"6.6.6.6, for=1.2.3.4;proto=http"), "1.2.3.4");
  EXPECT_EQ(forwarded_client_of("x=\"\\\", for=1.2.3.4"), "1.2.3.4");
}

TEST(RealIp, KeepsNothingForTheNextRequest) {
  run([] {
    const auto show = [](Exchange& c) { c.text(200, client_ip(c) + (c.secure() ? " tls" : "")); };
    Router router;
    router.get("/plain", show);
    auto behind = router.group("/behind");
    behind.use(real_ip({.trusted = {"127.0.0.1"}}));
    behind.get("/", show);
    net::TcpListener listener = net::TcpListener::listen("127.0.0.1:0");
    Server server(std::move(router));
    WaitGroup done;
    done.go([&] { server.serve(listener); });
    Client client;
    const std::string url = "http://" + listener.address();
    const Headers told = {{"X-Forwarded-For", "1.2.3.4"}, {"X-Forwarded-Proto", "https"}};
    for (int i = 0; i < 2; ++i) {
      EXPECT_EQ(client.request({"GET", url + "/behind/", told, {}}).body, "1.2.3.4 tls");
      EXPECT_EQ(client.request({"GET", url + "/plain", told, {}}).body, "127.0.0.1");
    }
    server.shutdown(std::chrono::seconds(5));
    done.wait();
  });
}

class LastRecord : public LogSink {
 public:
  LastRecord() { set_log_sink(this); }
  ~LastRecord() override { set_log_sink(nullptr); }
  void write(Level, std::string_view, std::span<const LogField> fields) noexcept override {
    for (const LogField& field : fields) {
      if (field.key == "client_ip") client = std::get<std::string_view>(field.value);
      if (field.key == "peer") peer = std::get<std::string_view>(field.value);
    }
  }
  std::string client;
  std::string peer;
};

TEST(RealIp, IsLogged) {
  Router router;
  router.use(access_log());
  router.use(real_ip({.trusted = {"10.0.0.0/8"}}));
  router.get("/", [](Exchange& c) { c.text(200, "x"); });
  const LastRecord record;
  call(router, "GET", "/", {}, {{"X-Forwarded-For", "1.2.3.4"}}, kProxy);
  EXPECT_EQ(record.client, "1.2.3.4");
  EXPECT_EQ(record.peer, kProxy);
}

TEST(RealIp, RefusesBadRanges) {
  const auto refused = [](std::vector<std::string> ranges) {
    return testing::code_of([&] { real_ip({.trusted = std::move(ranges)}); }) == Code::kInvalidArgument;
  };
  EXPECT_TRUE(refused({}));
  for (const char* range :
       {"", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8x", "10.0.0.1/8", "::1/127", "::/129",
        "10.0.0/8", "localhost", "[::1]", "10.0.0.1:80", "fe80::1%1"}) {
    EXPECT_TRUE(refused({range})) << range;
  }
  for (const char* range : {"10.0.0.0/8", "10.0.0.1", "10.0.0.1/32", "0.0.0.0/0", "::/0", "::1/128",
                            "fd00::/8", "::ffff:10.0.0.0/104"}) {
    EXPECT_FALSE(refused({range})) << range;
  }
}

TEST(IpRange, ContainsByFamilyAndPrefix) {
  const auto contains = [](const char* range, const char* address) {
    return internal::IpRange::parse(range).contains(internal::IpAddress::parse(address).value());
  };
  EXPECT_TRUE(contains("10.0.0.0/8", "10.255.255.255"));
  EXPECT_FALSE(contains("10.0.0.0/8", "11.0.0.0"));
  EXPECT_FALSE(contains("10.0.0.0/8", "9.255.255.255"));
  EXPECT_TRUE(contains("10.0.0.128/25", "10.0.0.129"));
  EXPECT_FALSE(contains("10.0.0.128/25", "10.0.0.127"));
  EXPECT_TRUE(contains("10.0.0.0/31", "10.0.0.1"));
  EXPECT_FALSE(contains("10.0.0.0/31", "10.0.0.2"));
  EXPECT_TRUE(contains("::ffff:10.0.0.0/104", "10.1.2.3"));
  EXPECT_TRUE(contains("10.0.0.0/8", "::ffff:10.1.2.3"));
  EXPECT_TRUE(contains("0.0.0.0/0", "1.2.3.4"));
  EXPECT_FALSE(contains("0.0.0.0/0", "::1"));
  EXPECT_FALSE(contains("::/0", "1.2.3.4"));
  EXPECT_TRUE(contains("::/0", "2001:db8::1"));
  EXPECT_TRUE(contains("2001:db8::/33", "2001:db8:7fff::1"));
  EXPECT_FALSE(contains("2001:db8::/33", "2001:db8:8000::1"));
  EXPECT_TRUE(contains("::1", "::1"));
  EXPECT_FALSE(contains("::1", "::2"));
}

}  // namespace
}  // namespace degu::http
