#include <degu/base/error.h>
#include <degu/net/address.h>
#include <degu/net/internal/layered_endpoint.h>
#include <degu/net/proxy_protocol.h>
#include <degu/sync/mutex.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <string_view>

namespace degu::net {
namespace {

using internal::LayeredEndpoint;

constexpr std::string_view kSignature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::size_t kPrefixBytes = 16;  // signature, version and command, family, length
constexpr std::size_t kMaxRest = 2048;
enum Command : unsigned char { kLocal = 0x20, kProxy = 0x21 };
enum Family : unsigned char { kTcp4 = 0x11, kTcp6 = 0x21 };

template <class Raw>
std::string text_of(const Raw& raw) {
  const auto address = Address::from_raw(reinterpret_cast<const sockaddr*>(&raw), sizeof raw);
  return address ? to_string(*address) : std::string();
}

std::string tcp4(const char* address, const char* port) {
  sockaddr_in raw{};
  raw.sin_family = AF_INET;
  std::memcpy(&raw.sin_addr, address, 4);
  std::memcpy(&raw.sin_port, port, 2);
  return text_of(raw);
}

std::string tcp6(const char* address, const char* port) {
  sockaddr_in6 raw{};
  raw.sin6_family = AF_INET6;
  std::memcpy(&raw.sin6_addr, address, 16);
  std::memcpy(&raw.sin6_port, port, 2);
  return text_of(raw);
}

class ProxiedEndpoint final : public LayeredEndpoint {
 public:
  explicit ProxiedEndpoint(Socket inner) noexcept : LayeredEndpoint(std::move(inner)) {}

  IoResult read(std::span<char> into, TimePoint deadline) noexcept override {
    const Turn turn(*this, rt::Direction::kRead, deadline);
    if (turn.error != 0) return {0, turn.error};
    if (const int error = begin(deadline); error != 0) return {0, error};
    return inner_.read(into, deadline);
  }

  int take_header(TimePoint deadline) noexcept {
    const Turn turn(*this, rt::Direction::kRead, deadline);
    return turn.error != 0 ? turn.error : begin(deadline);
  }

  IoResult writev(std::span<const iovec> parts, TimePoint deadline) noexcept override {
    const Visit visit(*this);
    return visit ? inner_.writev(parts, deadline) : IoResult{0, EBADF};
  }

  int wait(rt::Direction direction, TimePoint deadline) noexcept override {
    const Visit visit(*this);
    return visit ? inner_.wait(direction, deadline) : EBADF;
  }

  bool call_when_readable(rt::PollCall& call) noexcept override {
    const Visit visit(*this);
    return visit && inner_.call_when_readable(call);
  }

  std::string peer_address() const override {
    const std::lock_guard guard(names_lock_);
    return peer_.empty() ? inner_.peer_address() : peer_;
  }
  std::string local_address() const override {
    const std::lock_guard guard(names_lock_);
    return local_.empty() ? inner_.local_address() : local_;
  }

 private:
  // By the reader, as what follows.
  int begin(TimePoint deadline) noexcept {
    if (begun_) return 0;
    const int error = read_header(deadline);
    begun_ = error == 0;
    return error;
  }

  // What came before a deadline is kept.
  int fill_header(std::size_t wanted, TimePoint deadline) noexcept {
    while (have_ < wanted) {
      const IoResult got = inner_.read({header_.data() + have_, wanted - have_}, deadline);
      if (got.error != 0) return got.error;
      if (got.bytes == 0) return EPROTO;
      have_ += got.bytes;
    }
    return 0;
  }

  int read_header(TimePoint deadline) noexcept {
    if (const int error = fill_header(kPrefixBytes, deadline); error != 0) return error;
    if (std::string_view(header_.data(), kSignature.size()) != kSignature) return EPROTO;
    const auto byte = [this](std::size_t at) { return static_cast<unsigned char>(header_[at]); };
    const unsigned char command = byte(12);
    if (command != kLocal && command != kProxy) return EPROTO;
    const std::size_t rest = byte(14) * 256U + byte(15);
    if (rest > kMaxRest) return EPROTO;
    if (const int error = fill_header(kPrefixBytes + rest, deadline); error != 0) return error;
    return command == kLocal ? 0 : take_names(byte(13), rest);
  }

  int take_names(unsigned char family, std::size_t rest) noexcept {
    const char* const at = header_.data() + kPrefixBytes;
    try {
      const std::lock_guard guard(names_lock_);
      if (family == kTcp4) {
        if (rest < 12) return EPROTO;
        peer_ = tcp4(at, at + 8);
        local_ = tcp4(at + 4, at + 10);
      } else if (family == kTcp6) {
        if (rest < 36) return EPROTO;
        peer_ = tcp6(at, at + 32);
        local_ = tcp6(at + 16, at + 34);
      }
      return 0;
    } catch (...) {
      return ENOMEM;
    }
  }

  // The reader's.
  bool begun_ = false;
  std::size_t have_ = 0;
  std::array<char, kPrefixBytes + kMaxRest> header_;

  mutable Mutex names_lock_;
  std::string peer_;
  std::string local_;
};

}  // namespace

TcpStream behind_proxy(TcpStream stream) {
  return TcpStream(Socket(new ProxiedEndpoint(std::move(stream).take_socket())));
}

int take_proxy_header(Stream& stream, TimePoint deadline) noexcept {
  auto* const endpoint = dynamic_cast<ProxiedEndpoint*>(stream.endpoint());
  return endpoint != nullptr ? endpoint->take_header(deadline) : 0;
}

}  // namespace degu::net
