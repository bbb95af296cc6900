#include <degu/base/testing/code_of.h>
#include <degu/base/testing/temp_dir.h>
#include <degu/http/client.h>
#include <degu/http/compress.h>
#include <degu/http/content_coding.h>
#include <degu/http/router.h>
#include <degu/http/server.h>
#include <degu/http/static_files.h>
#include <degu/http/test_call.h>
#include <degu/net/file.h>
#include <degu/net/tcp.h>
#include <degu/rt/run.h>
#include <degu/sync/wait_group.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace degu::http {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using Headers = std::vector<std::pair<std::string, std::string>>;

// Beyond the pieces in which files are read.
const std::string kLarge = [] {
  std::string text;
  for (int i = 0; text.size() < 300'000; ++i) text += fmt::format("{:07} ", i * 8);
  return text;
}();

// Each test serves the same folder from memory and from the disk.
class StaticFilesTest : public ::testing::TestWithParam<bool> {
 protected:
  StaticFilesTest() {
    std::filesystem::create_directories(dir_.file("web/css"));
    std::filesystem::create_directories(dir_.file("web/.git"));
    std::filesystem::create_directories(dir_.file("web/bare"));
    write("web/index.html", "<h1>shop</h1>");
    write("web/css/site.css", "body{}");
    write("web/css/index.html", "css index");
    write("web/.secret", "s");
    write("web/.git/config", "g");
    write("web/large.bin", kLarge);
    write("web/empty.txt", "");
    write("web/app.js", "let plain = 1;");
    write("web/app.js.br", encode(Coding::kBrotli, "let plain = 1;"));
    write("web/app.js.gz", encode(Coding::kGzip, "let plain = 1;"));
    write("web/lone.js.gz", encode(Coding::kGzip, "no plain file"));
    write("secret", "outside");
    std::filesystem::create_symlink("/etc/passwd", dir_.file("web/link"));
    std::filesystem::create_symlink("../secret", dir_.file("web/css/out.css"));
    std::filesystem::create_symlink("css", dir_.file("web/styles"));
    std::filesystem::create_symlink("../", dir_.file("web/up"));
    ::mkfifo(dir_.file("web/pipe").c_str(), 0600);
  }
  void write(const std::string& name, const std::string& text) { net::write_all(dir_.file(name), text); }

  Router router(StaticOptions options = {}) {
    Router router;
    options.from_disk = GetParam();
    router.get("/*path", static_files(dir_.file("web"), std::move(options)));
    router.get("/api/x", [](Exchange& c) { c.text(200, "api"); });
    return router;
  }
  Response ask(std::string_view path, const Headers& headers = {}, StaticOptions options = {}) {
    return test::call(router(std::move(options)), "GET", path, {}, headers);
  }

  testing::TempDir dir_;
};

INSTANTIATE_TEST_SUITE_P(From, StaticFilesTest, ::testing::Values(false, true),
                         [](const auto& test) { return test.param ? "Disk" : "Memory"; });

TEST_P(StaticFilesTest, ServesFiles) {
  const Router site = router();
  const auto get = [&](std::string_view path) { return test::call(site, "GET", path); };
  const Response page = get("/");
  EXPECT_EQ(page.body, "<h1>shop</h1>");
  EXPECT_EQ(page.header("content-type"), "text/html; charset=utf-8");
  EXPECT_EQ(page.header("cache-control"), "no-cache");
  EXPECT_EQ(page.header("x-content-type-options"), "nosniff");
  EXPECT_EQ(page.header("accept-ranges"), "bytes");
  EXPECT_EQ(page.header("last-modified").size(), 29U);
  EXPECT_EQ(get("/index.html").body, page.body);
  EXPECT_EQ(get("/css/").body, "css index");
  EXPECT_EQ(get("/css/site.css").header("content-type"), "text/css; charset=utf-8");
  EXPECT_EQ(get("/empty.txt").status, 200);
  EXPECT_EQ(get("/empty.txt").body, "");
  EXPECT_TRUE(get("/large.bin").body == kLarge);
  EXPECT_EQ(get("/api/x").body, "api");
  EXPECT_EQ(test::call(site, "HEAD", "/").body, "");
  EXPECT_EQ(test::call(site, "HEAD", "/large.bin").body, "");
  EXPECT_EQ(test::call(site, "HEAD", "/large.bin").status, 200);
  EXPECT_EQ(test::call(site, "POST", "/").status, 405);
}

TEST_P(StaticFilesTest, ServesNothingElse) {
  const Router site = router();
  const std::string absolute = "/" + dir_.file("web/index.html");
  const std::string long_name = "/" + std::string(300, 'x');
  std::string deep;
  while (deep.size() < 5000) deep += "/abc";
  for (const std::string& path : {std::string("/none"),
                                  std::string("/.secret"),
                                  std::string("/.git/config"),
                                  std::string("/css/none.css"),
                                  std::string("/link"),
                                  std::string("/css/out.css"),
                                  std::string("/styles/site.css"),
                                  std::string("/styles"),
                                  std::string("/styles/"),
                                  std::string("/up/secret"),
                                  std::string("/pipe"),
                                  std::string("/bare"),
                                  std::string("/bare/"),
                                  std::string("/index.html/"),
                                  std::string("/index.html/x"),
                                  std::string("//etc/passwd"),
                                  std::string("/css//site.css"),
                                  std::string("/css%2Fsite.css"),
                                  std::string("/css%2fsite.css"),
                                  std::string("/%2fetc%2fpasswd"),
                                  std::string("/lone.js"),
                                  std::string("/C:/x"),
                                  absolute,
                                  long_name,
                                  deep}) {
    const Response response = test::call(site, "GET", path);
    EXPECT_EQ(response.status, 404) << path.substr(0, 100);
    EXPECT_EQ(response.header("etag"), "") << path.substr(0, 100);
    EXPECT_NE(response.header("cache-control"), "no-cache");
  }
  for (const char* path :
       {"/../etc/passwd", "/css/../index.html", "/%2e%2e/x", "/..%2f..%2fetc%2fpasswd", "/a%00",
        "/..%5c..%5csecret", "/css/%2e%2e/%2e%2e/secret", "/index.html%00.png", "/%0aindex.html"}) {
    EXPECT_EQ(test::call(site, "GET", path).status, 400) << path;
  }
  EXPECT_EQ(test::call(site, "GET", "/" + std::string(10'000, 'x')).status, 414);
}

TEST_P(StaticFilesTest, WantsAFolder) {
  StaticOptions options;
  options.from_disk = GetParam();
  EXPECT_THROW(static_files(dir_.file("none"), options), Error);
  EXPECT_THROW(static_files(dir_.file("secret"), options), Error);
}

TEST_P(StaticFilesTest, RedirectsToFolders) {
  const Response response = ask("/css?v=1");
  EXPECT_EQ(response.status, 301);
  EXPECT_EQ(response.header("location"), "./css/?v=1");
  EXPECT_EQ(response.body, "");
  EXPECT_EQ(ask("/css", {}, {.index = ""}).status, 404);
  EXPECT_EQ(ask("/css", {}, {.index = "none.html"}).status, 404);
  // What looks like a host or a scheme stays a name.
  std::filesystem::create_directories(dir_.file("web/a:b"));
  write("web/a:b/index.html", "x");
  EXPECT_EQ(ask("/a:b").header("location"), "./a:b/");
  EXPECT_EQ(ask("/%61:b").header("location"), "./%61:b/");
  EXPECT_EQ(ask("//css").status, 404);
}

TEST_P(StaticFilesTest, Revalidates) {
  const std::string etag(ask("/").header("etag"));
  const std::string date(ask("/").header("last-modified"));
  const auto status = [&](const char* name, const std::string& value) {
    return ask("/", {{name, value}}).status;
  };
  EXPECT_EQ(status("If-None-Match", etag), 304);
  EXPECT_EQ(status("If-None-Match", "\"x\", W/" + etag), 304);
  EXPECT_EQ(status("If-None-Match", "*"), 304);
  EXPECT_EQ(status("If-None-Match", "\"x\""), 200);
  EXPECT_EQ(status("If-Modified-Since", date), 304);
  EXPECT_EQ(status("If-Match", "\"x\""), 412);
  EXPECT_EQ(ask("/", {{"If-None-Match", etag}}).header("cache-control"), "no-cache");
  EXPECT_EQ(ask("/", {{"If-Match", "\"x\""}}).header("cache-control"), "");
  EXPECT_NE(ask("/css/site.css").header("etag"), etag);
}

TEST_P(StaticFilesTest, SendsRanges) {
  for (const auto& [field, first, size] :
       {std::tuple("bytes=8-14", 8, 7), std::tuple("bytes=16-200007", 16, 199'992),
        std::tuple("bytes=-100", -100, 100)}) {
    const Response response = ask("/large.bin", {{"Range", field}});
    const std::size_t at = first >= 0 ? static_cast<std::size_t>(first) : kLarge.size() - 100;
    EXPECT_EQ(response.status, 206);
    EXPECT_TRUE(response.body == kLarge.substr(at, static_cast<std::size_t>(size))) << field;
  }
  const Response parts = ask("/large.bin", {{"Range", "bytes=0-6,80000-80006"}});
  EXPECT_EQ(parts.status, 206);
  EXPECT_THAT(parts.body, HasSubstr("\r\n\r\n0000000\r\n--"));
  EXPECT_THAT(parts.body, HasSubstr("\r\n\r\n0080000\r\n--"));
  EXPECT_EQ(ask("/large.bin", {{"Range", "bytes=9999999-"}}).status, 416);
  EXPECT_EQ(ask("/empty.txt", {{"Range", "bytes=0-"}}).status, 416);
  const std::string etag(ask("/large.bin").header("etag"));
  EXPECT_EQ(ask("/large.bin", {{"Range", "bytes=0-1"}, {"If-Range", etag}}).body, "00");
  EXPECT_EQ(ask("/large.bin", {{"Range", "bytes=0-1"}, {"If-Range", "\"x\""}}).status, 200);
}

TEST_P(StaticFilesTest, PrefersCompressedSiblings) {
  const Router site = router();
  const auto get = [&](const char* accept, std::string_view path = "/app.js") {
    return test::call(site, "GET", path, {}, {{"Accept-Encoding", accept}});
  };
  std::vector<std::string> tags;
  for (const auto& [accept, coding] : {std::pair("br, gzip", Coding::kBrotli),
                                       std::pair("gzip", Coding::kGzip), std::pair("", Coding::kIdentity)}) {
    const Response response = get(accept);
    EXPECT_EQ(response.header("content-encoding"), coding == Coding::kIdentity ? "" : to_string(coding));
    EXPECT_EQ(response.header("content-type"), "text/javascript; charset=utf-8");
    EXPECT_EQ(response.header("vary"), "Accept-Encoding");
    EXPECT_EQ(decode(coding, response.body), "let plain = 1;");
    const std::string etag(response.header("etag"));
    EXPECT_THAT(tags, ::testing::Not(::testing::Contains(etag)));
    tags.push_back(etag);
    const Response again =
        test::call(site, "GET", "/app.js", {}, {{"Accept-Encoding", accept}, {"If-None-Match", etag}});
    EXPECT_EQ(again.status, 304);
    EXPECT_EQ(again.header("vary"), "Accept-Encoding");
    EXPECT_EQ(again.header("content-encoding"), "");
  }
  EXPECT_EQ(get("br;q=0.5, gzip").header("content-encoding"), "gzip");
  EXPECT_EQ(get("gzip, br", "/lone.js").status, 404);
  EXPECT_EQ(get("gzip", "/lone.js.gz").header("content-encoding"), "");
  // A range of the compressed form, since that is what this client gets.
  const Response part =
      test::call(site, "GET", "/app.js", {}, {{"Accept-Encoding", "gzip"}, {"Range", "bytes=0-1"}});
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(part.body, "\x1f\x8b");
  EXPECT_EQ(part.header("content-encoding"), "gzip");
  std::filesystem::remove(dir_.file("web/app.js.br"));
  const Response other = test::call(router(), "GET", "/app.js", {}, {{"Accept-Encoding", "br, gzip;q=0.1"}});
  EXPECT_EQ(other.header("content-encoding"), "gzip");
}

TEST_P(StaticFilesTest, FallsBackForPages) {
  const StaticOptions options = {.fallback = "index.html"};
  for (const char* path : {"/orders/17", "/orders/", "/none", "/bare"}) {
    const Response response = ask(path, {}, options);
    EXPECT_EQ(response.status, 200) << path;
    EXPECT_EQ(response.body, "<h1>shop</h1>") << path;
  }
  for (const char* path : {"/none.js", "/css/none.css", "/.git", "/a%2fb"}) {
    EXPECT_EQ(ask(path, {}, options).status, 404) << path;
  }
  EXPECT_EQ(ask("/css/site.css", {}, options).body, "body{}");
  EXPECT_EQ(ask("/none", {}, {.fallback = "gone.html"}).status, 404);
}

TEST_P(StaticFilesTest, MarksNamesWithHashesAsImmutable) {
  for (const auto& [name, immutable] :
       {std::pair("app.3f9a1c2b.js", true), std::pair("app-3f9a1c2b44d0.css", true),
        std::pair("3f9a1c2b.js", true), std::pair("app.js", false), std::pair("app.3f9a1c2.js", false),
        std::pair("log-20240131.txt", false), std::pair("app.3f9a1c2g.js", false),
        std::pair("app.3f9a1c2b", false), std::pair("deadbeef.js", false)}) {
    write(std::string("web/") + name, "x");
    const std::string path = std::string("/") + name;
    EXPECT_EQ(ask(path, {}, {.immutable_hashes = true}).header("cache-control"),
              immutable ? "public, max-age=31536000, immutable" : "no-cache")
        << name;
    EXPECT_EQ(ask(path, {}, {.cache_control = "max-age=5"}).header("cache-control"), "max-age=5");
  }
  // An error is not cached for a year.
  const Response error = ask("/3f9a1c2b.js", {{"Range", "bytes=99-"}}, {.immutable_hashes = true});
  EXPECT_EQ(error.status, 416);
  EXPECT_EQ(error.header("cache-control"), "");
}

TEST_P(StaticFilesTest, SendsLengthsOverTheWire) {
  run([this] {
    net::TcpListener listener = net::TcpListener::listen("127.0.0.1:0");
    Server server(router());
    WaitGroup done;
    done.go([&] { server.serve(listener); });
    Client client;
    const std::string url = "http://" + listener.address();
    for (int i = 0; i < 3; ++i) {
      const Response response = client.get(url + "/large.bin");
      EXPECT_TRUE(response.body == kLarge);
      EXPECT_EQ(response.header("content-length"), fmt::format("{}", kLarge.size()));
      const Response head = client.request({"HEAD", url + "/large.bin", {}, {}});
      EXPECT_EQ(head.header("content-length"), response.header("content-length"));
      EXPECT_EQ(client.request({"GET", url + "/large.bin", {{"Range", "bytes=8-14"}}, {}}).body, "0000008");
      EXPECT_EQ(client.get(url + "/app.js").body, "let plain = 1;");
    }
    EXPECT_EQ(server.connections(), 1U);
    server.shutdown(5s);
    done.wait();
  });
}

TEST_P(StaticFilesTest, GoesThroughCompress) {
  write("web/page.html", std::string(3000, 'p'));
  Router router;
  router.use(compress());
  StaticOptions options;
  options.from_disk = GetParam();
  router.get("/*path", static_files(dir_.file("web"), options));
  const auto get = [&](std::string_view path) {
    return test::call(router, "GET", path, {}, {{"Accept-Encoding", "gzip"}});
  };
  EXPECT_EQ(decode(Coding::kGzip, get("/page.html").body), std::string(3000, 'p'));
  EXPECT_EQ(get("/page.html").header("vary"), "Accept-Encoding");
  EXPECT_EQ(decode(Coding::kGzip, get("/app.js").body), "let plain = 1;");
  EXPECT_TRUE(get("/large.bin").body == kLarge);
}

// --- From memory

TEST(StaticFilesInMemory, DoNotChangeAndAreBounded) {
  const testing::TempDir dir;
  net::write_all(dir.file("a.txt"), "old");
  Router router;
  router.get("/*path", static_files(dir.path()));
  net::write_all(dir.file("a.txt"), "new");
  EXPECT_EQ(test::call(router, "GET", "/a.txt").body, "old");
  EXPECT_EQ(testing::code_of([&] { static_files(dir.path(), {.max_total_bytes = 2}); }),
            Code::kResourceExhausted);
}

TEST(StaticFilesInMemory, AreCompressedBeforehand) {
  const std::string page(5000, 'x');
  const auto coding = [&](const char* name, const std::string& content, StaticOptions options,
                          const char* accept) {
    Router router;
    router.get("/*path", static_files({{name, content}}, std::move(options)));
    const Response response =
        test::call(router, "GET", std::string("/") + name, {}, {{"Accept-Encoding", accept}});
    const std::string said(response.header("content-encoding"));
    EXPECT_TRUE(decode(coding_of(said).value_or(Coding::kIdentity), response.body) == content);
    EXPECT_EQ(response.header("last-modified"), "");
    return said;
  };
  const StaticOptions on = {.precompress = true};
  EXPECT_EQ(coding("a.html", page, on, "gzip, br"), "br");
  EXPECT_EQ(coding("a.html", page, on, "gzip"), "gzip");
  EXPECT_EQ(coding("a.html", page, on, ""), "");
  EXPECT_EQ(coding("a.html", page, {}, "gzip"), "");
  EXPECT_EQ(coding("a.html", page.substr(0, 1023), on, "gzip"), "");
  EXPECT_EQ(coding("a.html", page.substr(0, 1024), on, "gzip"), "gzip");
  EXPECT_EQ(coding("a.png", page, on, "gzip"), "");
  EXPECT_EQ(coding("a.html", page, {.max_total_bytes = 5001, .precompress = true}, "gzip"), "");
  EXPECT_EQ(coding("a.html", page, {.max_total_bytes = 10, .precompress = true}, "gzip"), "");
}

TEST(StaticFilesInMemory, KeepTheSiblingsTheyHave) {
  Router router;
  router.get("/*path",
             static_files({{"a.js", std::string(5000, 'x')}, {"a.js.gz", encode(Coding::kGzip, "by hand")}},
                          {.precompress = true}));
  const Response response = test::call(router, "GET", "/a.js", {}, {{"Accept-Encoding", "gzip"}});
  EXPECT_EQ(decode(Coding::kGzip, response.body), "by hand");
}

TEST(StaticFilesInMemory, TellTheirTimes) {
  Router router;
  router.get("/*path", static_files({{"a.js", "x", std::chrono::system_clock::from_time_t(784111777)}}));
  EXPECT_EQ(test::call(router, "GET", "/a.js").header("last-modified"), "Sun, 06 Nov 1994 08:49:37 GMT");
}

// --- From the disk

TEST(StaticFilesOnDisk, ShowWhatIsThereNow) {
  const testing::TempDir dir;
  net::write_all(dir.file("a.txt"), "old");
  Router router;
  router.get("/*path", static_files(dir.path(), {.from_disk = true}));
  const Response before = test::call(router, "GET", "/a.txt");
  EXPECT_EQ(before.body, "old");
  net::write_all(dir.file("a.txt"), "newer");
  const Response after = test::call(router, "GET", "/a.txt");
  EXPECT_EQ(after.body, "newer");
  EXPECT_NE(after.header("etag"), before.header("etag"));
  std::filesystem::remove(dir.file("a.txt"));
  EXPECT_EQ(test::call(router, "GET", "/a.txt").status, 404);
  // A folder that becomes a link out is not followed.
  std::filesystem::create_directories(dir.file("d"));
  net::write_all(dir.file("d/x"), "x");
  EXPECT_EQ(test::call(router, "GET", "/d/x").body, "x");
  std::filesystem::remove_all(dir.file("d"));
  std::filesystem::create_directory_symlink("/etc", dir.file("d"));
  EXPECT_EQ(test::call(router, "GET", "/d/passwd").status, 404);
}

// A client that reads nothing makes the server hold one piece, not the file.
TEST(StaticFilesOnDisk, StreamAtTheClientsPace) {
  run([] {
    const testing::TempDir dir;
    const std::string content(40'000'000, 'z');
    net::write_all(dir.file("a.bin"), content);
    Router router;
    router.get("/*path", static_files(dir.path(), {.from_disk = true}));
    net::TcpListener listener = net::TcpListener::listen("127.0.0.1:0");
    Server server(std::move(router));
    WaitGroup done;
    done.go([&] { server.serve(listener); });
    net::TcpStream stream = net::TcpStream::connect(listener.address());
    const std::string request = "GET /a.bin HTTP/1.1\r\nHost: a\r\n\r\n";
    stream.write({request.data(), request.size()}, now() + 5s);
    char byte = 0;
    ASSERT_EQ(stream.read({&byte, 1}, now() + 5s).bytes, 1U);
    // The rest cannot have been sent yet: cutting the file now cuts the answer.
    net::write_all(dir.file("a.bin"), "short");
    std::size_t total = 1;
    std::vector<char> part(1 << 20);
    for (;;) {
      const net::IoResult result = stream.read(part, now() + 10s);
      if (result.bytes == 0) break;
      total += result.bytes;
    }
    EXPECT_LT(total, content.size());
    server.shutdown(5s);
    done.wait();
  });
}

}  // namespace
}  // namespace degu::http
