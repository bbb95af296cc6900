// Faults at Degu's own points.
#include <degu/base/error.h>
#include <degu/base/fault_point.h>
#include <degu/base/testing/code_of.h>
#include <degu/base/testing/temp_dir.h>
#include <degu/net/file.h>
#include <degu/net/pipe.h>
#include <degu/net/resolve.h>
#include <degu/net/tcp.h>
#include <degu/net/udp.h>
#include <degu/rt/run.h>
#include <degu/sim/sim.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>

using namespace std::chrono_literals;

namespace degu {
namespace {

using testing::code_of;
using testing::TempDir;

void expect_ok(const sim::Options& options, UniqueFunction<void()> body) {
  const sim::Result result = sim::run(options, std::move(body));
  EXPECT_TRUE(result.ok()) << result.report();
}

TEST(NetworkFaults, HappenWhereTheyArePlanned) {
  expect_ok({.faults = {{"net.connect", 1}}}, [] {
    auto listener = net::TcpListener::listen("127.0.0.1:9");
    EXPECT_EQ(code_of([] { net::TcpStream::connect("127.0.0.1:9"); }), Code::kUnavailable);
  });
  expect_ok({.faults = {{"net.resolve", 1}}}, [] {
    { const auto known = sim::network().host("a"); }
    EXPECT_EQ(code_of([] { net::resolve("a", 1); }), Code::kUnavailable);
  });
  expect_ok({.faults = {{"net.send", 1}}}, [] {
    auto socket = net::UdpSocket::bind("127.0.0.1:0");
    EXPECT_EQ(socket.send_to("x", socket.local()).error, ENOBUFS);
  });
  for (const char* point : {"net.read", "net.write"}) {
    expect_ok({.faults = {{point, 1}}}, [point] {
      auto listener = net::TcpListener::listen("127.0.0.1:9");
      auto a = net::TcpStream::connect("127.0.0.1:9");
      auto b = listener.accept();
      char byte = 0;
      if (std::string_view(point) == "net.read") {
        EXPECT_EQ(a.read({&byte, 1}).error, ECONNRESET);
      } else {
        EXPECT_EQ(a.write("x").error, ECONNRESET);
      }
      EXPECT_EQ(b.read({&byte, 1}).error, ECONNRESET);
      auto pipe = net::Pipe::open();
      EXPECT_EQ(pipe.writer.write("x").error, 0);
      EXPECT_EQ(pipe.reader.read({&byte, 1}).bytes, 1U);
    });
  }
}

TEST(NetworkFaults, AConnectionThatIsNotAcceptedStaysQueued) {
  int failed = 0;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    expect_ok({.seed = seed, .faults = {{"net.accept", 0.5}}}, [&failed] {
      auto listener = net::TcpListener::listen("127.0.0.1:9");
      const auto client = net::TcpStream::connect("127.0.0.1:9");
      for (;;) {
        try {
          EXPECT_EQ(listener.accept().peer(), client.local());
          return;
        } catch (const Error& error) {
          EXPECT_EQ(error.code(), Code::kResourceExhausted);
          ++failed;
        }
      }
    });
  }
  EXPECT_GT(failed, 5);
}

TEST(FileFaults, EveryCallFailsWhereItIsPlanned) {
  const TempDir dir;
  expect_ok({.faults = {{"file.open", 1}}}, [&] {
    EXPECT_EQ(code_of([&] { net::File::create(dir.file("a")); }), Code::kDataLoss);
    EXPECT_EQ(code_of([&] { net::read_all(dir.file("a")); }), Code::kDataLoss);
  });
  expect_ok({.faults = {{"file.read", 1}, {"file.sync", 1}}}, [&] {
    auto file = net::File::open(dir.file("a"), {.write = true, .create = true});
    char byte = 0;
    EXPECT_EQ(file.write("text").error, 0);
    EXPECT_EQ(file.pread({&byte, 1}, 0).error, EIO);
    EXPECT_EQ(file.read({&byte, 1}).error, EIO);
    EXPECT_EQ(code_of([&] { file.sync(); }), Code::kDataLoss);
    EXPECT_EQ(code_of([&] { net::Dir::list(dir.path()); }), Code::kDataLoss);
  });
  EXPECT_FALSE(DEGU_FAULT_POINT("file.open"));
}

TEST(FileFaults, AWriteThatFailsMayHaveWrittenAPart) {
  const TempDir dir;
  std::map<int, int> errors;
  std::map<std::size_t, int> lengths;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    expect_ok({.seed = seed, .faults = {{"file.write", 0.5}, {"file.full", 0.5}}}, [&] {
      auto file = net::File::create(dir.file("a"));
      const net::IoResult wrote = file.write("0123456789");
      EXPECT_EQ(wrote.bytes == 10 || wrote.error != 0, true);
      const net::IoResult more = file.pwrite("abc", wrote.bytes);
      EXPECT_EQ(file.stat().bytes, wrote.bytes + more.bytes);
      ++errors[wrote.error];
      ++lengths[wrote.bytes];
    });
  }
  EXPECT_GT(errors[0], 0);
  EXPECT_GT(errors[EIO], 0);
  EXPECT_GT(errors[ENOSPC], 0);
  EXPECT_GT(lengths.size(), 5U);
}

TEST(FileFaults, AnAtomicWriteLeavesTheOldContentOrTheNew) {
  const TempDir dir;
  int failed = 0;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    expect_ok({.seed = seed, .faults = {{"file.*", 0.2}}}, [&] {
      const std::string path = dir.file("a");
      try {
        net::write_all(path, "new", {.atomic = true});
      } catch (const Error&) {
        ++failed;
      }
    });
    if (!std::filesystem::exists(dir.file("a"))) continue;
    run([&] { EXPECT_EQ(net::read_all(dir.file("a")), "new"); });
  }
  EXPECT_GT(failed, 10);
  // No copy is left behind.
  run([&] { EXPECT_EQ(net::Dir::list(dir.path()).size(), 1U); });
}

TEST(FileFaults, AReadMayBeShort) {
  const TempDir dir;
  run([&] { net::write_all(dir.file("a"), "0123456789"); });
  std::map<std::size_t, int> lengths;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    expect_ok({.seed = seed, .faults = {{"file.short_read", 0.8}}}, [&] {
      auto file = net::File::open(dir.file("a"));
      char buffer[10];
      const net::IoResult got = file.read(buffer);
      EXPECT_EQ(got.error, 0);
      EXPECT_GT(got.bytes, 0U);
      ++lengths[got.bytes];
      EXPECT_EQ(net::read_all(dir.file("a")), "0123456789");
    });
  }
  EXPECT_GT(lengths[10], 0);
  EXPECT_GT(lengths.size(), 4U);
}

TEST(BlockingFaults, ACallMayStall) {
  std::chrono::nanoseconds took{};
  expect_ok({.faults = {{"blocking.stall", 1}}}, [&] {
    const TimePoint start = now();
    blocking([] {});
    took = now() - start;
  });
  EXPECT_GE(took, 1s);
  EXPECT_LE(took, 30s);
}

}  // namespace
}  // namespace degu
