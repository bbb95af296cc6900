// After Go's os/timeout_test.go and runtime/nbpipe_test.go.
#include <degu/context/cancel_scope.h>
#include <degu/net/pipe.h>
#include <degu/rt/run.h>
#include <degu/rt/testing/all_shapes.h>
#include <degu/sync/wait_group.h>
#include <fcntl.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <string>

namespace degu::net {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kPast = TimePoint(1ns);

int read_error(Stream& stream) {
  char bytes[64];
  return stream.read(bytes).error;
}

int write_error(Stream& stream) {
  const std::string bytes(64 * 1024, 'x');
  while (true) {
    if (const IoResult result = stream.write(bytes); result.error != 0) return result.error;
  }
}

TEST(Pipe, IsNonBlockingAndNotInherited) {
  run([] {
    const Pipe pipe = Pipe::open();
    for (const Stream* end : {&pipe.reader, &pipe.writer}) {
      EXPECT_NE(::fcntl(end->fd(), F_GETFL) & O_NONBLOCK, 0);
      EXPECT_NE(::fcntl(end->fd(), F_GETFD) & FD_CLOEXEC, 0);
    }
  });
}

TEST(Pipe, CarriesBytesUntilTheEnd) {
  all_shapes([] {
    Pipe pipe = Pipe::open();
    WaitGroup group;
    const std::string sent(300'000, 'x');
    group.go([&] {
      EXPECT_EQ(pipe.writer.write(sent).bytes, sent.size());
      pipe.writer.close();
    });
    std::string got(1000, '\0');
    std::size_t total = 0;
    while (const std::size_t n = pipe.reader.read(got).bytes) total += n;
    EXPECT_EQ(total, sent.size());
    group.wait();
  });
}

TEST(Pipe, ReadAndWriteTimeouts) {
  run([] {
    Pipe pipe = Pipe::open();
    const TimePoint deadline = now() + 10ms;
    pipe.reader.set_read_deadline(deadline);
    EXPECT_EQ(read_error(pipe.reader), ETIMEDOUT);
    EXPECT_GE(now(), deadline);
    pipe.writer.set_write_deadline(now() + 10ms);
    EXPECT_EQ(write_error(pipe.writer), ETIMEDOUT);
    // There is something to read, but the time is over.
    EXPECT_EQ(read_error(pipe.reader), ETIMEDOUT);
    pipe.reader.set_read_deadline(kNever);
    EXPECT_EQ(read_error(pipe.reader), 0);
  });
}

TEST(Pipe, APastDeadlineEndsWaitingCalls) {
  all_shapes([] {
    Pipe pipe = Pipe::open();
    Pipe full = Pipe::open();
    WaitGroup group;
    std::atomic<int> ready{0};
    group.go([&] {
      ready += 1;
      EXPECT_EQ(read_error(pipe.reader), ETIMEDOUT);
    });
    group.go([&] {
      ready += 1;
      EXPECT_EQ(write_error(full.writer), ETIMEDOUT);
    });
    while (ready != 2) yield();
    pipe.reader.set_deadline(kPast);
    full.writer.set_deadline(kPast);
    group.wait();
  });
}

TEST(Pipe, CloseEndsAWaitingRead) {
  all_shapes([] {
    Pipe pipe = Pipe::open();
    WaitGroup group;
    std::atomic<bool> ready{false};
    group.go([&] {
      ready = true;
      EXPECT_EQ(read_error(pipe.reader), EBADF);
    });
    while (!ready) yield();
    pipe.reader.close();
    group.wait();
  });
}

TEST(Pipe, WritingWithoutAReaderFailsAndDoesNotKill) {
  run([] {
    Pipe pipe = Pipe::open();
    pipe.reader.close();
    EXPECT_EQ(pipe.writer.write(std::string("x")).error, EPIPE);
    EXPECT_EQ(pipe.writer.write(std::string("x")).error, EPIPE);
  });
}

TEST(Pipe, TheWrongEndFails) {
  run([] {
    Pipe pipe = Pipe::open();
    EXPECT_EQ(read_error(pipe.writer), EBADF);
    EXPECT_EQ(pipe.reader.write(std::string("x")).error, EBADF);
  });
}

TEST(MemoryPipe, AWriteEndsWhenAllIsRead) {
  run([] {
    auto [a, b] = pipe();
    std::atomic<bool> written{false};
    WaitGroup group;
    group.go([&, &writer = a] {
      EXPECT_EQ(writer.write(std::string("hello")).bytes, 5U);
      written = true;
    });
    char two[2];
    EXPECT_EQ(b.read(two).bytes, 2U);
    EXPECT_FALSE(written);
    char rest[10];
    EXPECT_EQ(b.read(rest).bytes, 3U);
    group.wait();
    EXPECT_TRUE(written);
  });
}

TEST(MemoryPipe, AnUnfinishedWriteSaysHowFarItCame) {
  run([] {
    auto [a, b] = pipe();
    WaitGroup group;
    group.go([&reader = b] {
      char two[2];
      EXPECT_EQ(reader.read(two).bytes, 2U);
      reader.close();
    });
    const IoResult result = a.write(std::string("hello"));
    EXPECT_EQ(result.bytes, 2U);
    EXPECT_EQ(result.error, EPIPE);
    group.wait();
  });
}

}  // namespace
}  // namespace degu::net
