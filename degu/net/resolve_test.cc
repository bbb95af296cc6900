#include <degu/base/error.h>
#include <degu/base/testing/code_of.h>
#include <degu/context/cancel_scope.h>
#include <degu/net/internal/connect_share.h>
#include <degu/net/internal/look_up.h>
#include <degu/net/resolve.h>
#include <degu/net/tcp.h>
#include <degu/rt/run.h>
#include <degu/rt/testing/leak_check.h>
#include <gtest/gtest.h>
#include <netdb.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <string>
#include <vector>

namespace degu::net {
namespace {

using testing::code_of;

using namespace std::chrono_literals;
using internal::Answer;

std::atomic<int> asked{0};

// Replaces getaddrinfo for a scope.
struct Answers {
  explicit Answers(internal::LookUp fn) {
    asked = 0;
    internal::set_look_up_for_test(fn);
  }
  ~Answers() {
    internal::set_look_up_for_test(nullptr);
    set_resolve_cache(0ns);
  }
};

Answer two_addresses(const std::string&) {
  asked += 1;
  // Nobody listens at 127.0.0.2.
  return {0, {Address::parse("127.0.0.2:0"), Address::parse("127.0.0.1:0"), Address::parse("127.0.0.2:0")}};
}

TEST(Resolve, NumbersNeedNoLookup) {
  run([] {
    const Answers none([](const std::string&) { return Answer{EAI_FAIL, {}}; });
    EXPECT_EQ(resolve("127.0.0.1", 80), std::vector{Address::parse("127.0.0.1:80")});
    EXPECT_EQ(resolve("::1", 80), std::vector{Address::parse("[::1]:80")});
    EXPECT_EQ(resolve("", 80).size(), 2U);
    EXPECT_EQ(code_of([] { static_cast<void>(resolve("name")); }), Code::kUnavailable);
  });
}

TEST(Resolve, KeepsTheOrderAndDropsDuplicates) {
  run([] {
    const Answers answers(&two_addresses);
    EXPECT_EQ(resolve("name", 7),
              (std::vector{Address::parse("127.0.0.2:7"), Address::parse("127.0.0.1:7")}));
  });
}

TEST(Resolve, KnowsLocalhost) {
  run([] {
    for (const Address& address : resolve("localhost", 1)) EXPECT_TRUE(address.is_loopback());
  });
}

TEST(Resolve, UnknownNamesAreNotFound) {
  run([] {
    const Answers answers([](const std::string&) { return Answer{EAI_NONAME, {}}; });
    EXPECT_EQ(code_of([] { static_cast<void>(resolve("name")); }), Code::kNotFound);
    EXPECT_EQ(code_of([] { TcpStream::connect("name:80"); }), Code::kUnavailable);
    EXPECT_EQ(code_of([] { TcpListener::listen("name:80"); }), Code::kInvalidArgument);
  });
}

int release_pipe[2];

// The lookup hangs; the caller does not.
TEST(Resolve, TheContextEndsTheWaitNotTheLookup) {
  ASSERT_EQ(::pipe(release_pipe), 0);
  run([] {
    const LeakCheck goroutines;
    const Answers answers([](const std::string& host) {
      char byte = 0;
      EXPECT_EQ(::read(release_pipe[0], &byte, 1), 1);
      return two_addresses(host);
    });
    {
      CancelScope scope(5ms);
      EXPECT_THROW(resolve("name"), DeadlineExceeded);
    }
    {
      CancelScope scope;
      go([&] { scope.cancel(); });
      EXPECT_THROW(TcpStream::connect("name:80"), Cancelled);
    }
    EXPECT_EQ(asked, 0);
    EXPECT_EQ(::write(release_pipe[1], "xx", 2), 2);
    while (asked != 2) yield();
  });
  ::close(release_pipe[0]);
  ::close(release_pipe[1]);
}

TEST(Resolve, TheCacheIsOffUnlessAskedFor) {
  run([] {
    const Answers answers(&two_addresses);
    static_cast<void>(resolve("name"));
    static_cast<void>(resolve("name"));
    EXPECT_EQ(asked, 2);
    set_resolve_cache(1h);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(resolve("name", 9).at(1), Address::parse("127.0.0.1:9"));
    EXPECT_EQ(asked, 3);
    for (int i = 0; i < 300; ++i) static_cast<void>(resolve("name" + std::to_string(i)));
    EXPECT_EQ(asked, 303);
    set_resolve_cache(0ns);
    static_cast<void>(resolve("name"));
    EXPECT_EQ(asked, 304);
  });
}

TEST(Resolve, CachedAnswersBecomeOld) {
  run([] {
    const Answers answers(&two_addresses);
    set_resolve_cache(1ns);
    static_cast<void>(resolve("name"));
    static_cast<void>(resolve("name"));
    EXPECT_EQ(asked, 2);
  });
}

TEST(Connect, TriesTheAddressesInOrder) {
  run([] {
    const Answers answers(&two_addresses);
    TcpListener listener = TcpListener::listen("127.0.0.1:0");
    const std::string target = "name:" + std::to_string(listener.port());
    const TcpStream stream = TcpStream::connect(target);
    EXPECT_EQ(stream.peer(), listener.address());
    EXPECT_EQ(TcpStream::connect(target, {.deadline = now() + 1h}).peer(), listener.address());
    listener.close();
    EXPECT_EQ(code_of([&] { TcpStream::connect(target); }), Code::kUnavailable);
  });
}

// Go's TestDialerPartialDeadline.
TEST(Connect, SharesItsTime) {
  const TimePoint start = TimePoint(1000s);
  EXPECT_EQ(internal::connect_share(start, start + 12s, 1), start + 12s);
  EXPECT_EQ(internal::connect_share(start, start + 12s, 2), start + 6s);
  EXPECT_EQ(internal::connect_share(start, start + 12s, 3), start + 4s);
  EXPECT_EQ(internal::connect_share(start, start + 12s, 1000), start + 2s);
  EXPECT_EQ(internal::connect_share(start, start + 1s, 2), start + 1s);
  EXPECT_EQ(internal::connect_share(start, start - 1s, 2), start - 1s);
  EXPECT_EQ(internal::connect_share(start, kNever, 2), kNever);
}

}  // namespace
}  // namespace degu::net
