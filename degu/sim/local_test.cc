// Unix sockets and pipes of a simulation, and what it has not.
#include <degu/base/error.h>
#include <degu/base/testing/code_of.h>
#include <degu/context/cancel_scope.h>
#include <degu/net/pipe.h>
#include <degu/net/process.h>
#include <degu/net/signal.h>
#include <degu/net/tcp.h>
#include <degu/net/unix.h>
#include <degu/rt/run.h>
#include <degu/sim/sim.h>
#include <degu/sync/wait_group.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>

using namespace std::chrono_literals;

namespace degu {
namespace {

using testing::code_of;

void expect_ok(const sim::Options& options, UniqueFunction<void()> body) {
  const sim::Result result = sim::search(options, std::move(body));
  EXPECT_TRUE(result.ok()) << result.report();
}

std::string read_to_end(net::Stream& stream) {
  std::string all;
  char buffer[50];
  for (;;) {
    const net::IoResult got = stream.read(buffer);
    EXPECT_EQ(got.error, 0);
    if (got.bytes == 0) return all;
    all.append(buffer, got.bytes);
  }
}

TEST(LocalSockets, CarryBytesWithinAHost) {
  expect_ok({.seeds = 50}, [] {
    for (const char* path : {"/no/such/folder/socket", "@abstract"}) {
      auto listener = net::UnixListener::listen(path);
      EXPECT_EQ(listener.address(), path);
      EXPECT_NE(::access(path, F_OK), 0);  // nothing of it is real
      const TimePoint start = now();
      WaitGroup wg;
      wg.go([&] {
        net::UnixStream stream = listener.accept();
        EXPECT_EQ(read_to_end(stream), "question");
        EXPECT_EQ(stream.write("answer").error, 0);
      });
      auto stream = net::UnixStream::connect(path);
      EXPECT_EQ(stream.peer(), path);
      EXPECT_EQ(stream.peer_process().pid, -1);
      EXPECT_EQ(stream.write("question").error, 0);
      stream.shutdown_write();
      EXPECT_EQ(read_to_end(stream), "answer");
      EXPECT_GT(now() - start, 100us);
      wg.wait();
      const auto elsewhere = sim::network().host("other");
      EXPECT_THROW(net::UnixStream::connect(path), Error);
    }
  });
}

TEST(LocalSockets, NamesAreThoseOfTheKernel) {
  expect_ok({.seeds = 5}, [] {
    const auto listen = [](const net::UnixListenOptions& options) {
      return net::UnixListener::listen("/run/a", options);
    };
    const auto connect = [] { net::UnixStream::connect("/run/a"); };
    EXPECT_EQ(code_of(connect), Code::kNotFound);
    {
      const auto first = listen({});
      EXPECT_EQ(code_of([&] { listen({.replace_stale = true}); }), Code::kAlreadyExists);
    }
    EXPECT_EQ(code_of(connect), Code::kNotFound);
    { const auto second = listen({.unlink_on_close = false}); }
    EXPECT_EQ(code_of(connect), Code::kUnavailable);
    EXPECT_EQ(code_of([&] { listen({}); }), Code::kAlreadyExists);
    const auto third = listen({.replace_stale = true});
    EXPECT_EQ(code_of(connect), Code::kOk);
    EXPECT_EQ(code_of([] { net::UnixStream::connect("@nobody"); }), Code::kUnavailable);
  });
}

TEST(LocalSockets, APairIsConnected) {
  expect_ok({.seeds = 20, .network = {.slow = 0}}, [] {
    auto [a, b] = net::UnixStream::pair();
    EXPECT_EQ(a.write("ping").error, 0);
    a.shutdown_write();
    EXPECT_EQ(read_to_end(b), "ping");
    EXPECT_EQ(b.write("pong").error, 0);
    b.close();
    EXPECT_EQ(read_to_end(a), "pong");
    EXPECT_EQ(a.write("x").error, EPIPE);
  });
}

TEST(LocalPipes, GoOneWay) {
  expect_ok({.seeds = 50}, [] {
    net::Pipe pipe = net::Pipe::open();
    char byte = 'x';
    EXPECT_EQ(pipe.reader.fd(), -1);
    EXPECT_EQ(pipe.reader.write({&byte, 1}).error, EBADF);
    EXPECT_EQ(pipe.writer.read({&byte, 1}).error, EBADF);
    EXPECT_EQ(pipe.reader.read({&byte, 1}, now() + 1s).error, ETIMEDOUT);
    const std::string much(200'000, 'm');
    WaitGroup wg;
    wg.go([&] {
      EXPECT_EQ(pipe.writer.write(much).bytes, much.size());
      pipe.writer.close();
    });
    EXPECT_EQ(read_to_end(pipe.reader), much);
    wg.wait();
  });
}

TEST(LocalPipes, WritingWithoutAReaderFails) {
  expect_ok({.seeds = 20, .network = {.buffer = 100}}, [] {
    net::Pipe pipe = net::Pipe::open();
    WaitGroup wg;
    wg.go([&] {
      EXPECT_EQ(pipe.writer.write(std::string(1000, 'x')).error, EPIPE);
    });  // waits, or has not begun
    sleep(1s);
    pipe.reader.close();
    wg.wait();
    EXPECT_EQ(pipe.writer.write("x").error, EPIPE);
  });
}

TEST(Network, WhoeverWritesToAClosedStreamLearnsOfIt) {
  expect_ok({.seeds = 20, .network = {.slow = 0}}, [] {
    auto listener = net::TcpListener::listen("127.0.0.1:9");
    auto stream = net::TcpStream::connect("127.0.0.1:9");
    listener.accept().write("bye");
    EXPECT_EQ(stream.write(std::string(100'000, 'x')).error, 0);  // sent, and lost
    EXPECT_EQ(stream.write("x").error, EPIPE);
    EXPECT_EQ(read_to_end(stream), "bye");
  });
}

TEST(Simulation, SignalsDoNotComeAndChildrenAreRefused) {
  expect_ok({.seeds = 20}, [] {
    try {
      net::Process::spawn({"true"});
      ADD_FAILURE();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::kFailedPrecondition);
      EXPECT_NE(error.message().find("a child process in a simulation"), std::string::npos);
    }
    const TimePoint start = now();
    {
      const CancelScope scope(1h);
      net::NotifyContext context(current_context(), {SIGUSR1});
      EXPECT_THROW(net::SignalSet({SIGUSR1}).wait(), DeadlineExceeded);
    }
    EXPECT_EQ(now() - start, 1h);
    net::SignalSet signals({SIGUSR1});
    signals.stop();
    EXPECT_THROW(signals.wait(), Error);
  });
}

}  // namespace
}  // namespace degu
