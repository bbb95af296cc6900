#include <degu/base/time.h>
#include <degu/http/client.h>
#include <degu/http/compress.h>
#include <degu/http/internal/ranges.h>
#include <degu/http/serve_content.h>
#include <degu/http/server.h>
#include <degu/http/test_call.h>
#include <degu/net/tcp.h>
#include <degu/obs/log.h>
#include <degu/rt/run.h>
#include <degu/sync/wait_group.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace degu::http {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;
using Headers = std::vector<std::pair<std::string, std::string>>;

constexpr std::string_view kDate = "Sun, 06 Nov 1994 08:49:37 GMT";
constexpr std::string_view kBefore = "Sun, 06 Nov 1994 08:49:36 GMT";
constexpr std::string_view kAfter = "Sun, 06 Nov 1994 08:49:38 GMT";
const auto kModified = std::chrono::system_clock::from_time_t(784111777);

// 2000 bytes of which each says where it stands: "0000 0005 0010 ...".
const std::string kText = [] {
  std::string text;
  for (int i = 0; i < 400; ++i) text += fmt::format("{:04} ", i * 5);
  return text;
}();

Router router_of(const ContentView& content) {
  Router router;
  const auto serve = [content](Exchange& c) { serve_content(c, content); };
  router.get("/", serve);
  router.put("/", serve);
  return router;
}

const ContentView kContent = {
    .bytes = kText, .content_type = "text/plain", .etag = "\"v1\"", .last_modified = kModified};

Response ask(const Headers& headers, std::string_view method = "GET", const ContentView& content = kContent) {
  return test::call(router_of(content), method, "/", {}, headers);
}
int status(const Headers& headers, std::string_view method = "GET", const ContentView& content = kContent) {
  return ask(headers, method, content).status;
}

// Counts what is logged, instead of printing it.
class LogCounter : public LogSink {
 public:
  LogCounter() { set_log_sink(this); }
  ~LogCounter() override { set_log_sink(nullptr); }
  void write(Level, std::string_view, std::span<const LogField>) noexcept override { ++records; }
  std::atomic<int> records{0};
};

TEST(ServeContent, SendsAllOfIt) {
  const Response response = ask({});
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, kText);
  EXPECT_EQ(response.header("etag"), "\"v1\"");
  EXPECT_EQ(response.header("last-modified"), kDate);
  EXPECT_EQ(response.header("accept-ranges"), "bytes");
  EXPECT_EQ(response.header("content-type"), "text/plain");
  const Response head = ask({{"Range", "bytes=0-9"}}, "HEAD");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.header("etag"), "\"v1\"");
  const Response shared = ask({}, "GET", {.shared = std::make_shared<const std::string>("shared")});
  EXPECT_EQ(shared.body, "shared");
  EXPECT_EQ(shared.header("etag"), "");
  EXPECT_EQ(shared.header("last-modified"), "");
}

TEST(ServeContent, RefusesWhatIsNoEntityTag) {
  LogCounter log;
  for (const char* etag : {"unquoted", "\"", "\"a\"b", "w/\"a\"", "\"a b\"", "\"a\r\n\""}) {
    EXPECT_EQ(status({}, "GET", {.bytes = "x", .etag = etag}), 500) << etag;
  }
  EXPECT_EQ(log.records, 6);
}

// --- Conditions

TEST(ServeContent, IfNoneMatchComparesWeakly) {
  for (const char* tags :
       {"\"v1\"", "W/\"v1\"", "*", "\"a\", \"v1\"", "\"a,b\" , W/\"v1\"", ",,\"v1\",", "\"v1\"\t,\"b\""}) {
    const Response response = ask({{"If-None-Match", tags}});
    EXPECT_EQ(response.status, 304) << tags;
    EXPECT_EQ(response.body, "");
    EXPECT_EQ(response.header("etag"), "\"v1\"");
    EXPECT_EQ(response.header("content-type"), "");
    EXPECT_EQ(status({{"If-None-Match", tags}}, "HEAD"), 304);
    EXPECT_EQ(status({{"If-None-Match", tags}}, "PUT"), 412);
  }
  for (const char* tags :
       {"\"v2\"", "v1", "\"v1", "w/\"v1\"", "\"x\"\"v1\"", "\"a,\"v1\"\"", "\"* \"", "", "*, \"a\""}) {
    EXPECT_EQ(status({{"If-None-Match", tags}}), 200) << tags;
  }
  EXPECT_EQ(status({{"If-None-Match", "\"a\""}, {"If-None-Match", "\"v1\""}}), 304);
  EXPECT_EQ(status({{"If-None-Match", "\"v1\""}}, "GET", {.bytes = "x", .etag = "W/\"v1\""}), 304);
  EXPECT_EQ(status({{"If-None-Match", "\"\""}}, "GET", {.bytes = "x"}), 200);
  EXPECT_EQ(status({{"If-None-Match", "*"}}, "GET", {.bytes = "x"}), 304);
}

