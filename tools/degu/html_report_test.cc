#include "html_report.h"

#include <gtest/gtest.h>

namespace degu::bench {
namespace {

Report report() {
  Report one;
  one.settings = {.url = "http://a/<script>alert('x')</script>&",
                  .protocol = "HTTP/2",
                  .connections = 2,
                  .streams = 7,
                  .rate = 10,
                  .arrivals = "poisson",
                  .warmup_s = 0,
                  .scenario = ""};
  one.seconds = 2;
  one.requests = 30;
  one.latency = {.count = 30, .p50_ms = 1, .p99_ms = 5, .max_ms = 9};
  one.latency_uncorrected = one.latency;
  one.percentiles = {{0, 1}, {50, 2}, {100, 9}};
  one.percentiles_uncorrected = {{0, 1}, {50, 1}, {100, 3}};
  one.histogram = {{1, 3, 20}, {3, 9, 10}};
  one.timeline = {{0, 1, 10, 0, 1, 2, 3}, {1, 1, 20, 1, 1, 5, 9}};
  one.first_errors = {{"parse", "<b>bad</b>"}};
  one.reset_causes = {{"RST_STREAM CANCEL", 3}};
  one.stream_limit = 100;
  one.by_request = {{"<one>", 0, one.latency}, {"two", 1, one.latency}};
  return one;
}

std::size_t count(std::string_view text, std::string_view what) {
  std::size_t found = 0;
  for (std::size_t at = text.find(what); at != std::string_view::npos; at = text.find(what, at + 1)) ++found;
  return found;
}

TEST(HtmlReport, IsOnePageThatAsksForNothing) {
  const std::string page = to_html(report());
  EXPECT_TRUE(page.starts_with("<!doctype html>"));
  EXPECT_EQ(count(page, "<svg "), 4u);
  EXPECT_EQ(count(page, "<svg "), count(page, "</svg>"));
  EXPECT_EQ(count(page, "<section>"), 7u);
  EXPECT_EQ(count(page, "<rect "), 2u);
  for (const char* outside : {"<script", "<link", "<img", "src=", "href=", "url(", "@import"})
    EXPECT_EQ(count(page, outside), 0u) << outside;
  for (const char* told : {"uncorrected", "HTTP/2, open loop", "2 connections of 7 streams",
                           "reset: RST_STREAM CANCEL", "streams that the server takes at once"})
    EXPECT_GT(count(page, told), 0U) << told;
}

TEST(HtmlReport, EscapesWhatOthersWrote) {
  const std::string page = to_html(report());
  EXPECT_NE(page.find("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;"), std::string::npos);
  EXPECT_EQ(page.find("<b>bad"), std::string::npos);
  EXPECT_EQ(page.find("<one>"), std::string::npos);
}

TEST(HtmlReport, IsWholeWithoutAnyAnswer) {
  const std::string page = to_html(Report());
  EXPECT_TRUE(page.ends_with("</body></html>\n"));
  EXPECT_EQ(count(page, "<svg "), 4u);
  EXPECT_EQ(count(page, "nan"), 0u);
  EXPECT_EQ(count(page, "inf"), 0u);
}

}  // namespace
}  // namespace degu::bench
