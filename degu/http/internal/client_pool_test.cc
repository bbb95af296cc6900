#include <degu/base/testing/code_of.h>
#include <degu/context/cancel_scope.h>
#include <degu/http/internal/client_pool.h>
#include <degu/http/testing/raw_server.h>
#include <degu/rt/run.h>
#include <degu/sync/wait_group.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

namespace degu::http::internal {
namespace {

using namespace std::chrono_literals;
using degu::testing::code_of;
using degu::testing::RawServer;
using degu::testing::send;
using degu::testing::wait_for_close;

// A pool, and a server whose connections last until the other side closes them.
struct Fixture {
  explicit Fixture(const PoolLimits& limits) : pool(std::make_shared<ClientPool>(limits)) {}
  ClientPool::Lease connect(const std::string& origin) {
    ClientPool::Lease lease = pool->take(origin, now() + 10s);
    if (!lease.reused()) lease.set_stream(net::TcpStream::connect(server.address()));
    return lease;
  }
  RawServer server{[](net::TcpStream& stream, int) { wait_for_close(stream); }};
  std::shared_ptr<ClientPool> pool;
};

constexpr PoolLimits kRoomy{.max_idle = 10, .max_idle_per_host = 10, .max_per_host = 10, .idle_timeout = 60s};

TEST(ClientPool, GivesTheConnectionUsedLast) {
  run([] {
    Fixture at(kRoomy);
    ClientPool::Lease first = at.connect("a");
    ClientPool::Lease second = at.connect("a");
    const int fd = second.stream().fd();
    first.give_back();
    second.give_back();
    EXPECT_EQ(at.pool->idle_for_test(), 2U);
    ClientPool::Lease again = at.pool->take("a", kNever);
    EXPECT_TRUE(again.reused());
    EXPECT_EQ(again.stream().fd(), fd);
    EXPECT_FALSE(at.pool->take("b", kNever).reused());
    EXPECT_FALSE(at.pool->take("a", kNever, ClientPool::Want::kNew).reused());
    EXPECT_EQ(at.pool->idle_for_test(), 0U);
  });
}

TEST(ClientPool, ForgetsHostsThatNobodyUses) {
  run([] {
    Fixture at(kRoomy);
    for (int i = 0; i < 100; ++i) at.pool->take("host" + std::to_string(i), kNever);
    EXPECT_EQ(at.pool->hosts_for_test(), 0U);
    ClientPool::Lease lease = at.connect("a");
    EXPECT_EQ(at.pool->hosts_for_test(), 1U);
    lease.give_back();
    EXPECT_EQ(at.pool->hosts_for_test(), 1U);
    lease = at.pool->take("a", kNever);
    lease.drop();
    EXPECT_EQ(at.pool->hosts_for_test(), 0U);
  });
}

TEST(ClientPool, BoundsWhatIsIdle) {
  run([] {
    Fixture at({.max_idle = 3, .max_idle_per_host = 2, .max_per_host = 10, .idle_timeout = 60s});
    const auto leave = [&](const std::string& origin, int count) {
      std::vector<ClientPool::Lease> leases;
      for (int i = 0; i < count; ++i) leases.push_back(at.connect(origin));
      for (ClientPool::Lease& lease : leases) lease.give_back();
    };
    leave("a", 4);
    EXPECT_EQ(at.pool->idle_for_test(), 2U);
    leave("b", 2);
    EXPECT_EQ(at.pool->idle_for_test(), 3U);
    leave("c", 2);  // "a" has lain longest
    EXPECT_EQ(at.pool->idle_for_test(), 3U);
    EXPECT_EQ(at.pool->hosts_for_test(), 2U);
    EXPECT_FALSE(at.pool->take("a", kNever).reused());
    EXPECT_TRUE(at.pool->take("b", kNever).reused());
    Fixture none({.max_idle = 0, .max_idle_per_host = 2, .max_per_host = 10, .idle_timeout = 60s});
    none.connect("a").give_back();
    EXPECT_EQ(none.pool->idle_for_test(), 0U);
  });
}

TEST(ClientPool, DropsWhatHasExpiredOrIsNotFresh) {
  run([] {
    Fixture at({.max_idle = 3, .max_idle_per_host = 2, .max_per_host = 10, .idle_timeout = 0s});
    at.connect("a").give_back();
    at.connect("b").give_back();  // "a" goes meanwhile
    EXPECT_EQ(at.pool->idle_for_test(), 1U);
    EXPECT_FALSE(at.pool->take("b", kNever).reused());
    EXPECT_EQ(at.pool->idle_for_test(), 0U);
    EXPECT_EQ(at.pool->hosts_for_test(), 0U);
    RawServer chatty([](net::TcpStream& stream, int) { send(stream, "unasked"); });
    auto pool = std::make_shared<ClientPool>(kRoomy);
    ClientPool::Lease lease = pool->take("a", kNever);
    lease.set_stream(net::TcpStream::connect(chatty.address()));
    char byte = 0;
    lease.stream().read({&byte, 1});  // more of it is there
    lease.give_back();
    EXPECT_FALSE(pool->take("a", kNever).reused());
  });
}

TEST(ClientPool, LetsNoMoreInThanItMay) {
  run([] {
    Fixture at({.max_idle = 3, .max_idle_per_host = 2, .max_per_host = 2, .idle_timeout = 60s});
    ClientPool::Lease first = at.connect("a");
    ClientPool::Lease second = at.connect("a");
    EXPECT_EQ(code_of([&] { at.pool->take("a", now() + 10ms); }), Code::kDeadlineExceeded);
    {
      CancelScope scope;
      scope.cancel();
      EXPECT_EQ(code_of([&] { at.pool->take("a", kNever); }), Code::kCancelled);
    }
    EXPECT_FALSE(at.pool->take("b", kNever).reused());  // another host
    WaitGroup waiting;
    std::optional<bool> reused;
    waiting.go([&] { reused = at.pool->take("a", kNever).reused(); });
    first.give_back();
    waiting.wait();
    EXPECT_EQ(reused, true);
    second.drop();
    EXPECT_EQ(at.pool->hosts_for_test(), 0U);
  });
}

TEST(ClientPool, LivesAsLongAsItsLeases) {
  run([] {
    Fixture at(kRoomy);
    ClientPool::Lease lease = at.connect("a");
    at.pool.reset();
    lease.give_back();
    lease.drop();
  });
}

}  // namespace
}  // namespace degu::http::internal
