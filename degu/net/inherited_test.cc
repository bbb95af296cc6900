#include <degu/base/testing/code_of.h>
#include <degu/net/inherited.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

namespace degu::net {
namespace {

const std::string kSelf = std::to_string(::getpid());

// Descriptors 3 and 4, whatever they were before.
class ThreeAndFour {
 public:
  ThreeAndFour() {
    for (int i = 0; i < 2; ++i) {
      saved_[i] = ::fcntl(3 + i, F_DUPFD_CLOEXEC, 100);
      flags_[i] = ::fcntl(3 + i, F_GETFD);
      ::dup2(STDIN_FILENO, 3 + i);
    }
  }
  ~ThreeAndFour() {
    for (int i = 0; i < 2; ++i) {
      ::close(3 + i);
      if (saved_[i] < 0) continue;
      ::dup2(saved_[i], 3 + i);
      ::fcntl(3 + i, F_SETFD, flags_[i]);
      ::close(saved_[i]);
    }
  }
  ThreeAndFour(const ThreeAndFour&) = delete;
  ThreeAndFour& operator=(const ThreeAndFour&) = delete;

 private:
  int saved_[2];
  int flags_[2];
};

TEST(InheritedDescriptors, AreThoseFromThreeOn) {
  const ThreeAndFour open;
  auto all = inherited_descriptors({.pid = kSelf, .fds = "2", .names = "http:"});
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].fd, 3);
  EXPECT_EQ(all[0].name, "http");
  EXPECT_EQ(all[1].fd, 4);
  EXPECT_EQ(all[1].name, "");
  for (const int fd : {3, 4}) EXPECT_EQ(::fcntl(fd, F_GETFD), FD_CLOEXEC);
  all = inherited_descriptors({.pid = kSelf, .fds = "1"});
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].name, "unknown");
  EXPECT_TRUE(inherited_descriptors({.pid = kSelf, .fds = "0"}).empty());
}

TEST(InheritedDescriptors, AreNoneForAnotherProcess) {
  EXPECT_TRUE(inherited_descriptors({}).empty());
  EXPECT_TRUE(inherited_descriptors({.fds = "1"}).empty());
  EXPECT_TRUE(inherited_descriptors({.pid = std::to_string(::getppid()), .fds = "1"}).empty());
  EXPECT_TRUE(inherited_descriptors({.pid = std::to_string(::getppid()), .fds = "nonsense"}).empty());
}

TEST(InheritedDescriptors, RefuseContradictions) {
  const ThreeAndFour open;
  for (const char* pid : {"x", "-1", "0", "1x", " 1", "99999999999"})
    EXPECT_EQ(testing::code_of([&] { inherited_descriptors({.pid = pid, .fds = "1"}); }),
              Code::kInvalidArgument)
        << pid;
  for (const char* fds : {"", "x", "-1", "1x", "1025", "99999999999"})
    EXPECT_EQ(testing::code_of([&] { inherited_descriptors({.pid = kSelf, .fds = fds}); }),
              Code::kInvalidArgument)
        << fds;
  for (const char* names : {"a", "a:b:c", "::"})
    EXPECT_EQ(testing::code_of([&] { inherited_descriptors({.pid = kSelf, .fds = "2", .names = names}); }),
              Code::kInvalidArgument)
        << names;
  EXPECT_EQ(testing::code_of([&] { inherited_descriptors({.pid = kSelf, .fds = "1000"}); }),
            Code::kInvalidArgument);
}

}  // namespace
}  // namespace degu::net
