#include <degu/base/testing/temp_dir.h>
#include <degu/net/bytes.h>
#include <degu/net/file.h>
#include <degu/net/pipe.h>
#include <degu/net/udp.h>
#include <degu/net/unix.h>
#include <degu/rt/run.h>
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace degu::net {
namespace {

std::string text_of(Bytes bytes) { return {bytes.data(), bytes.size()}; }

TEST(Bytes, ALiteralStandsWithoutItsZero) {
  EXPECT_EQ(text_of("text"), "text");
  EXPECT_EQ(text_of(""), "");
  EXPECT_EQ(text_of("a\0b"), std::string("a\0b", 3));
  static_assert(Bytes("text").size() == 4);
  const char magic[] = {'E', 'L', 'F'};
  EXPECT_EQ(text_of(magic), "ELF");
}

TEST(Bytes, ABufferStandsAsAWhole) {
  char buffer[4] = {'a', 'b', 0, 0};
  EXPECT_EQ(text_of(buffer), std::string("ab\0\0", 4));
}

TEST(Bytes, AnyRowOfCharFits) {
  const std::string string = "string";
  EXPECT_EQ(text_of(string), "string");
  EXPECT_EQ(text_of(std::string_view(string)), "string");
  EXPECT_EQ(text_of(std::span<const char>(string)), "string");
  EXPECT_EQ(text_of(std::vector<char>{'v', 0}), std::string("v\0", 2));
  EXPECT_EQ(text_of(std::array<char, 2>{'a', 0}), std::string("a\0", 2));
  EXPECT_EQ(text_of({string.data(), 3}), "str");
  EXPECT_EQ(text_of({}), "");
  static_assert(!std::is_convertible_v<const char*, Bytes>);
  static_assert(!std::is_convertible_v<std::vector<int>, Bytes>);
}

TEST(Bytes, StreamsDatagramsAndFilesSendLiteralsWithoutTheZero) {
  run([] {
    char buffer[16];
    auto [a, b] = UnixStream::pair();
    EXPECT_EQ(a.write("text").bytes, 4U);
    EXPECT_EQ(b.read(buffer).bytes, 4U);

    UdpSocket receiver = UdpSocket::bind("127.0.0.1:0");
    UdpSocket sender = UdpSocket::bind("127.0.0.1:0");
    EXPECT_EQ(sender.send_to("hello", receiver.local()).bytes, 5U);
    EXPECT_EQ(receiver.recv(buffer).bytes, 5U);
    UdpSocket connected = UdpSocket::connect(to_string(receiver.local()));
    EXPECT_EQ(connected.send("to you").bytes, 6U);
    EXPECT_EQ(receiver.recv(buffer).bytes, 6U);

    const testing::TempDir dir;
    File file = File::create(dir.file("a"));
    EXPECT_EQ(file.write("text").bytes, 4U);
    EXPECT_EQ(file.pwrite("T", 0).bytes, 1U);
    EXPECT_EQ(file.stat().bytes, 4U);
  });
}

}  // namespace
}  // namespace degu::net
