// What every kind of connection promises; after golang.org/x/net/nettest.TestConn, net/timeout_test.go and
// net/pipe_test.go.
#include <degu/context/cancel_scope.h>
#include <degu/net/pipe.h>
#include <degu/net/tcp.h>
#include <degu/net/unix.h>
#include <degu/rt/run.h>
#include <degu/rt/testing/all_shapes.h>
#include <degu/sync/wait_group.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace degu::net {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kPast = TimePoint(1ns);

struct Ends {
  Stream a;
  Stream b;
};

struct TcpKind {
  static constexpr bool kBuffered = true;
  static Ends make() {
    TcpListener listener = TcpListener::listen("127.0.0.1:0");
    Ends ends;
    ends.a = TcpStream::connect(listener.address());
    ends.b = listener.accept();
    return ends;
  }
};

struct UnixKind {
  static constexpr bool kBuffered = true;
  static Ends make() {
    auto [a, b] = UnixStream::pair();
    return {std::move(a), std::move(b)};
  }
};

struct MemoryKind {
  static constexpr bool kBuffered = false;
  static Ends make() {
    auto [a, b] = pipe();
    return {std::move(a), std::move(b)};
  }
};

template <class Kind>
class StreamTest : public ::testing::Test {};
using Kinds = ::testing::Types<TcpKind, UnixKind, MemoryKind>;
TYPED_TEST_SUITE(StreamTest, Kinds);

std::string read_some(Stream& stream, std::size_t most = 1024) {
  std::string bytes(most, '\0');
  const IoResult got = stream.read(bytes);
  EXPECT_EQ(got.error, 0);
  bytes.resize(got.bytes);
  return bytes;
}

int read_error(Stream& stream) {
  char bytes[64];
  return stream.read(bytes).error;
}

// Writes until it fails, also if there is a buffer to fill before.
int write_error(Stream& stream) {
  const std::string bytes(64 * 1024, 'x');
  while (true) {
    if (const IoResult result = stream.write(bytes); result.error != 0) return result.error;
  }
}

// Copies what it reads to its peer, until the end.
void echo(Stream& stream) {
  std::vector<char> buffer(3000);
  while (true) {
    const IoResult got = stream.read(buffer);
    if (got.bytes == 0 || stream.write({buffer.data(), got.bytes}).error != 0) return;
  }
}

