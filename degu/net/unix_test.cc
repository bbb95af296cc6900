#include <degu/base/error.h>
#include <degu/base/testing/temp_dir.h>
#include <degu/net/unix.h>
#include <degu/rt/run.h>
#include <degu/rt/testing/all_shapes.h>
#include <degu/sync/wait_group.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

namespace degu::net {
namespace {

using testing::TempDir;

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

Code listen_code(const std::string& path, const UnixListenOptions& options = {}) {
  try {
    UnixListener::listen(path, options);
    return Code::kOk;
  } catch (const Error& error) {
    return error.code();
  }
}

void expect_echo(UnixListener& listener, const std::string& path) {
  WaitGroup group;
  group.go([&] {
    UnixStream stream = listener.accept();
    EXPECT_EQ(stream.peer_process().pid, ::getpid());
    EXPECT_EQ(stream.peer_process().uid, ::getuid());
    EXPECT_EQ(stream.write(std::string("hello")).error, 0);
  });
  UnixStream stream = UnixStream::connect(path);
  char bytes[10];
  EXPECT_EQ(stream.read(bytes).bytes, 5U);
  EXPECT_EQ(stream.peer(), path);
  group.wait();
}

TEST(Unix, PathsHavePermissionsAndGoWithTheListener) {
  run([] {
    const TempDir dir;
    const std::string path = dir.file("socket");
    UnixListener listener = UnixListener::listen(path, {.permissions = 0640});
    EXPECT_EQ(listener.address(), path);
    struct stat info {};
    ASSERT_EQ(::stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777U, 0640U);
    expect_echo(listener, path);
    EXPECT_EQ(listen_code(path), Code::kAlreadyExists);
    EXPECT_EQ(listen_code(path, {.replace_stale = true}), Code::kAlreadyExists);
    listener.close();
    EXPECT_FALSE(exists(path));
  });
}

TEST(Unix, AStalePathIsReplacedOnlyWhenAskedFor) {
  run([] {
    const TempDir dir;
    const std::string path = dir.file("socket");
    { const UnixListener listener = UnixListener::listen(path, {.unlink_on_close = false}); }
    EXPECT_TRUE(exists(path));
    EXPECT_EQ(listen_code(path), Code::kAlreadyExists);
    UnixListener listener = UnixListener::listen(path, {.replace_stale = true});
    expect_echo(listener, path);
  });
}

TEST(Unix, AbstractNames) {
  run([] {
    const std::string name = "@degu-test-" + std::to_string(::getpid());
    UnixListener listener = UnixListener::listen(name);
    EXPECT_EQ(listener.address(), name);
    expect_echo(listener, name);
  });
}

TEST(Unix, FailuresSayWhy) {
  run([] {
    EXPECT_EQ(listen_code(std::string(200, 'x')), Code::kInvalidArgument);
    EXPECT_EQ(listen_code("/nosuchfolder/socket"), Code::kNotFound);
    try {
      UnixStream::connect("/nosuchfolder/socket");
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::kNotFound);
      EXPECT_NE(error.message().find("/nosuchfolder/socket"), std::string::npos);
    }
  });
}

TEST(Unix, CloseEndsAccept) {
  all_shapes([] {
    UnixListener listener = UnixListener::listen("@degu-close-" + std::to_string(::getpid()));
    WaitGroup group;
    for (int i = 0; i < 3; ++i) {
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
  });
}

}  // namespace
}  // namespace degu::net
