#include <degu/base/error.h>
#include <degu/context/cancel_scope.h>
#include <degu/rpc/local_client.h>
#include <degu/rpc/testdata/kitchen.degu.h>
#include <degu/rt/run.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

namespace degu::rpc::testdata {
namespace {

using std::chrono::milliseconds;

struct FakeThings : ThingService {
  std::function<Thing(const GetThingRequest&)> on_get;
  int calls = 0;

  Thing get_thing(const GetThingRequest& request) override {
    ++calls;
    return on_get ? on_get(request) : Thing{};
  }
  Thing create_thing(const CreateThingRequest&) override { return {}; }
  Thing rename_thing(const RenameThingRequest&) override { return {}; }
  FindResponse find(const FindRequest&) override { return {}; }
  Empty delete_(const Empty&) override { return {}; }
  Nothing internal(const Rules&) override {
    ++calls;
    return {};
  }
};

Code code_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.code();
  }
  return Code::kOk;
}

TEST(LocalClient, CallsTheService) {
  auto things = std::make_shared<FakeThings>();
  things->on_get = [](const GetThingRequest& request) {
    Thing thing;
    thing.id = request.id;
    return thing;
  };
  const std::shared_ptr<ThingService> client = local_client<ThingService>(things);
  GetThingRequest request;
  request.id = "7";
  EXPECT_EQ(client->get_thing(request).id, "7");
}

TEST(LocalClient, AnswersAreTheCallersOwn) {
  auto things = std::make_shared<FakeThings>();
  Thing kept;
  kept.name = "kept";
  things->on_get = [&](const GetThingRequest&) { return kept; };
  const auto client = local_client<ThingService>(things);
  Thing answer = client->get_thing({});
  answer.name = "changed";
  EXPECT_EQ(kept.name, "kept");
}

TEST(LocalClient, ChecksTheRequestFirst) {
  auto things = std::make_shared<FakeThings>();
  const auto client = local_client<ThingService>(things);
  try {
    client->internal(Rules{});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kInvalidArgument);
    EXPECT_GE(error.details().size(), 4U);
  }
  EXPECT_EQ(things->calls, 0);
}

TEST(LocalClient, ExpiredCallDoesNotStart) {
  run([] {
    auto things = std::make_shared<FakeThings>();
    const auto client = local_client<ThingService>(things);
    {
      CancelScope scope(milliseconds(-1));
      EXPECT_EQ(code_of([&] { client->get_thing({}); }), Code::kDeadlineExceeded);
    }
    {
      CancelScope scope;
      scope.cancel();
      EXPECT_EQ(code_of([&] { client->get_thing({}); }), Code::kCancelled);
    }
    EXPECT_EQ(things->calls, 0);
  });
}

TEST(LocalClient, DeadlineReachesTheService) {
  run([] {
    auto things = std::make_shared<FakeThings>();
    things->on_get = [](const GetThingRequest&) -> Thing {
      sleep(std::chrono::hours(1));
      return {};
    };
    const auto client = local_client<ThingService>(things);
    CancelScope scope(milliseconds(5));
    EXPECT_EQ(code_of([&] { client->get_thing({}); }), Code::kDeadlineExceeded);
    EXPECT_EQ(things->calls, 1);
  });
}

TEST(LocalClient, ErrorsPassUnchanged) {
  auto things = std::make_shared<FakeThings>();
  things->on_get = [](const GetThingRequest&) -> Thing {
    throw Error(Code::kNotFound, "no thing", {{"id", "unknown"}});
  };
  try {
    local_client<ThingService>(things)->get_thing({});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kNotFound);
    EXPECT_EQ(error.message(), "no thing");
    EXPECT_EQ(error.details().size(), 1U);
  }
}

TEST(LocalClient, OtherExceptionsTellNothing) {
  auto things = std::make_shared<FakeThings>();
  const auto client = local_client<ThingService>(things);
  things->on_get = [](const GetThingRequest&) -> Thing { throw std::runtime_error("secret"); };
  try {
    client->get_thing({});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kUnknown);
    EXPECT_EQ(std::string(error.what()).find("secret"), std::string::npos);
    EXPECT_THROW(std::rethrow_exception(error.cause()), std::runtime_error);
  }
  things->on_get = [](const GetThingRequest&) -> Thing { throw 5; };
  EXPECT_EQ(code_of([&] { client->get_thing({}); }), Code::kUnknown);
}

TEST(Interceptors, SurroundInOrder) {
  std::vector<std::string> seen;
  const auto named = [&seen](const std::string& name) {
    return make_interceptor([&seen, name](const CallInfo& call, const Next& next) {
      seen.push_back(name + " " + std::string(call.service) + "/" + std::string(call.method));
      next();
      seen.push_back(name + " done");
    });
  };
  auto things = std::make_shared<FakeThings>();
  local_client<ThingService>(things, {named("a"), named("b")})->get_thing({});
  EXPECT_EQ(seen,
            (std::vector<std::string>{"a degu.rpc.testdata.ThingService/GetThing",
                                      "b degu.rpc.testdata.ThingService/GetThing", "b done", "a done"}));
}

TEST(Interceptors, SeeErrorsAndMayRetryOrRefuse) {
  auto things = std::make_shared<FakeThings>();
  things->on_get = [&](const GetThingRequest&) -> Thing {
    if (things->calls < 3) throw std::runtime_error("flaky");
    return {};
  };
  const auto retry = make_interceptor([](const CallInfo&, const Next& next) {
    for (int attempt = 0; attempt < 2; ++attempt) {
      try {
        return next();
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), Code::kUnknown);
      }
    }
    next();
  });
  local_client<ThingService>(things, {retry})->get_thing({});
  EXPECT_EQ(things->calls, 3);

  const auto refuse =
      make_interceptor([](const CallInfo&, const Next&) { throw Error(Code::kResourceExhausted, "no"); });
  const auto silent = make_interceptor([](const CallInfo&, const Next&) {});
  const auto broken = make_interceptor([](const CallInfo&, const Next&) { throw 1; });
  EXPECT_EQ(code_of([&] { local_client<ThingService>(things, {refuse})->get_thing({}); }),
            Code::kResourceExhausted);
  EXPECT_EQ(code_of([&] { local_client<ThingService>(things, {silent})->get_thing({}); }), Code::kInternal);
  EXPECT_EQ(code_of([&] { local_client<ThingService>(things, {broken})->get_thing({}); }), Code::kUnknown);
  EXPECT_EQ(things->calls, 3);
}

TEST(MetadataTest, TravelsWithTheContext) {
  run([] {
    auto things = std::make_shared<FakeThings>();
    std::string seen;
    things->on_get = [&](const GetThingRequest&) -> Thing {
      seen = metadata().get("x-user-id");
      return {};
    };
    const auto client = local_client<ThingService>(things);
    EXPECT_TRUE(metadata().empty());
    Metadata outer;
    outer.set("X-User-Id", "1");
    outer.set("x-other", "o");
    const MetadataScope scope(outer);
    {
      Metadata inner;
      inner.set("x-user-id", "2");
      const MetadataScope nested(inner);
      client->get_thing({});
      EXPECT_EQ(seen, "2");
      EXPECT_EQ(metadata().get("x-other"), "o");
    }
    client->get_thing({});
    EXPECT_EQ(seen, "1");
    EXPECT_FALSE(metadata().has("nope"));
  });
}

}  // namespace
}  // namespace degu::rpc::testdata