TYPED_TEST(StreamTest, CarriesMuchInBothDirections) {
  all_shapes([] {
    Ends ends = TypeParam::make();
    WaitGroup group;
    group.go([&] {
      echo(ends.b);
      ends.b.close();
    });
    std::string sent(200'000, '\0');
    for (std::size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<char>(i * 7 + i / 251);
    group.go([&] {
      EXPECT_EQ(ends.a.write(sent).bytes, sent.size());
      ends.a.shutdown_write();
    });
    std::string back;
    for (std::string piece = read_some(ends.a, 5000); !piece.empty(); piece = read_some(ends.a, 5000))
      back += piece;
    EXPECT_EQ(back, sent);
    group.wait();
  });
}

TYPED_TEST(StreamTest, PingPong) {
  run([] {
    Ends ends = TypeParam::make();
    WaitGroup group;
    group.go([&] { echo(ends.b); });
    for (int i = 0; i < 200; ++i) {
      const std::string text = std::to_string(i);
      EXPECT_EQ(ends.a.write(text).error, 0);
      EXPECT_EQ(read_some(ends.a), text);
    }
    ends.a.close();
    group.wait();
  });
}

TYPED_TEST(StreamTest, ReadersAndWritersTakeTurns) {
  all_shapes([] {
    Ends ends = TypeParam::make();
    constexpr int kEach = 4;
    constexpr int kRounds = 50;
    std::atomic<std::size_t> received{0};
    WaitGroup writers;
    WaitGroup readers;
    for (int i = 0; i < kEach; ++i) {
      readers.go([&] {
        char bytes[100];
        while (const std::size_t n = ends.b.read(bytes).bytes) received += n;
      });
      writers.go([&] {
        for (int round = 0; round < kRounds; ++round) EXPECT_EQ(ends.a.write(std::string(77, 'x')).error, 0);
      });
    }
    writers.wait();
    ends.a.shutdown_write();
    readers.wait();
    EXPECT_EQ(received, 77U * kEach * kRounds);
  });
}

TYPED_TEST(StreamTest, ReadTimesOutAndGoesOnLater) {
  run([] {
    Ends ends = TypeParam::make();
    WaitGroup group;
    const TimePoint deadline = now() + 10ms;
    ends.a.set_read_deadline(deadline);
    EXPECT_EQ(read_error(ends.a), ETIMEDOUT);
    EXPECT_GE(now(), deadline);
    EXPECT_EQ(read_error(ends.a), ETIMEDOUT);
    ends.a.set_read_deadline(kNever);
    group.go([&] { EXPECT_EQ(ends.b.write(std::string("late")).error, 0); });
    EXPECT_EQ(read_some(ends.a), "late");
    group.wait();
  });
}

TYPED_TEST(StreamTest, WriteTimesOutAndTellsHowFar) {
  run([] {
    Ends ends = TypeParam::make();
    ends.a.set_write_deadline(now() + 10ms);
    EXPECT_EQ(write_error(ends.a), ETIMEDOUT);
    EXPECT_EQ(write_error(ends.a), ETIMEDOUT);
  });
}

TYPED_TEST(StreamTest, APastDeadlineFailsAtOnceEvenIfNothingNeedWait) {
  run([] {
    Ends ends = TypeParam::make();
    WaitGroup group;
    if (TypeParam::kBuffered) {
      EXPECT_EQ(ends.b.write(std::string("there")).error, 0);
    }
    ends.a.set_deadline(kPast);
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(read_error(ends.a), ETIMEDOUT);
      EXPECT_EQ(ends.a.write(std::string("x")).error, ETIMEDOUT);
    }
    ends.a.set_deadline(kNever);
    if (!TypeParam::kBuffered) group.go([&] { ends.b.write(std::string("there")); });
    EXPECT_EQ(read_some(ends.a), "there");
    group.wait();
  });
}

TYPED_TEST(StreamTest, APastDeadlineEndsWaitingCalls) {
  all_shapes([] {
    Ends ends = TypeParam::make();
    WaitGroup group;
    std::atomic<int> ready{0};
    group.go([&] {
      ready += 1;
      EXPECT_EQ(read_error(ends.a), ETIMEDOUT);
    });
    group.go([&] {
      ready += 1;
      EXPECT_EQ(write_error(ends.a), ETIMEDOUT);
    });
    while (ready != 2) yield();
    ends.a.set_deadline(kPast);
    group.wait();
  });
}

TYPED_TEST(StreamTest, ADeadlineMovesWhileACallWaits) {
  run([] {
    Ends ends = TypeParam::make();
    WaitGroup group;
    // Earlier.
    ends.a.set_read_deadline(now() + 1h);
    std::atomic<bool> ready{false};
    group.go([&] {
      ready = true;
      EXPECT_EQ(read_error(ends.a), ETIMEDOUT);
    });
    while (!ready) yield();
    ends.a.set_read_deadline(now() + 5ms);
    group.wait();
    // Later: whatever the first deadline does, the call must outlast it.
    const TimePoint later = now() + 40ms;
    ends.a.set_read_deadline(now() + 1h);
    group.go([&] {
      EXPECT_EQ(read_error(ends.a), ETIMEDOUT);
      EXPECT_GE(now(), later);
    });
    ends.a.set_read_deadline(now() + 20ms);
    yield();
    ends.a.set_read_deadline(later);
    group.wait();
    // Away: it lasts until there is something to read.
    ends.a.set_read_deadline(now() + 5s);
    group.go([&] { EXPECT_EQ(read_some(ends.a), "x"); });
    yield();
    ends.a.set_read_deadline(kNever);
    EXPECT_EQ(ends.b.write(std::string("x")).error, 0);
    group.wait();
  });
}

TYPED_TEST(StreamTest, DeadlinesOfTheDirectionsAreApart) {
  run([] {
    Ends ends = TypeParam::make();
    WaitGroup group;
    ends.a.set_read_deadline(kPast);
    group.go([&] { EXPECT_EQ(read_some(ends.b), "x"); });
    EXPECT_EQ(ends.a.write(std::string("x")).error, 0);
    group.wait();
    ends.a.set_read_deadline(kNever);
    ends.a.set_write_deadline(kPast);
    group.go([&] { EXPECT_EQ(ends.b.write(std::string("y")).error, 0); });
    EXPECT_EQ(read_some(ends.a), "y");
    EXPECT_EQ(ends.a.write(std::string("x")).error, ETIMEDOUT);
    group.wait();
  });
}

// net.TestVariousDeadlines, with 1 and with 4 Ps: from 1 ns up, each call ends, and none before its time.
TYPED_TEST(StreamTest, VariousDeadlines) {
  for (const int procs : {1, 4}) {
    run({.procs = procs}, [] {
      for (const auto timeout : {1ns, 50ns, 200ns, 1000ns, 20'000ns, 500'000ns, 5'000'000ns, 50'000'000ns}) {
        for (int round = 0; round < 3; ++round) {
          Ends ends = TypeParam::make();
          WaitGroup group;
          if (TypeParam::kBuffered) {
            group.go([&] {
              const std::string bytes(8192, 'x');
              while (ends.b.write(bytes).error == 0) {
              }
            });
          }
          const TimePoint deadline = now() + timeout;
          ends.a.set_read_deadline(deadline);
          std::vector<char> buffer(32 * 1024);
          IoResult got;
          do {
            got = ends.a.read(buffer);
          } while (got.error == 0);
          EXPECT_EQ(got.error, ETIMEDOUT);
          EXPECT_GE(now(), deadline);
          ends.a.close();
          group.wait();
        }
      }
    });
  }
}

// A deadline that is put off again and again does not come, however many there have been.
TYPED_TEST(StreamTest, ProlongedDeadlinesDoNotFire) {
  run([] {
    Ends ends = TypeParam::make();
    WaitGroup group;
    std::atomic<bool> stop{false};
    group.go([&] {
      char byte = 0;
      const IoResult got = ends.a.read({&byte, 1});
      EXPECT_EQ(got.error, 0);
      EXPECT_EQ(got.bytes, 1U);
    });
    group.go([&] {
      while (!stop) {
        ends.a.set_read_deadline(now() + 30s);
        yield();
      }
    });
    const TimePoint end = now() + 20ms;
    while (now() < end) yield();
    EXPECT_EQ(ends.b.write(std::string("x")).error, 0);
    stop = true;
    group.wait();
  });
}

TYPED_TEST(StreamTest, DeadlineRace) {
  all_shapes([] {
    Ends ends = TypeParam::make();
    WaitGroup group;
    group.go([&] {
      for (int i = 0; i < 100; ++i) {
        ends.a.set_deadline(now() + std::chrono::microseconds(i % 7));
        yield();
      }
      ends.a.set_deadline(kPast);
    });
    for (int i = 0; i < 10; ++i) {
      EXPECT_EQ(read_error(ends.a), ETIMEDOUT);
      EXPECT_EQ(write_error(ends.a), ETIMEDOUT);
    }
    group.wait();
  });
}

TYPED_TEST(StreamTest, ConcurrentSetDeadline) {
  all_shapes([] {
    constexpr int kGoers = 8;
    constexpr int kStreams = 4;
    std::vector<Ends> streams;
    for (int i = 0; i < kStreams; ++i) streams.push_back(TypeParam::make());
    WaitGroup group;
    for (int i = 0; i < kGoers; ++i) {
      group.go([&] {
        for (int round = 0; round < 40; ++round) {
          for (Ends& ends : streams) {
            ends.a.set_read_deadline(now() + 2h);
            ends.a.set_write_deadline(now() + 3h);
          }
          if (round % 8 == 0) yield();
        }
      });
    }
    group.wait();
  });
}

TYPED_TEST(StreamTest, CloseEndsWaitingCalls) {
  all_shapes([] {
    Ends ends = TypeParam::make();
    WaitGroup group;
    std::atomic<int> ready{0};
    for (int i = 0; i < 2; ++i) {
      group.go([&] {
        ready += 1;
        EXPECT_EQ(read_error(ends.a), EBADF);
      });
      group.go([&] {
        ready += 1;
        EXPECT_EQ(write_error(ends.a), EBADF);
      });
    }
    while (ready != 4) yield();
    ends.a.close();
    EXPECT_FALSE(ends.a);
    group.wait();
    EXPECT_EQ(read_error(ends.a), EBADF);
    EXPECT_EQ(ends.a.write(std::string("x")).error, EBADF);
    ends.a.close();
    ends.a.set_deadline(kPast);
    EXPECT_EQ(ends.a.fd(), -1);
  });
}

TYPED_TEST(StreamTest, ThePeerOfAClosedStreamReadsItsEndAndCannotWrite) {
  run([] {
    Ends ends = TypeParam::make();
    ends.a.close();
    EXPECT_EQ(read_some(ends.b), "");
    const int error = write_error(ends.b);
    EXPECT_TRUE(error == EPIPE || error == ECONNRESET) << error;
  });
}

TYPED_TEST(StreamTest, InterruptEndsItsOwnWaits) {
  run([] {
    Ends ends = TypeParam::make();
    go([&] { ends.a.interrupt(); });
    EXPECT_EQ(read_error(ends.a), EBADF);
    EXPECT_EQ(write_error(ends.a), EBADF);
    EXPECT_TRUE(ends.a);
  });
}

TYPED_TEST(StreamTest, TheContextEndsWaits) {
  run([] {
    Ends ends = TypeParam::make();
    CancelScope scope;
    go([&] { scope.cancel(); });
    EXPECT_EQ(read_error(ends.a), ECANCELED);
    EXPECT_EQ(write_error(ends.a), ECANCELED);
  });
}

// nettest's ConcurrentMethods: nothing may hang or race.
TYPED_TEST(StreamTest, AllCallsAtOnce) {
  all_shapes([] {
    Ends ends = TypeParam::make();
    WaitGroup group;
    group.go([&] { echo(ends.b); });
    for (int i = 0; i < 20; ++i) {
      group.go([&] { read_error(ends.a); });
      group.go([&] { ends.a.write(std::string(100, 'x')); });
      group.go([&] { ends.a.set_deadline(now() + 10ms); });
      group.go([&] { ends.a.set_read_deadline(now() + 10ms); });
      group.go([&] { ends.a.set_write_deadline(now() + 10ms); });
      group.go([&] { static_cast<void>(ends.a.peer() + ends.a.local()); });
    }
    sleep(1ms);
    ends.a.close();
    ends.b.close();
    group.wait();
  });
}

// The number of a closed descriptor is not used again while a call is inside: what others open meanwhile is not read by
// accident.
TEST(Stream, DescriptorsAreNotMixedUp) {
  run({.procs = 4}, [] {
    std::atomic<int> strange{0};
    for (int round = 0; round < 200; ++round) {
      auto [a, b] = UnixStream::pair();
      WaitGroup group;
      group.go([&a = a, &strange] {
        char bytes[8];
        while (true) {
          const IoResult got = a.read(bytes);
          if (got.error != 0) break;
          strange += got.bytes != 0 && bytes[0] != 'a' ? 1 : 0;
        }
      });
      group.go([&b = b] { b.write(std::string("aaaa")); });
      group.go([&a = a] { a.close(); });
      auto [c, d] = UnixStream::pair();
      EXPECT_EQ(d.write(std::string("cccc")).error, 0);
      EXPECT_EQ(read_some(c), "cccc");
      group.wait();
    }
    EXPECT_EQ(strange, 0);
  });
}

}  // namespace
}  // namespace degu::net
