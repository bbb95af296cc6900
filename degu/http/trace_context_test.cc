#include <degu/context/cancel_scope.h>
#include <degu/http/client.h>
#include <degu/http/server.h>
#include <degu/http/test_call.h>
#include <degu/http/trace_context.h>
#include <degu/net/tcp.h>
#include <degu/rt/run.h>
#include <degu/sync/wait_group.h>
#include <gtest/gtest.h>

#include <chrono>
#include <set>
#include <string>

namespace degu::http {
namespace {

using namespace std::chrono_literals;

const std::string kTrace = "4bf92f3577b34da6a3ce929d0e0e4736";
const std::string kParent = "00f067aa0ba902b7";
const std::string kField = "00-" + kTrace + "-" + kParent + "-01";

std::string state_of(const std::vector<std::string_view>& fields) {
  return parse_trace_context(kField, fields)->state;
}

TEST(TraceContext, ReadsWhatTheStandardAllows) {
  const auto trace = parse_trace_context(kField);
  ASSERT_TRUE(trace);
  EXPECT_EQ(trace->trace_id, kTrace);
  EXPECT_EQ(trace->parent_id, kParent);
  EXPECT_EQ(trace->flags, 1);
  EXPECT_EQ(trace->state, "");
  EXPECT_EQ(parse_trace_context("00-" + kTrace + "-" + kParent + "-ff")->flags, 0xff);
  EXPECT_TRUE(parse_trace_context("cc-" + kTrace + "-" + kParent + "-01"));
  EXPECT_TRUE(parse_trace_context("cc-" + kTrace + "-" + kParent + "-01-what-comes-later"));
}

TEST(TraceContext, IgnoresTheRest) {
  const std::string zeros(32, '0');
  for (const std::string& bad :
       {std::string(), std::string("00"), kField + "-more", kField + "0", "ff" + kField.substr(2),
        "00-" + zeros + "-" + kParent + "-01", "00-" + kTrace + "-" + zeros.substr(16) + "-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-" + kParent + "-01", "00-" + kTrace + "-" + kParent + "-0x",
        "0g" + kField.substr(2), "00_" + kTrace + "-" + kParent + "-01",
        "00-" + kTrace + "_" + kParent + "-01", "cc-" + kTrace + "-" + kParent + "-01.later",
        kField.substr(0, 54)}) {
    EXPECT_FALSE(parse_trace_context(bad)) << bad;
  }
}

TEST(TraceContext, DropsAStateThatIsMalformed) {
  EXPECT_EQ(state_of({"a=1, b@c=2", "d=3"}), "a=1,b@c=2,d=3");
  EXPECT_EQ(state_of({"a=1,,b=2,"}), "a=1,b=2");
  for (const char* bad : {"a", "=1", "a=", "A=1", "a=1,a=2", "a=1=2", "a=\x01", "a b=1"})
    EXPECT_EQ(state_of({bad}), "") << bad;
  EXPECT_EQ(state_of({"a=1", "a=2"}), "");
  EXPECT_EQ(state_of({std::string("a=") + std::string(257, 'x')}), "");
  std::string members;
  for (int i = 0; i < 32; ++i) members += "k" + std::to_string(i) + "=1,";
  EXPECT_NE(state_of({members}), "");
  EXPECT_EQ(state_of({members + "one-more=1"}), "");
}

TEST(TraceContext, IsWrittenForASpan) {
  TraceContext trace = *parse_trace_context("00-" + kTrace + "-" + kParent + "-03");
  EXPECT_EQ(traceparent(trace, 0xabc), "00-" + kTrace + "-0000000000000abc-01");
  trace.flags = 2;
  EXPECT_EQ(traceparent(trace, 1), "00-" + kTrace + "-0000000000000001-00");
}

TEST(TraceContext, IsThereWhileTheRequestIsServed) {
  run([] {
    Router router;
    router.use(trace_context());
    router.get("/", [](Exchange& c) {
      const Context context = current_context();
      const TraceContext* const trace = context.value(kTraceContext);
      c.text(200, trace == nullptr ? "none" : trace->parent_id + " " + trace->state);
    });
    EXPECT_EQ(test::call(router, "GET", "/").body, "none");
    EXPECT_EQ(test::call(router, "GET", "/", {},
                         {{"traceparent", kField}, {"tracestate", "a=1"}, {"TraceState", "b=2"}})
                  .body,
              kParent + " a=1,b=2");
    EXPECT_EQ(test::call(router, "GET", "/", {}, {{"traceparent", "bad"}, {"tracestate", "a=1"}}).body,
              "none");
    EXPECT_EQ(test::call(router, "GET", "/", {}, {{"traceparent", kField}, {"traceparent", kField}}).body,
              "none");
    EXPECT_EQ(current_context().value(kTraceContext), nullptr);
  });
}

// Answers with the trace that it was asked in.
template <class F>
void with_echo(F body) {
  run([&] {
    Router router;
    router.get("/", [](Exchange& c) {
      c.text(200, std::string(c.header("traceparent")) + "|" + std::string(c.header("tracestate")));
    });
    net::TcpListener listener = net::TcpListener::listen("127.0.0.1:0");
    Server server(std::move(router));
    WaitGroup done;
    done.go([&] { server.serve(listener); });
    body("http://" + listener.address() + "/");
    server.shutdown(5s);
    done.wait();
  });
}

TEST(TraceContext, IsPassedOnByTheClient) {
  with_echo([](const std::string& url) {
    Client client;
    EXPECT_EQ(client.get(url).body, "|");
    const ContextScope scope(
        with_value(current_context(), kTraceContext, TraceContext{kTrace, kParent, 1, "a=1"}));
    std::set<std::string> spans;
    for (int i = 0; i < 3; ++i) {
      const std::string got = client.get(url).body;
      ASSERT_EQ(got.size(), 55 + 4U) << got;
      EXPECT_EQ(got.substr(0, 36), "00-" + kTrace + "-");
      EXPECT_EQ(got.substr(52), "-01|a=1");
      spans.insert(got.substr(36, 16));
    }
    EXPECT_EQ(spans.size(), 3U);
    EXPECT_EQ(spans.count(kParent), 0U);
    EXPECT_EQ(client.request({"GET", url, {{"traceparent", "mine"}}, {}}).body, "mine|");
  });
}

TEST(TraceContext, ThatIsNoneIsNotPassedOn) {
  with_echo([](const std::string& url) {
    Client client;
    const ContextScope scope(
        with_value(current_context(), kTraceContext, TraceContext{"x\r\nY: z", kParent, 1, ""}));
    EXPECT_EQ(client.get(url).body, "|");
  });
}

}  // namespace
}  // namespace degu::http
