// TlsSessions: sessions of a TLS client that wait to be resumed.
#pragma once

#include <degu/rt/lock.h>

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>

struct ssl_session_st;

namespace degu::net::internal {

struct TlsSessionFreed {
  void operator()(ssl_session_st* session) const noexcept;
};
using TlsSessionPtr = std::unique_ptr<ssl_session_st, TlsSessionFreed>;

/// One session for each server, the last that it gave; at most kMaxServers, beyond which any one goes. Thread-safe, and
/// waits for nothing: the library gives them away within a read.
class TlsSessions {
 public:
  static constexpr std::size_t kMaxServers = 256;

  void put(std::string_view server, TlsSessionPtr session);
  /// The server's, or null. Those of TLS 1.3 are used once (RFC 8446 appendix C.4): whoever watches the network must not be
  /// able to tell by a ticket that two connections are the same client's.
  TlsSessionPtr take(const std::string& server) noexcept;

  std::size_t size_for_test() noexcept;

 private:
  using Map = std::map<std::string, TlsSessionPtr, std::less<>>;

  rt::Lock lock_;  // guards sessions_; memory is got and freed outside of it
  Map sessions_;
};

}  // namespace degu::net::internal
