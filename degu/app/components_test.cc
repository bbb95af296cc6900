#include <degu/app/components.h>
#include <degu/app/testdata/three.degu.h>
#include <degu/base/error.h>
#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace degu::app {
namespace {

using testdata::Answer;
using testdata::Ask;
using testdata::First;
using testdata::Second;
using testdata::Third;

// Answers with its name, and with what the one below it says.
template <class Service, class Below = Service>
struct Named : Service {
  explicit Named(std::string n, std::shared_ptr<Below> b = nullptr)
      : name(std::move(n)), below(std::move(b)) {}
  Answer call(const Ask& ask) override { return {name + (below ? "(" + below->call(ask).text + ")" : "")}; }
  std::string name;
  std::shared_ptr<Below> below;
};

std::string message_of(Components& components) {
  try {
    components.start_all();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kFailedPrecondition);
    return error.message();
  }
  return "";
}

TEST(Components, StartInTheOrderOfNeedAndStopInReverse) {
  Components components;
  std::vector<std::string> seen;
  const auto note = [&](const std::string& text) { seen.push_back(text); };
  components.on_stop([&] { note("stop app"); });
  components.provide<First>([&] {
    auto second = components.client<Second>();
    note("first");
    components.on_stop([&] { note("stop first a"); });
    components.on_stop([&] { note("stop first b"); });
    return std::make_shared<Named<First, Second>>("1", second);
  });
  components.provide<Second>([&] {
    auto third = components.client<Third>();
    note("second");
    components.on_stop([&] { note("stop second"); });
    return std::make_shared<Named<Second, Third>>("2", third);
  });
  components.provide<Third>([&] {
    note("third");
    components.on_stop([&] { throw std::runtime_error("goes on"); });
    components.on_stop([&] { note("stop third"); });
    return std::make_shared<Named<Third>>("3");
  });
  components.start_all();
  EXPECT_EQ(components.client<First>()->call({}).text, "1(2(3))");
  EXPECT_EQ(components.client<First>(), components.client<First>()) << "one client a service";
  EXPECT_EQ(components.started(),
            (std::vector<std::string>{"degu.app.testdata.Third", "degu.app.testdata.Second",
                                      "degu.app.testdata.First"}));
  components.stop_all();
  EXPECT_EQ(seen, (std::vector<std::string>{"third", "second", "first", "stop first b", "stop first a",
                                            "stop second", "stop third", "stop app"}));
}

TEST(Components, StoppingLetsGoOfTheObject) {
  Components components;
  std::weak_ptr<First> watched;
  components.provide<First>([&] {
    auto first = std::make_shared<Named<First>>("1");
    watched = first;
    return first;
  });
  components.start_all();
  EXPECT_FALSE(watched.expired());
  components.stop_all();
  EXPECT_TRUE(watched.expired());
}

TEST(Components, CirclesAreNamed) {
  Components components;
  components.provide<First>(
      [&] { return std::make_shared<Named<First, Second>>("1", components.client<Second>()); });
  components.provide<Second>(
      [&] { return std::make_shared<Named<Second, Third>>("2", components.client<Third>()); });
  components.provide<Third>(
      [&] { return std::make_shared<Named<Third, Second>>("3", components.client<Second>()); });
  const std::string message = message_of(components);
  EXPECT_NE(message.find("degu.app.testdata.Second -> degu.app.testdata.Third -> degu.app.testdata.Second"),
            std::string::npos)
      << message;
}

TEST(Components, MissingOnesAreNamed) {
  Components components;
  components.provide<First>(
      [&] { return std::make_shared<Named<First, Second>>("1", components.client<Second>()); });
  const std::string message = message_of(components);
  EXPECT_NE(
      message.find("no component provides degu.app.testdata.Second, which degu.app.testdata.First needs"),
      std::string::npos)
      << message;
}

TEST(Components, RefusesTwoOfAService) {
  Components components;
  const auto make = [] { return std::make_shared<Named<First>>("1"); };
  components.provide<First>(make);
  EXPECT_THROW(components.provide<First>(make), Error);
}

TEST(Components, AFailedFactoryCleansUpAndMayBeTriedAgain) {
  Components components;
  int attempts = 0;
  int cleaned = 0;
  components.provide<First>([&]() -> std::shared_ptr<First> {
    components.on_stop([&] { ++cleaned; });
    if (++attempts == 1) throw std::runtime_error("disk full");
    if (attempts == 2) return nullptr;
    return std::make_shared<Named<First>>("1");
  });
  EXPECT_THROW(components.start_all(), std::runtime_error);
  EXPECT_EQ(cleaned, 1);
  EXPECT_THROW(components.start_all(), Error) << "null";
  components.start_all();
  EXPECT_EQ(components.client<First>()->call({}).text, "1");
  components.stop_all();
  EXPECT_EQ(cleaned, 3);
}

TEST(Components, InterceptorsSeeCallsBetweenComponents) {
  Components components;
  std::vector<std::string> seen;
  components.intercept(rpc::make_interceptor([&](const rpc::CallInfo& call, const rpc::Next& next) {
    seen.emplace_back(call.service);
    next();
  }));
  components.provide<First>(
      [&] { return std::make_shared<Named<First, Second>>("1", components.client<Second>()); });
  components.provide<Second>([] { return std::make_shared<Named<Second>>("2"); });
  components.client<First>()->call({});
  EXPECT_EQ(seen, (std::vector<std::string>{"degu.app.testdata.First", "degu.app.testdata.Second"}));
}

}  // namespace
}  // namespace degu::app