TEST(ServeContent, IfMatchComparesStrongly) {
  for (const char* tags : {"\"v1\"", "*", "\"a\",\"v1\""})
    EXPECT_EQ(status({{"If-Match", tags}}), 200) << tags;
  for (const char* tags : {"\"v2\"", "W/\"v1\"", "v1", "", "\"v1"}) {
    const Response response = ask({{"If-Match", tags}});
    EXPECT_EQ(response.status, 412) << tags;
    EXPECT_EQ(response.header("content-type"), "application/problem+json");
  }
  EXPECT_EQ(status({{"If-Match", "W/\"v1\""}}, "GET", {.bytes = "x", .etag = "W/\"v1\""}), 412);
}

TEST(ServeContent, ComparesDates) {
  const auto since = [](std::string_view date) { return status({{"If-Modified-Since", std::string(date)}}); };
  EXPECT_EQ(since(kBefore), 200);
  EXPECT_EQ(since(kDate), 304);
  EXPECT_EQ(since(kAfter), 304);
  EXPECT_EQ(since("Sunday, 06-Nov-94 08:49:37 GMT"), 304);
  EXPECT_EQ(since("yesterday"), 200);
  EXPECT_EQ(status({{"If-Modified-Since", std::string(kAfter)}}, "PUT"), 200);
  EXPECT_EQ(status({{"If-Modified-Since", std::string(kAfter)}}, "GET", {.bytes = "x"}), 200);
  const auto until = [](std::string_view date) {
    return status({{"If-Unmodified-Since", std::string(date)}});
  };
  EXPECT_EQ(until(kBefore), 412);
  EXPECT_EQ(until(kDate), 200);
  EXPECT_EQ(until(kAfter), 200);
  EXPECT_EQ(until("never"), 200);
}

// RFC 9110 section 13.2.2.
TEST(ServeContent, TagsCountBeforeDates) {
  EXPECT_EQ(status({{"If-None-Match", "\"v2\""}, {"If-Modified-Since", std::string(kAfter)}}), 200);
  EXPECT_EQ(status({{"If-None-Match", "\"v1\""}, {"If-Modified-Since", std::string(kBefore)}}), 304);
  EXPECT_EQ(status({{"If-Match", "\"v1\""}, {"If-Unmodified-Since", std::string(kBefore)}}), 200);
  EXPECT_EQ(status({{"If-Match", "\"v2\""}, {"If-Unmodified-Since", std::string(kAfter)}}), 412);
  EXPECT_EQ(status({{"If-Match", "\"v1\""}, {"If-None-Match", "\"v1\""}}), 304);
  EXPECT_EQ(status({{"If-Match", "\"v2\""}, {"If-None-Match", "\"v1\""}}), 412);
  EXPECT_EQ(status({{"If-None-Match", "\"v1\""}, {"Range", "bytes=0-1"}}), 304);
}

// --- Ranges

TEST(ServeContent, SendsOneRange) {
  struct Case {
    const char* field;
    std::size_t first;
    std::size_t last;
  };
  for (const auto& [field, first, last] :
       {Case{"bytes=0-0", 0, 0}, Case{"bytes=10-19", 10, 19}, Case{"bytes=1990-", 1990, 1999},
        Case{"bytes=-5", 1995, 1999}, Case{"bytes=-9999", 0, 1999},
        Case{"bytes=1999-99999999999999999999999", 1999, 1999}, Case{"Bytes= 0-1 ,", 0, 1},
        Case{"bytes=5000-,0-1", 0, 1}, Case{"bytes=0-", 0, 1999}, Case{"bytes=0-9,5-14,15-20", 0, 20},
        Case{"bytes=100-110,0-10", 0, 110}}) {
    for (const bool shared : {false, true}) {
      ContentView content = kContent;
      if (shared) content.shared = std::make_shared<const std::string>(kText);
      const Response response = ask({{"Range", field}}, "GET", content);
      EXPECT_EQ(response.status, 206) << field;
      EXPECT_EQ(response.header("content-range"), fmt::format("bytes {}-{}/2000", first, last)) << field;
      EXPECT_EQ(response.body, kText.substr(first, last - first + 1)) << field;
      EXPECT_EQ(response.header("etag"), "\"v1\"");
    }
  }
}

