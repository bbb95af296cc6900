#include <degu/base/error.h>
#include <degu/base/testing/code_of.h>
#include <degu/base/testing/temp_dir.h>
#include <degu/net/root.h>
#include <degu/rt/run.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>
#include <utility>

namespace degu::net {
namespace {

using testing::code_of;
using testing::TempDir;

class RootTest : public ::testing::Test {
 protected:
  RootTest() {
    std::filesystem::create_directories(dir_.file("root/sub/deep"));
    write_all(dir_.file("secret"), "secret");
    write_all(dir_.file("root/a"), "a");
    write_all(dir_.file("root/sub/b"), "b");
    std::filesystem::create_symlink("../secret", dir_.file("root/out"));
    std::filesystem::create_symlink("a", dir_.file("root/in"));
    std::filesystem::create_symlink("/", dir_.file("root/slash"));
  }
  Root open() const { return Root::open(dir_.file("root")); }

  TempDir dir_;
};

TEST_F(RootTest, OpensWhatLiesBelow) {
  const Root root = open();
  for (const auto& [name, content] : {std::pair("a", 'a'), std::pair("sub/b", 'b'),
                                      std::pair("./sub//b", 'b'), std::pair("sub/deep/../b", 'b')}) {
    File file = root.open_file(name);
    char byte = 0;
    EXPECT_EQ(file.pread({&byte, 1}, 0).bytes, 1U) << name;
    EXPECT_EQ(byte, content) << name;
  }
  EXPECT_EQ(root.open_file("sub").stat().type, FileType::kFolder);
}

TEST_F(RootTest, LetsNothingOut) {
  const Root root = open();
  const std::string absolute = dir_.file("secret");
  for (const std::string& name :
       {std::string("../secret"), std::string("sub/../../secret"), std::string(".."),
        std::string("/etc/passwd"), absolute, std::string("out"), std::string("in"),
        std::string("slash/etc/passwd"), std::string("sub/deep/../../../secret")}) {
    EXPECT_EQ(code_of([&] { root.open_file(name); }), Code::kPermissionDenied) << name;
  }
}

TEST_F(RootTest, FindsNothingElse) {
  const Root root = open();
  for (const std::string& name : {std::string("none"), std::string("a/b"), std::string(""),
                                  std::string("a\0b", 3), std::string(300, 'x'), std::string(10'000, 'y')}) {
    EXPECT_EQ(code_of([&] { root.open_file(name); }), Code::kNotFound) << name;
  }
  EXPECT_EQ(code_of([&] { Root::open(dir_.file("none")); }), Code::kNotFound);
  EXPECT_NE(code_of([&] { Root::open(dir_.file("secret")); }), Code::kOk);
  EXPECT_NE(code_of([&] { Root().open_file("a"); }), Code::kOk);
}

TEST_F(RootTest, DoesNotWaitForTheOtherEndOfAPipe) {
  ASSERT_EQ(::mkfifo(dir_.file("root/pipe").c_str(), 0600), 0);
  EXPECT_EQ(open().open_file("pipe").stat().type, FileType::kOther);
}

// It holds the folder, not the name.
TEST_F(RootTest, FollowsItsFolder) {
  Root first = open();
  Root root;
  root = std::move(first);
  std::filesystem::rename(dir_.file("root"), dir_.file("moved"));
  EXPECT_EQ(root.open_file("a").stat().bytes, 1U);
}

}  // namespace
}  // namespace degu::net
