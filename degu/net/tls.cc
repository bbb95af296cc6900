#include <degu/base/error.h>
#include <degu/net/internal/errno_error.h>
#include <degu/net/internal/ticket_keys.h>
#include <degu/net/internal/tls_endpoint.h>
#include <degu/net/tls.h>
#include <degu/rt/lock.h>
#include <degu/rt/park.h>
#include <degu/rt/run.h>
#include <fmt/format.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <mutex>
#include <new>
#include <span>
#include <utility>

namespace degu::net {

using internal::TicketKeys;
using internal::TlsEndpoint;

namespace {

struct Freed {
  void operator()(SSL_CTX* context) const noexcept { SSL_CTX_free(context); }
};
using ContextPtr = std::unique_ptr<SSL_CTX, Freed>;

Error bad_file(std::string_view what, const std::string& file) {
  const unsigned long code = ERR_peek_last_error();
  const char* reason = ERR_reason_error_string(code);
  // A file that cannot be opened is the system's error, with its own text.
  return {Code::kInvalidArgument, fmt::format("TLS: the {} \"{}\" cannot be used: {}", what, file,
                                              reason != nullptr ? reason : "it holds none in PEM")};
}

void use_key_pair(SSL_CTX* context, const TlsKeyPair& pair) {
  if (SSL_CTX_use_certificate_chain_file(context, pair.certificate_file.c_str()) != 1)
    throw bad_file("certificate", pair.certificate_file);
  if (SSL_CTX_use_PrivateKey_file(context, pair.key_file.c_str(), SSL_FILETYPE_PEM) != 1)
    throw bad_file("key", pair.key_file);
  if (SSL_CTX_check_private_key(context) != 1) throw bad_file("key", pair.key_file);
}

// RFC 7301 section 3.1: each name behind its length.
std::vector<unsigned char> alpn_list(const std::vector<std::string>& names) {
  std::vector<unsigned char> list;
  for (const std::string& name : names) {
    if (name.empty() || name.size() > 255)
      throw Error(Code::kInvalidArgument, "TLS: the name of a protocol has 1 to 255 bytes");
    list.push_back(static_cast<unsigned char>(name.size()));
    list.insert(list.end(), name.begin(), name.end());
  }
  return list;
}

ContextPtr new_context(const SSL_METHOD* method, bool tls12) {
  ERR_clear_error();
  ContextPtr context(SSL_CTX_new(method));
  if (context == nullptr) throw std::bad_alloc();
  SSL_CTX_set_min_proto_version(context.get(), tls12 ? TLS1_2_VERSION : TLS1_3_VERSION);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                         SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  // A key that wants a password is refused; the library would ask for it on the terminal.
  SSL_CTX_set_default_passwd_cb(context.get(), [](char*, int, int, void*) { return -1; });
  // What is idle keeps no buffers of records.
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS);
  if (SSL_CTX_set_cipher_list(context.get(), "ECDHE+AESGCM:ECDHE+CHACHA20") != 1)
    throw bad_file("cipher list", "");
  return context;
}

// What changes when a file is replaced or written.
using Stamp = std::array<int64_t, 4>;

Stamp stamp_of(const std::string& file) noexcept {
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0) return {};
  return {static_cast<int64_t>(status.st_ino), status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec};
}

// The files as they were read at one time. Connections keep the ones that they began with.
struct Loaded {
  std::shared_ptr<TicketKeys> ticket_keys;  // null: the library's own
  std::vector<unsigned char> alpn;
  std::vector<ContextPtr> contexts;  // one for each certificate
  std::vector<Stamp> stamps;
};

int choose_certificate(SSL* ssl, int*, void* arg) {
  const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (name == nullptr) return SSL_TLSEXT_ERR_NOACK;
  for (const ContextPtr& context : static_cast<const Loaded*>(arg)->contexts) {
    X509* certificate = SSL_CTX_get0_certificate(context.get());
    if (X509_check_host(certificate, name, 0, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, nullptr) != 1) continue;
    SSL_set_SSL_CTX(ssl, context.get());
    return SSL_TLSEXT_ERR_OK;
  }
  return SSL_TLSEXT_ERR_NOACK;
}

