#include <degu/export/admin.h>
#include <degu/http/router.h>
#include <degu/http/test_call.h>
#include <degu/rt/run.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace degu::exporter {
namespace {

using namespace std::chrono_literals;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::StartsWith;

http::Response get(const std::string& target) {
  http::Router router;
  mount_debug(router);
  return http::test::call(router, "GET", target);
}

constexpr std::string_view kGzip = "\x1f\x8b";

TEST(Admin, ShowsGoroutines) {
  run([] {
    const http::Response text = get("/debug/goroutines");
    EXPECT_EQ(text.status, 200);
    EXPECT_THAT(text.body, ContainsRegex("goroutine [0-9]+ main \\[running\\]:"));
    EXPECT_EQ(get("/debug/pprof/goroutine?debug=2").status, 200);
    EXPECT_THAT(get("/debug/pprof/goroutine?debug=1").body, StartsWith("goroutine profile: total 1\n"));
    EXPECT_THAT(get("/debug/pprof/goroutine").body, StartsWith(kGzip));
  });
}

TEST(Admin, GivesProfiles) {
  run([] {
    EXPECT_THAT(get("/debug/pprof/profile?seconds=1").body, StartsWith(kGzip));
    EXPECT_THAT(get("/debug/pprof/block").body, StartsWith(kGzip));
    EXPECT_THAT(get("/debug/pprof/mutex").body, StartsWith(kGzip));
    EXPECT_THAT(get("/debug/pprof/heap").body,
                StartsWith(kGzip));  // the test is linked with degu::heap_profiler
  });
}

TEST(Admin, GivesATraceThatIsJson) {
  run([] {
    sleep(1ms);
    const http::Response trace = get("/debug/pprof/trace");
    EXPECT_THAT(trace.body, StartsWith("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n"));
    EXPECT_THAT(trace.body, HasSubstr("\"ph\":\"X\""));
  });
}

TEST(Admin, RefusesSecondsThatAreNone) {
  run([] {
    for (const char* seconds : {"0", "-1", "601", "x", "1x", ""}) {
      EXPECT_EQ(get(std::string("/debug/pprof/profile?seconds=") + seconds).status, 400) << seconds;
    }
  });
}

TEST(Admin, NamesSymbols) {
  run([] {
    EXPECT_EQ(get("/debug/pprof/symbol").body, "num_symbols: 1\n");
    http::Router router;
    mount_debug(router);
    const auto pc = reinterpret_cast<uintptr_t>(&mount_debug) + 1;
    const std::string asked = fmt::format("{:#x}+{:#x}", pc, pc);
    const http::Response answer = http::test::call(router, "POST", "/debug/pprof/symbol", asked);
    EXPECT_THAT(
        answer.body,
        ContainsRegex("0x[0-9a-f]+ degu::exporter::mount_debug.*\n0x[0-9a-f]+ degu::exporter::mount_debug"));
  });
}

TEST(Admin, HasAPageAndTheCommandLine) {
  run([] {
    EXPECT_THAT(get("/debug/pprof/").body, HasSubstr("href=\"/debug/pprof/profile?seconds=10\""));
    EXPECT_THAT(get("/debug/pprof/cmdline").body, HasSubstr("degu_export_test"));
  });
}

}  // namespace
}  // namespace degu::exporter