TEST(ServeContent, IgnoresRangesThatItDoesNotUnderstand) {
  std::string many = "bytes=0-0";
  for (int i = 1; i <= 16; ++i) many += fmt::format(",{}-{}", i * 100, i * 100);
  for (const std::string& field :
       {std::string("bytes="), std::string("bytes=-"), std::string("bytes=5-2"), std::string("bytes=a-b"),
        std::string("bytes=0x1-5"), std::string("bytes=+1-5"), std::string("bytes=1-5-7"),
        std::string("bytes=1"), std::string("bytes=--5"), std::string("bytes=1 - 5"),
        std::string("items=0-5"), std::string("bytes 0-5"), std::string("0-5"), std::string("bytes=0-1,x"),
        many}) {
    const Response response = ask({{"Range", field}});
    EXPECT_EQ(response.status, 200) << field;
    EXPECT_EQ(response.header("content-range"), "");
    EXPECT_EQ(response.body.size(), 2000U);
  }
  EXPECT_EQ(status({{"Range", "bytes=0-1"}}, "PUT"), 200);
}

TEST(ServeContent, RefusesRangesBehindTheEnd) {
  for (const char* field : {"bytes=2000-", "bytes=2000-2001", "bytes=-0", "bytes=3000-,4000-5000"}) {
    const Response response = ask({{"Range", field}});
    EXPECT_EQ(response.status, 416) << field;
    EXPECT_EQ(response.header("content-range"), "bytes */2000");
    EXPECT_EQ(response.header("content-type"), "application/problem+json");
  }
  EXPECT_EQ(status({{"Range", "bytes=0-"}}, "GET", {.bytes = ""}), 416);
  EXPECT_EQ(ask({}, "GET", {.bytes = ""}).body, "");
}

TEST(ServeContent, SendsSeveralRangesAsMultipart) {
  const Response response = ask({{"Range", "bytes=1000-1004, 0-4, -5"}});
  EXPECT_EQ(response.status, 206);
  EXPECT_EQ(response.header("content-range"), "");
  const std::string type(response.header("content-type"));
  ASSERT_THAT(type, ::testing::StartsWith("multipart/byteranges; boundary="));
  const std::string boundary = type.substr(type.find('=') + 1);
  std::string expected;
  for (const int first : {0, 1000, 1995}) {
    expected +=
        fmt::format("{}--{}\r\nContent-Type: text/plain\r\nContent-Range: bytes {}-{}/2000\r\n\r\n{:04} ",
                    expected.empty() ? "" : "\r\n", boundary, first, first + 4, first);
  }
  EXPECT_EQ(response.body, expected + "\r\n--" + boundary + "--\r\n");
  EXPECT_NE(ask({{"Range", "bytes=0-1,1000-1001"}}).header("content-type"), type);
}

