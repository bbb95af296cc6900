#include <degu/base/error.h>
#include <degu/base/testing/code_of.h>
#include <degu/context/cancel_scope.h>
#include <degu/net/tcp.h>
#include <degu/rt/cancel.h>
#include <degu/rt/run.h>
#include <degu/rt/testing/all_shapes.h>
#include <degu/sync/wait_group.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
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

TEST(TcpListener, DeadlinesEndAccept) {
  all_shapes([] {
    TcpListener listener = TcpListener::listen("127.0.0.1:0");
    listener.set_deadline(TimePoint(1ns));
    EXPECT_THROW(listener.accept(), DeadlineExceeded);
    const TimePoint deadline = now() + 2ms;
    listener.set_deadline(deadline);
    EXPECT_THROW(listener.accept(), DeadlineExceeded);
    EXPECT_GE(now(), deadline);
    listener.set_deadline(now() + 1h);
    WaitGroup group;
    group.go([&] { listener.set_deadline(TimePoint(1ns)); });
    EXPECT_THROW(listener.accept(), DeadlineExceeded);
    group.wait();
    listener.set_deadline(kNever);
    const TcpStream client = TcpStream::connect(listener.address());
    EXPECT_EQ(listener.accept().peer(), client.local());
  });
}

TEST(TcpListener, CloseEndsAllWhoAccept) {
  all_shapes([] {
    TcpListener listener = TcpListener::listen("127.0.0.1:0");
    WaitGroup group;
    for (int i = 0; i < 4; ++i) {
      group.go([&] {
        try {
          listener.accept();
          ADD_FAILURE() << "nobody has connected";
        } catch (const Error& error) {
          EXPECT_EQ(error.code(), Code::kCancelled);
        }
      });
    }
    yield();
    listener.close();
    group.wait();
    EXPECT_THROW(listener.accept(), Error);
  });
}

TEST(TcpListener, SeveralAcceptAtOnce) {
  all_shapes([] {
    TcpListener listener = TcpListener::listen("127.0.0.1:0");
    constexpr int kClients = 12;
    WaitGroup group;
    for (int i = 0; i < kClients; ++i) {
      group.go([&] { listener.accept(); });
      group.go([&] { TcpStream::connect(listener.address()); });
    }
    group.wait();
  });
}

TEST(TcpListener, AfterAnInterruptWhoIsQueuedIsStillAccepted) {
  run([] {
    TcpListener listener = TcpListener::listen("127.0.0.1:0");
    std::vector<TcpStream> clients;
    for (int i = 0; i < 3; ++i) clients.push_back(TcpStream::connect(listener.address()));
    listener.interrupt();
    for (const TcpStream& client : clients) EXPECT_EQ(listener.accept().peer(), client.local());
    EXPECT_EQ(testing::code_of([&] { listener.accept(); }), Code::kCancelled);
  });
}

TEST(TcpListener, RefusesOnceItHasStoppedListening) {
  run([] {
    TcpListener listener = TcpListener::listen("127.0.0.1:0");
    const std::string address = listener.address();
    listener.stop_listening();
    EXPECT_EQ(testing::code_of([&] { TcpStream::connect(address); }), Code::kUnavailable);
    EXPECT_EQ(listener.address(), address);
    TcpListener closed = TcpListener::listen("127.0.0.1:0");
    closed.close();
    closed.stop_listening();
  });
}

TEST(TcpListener, AdoptsASocketThatOthersHaveToo) {
  run([] {
    for (const char* address : {"127.0.0.1:0", "[::1]:0"}) {
      TcpListener theirs = TcpListener::listen(address);
      EXPECT_FALSE(theirs.shared());
      const int fd = ::dup(theirs.fd());
      ::fcntl(fd, F_SETFL, 0);
      TcpListener ours = TcpListener::adopt(fd);
      EXPECT_TRUE(ours.shared());
      EXPECT_EQ(ours.address(), theirs.address());
      EXPECT_EQ(::fcntl(ours.fd(), F_GETFD), FD_CLOEXEC);
      EXPECT_TRUE((::fcntl(ours.fd(), F_GETFL) & O_NONBLOCK) != 0);
      const TcpStream client = TcpStream::connect(theirs.address());
      EXPECT_EQ(ours.accept().peer(), client.local());
      ours.close();
      const TcpStream second = TcpStream::connect(theirs.address());
      EXPECT_EQ(theirs.accept().peer(), second.local());
    }
  });
}