int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* size, const unsigned char* offered,
                    unsigned int offered_size, void* arg) {
  const auto& ours = static_cast<const Loaded*>(arg)->alpn;
  unsigned char* found = nullptr;
  const int result = SSL_select_next_proto(&found, size, ours.data(), static_cast<unsigned int>(ours.size()),
                                           offered, offered_size);
  *chosen = found;
  return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

// What SSL_CTX_set_tlsext_ticket_key_evp_cb() asks for; -1: failed, 0: a full handshake, 2: resume, and replace the ticket.
int seal_ticket(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac,
                int seals) {
  auto& keys = *static_cast<TicketKeys*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
  TicketKeys::Found found{};
  if (seals != 0) {
    const auto current = keys.current();
    if (!current || RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1) return -1;
    found = {*current, true};
    std::copy(current->name.begin(), current->name.end(), name);
  } else {
    const auto known = keys.find(std::span<const unsigned char, 16>(name, 16));
    if (!known) return 0;
    found = *known;
  }
  char digest[] = "SHA256";
  const std::array<OSSL_PARAM, 3> params{
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, found.key.mac.data(), found.key.mac.size()),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, static_cast<char*>(digest), 0),
      OSSL_PARAM_construct_end()};
  if (EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), nullptr, found.key.cipher.data(), iv, seals) != 1 ||
      EVP_MAC_CTX_set_params(mac, params.data()) != 1)
    return -1;
  // Tickets of TLS 1.3 are used once, so a client needs another.
  const bool replaces = seals == 0 && (!found.current || SSL_version(ssl) >= TLS1_3_VERSION);
  return replaces ? 2 : 1;
}

// A session is resumed only where its client would be verified in the same way: who is trusted may have changed meanwhile.
std::vector<unsigned char> session_scope(const TlsServerOptions& options) {
  std::string scope = "degu";
  if (options.client_certificates != ClientCertificates::kIgnored) {
    std::ifstream file(options.client_ca_file, std::ios::binary);
    scope.push_back(static_cast<char>(options.client_certificates));
    scope.append(std::istreambuf_iterator<char>(file), {});
  }
  std::vector<unsigned char> digest(SSL_MAX_SID_CTX_LENGTH);
  unsigned int size = 0;
  if (EVP_Digest(scope.data(), scope.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1)
    throw std::bad_alloc();
  return digest;
}

void verify_clients(SSL_CTX* context, const TlsServerOptions& options) {
  if (options.client_certificates == ClientCertificates::kIgnored) return;
  const std::string& file = options.client_ca_file;
  if (SSL_CTX_load_verify_file(context, file.c_str()) != 1) throw bad_file("client CA file", file);
  SSL_CTX_set_client_CA_list(context, SSL_load_client_CA_file(file.c_str()));
  const bool required = options.client_certificates == ClientCertificates::kRequired;
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), nullptr);
}

std::vector<Stamp> stamps_of(const TlsServerOptions& options) {
  std::vector<Stamp> stamps{stamp_of(options.client_ca_file)};
  for (const TlsKeyPair& pair : options.certificates) {
    stamps.push_back(stamp_of(pair.certificate_file));
    stamps.push_back(stamp_of(pair.key_file));
  }
  return stamps;
}

std::shared_ptr<Loaded> load(const TlsServerOptions& options, std::shared_ptr<TicketKeys> ticket_keys) {
  if (options.certificates.empty()) throw Error(Code::kInvalidArgument, "TLS: a server needs a certificate");
  auto loaded = std::make_shared<Loaded>();
  loaded->ticket_keys = std::move(ticket_keys);
  loaded->alpn = alpn_list(options.alpn);
  loaded->stamps = stamps_of(options);  // before they are read: what changes meanwhile is noticed
  const std::vector<unsigned char> scope = session_scope(options);
  for (const TlsKeyPair& pair : options.certificates) {
    ContextPtr context = new_context(TLS_server_method(), options.tls12);
    use_key_pair(context.get(), pair);
    verify_clients(context.get(), options);
    // Sessions are resumed by tickets, so that none are kept here; the context is a part of what they are good for.
    SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
    SSL_CTX_set_session_id_context(context.get(), scope.data(), static_cast<unsigned int>(scope.size()));
    if (loaded->ticket_keys != nullptr) {
      SSL_CTX_set_app_data(context.get(), loaded->ticket_keys.get());
      SSL_CTX_set_tlsext_ticket_key_evp_cb(context.get(), seal_ticket);
    }
    SSL_CTX_set_tlsext_servername_callback(context.get(), choose_certificate);
    SSL_CTX_set_tlsext_servername_arg(context.get(), loaded.get());
    if (!loaded->alpn.empty()) SSL_CTX_set_alpn_select_cb(context.get(), choose_protocol, loaded.get());
    loaded->contexts.push_back(std::move(context));
  }
  return loaded;
}

}  // namespace

