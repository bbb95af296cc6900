#include <degu/base/error.h>
#include <degu/net/internal/errno_error.h>
#include <degu/net/internal/tls_endpoint.h>
#include <degu/net/tls.h>
#include <degu/rt/lock.h>
#include <degu/rt/park.h>
#include <degu/rt/run.h>
#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <mutex>
#include <new>
#include <utility>

namespace degu::net {

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

std::shared_ptr<Loaded> load(const TlsServerOptions& options) {
  if (options.certificates.empty()) throw Error(Code::kInvalidArgument, "TLS: a server needs a certificate");
  auto loaded = std::make_shared<Loaded>();
  loaded->alpn = alpn_list(options.alpn);
  loaded->stamps = stamps_of(options);  // before they are read: what changes meanwhile is noticed
  for (const TlsKeyPair& pair : options.certificates) {
    ContextPtr context = new_context(TLS_server_method(), options.tls12);
    use_key_pair(context.get(), pair);
    verify_clients(context.get(), options);
    // Sessions are resumed by tickets, so that none are kept here; the context is a part of what they are good for.
    SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
    constexpr std::array<unsigned char, 4> kSessions{'d', 'e', 'g', 'u'};
    SSL_CTX_set_session_id_context(context.get(), kSessions.data(), kSessions.size());
    SSL_CTX_set_tlsext_servername_callback(context.get(), choose_certificate);
    SSL_CTX_set_tlsext_servername_arg(context.get(), loaded.get());
    if (!loaded->alpn.empty()) SSL_CTX_set_alpn_select_cb(context.get(), choose_protocol, loaded.get());
    loaded->contexts.push_back(std::move(context));
  }
  return loaded;
}

}  // namespace

struct TlsServer::Impl {
  explicit Impl(TlsServerOptions o) : options(std::move(o)) {}

  std::shared_ptr<Loaded> current() const noexcept {
    const std::lock_guard guard(lock);
    return loaded;
  }

  const TlsServerOptions options;
  mutable rt::Lock lock;  // guards `loaded`
  std::shared_ptr<Loaded> loaded;
};

TlsServer::TlsServer(TlsServerOptions options) : impl_(std::make_shared<Impl>(std::move(options))) {
  reload();
}

void TlsServer::reload() {
  std::shared_ptr<Loaded> fresh = blocking([this] { return load(impl_->options); });
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
  return TcpStream(Socket(TlsEndpoint::make(std::move(plain).take_socket(), context, std::move(loaded),
                                            TlsEndpoint::Role::kServer, {}, false)));
}

struct TlsClient::Impl {
  ContextPtr context;
  bool verify = true;
};

TlsClient::TlsClient(TlsClientOptions options) {
  auto impl = std::make_shared<Impl>();
  impl->verify = options.verify;
  blocking([&] {
    impl->context = new_context(TLS_client_method(), options.tls12);
    SSL_CTX* const context = impl->context.get();
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

TcpStream TlsClient::wrap(TcpStream plain, std::string_view server_name) const {
  return TcpStream(
      Socket(TlsEndpoint::make(std::move(plain).take_socket(), impl_->context.get(), impl_,
                               TlsEndpoint::Role::kClient, std::string(server_name), impl_->verify)));
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