// Many small or overlapping ranges, and what they would cost (RFC 9110 section 17.15).
TEST(Ranges, NeverAskForMoreThanThereIs) {
  using internal::ByteRange;
  using internal::parse_ranges;
  std::string field = "bytes=0-";
  for (int i = 1; i < 16; ++i) field += fmt::format(",{}-", i);
  EXPECT_THAT(parse_ranges(field, 1'000'000).ranges, ::testing::ElementsAre(ByteRange{0, 999'999}));
  EXPECT_THAT(parse_ranges("bytes=500-600,0-10,550-700,5-8", 10'000).ranges,
              ::testing::ElementsAre(ByteRange{0, 10}, ByteRange{500, 700}));
  EXPECT_THAT(parse_ranges("bytes=0-0,128-128", 10'000).ranges, ::testing::ElementsAre(ByteRange{0, 128}));
  EXPECT_EQ(parse_ranges("bytes=0-0,129-129", 10'000).ranges.size(), 2U);
  constexpr uint64_t kMax = ~uint64_t{0};
  EXPECT_THAT(parse_ranges("bytes=18446744073709551614-18446744073709551615", kMax).ranges,
              ::testing::ElementsAre(ByteRange{kMax - 1, kMax - 1}));
  EXPECT_TRUE(parse_ranges("bytes=-1", 0).unsatisfiable);
}

TEST(ServeContent, IfRangeWantsTheSameVersion) {
  const auto asked = [](const std::string& validator, const ContentView& content = kContent) {
    return status({{"Range", "bytes=0-4"}, {"If-Range", validator}}, "GET", content);
  };
  EXPECT_EQ(asked("\"v1\""), 206);
  EXPECT_EQ(asked(std::string(kDate)), 206);
  for (const std::string_view other :
       {std::string_view("\"v2\""), std::string_view("W/\"v1\""), kBefore, kAfter, std::string_view("*"),
        std::string_view("v1"), std::string_view("")}) {
    EXPECT_EQ(asked(std::string(other)), 200) << other;
  }
  EXPECT_EQ(asked("W/\"v1\"", {.bytes = kText, .etag = "W/\"v1\""}), 200);
  // What has changed within this second may change again within it.
  const auto ahead = wall_now() + std::chrono::hours(1);
  Headers headers = {{"Range", "bytes=0-4"}};
  const std::string date(ask({}, "GET", {.bytes = kText, .last_modified = ahead}).header("last-modified"));
  headers.emplace_back("If-Range", date);
  EXPECT_EQ(status(headers, "GET", {.bytes = kText, .last_modified = ahead}), 200);
  // A range without If-Range that lies behind the end of another version is still 416, one with it is not.
  EXPECT_EQ(status({{"Range", "bytes=9999-"}, {"If-Range", "\"v2\""}}), 200);
}

TEST(ServeContent, IsLeftAloneByCompressWhenItIsAPart) {
  Router router;
  router.use(compress({.min_bytes = 1}));
  router.get("/", [](Exchange& c) { serve_content(c, kContent); });
  const Headers accept = {{"Accept-Encoding", "gzip"}, {"Range", "bytes=0-999"}};
  EXPECT_EQ(test::call(router, "GET", "/", {}, accept).body, kText.substr(0, 1000));
  const Response whole = test::call(router, "GET", "/", {}, {{"Accept-Encoding", "gzip"}});
  EXPECT_EQ(whole.header("etag"), "W/\"v1\"");
  EXPECT_EQ(whole.header("accept-ranges"), "");
  // The weak tag that the client has now finds its version again.
  EXPECT_EQ(test::call(router, "GET", "/", {}, {{"If-None-Match", std::string(whole.header("etag"))}}).status,
            304);
}

TEST(ServeContent, AnnouncesLengthsOnTheWire) {
  run([] {
    net::TcpListener listener = net::TcpListener::listen("127.0.0.1:0");
    Server server(
        router_of({.shared = std::make_shared<const std::string>(kText), .content_type = "text/plain"}));
    WaitGroup done;
    done.go([&] { server.serve(listener); });
    Client client;
    const std::string url = "http://" + listener.address() + "/";
    const auto ask_range = [&](const char* range) {
      return client.request({"GET", url, {{"Range", range}}, {}});
    };
    EXPECT_EQ(ask_range("bytes=5-9").body, "0005 ");
    EXPECT_EQ(ask_range("bytes=5-9").header("content-length"), "5");
    const Response parts = ask_range("bytes=0-4,1000-1004");
    EXPECT_EQ(parts.header("content-length"), fmt::format("{}", parts.body.size()));
    EXPECT_THAT(parts.body, HasSubstr("\r\n\r\n1000 \r\n--"));
    EXPECT_EQ(client.request({"HEAD", url, {{"Range", "bytes=0-4"}}, {}}).header("content-length"), "2000");
    EXPECT_EQ(ask_range("bytes=9999-").status, 416);
    EXPECT_EQ(server.connections(), 1U);  // nothing had to be cut
    server.shutdown(5s);
    done.wait();
  });
}

}  // namespace
}  // namespace degu::http
