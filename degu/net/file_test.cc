#include <degu/base/error.h>
#include <degu/base/testing/code_of.h>
#include <degu/base/testing/temp_dir.h>
#include <degu/net/file.h>
#include <degu/rt/run.h>
#include <degu/rt/testing/all_shapes.h>
#include <degu/sync/wait_group.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string>

namespace degu::net {
namespace {

using testing::code_of;
using testing::TempDir;

TEST(File, ReadsWhatWasWritten) {
  run([] {
    const TempDir dir;
    File file = File::create(dir.file("a"), 0600);
    EXPECT_EQ(file.write(std::string("hello ")).bytes, 6U);
    EXPECT_EQ(file.write(std::string("world")).bytes, 5U);
    char bytes[100];
    EXPECT_EQ(file.read(bytes).bytes, 0U);
    file.seek(0);
    EXPECT_EQ(file.read(bytes).bytes, 11U);
    EXPECT_EQ(std::string(bytes, 11), "hello world");
    EXPECT_EQ(file.pwrite(std::string("W"), 6).bytes, 1U);
    EXPECT_EQ(file.pread(bytes, 6).bytes, 5U);
    EXPECT_EQ(std::string(bytes, 5), "World");
    EXPECT_EQ(file.pread(bytes, 100).bytes, 0U);
    file.sync();
    file.sync(true);
    const FileInfo info = file.stat();
    EXPECT_EQ(info.bytes, 11U);
    EXPECT_EQ(info.type, FileType::kRegular);
    EXPECT_EQ(info.permissions, 0600U);
    EXPECT_GT(info.modified.count(), 0);
    file.truncate(5);
    EXPECT_EQ(file.stat().bytes, 5U);
  });
}

TEST(File, OptionsMeanWhatTheySay) {
  run([] {
    const TempDir dir;
    const std::string path = dir.file("a");
    EXPECT_EQ(code_of([&] { File::open(path); }), Code::kNotFound);
    { File::open(path, {.write = true, .create = true, .exclusive = true}); }
    EXPECT_EQ(code_of([&] { File::open(path, {.write = true, .create = true, .exclusive = true}); }),
              Code::kAlreadyExists);
    write_all(path, "abc");
    {
      File file = File::open(path, {.append = true});
      EXPECT_EQ(file.write(std::string("def")).error, 0);
    }
    EXPECT_EQ(read_all(path), "abcdef");
    File reader = File::open(path);
    EXPECT_EQ(reader.write(std::string("x")).error, EBADF);
    std::filesystem::create_symlink(path, dir.file("link"));
    EXPECT_EQ(read_all(dir.file("link")), "abcdef");
    EXPECT_EQ(code_of([&] { File::open(dir.file("link"), {.follow_links = false}); }),
              Code::kFailedPrecondition);
    EXPECT_EQ(code_of([&] { File::open(dir.path(), {.write = true}); }), Code::kFailedPrecondition);
    EXPECT_EQ(code_of([&] { File::open(path + "/b"); }), Code::kFailedPrecondition);
  });
}

TEST(File, CallsAfterCloseFail) {
  run([] {
    const TempDir dir;
    File file = File::create(dir.file("a"));
    file.close();
    file.close();
    char bytes[4];
    EXPECT_FALSE(file);
    EXPECT_EQ(file.read(bytes).error, EBADF);
    EXPECT_EQ(file.write(bytes).error, EBADF);
    EXPECT_EQ(file.pread(bytes, 0).error, EBADF);
    EXPECT_EQ(file.pwrite(bytes, 0).error, EBADF);
    EXPECT_EQ(code_of([&] { file.sync(); }), Code::kFailedPrecondition);
    EXPECT_EQ(code_of([&] { static_cast<void>(file.stat()); }), Code::kFailedPrecondition);
    EXPECT_EQ(File().read(bytes).error, EBADF);
  });
}

// Whatever close() meets: a write is whole or refused, and what others open at that moment stays untouched.
TEST(File, CloseWhileOthersAreInside) {
  all_shapes([] {
    const TempDir dir;
    for (int round = 0; round < 10; ++round) {
      File file = File::create(dir.file("a"));
      WaitGroup group;
      for (int i = 0; i < 4; ++i) {
        group.go([&, i] {
          for (uint64_t at = 0;; ++at) {
            const IoResult result = i % 2 == 0 ? file.write(std::string("0123456789"))
                                               : file.pwrite(std::string("0123456789"), at * 10);
            EXPECT_EQ(result.bytes, result.error == 0 ? 10U : 0U);
            if (result.error != 0) {
              EXPECT_EQ(result.error, EBADF);
              return;
            }
            yield();
          }
        });
      }
      yield();
      file.close();
      const File other = File::create(dir.file("b"));
      group.wait();
      EXPECT_EQ(other.stat().bytes, 0U);
    }
  });
}

TEST(File, ManyGoroutinesReadOneFile) {
  all_shapes([] {
    const TempDir dir;
    std::string content(20'000, '\0');
    for (std::size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>(i / 100);
    write_all(dir.file("a"), content);
    File file = File::open(dir.file("a"));
    WaitGroup group;
    for (std::size_t i = 0; i < 20; ++i) {
      group.go([&, i] {
        std::string part(1000, '\0');
        EXPECT_EQ(file.pread(part, i * 1000).bytes, 1000U);
        EXPECT_EQ(part, content.substr(i * 1000, 1000));
      });
    }
    group.wait();
  });
}

TEST(ReadAll, HasALimit) {
  run([] {
    const TempDir dir;
    write_all(dir.file("a"), std::string(10'000, 'x'));
    EXPECT_EQ(read_all(dir.file("a"), 10'000).size(), 10'000U);
    EXPECT_EQ(code_of([&] { static_cast<void>(read_all(dir.file("a"), 9999)); }), Code::kOutOfRange);
    EXPECT_EQ(code_of([&] { static_cast<void>(read_all("/dev/zero", 100'000)); }), Code::kOutOfRange);
    EXPECT_EQ(code_of([&] { static_cast<void>(read_all(dir.file("b"))); }), Code::kNotFound);
    // No size, but content.
    EXPECT_NE(read_all("/proc/self/status").find("Pid:"), std::string::npos);
  });
}

TEST(WriteAll, ReplacesAtOnce) {
  run([] {
    const TempDir dir;
    write_all(dir.file("a"), "old", {.permissions = 0600});
    write_all(dir.file("a"), "new", {.permissions = 0640, .atomic = true});
    EXPECT_EQ(read_all(dir.file("a")), "new");
    EXPECT_EQ(File::open(dir.file("a")).stat().permissions, 0640U);
    EXPECT_EQ(Dir::list(dir.path()).size(), 1U);
    EXPECT_EQ(code_of([&] { write_all(dir.file("none/a"), "x", {.atomic = true}); }), Code::kNotFound);
    // A folder cannot be replaced, and nothing is left beside it.
    std::filesystem::create_directory(dir.file("dir"));
    EXPECT_NE(code_of([&] { write_all(dir.file("dir"), "x", {.atomic = true}); }), Code::kOk);
    EXPECT_EQ(Dir::list(dir.path()).size(), 2U);
  });
}

TEST(WriteAll, AFullDiskSaysSo) {
  if (::access("/dev/full", W_OK) != 0) GTEST_SKIP() << "no /dev/full";
  run([] {
    EXPECT_EQ(code_of([] { write_all("/dev/full", "x"); }), Code::kResourceExhausted);
    File file = File::open("/dev/full", {.write = true});
    EXPECT_EQ(file.write(std::string("x")).error, ENOSPC);
  });
}

TEST(Dir, ListsByName) {
  run([] {
    const TempDir dir;
    write_all(dir.file("b"), "");
    write_all(dir.file("a"), "");
    std::filesystem::create_directory(dir.file("d"));
    std::filesystem::create_symlink("nowhere", dir.file("c"));
    const std::vector<DirEntry> entries = Dir::list(dir.path());
    ASSERT_EQ(entries.size(), 4U);
    const std::pair<std::string, FileType> expected[] = {{"a", FileType::kRegular},
                                                         {"b", FileType::kRegular},
                                                         {"c", FileType::kLink},
                                                         {"d", FileType::kFolder}};
    for (std::size_t i = 0; i < 4; ++i) {
      EXPECT_EQ(entries[i].name, expected[i].first);
      EXPECT_EQ(entries[i].type, expected[i].second);
    }
    EXPECT_EQ(code_of([&] { static_cast<void>(Dir::list(dir.path(), 3)); }), Code::kOutOfRange);
    EXPECT_EQ(code_of([&] { static_cast<void>(Dir::list(dir.file("none"))); }), Code::kNotFound);
    EXPECT_EQ(code_of([&] { static_cast<void>(Dir::list(dir.file("a"))); }), Code::kFailedPrecondition);
  });
}

}  // namespace
}  // namespace degu::net
