#include <degu/net/internal/tls_sessions.h>
#include <openssl/ssl.h>

#include <mutex>
#include <utility>

namespace degu::net::internal {

void TlsSessionFreed::operator()(ssl_session_st* session) const noexcept { SSL_SESSION_free(session); }

void TlsSessions::put(std::string_view server, TlsSessionPtr session) {
  Map made;
  made.emplace(std::string(server), std::move(session));
  Map::node_type node = made.extract(made.begin());
  Map::node_type evicted;
  const std::lock_guard guard(lock_);
  if (const auto found = sessions_.find(server); found != sessions_.end()) {
    std::swap(found->second, node.mapped());
    return;
  }
  if (sessions_.size() == kMaxServers) evicted = sessions_.extract(sessions_.begin());
  sessions_.insert(std::move(node));
}

TlsSessionPtr TlsSessions::take(const std::string& server) noexcept {
  Map::node_type taken;
  const std::lock_guard guard(lock_);
  const auto found = sessions_.find(server);
  if (found == sessions_.end()) return nullptr;
  if (SSL_SESSION_get_protocol_version(found->second.get()) < TLS1_3_VERSION) {
    SSL_SESSION_up_ref(found->second.get());
    return TlsSessionPtr(found->second.get());
  }
  taken = sessions_.extract(found);
  return std::move(taken.mapped());
}

std::size_t TlsSessions::size_for_test() noexcept {
  const std::lock_guard guard(lock_);
  return sessions_.size();
}

}  // namespace degu::net::internal
