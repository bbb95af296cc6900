#include <degu/net/stream.h>
#include <sys/uio.h>

namespace degu::net {

IoResult Stream::write(Bytes bytes, TimePoint deadline) noexcept {
  const iovec part{const_cast<char*>(bytes.data()), bytes.size()};
  return socket_.writev(std::span(&part, 1), deadline);
}

}  // namespace degu::net
