#include <degu/base/error.h>
#include <degu/net/internal/fd.h>
#include <degu/net/internal/memory_pipe.h>
#include <degu/net/internal/network.h>
#include <degu/net/pipe.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace degu::net {

Pipe Pipe::open() {
  if (internal::Network* network = internal::current_network(); network != nullptr) {
    auto [reader, writer] = network->pipe();
    return {Stream(Socket(reader)), Stream(Socket(writer))};
  }
  int ends[2];
  if (::pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) {
    throw Error(Code::kResourceExhausted, fmt::format("cannot make a pipe: {}", std::strerror(errno)));
  }
  Pipe pipe;
  try {
    pipe.reader = Stream(Socket(internal::Fd::open(ends[0], internal::FdKind::kFile)));
  } catch (...) {
    ::close(ends[1]);
    throw;
  }
  pipe.writer = Stream(Socket(internal::Fd::open(ends[1], internal::FdKind::kFile)));
  return pipe;
}

std::pair<Stream, Stream> pipe() {
  auto [first, second] = internal::make_memory_pipe();
  return {Stream(Socket(first)), Stream(Socket(second))};
}

}  // namespace degu::net
