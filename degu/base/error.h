// Error: the one exception type of Degu, and the 17 codes of gRPC that classify every failure.
#pragma once

#include <cstdint>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

namespace degu {

/// Failure classes. Numeric values are gRPC's (statuscodes.md), so they go on the wire as they are.
enum class Code : uint8_t {
  kOk = 0,
  kCancelled = 1,
  kUnknown = 2,
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kAlreadyExists = 6,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kFailedPrecondition = 9,
  kAborted = 10,
  kOutOfRange = 11,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
  kDataLoss = 15,
  kUnauthenticated = 16,
};

/// The code's upper-case name, e.g. "INVALID_ARGUMENT". Values outside the enumeration give "UNKNOWN".
std::string_view to_string(Code code) noexcept;

/// The HTTP status of a code, by the table of google/rpc/code.proto; kCancelled is 499.
int http_status(Code code) noexcept;

/// One reason among several, e.g. a field violation: the path of the field and what is wrong with it.
struct ErrorDetail {
  std::string field;
  std::string reason;
};

/// A failure: code, message, details and the exception that caused it. Immutable once thrown, so an
/// `exception_ptr` to it may be shared between goroutines. The message may reach clients: no secrets, no
/// stacks.
class Error : public std::exception {
 public:
  Error(Code code, std::string message, std::vector<ErrorDetail> details = {});

  Code code() const noexcept { return code_; }
  const std::string& message() const noexcept { return message_; }
  const std::vector<ErrorDetail>& details() const noexcept { return details_; }
  /// The exception that led to this one, or null.
  const std::exception_ptr& cause() const noexcept { return cause_; }

  /// `throw Error(...).with_cause(std::current_exception())` keeps what happened below.
  Error&& with_cause(std::exception_ptr cause) && noexcept;

  /// "NOT_FOUND: no user 17".
  const char* what() const noexcept override { return what_.c_str(); }

 private:
  Code code_;
  std::string message_;
  std::vector<ErrorDetail> details_;
  std::exception_ptr cause_;
  std::string what_;
};

/// Thrown by a wait whose context was cancelled.
class Cancelled : public Error {
 public:
  explicit Cancelled(std::string message = "context cancelled")
      : Error(Code::kCancelled, std::move(message)) {}
};

/// Thrown by a wait whose context passed its deadline.
class DeadlineExceeded : public Error {
 public:
  explicit DeadlineExceeded(std::string message = "context deadline exceeded")
      : Error(Code::kDeadlineExceeded, std::move(message)) {}
};

}  // namespace degu
