#include <degu/base/error.h>
#include <degu/net/signal.h>
#include <degu/net/tcp.h>
#include <degu/rt/cancel.h>
#include <degu/rt/run.h>
#include <degu/rt/testing/all_shapes.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <numeric>
#include <string>
#include <vector>

namespace degu::net {
namespace {

using namespace std::chrono_literals;

struct Pair {
  TcpStream client;
  TcpStream server;
};

Pair connected() {
  TcpListener listener = TcpListener::listen("127.0.0.1:0");
  Pair pair;
  pair.client = TcpStream::connect(listener.address());
  pair.server = listener.accept();
  return pair;
}

TEST(Tcp, EchoesManyConnectionsInEveryShape) {
  all_shapes([] {
    TcpListener listener = TcpListener::listen("127.0.0.1:0");
    constexpr int kClients = 20;
    std::atomic<int> done{0};
    go([&] {
      for (int i = 0; i < kClients; ++i) {
        go([&done, stream = listener.accept()]() mutable {
          std::vector<char> buffer(1000);
          while (true) {
            const IoResult got = stream.read(buffer);
            if (got.bytes == 0) break;
            stream.write({buffer.data(), got.bytes});
          }
          done.fetch_add(1);
        });
      }
    });
    for (int i = 0; i < kClients; ++i) {
      go([&, i] {
        TcpStream stream = TcpStream::connect(listener.address());
        for (int round = 0; round < 20; ++round) {
          const std::string sent(static_cast<std::size_t>(i * 100 + round + 1), static_cast<char>('a' + i));
          EXPECT_EQ(stream.write(sent).error, 0);
          std::string back;
          std::vector<char> buffer(4096);
          while (back.size() < sent.size()) {
            const IoResult got = stream.read(buffer);
            ASSERT_GT(got.bytes, 0U);
            back.append(buffer.data(), got.bytes);
          }
          EXPECT_EQ(back, sent);
        }
        stream.close();
        done.fetch_add(1);
      });
    }
    while (done != 2 * kClients) sleep(1ms);
  });
}

TEST(Tcp, DataAndEndTogetherAreBothSeen) {
  run([] {
    for (int i = 0; i < 100; ++i) {
      Pair pair = connected();
      pair.client.write(std::string("bye"));
      pair.client.close();
      std::vector<char> buffer(100);
      EXPECT_EQ(pair.server.read(buffer).bytes, 3U);
      const IoResult end = pair.server.read(buffer);
      EXPECT_EQ(end.bytes, 0U);
      EXPECT_EQ(end.error, 0);
    }
  });
}

TEST(Tcp, ReadHonoursDeadline) {
  run([] {
    Pair pair = connected();
    char byte = 0;
    const TimePoint deadline = now() + 10ms;
    EXPECT_EQ(pair.server.read({&byte, 1}, deadline).error, ETIMEDOUT);
    EXPECT_GE(now(), deadline);
    pair.client.write(std::string("x"));
    EXPECT_EQ(pair.server.read({&byte, 1}, now() + 10s).bytes, 1U);
  });
}

TEST(Tcp, ReadObservesTheContext) {
  run([] {
    Pair pair = connected();
    Ref<rt::CancelNode> node = rt::CancelNode::make(nullptr);
    rt::exchange_context(make_ref<rt::ContextBase>(node));
    go([node] { node->cancel(Code::kCancelled); });
    char byte = 0;
    EXPECT_EQ(pair.server.read({&byte, 1}).error, ECANCELED);
    rt::exchange_context(nullptr);
  });
}

TEST(Tcp, InterruptEndsAReadFromElsewhere) {
  run([] {
    Pair pair = connected();
    go([&] { pair.server.interrupt(); });
    char byte = 0;
    EXPECT_EQ(pair.server.read({&byte, 1}).error, EBADF);
  });
}

TEST(Tcp, WritevSendsManyPartsPastTheSocketBuffer) {
  run([] {
    Pair pair = connected();
    constexpr std::size_t kParts = 200;
    std::vector<std::string> parts;
    std::vector<iovec> vectors;
    for (std::size_t i = 0; i < kParts; ++i) parts.emplace_back(50'000, static_cast<char>('a' + i % 26));
    for (std::string& part : parts) vectors.push_back({part.data(), part.size()});
    go([&] {
      EXPECT_EQ(pair.client.writev(vectors).error, 0);
      pair.client.shutdown_write();
    });
    std::string all;
    std::vector<char> buffer(65536);
    for (IoResult got = pair.server.read(buffer); got.bytes != 0; got = pair.server.read(buffer)) {
      all.append(buffer.data(), got.bytes);
    }
    EXPECT_EQ(all, std::accumulate(parts.begin(), parts.end(), std::string()));
  });
}

TEST(Tcp, RefusedAndTakenPortsSayWhy) {
  run([] {
    std::string address;
    {
      TcpListener listener = TcpListener::listen("127.0.0.1:0");
      address = listener.address();
      try {
        TcpListener::listen(address);
        FAIL();
      } catch (const Error& e) {
        EXPECT_EQ(e.code(), Code::kAlreadyExists);
        EXPECT_NE(e.message().find(address), std::string::npos);
      }
    }
    try {
      TcpStream::connect(address);
      FAIL();
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), Code::kUnavailable);
    }
    EXPECT_THROW(TcpStream::connect("nowhere"), Error);
  });
}

TEST(Tcp, ResolvesNames) {
  run([] {
    TcpListener listener = TcpListener::listen("localhost:0");
    EXPECT_NO_THROW(TcpStream::connect("localhost:" + std::to_string(listener.port())));
  });
}

TEST(Tcp, SocketsMayOutliveTheScheduler) {
  Pair pair;
  run([&] { pair = connected(); });
  pair = Pair{};
  run([&] {
    pair = connected();
    EXPECT_EQ(pair.client.write(std::string("x")).error, 0);
  });
}

TEST(TcpListener, InterruptEndsAccept) {
  run([] {
    TcpListener listener = TcpListener::listen("127.0.0.1:0");
    go([&] { listener.interrupt(); });
    EXPECT_THROW(listener.accept(), Error);
  });
}

TEST(SignalSet, DeliversToAGoroutine) {
  run([] {
    SignalSet signals{SIGUSR1, SIGUSR2};
    // raise, not kill: TSan defers a signal that meets a thread inside a system call it does not know, such as our futex.
    go([] { ::raise(SIGUSR2); });
    EXPECT_EQ(signals.wait(), SIGUSR2);
    ::raise(SIGUSR1);
    EXPECT_EQ(signals.wait(), SIGUSR1);
  });
}

}  // namespace
}  // namespace degu::net
