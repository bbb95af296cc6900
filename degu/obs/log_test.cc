#include <degu/obs/log.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace degu {
namespace {

std::string quoted(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

TEST(AppendJsonString, EscapesWhatCouldBreakTheLine) {
  EXPECT_EQ(quoted("plain"), R"("plain")");
  EXPECT_EQ(quoted("a\"b\\c\n\r\t"), R"("a\"b\\c\n\r\t")");
  EXPECT_EQ(quoted(std::string_view("\x00\x1b\x7f", 3)), R"("\u0000\u001b\u007f")");
}

TEST(AppendJsonString, KeepsUtf8AndReplacesWhatIsNot) {
  EXPECT_EQ(quoted("grün 日本 😀"), "\"grün 日本 😀\"");
  EXPECT_EQ(quoted("\xff"), "\"\xef\xbf\xbd\"");
  EXPECT_EQ(quoted("\xc0\xaf"), "\"\xef\xbf\xbd\xef\xbf\xbd\"");      // overlong
  EXPECT_EQ(quoted("\xed\xa0\x80").find("\xed"), std::string::npos);  // a surrogate
  EXPECT_EQ(quoted("\xe2\x82"), "\"\xef\xbf\xbd\xef\xbf\xbd\"");      // cut short
}

TEST(AppendJsonString, EscapesBidirectionalControls) {
  EXPECT_EQ(quoted("a\xe2\x80\xae"
                   "b"),
            R"("a\u202eb")");
  EXPECT_EQ(quoted("\xe2\x81\xa6"), R"("\u2066")");
}

struct Recorder : LogSink {
  std::vector<std::string> lines;
  void write(Level level, std::string_view message, std::span<const LogField> fields) noexcept override {
    lines.push_back(std::string(to_string(level)) + " " + std::string(message) + " " +
                    std::to_string(fields.size()));
  }
};

TEST(Log, GoesToTheSinkFromItsLevelOn) {
  Recorder recorder;
  set_log_sink(&recorder);
  log(Level::kDebug, "hidden");
  log(Level::kWarn, "seen", {{"n", 1}, {"text", "x"}, {"flag", true}, {"ratio", 0.5}});
  set_log_level(Level::kDebug);
  log(Level::kDebug, "now seen");
  set_log_level(Level::kInfo);
  set_log_sink(nullptr);
  EXPECT_EQ(recorder.lines, (std::vector<std::string>{"warn seen 4", "debug now seen 0"}));
}

TEST(Log, DefaultSinkWritesOneJsonLine) {
  testing::internal::CaptureStderr();
  log(Level::kError, "two\nlines", {{"user", "al\"ice"}, {"count", uint64_t{7}}, {"bad", 0.0 / 0.0}});
  const std::string line = testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
  EXPECT_NE(line.find(R"("level":"error","msg":"two\nlines","user":"al\"ice","count":7,"bad":null})"),
            std::string::npos)
      << line;
}

}  // namespace
}  // namespace degu