struct TlsServer::Impl {
  explicit Impl(TlsServerOptions o) : options(std::move(o)) {
    if (!options.ticket_secret.empty()) ticket_keys = std::make_shared<TicketKeys>(options.ticket_secret);
  }

  std::shared_ptr<Loaded> current() const noexcept {
    const std::lock_guard guard(lock);
    return loaded;
  }

  const TlsServerOptions options;
  std::shared_ptr<TicketKeys> ticket_keys;
  mutable rt::Lock lock;  // guards `loaded`
  std::shared_ptr<Loaded> loaded;
};

TlsServer::TlsServer(TlsServerOptions options) : impl_(std::make_shared<Impl>(std::move(options))) {
  reload();
}

void TlsServer::reload() {
  std::shared_ptr<Loaded> fresh = blocking([this] { return load(impl_->options, impl_->ticket_keys); });
  const std::lock_guard guard(impl_->lock);
  impl_->loaded.swap(fresh);
}

bool TlsServer::reload_if_changed() {
  if (blocking([this] { return stamps_of(impl_->options); }) == impl_->current()->stamps) return false;
  reload();
  return true;
}

TcpStream TlsServer::wrap(TcpStream plain) const {
  std::shared_ptr<Loaded> loaded = impl_->current();
  SSL_CTX* const context = loaded->contexts.front().get();
  return TcpStream(
      Socket(TlsEndpoint::make(std::move(plain).take_socket(), context, std::move(loaded), nullptr)));
}

struct TlsClient::Impl {
  mutable internal::TlsSessions sessions;
  ContextPtr context;
  bool verify = true;
  bool resume = true;
};

TlsClient::TlsClient(TlsClientOptions options) {
  auto impl = std::make_shared<Impl>();
  impl->verify = options.verify;
  impl->resume = options.resume;
  blocking([&] {
    impl->context = new_context(TLS_client_method(), options.tls12);
    SSL_CTX* const context = impl->context.get();
    if (options.resume) TlsEndpoint::keep_sessions(context);
    if (options.certificate) use_key_pair(context, *options.certificate);
    if (!options.verify) return;
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    const bool found = options.ca_file.empty()
                           ? SSL_CTX_set_default_verify_paths(context) == 1
                           : SSL_CTX_load_verify_file(context, options.ca_file.c_str()) == 1;
    if (!found) throw bad_file("CA file", options.ca_file);
  });
  const std::vector<unsigned char> alpn = alpn_list(options.alpn);
  if (!alpn.empty() &&
      SSL_CTX_set_alpn_protos(impl->context.get(), alpn.data(), static_cast<unsigned int>(alpn.size())) != 0)
    throw std::bad_alloc();
  impl_ = std::move(impl);
}

TcpStream TlsClient::wrap(TcpStream plain, std::string_view server_name, std::string_view address) const {
  // Who the server is was found out when the session began, for that name alone.
  const internal::TlsPeer peer{.name = std::string(server_name),
                               .verify = impl_->verify,
                               .sessions = impl_->resume ? &impl_->sessions : nullptr,
                               .session_key = std::string(server_name).append(1, '\0').append(address)};
  return TcpStream(
      Socket(TlsEndpoint::make(std::move(plain).take_socket(), impl_->context.get(), impl_, &peer)));
}

void tls_handshake(Stream& stream, TimePoint deadline) {
  auto* endpoint = dynamic_cast<TlsEndpoint*>(stream.endpoint());
  if (endpoint == nullptr) return;
  switch (const int error = endpoint->handshake(deadline)) {
    case 0:
      return;
    case ECANCELED:
      rt::throw_interrupted();
    case ETIMEDOUT:
      throw DeadlineExceeded("TLS: the other side did not answer in time");
    case EPROTO:
      throw Error(Code::kUnavailable, "TLS: " + endpoint->failure());
    case ECONNABORTED:
      throw Error(Code::kUnavailable, "TLS: the other side ended the connection in the handshake");
    default:
      throw internal::errno_error(error, "TLS");
  }
}

std::optional<TlsInfo> tls_info(const Stream& stream) {
  const auto* endpoint = dynamic_cast<const TlsEndpoint*>(stream.endpoint());
  return endpoint != nullptr ? endpoint->info() : std::nullopt;
}

}  // namespace degu::net
