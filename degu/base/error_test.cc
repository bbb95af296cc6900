#include <degu/base/error.h>
#include <gtest/gtest.h>

#include <stdexcept>

namespace degu {
namespace {

TEST(Code, MapsToHttpByTheFixedTable) {
  EXPECT_EQ(http_status(Code::kOk), 200);
  EXPECT_EQ(http_status(Code::kInvalidArgument), 400);
  EXPECT_EQ(http_status(Code::kUnauthenticated), 401);
  EXPECT_EQ(http_status(Code::kPermissionDenied), 403);
  EXPECT_EQ(http_status(Code::kNotFound), 404);
  EXPECT_EQ(http_status(Code::kAlreadyExists), 409);
  EXPECT_EQ(http_status(Code::kAborted), 409);
  EXPECT_EQ(http_status(Code::kResourceExhausted), 429);
  EXPECT_EQ(http_status(Code::kCancelled), 499);
  EXPECT_EQ(http_status(Code::kUnimplemented), 501);
  EXPECT_EQ(http_status(Code::kUnavailable), 503);
  EXPECT_EQ(http_status(Code::kDeadlineExceeded), 504);
  EXPECT_EQ(http_status(static_cast<Code>(200)), 500);
}

TEST(Code, HasGrpcNumbersAndNames) {
  EXPECT_EQ(static_cast<int>(Code::kUnauthenticated), 16);
  EXPECT_EQ(to_string(Code::kFailedPrecondition), "FAILED_PRECONDITION");
  EXPECT_EQ(to_string(static_cast<Code>(99)), "UNKNOWN");
}

TEST(Error, SaysWhatAndKeepsItsCause) {
  try {
    try {
      throw std::runtime_error("disk");
    } catch (...) {
      throw Error(Code::kInternal, "cannot save", {{"file", "x"}}).with_cause(std::current_exception());
    }
  } catch (const Error& e) {
    EXPECT_STREQ(e.what(), "INTERNAL: cannot save");
    ASSERT_EQ(e.details().size(), 1U);
    EXPECT_EQ(e.details()[0].field, "file");
    try {
      std::rethrow_exception(e.cause());
      FAIL();
    } catch (const std::runtime_error& cause) {
      EXPECT_STREQ(cause.what(), "disk");
    }
  }
}

TEST(Error, InterruptionsAreErrors) {
  EXPECT_EQ(Cancelled().code(), Code::kCancelled);
  EXPECT_EQ(DeadlineExceeded().code(), Code::kDeadlineExceeded);
}

}  // namespace
}  // namespace degu