TEST(TcpListener, AdoptsNothingElse) {
  run([] {
    std::array<int, 2> pipe{};
    ASSERT_EQ(::pipe(pipe.data()), 0);
    const int bound = ::socket(AF_INET, SOCK_STREAM, 0);  // it does not listen
    const int datagrams = ::socket(AF_INET, SOCK_DGRAM, 0);
    const int local = ::socket(AF_UNIX, SOCK_STREAM, 0);
    ::listen(local, 1);
    const Pair pair = connected();
    for (const int fd : {pipe[0], bound, datagrams, local, pair.server.fd()}) {
      EXPECT_EQ(testing::code_of([&] { TcpListener::adopt(fd); }), Code::kInvalidArgument) << fd;
      EXPECT_NE(::fcntl(fd, F_GETFD), -1) << fd << " was closed";
    }
    for (const int fd : {-1, 100'000})
      EXPECT_EQ(testing::code_of([&] { TcpListener::adopt(fd); }), Code::kInvalidArgument);
    for (const int fd : {pipe[0], pipe[1], bound, datagrams, local}) ::close(fd);
  });
}

struct Activation : rt::PollCall {
  Activation() {
    fn = [](rt::PollCall* call) {
      auto& self = *static_cast<Activation*>(call);
      rt::spawn_from_callback([&self] { self.count.fetch_add(1); }, {});
    };
  }
  std::atomic<int> count{0};
};

TEST(Tcp, ADeadlineActivatesWhoIsParked) {
  run([] {
    Pair pair = connected();
    std::array<char, 8> into;
    Activation first;
    ASSERT_TRUE(pair.server.call_when_readable(first));
    pair.server.set_read_deadline(TimePoint());
    while (first.count.load() == 0) yield();
    EXPECT_EQ(pair.server.read(into).error, ETIMEDOUT);
    // A deadline that has passed already: there is nothing to wait for.
    Activation second;
    EXPECT_FALSE(pair.server.call_when_readable(second));
    pair.server.set_read_deadline(kNever);
    pair.client.write("x");
    EXPECT_EQ(pair.server.read(into, now() + 10s).bytes, 1U);
    Activation third;
    while (!pair.server.call_when_readable(third)) {
      EXPECT_EQ(pair.server.read(into, now() + 1ms).error, ETIMEDOUT);
    }
    pair.client.write("y");
    while (third.count.load() == 0) yield();
    EXPECT_EQ(pair.server.read(into, now() + 10s).bytes, 1U);
    EXPECT_EQ(first.count.load() + second.count.load() + third.count.load(), 2);
  });
}

TEST(Connect, DoesNotBeginWhenItsTimeIsOver) {
  run([] {
    TcpListener listener = TcpListener::listen("127.0.0.1:0");
    EXPECT_THROW(TcpStream::connect(listener.address(), {.deadline = TimePoint(1ns)}), DeadlineExceeded);
    const CancelScope scope(TimePoint(1ns));
    EXPECT_THROW(TcpStream::connect(listener.address()), DeadlineExceeded);
  });
}

// Nobody accepts, and the backlog of 0, which has room for one, is full: the kernel drops what arrives, so a connect stays
// under way.
class FullListener {
 public:
  FullListener() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const Address any = Address::parse("127.0.0.1:0");
    EXPECT_EQ(::bind(fd_, any.raw(), static_cast<socklen_t>(any.raw_size())), 0);
    EXPECT_EQ(::listen(fd_, 0), 0);
    sockaddr_storage raw{};
    socklen_t size = sizeof raw;
    EXPECT_EQ(::getsockname(fd_, reinterpret_cast<sockaddr*>(&raw), &size), 0);
    address_ = *Address::from_raw(reinterpret_cast<const sockaddr*>(&raw), size);
    EXPECT_EQ(::connect(client_, address_.raw(), static_cast<socklen_t>(address_.raw_size())), 0);
    pollfd queued{fd_, POLLIN, 0};  // the client may learn of it first
    EXPECT_EQ(::poll(&queued, 1, -1), 1);
  }
  ~FullListener() {
    ::close(client_);
    ::close(fd_);
  }
  FullListener(const FullListener&) = delete;
  FullListener& operator=(const FullListener&) = delete;

  std::string address() const { return to_string(address_); }

 private:
  const int fd_;
  const int client_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  Address address_;
};

TEST(Connect, TimesOutOnTheWay) {
  run([] {
    const FullListener listener;
    const TimePoint deadline = now() + 20ms;
    EXPECT_THROW(TcpStream::connect(listener.address(), {.deadline = deadline}), DeadlineExceeded);
    EXPECT_GE(now(), deadline);
    const CancelScope scope(20ms);
    EXPECT_THROW(TcpStream::connect(listener.address()), DeadlineExceeded);
  });
}

TEST(Connect, IsCancelledOnTheWay) {
  all_shapes([] {
    const FullListener listener;
    WaitGroup group;
    std::atomic<bool> cancelled{false};
    {
      CancelScope scope;
      group.go([&] {
        EXPECT_THROW(TcpStream::connect(listener.address()), Cancelled);
        EXPECT_TRUE(cancelled);  // not before: it was under way
      });
      for (int i = 0; i < 10; ++i) yield();
      cancelled = true;
      scope.cancel();
    }
    group.wait();
  });
}

// UBSan, which is on where ASan is, needs descriptors for its own checks.
#ifndef __SANITIZE_ADDRESS__
TEST(TcpListener, WithoutDescriptorsTheConnectionStaysQueued) {
  run([] {
    TcpListener listener = TcpListener::listen("127.0.0.1:0");
    const TcpStream client = TcpStream::connect(listener.address());
    rlimit limit{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
    const int next = ::dup(0);
    ::close(next);
    const rlimit none{static_cast<rlim_t>(next), limit.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
    Code code = Code::kOk;
    try {
      listener.accept();
    } catch (const Error& error) {
      code = error.code();
    }
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
    EXPECT_EQ(code, Code::kResourceExhausted);
    EXPECT_EQ(listener.accept().peer(), client.local());
  });
}
#endif

}  // namespace
}  // namespace degu::net
