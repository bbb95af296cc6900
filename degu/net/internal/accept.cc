#include <degu/base/error.h>
#include <degu/net/internal/accept.h>
#include <degu/rt/park.h>
#include <fmt/format.h>

#include <cerrno>
#include <cstring>

namespace degu::net::internal {

Socket accept_or_throw(Socket& listener) {
  Endpoint* endpoint = listener.endpoint();
  const Accepted accepted = endpoint != nullptr ? endpoint->accept(kNever) : Accepted{nullptr, EBADF};
  switch (accepted.error) {
    case 0:
      return Socket(accepted.endpoint);
    case ECANCELED:
      rt::throw_interrupted();
    case ETIMEDOUT:
      throw DeadlineExceeded("no connection came before the listener's deadline");
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case ENOSPC:  // of epoll: fs.epoll.max_user_watches
      throw Error(Code::kResourceExhausted,
                  fmt::format("cannot accept a connection: {}", std::strerror(accepted.error)));
    default:
      throw Error(Code::kCancelled, "the listener was closed");
  }
}

}  // namespace degu::net::internal
