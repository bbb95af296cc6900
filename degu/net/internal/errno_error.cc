#include <degu/net/internal/errno_error.h>
#include <degu/net/internal/network.h>
#include <fmt/format.h>

#include <cerrno>
#include <cstring>

namespace degu::net::internal {
namespace {

Code code_of(int error) noexcept {
  switch (error) {
    case ENOENT:
    case ESRCH:
      return Code::kNotFound;
    case EEXIST:
    case EADDRINUSE:
      return Code::kAlreadyExists;
    case EACCES:
    case EPERM:
    case EROFS:
      return Code::kPermissionDenied;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return Code::kResourceExhausted;
    case EINVAL:
    case ENAMETOOLONG:
    case EADDRNOTAVAIL:
      return Code::kInvalidArgument;
    case ENOTDIR:
    case EISDIR:
    case ENOTEMPTY:
    case ENOEXEC:
    case ELOOP:
    case EBADF:
      return Code::kFailedPrecondition;
    case EIO:
      return Code::kDataLoss;
    default:
      return Code::kUnavailable;
  }
}

}  // namespace

Error errno_error(int error, std::string_view what) {
  return Error(code_of(error), fmt::format("{}: {}", what, std::strerror(error)));
}

void refuse_in_simulation(std::string_view what) {
  if (current_network() == nullptr) return;
  throw Error(
      Code::kFailedPrecondition,
      fmt::format("{} in a simulation, where nothing of the machine can be repeated: let the test replace it",
                  what));
}

}  // namespace degu::net::internal
