// The library never waits: it reads records from in_ and writes them to out_ under session_lock_, and what is to be
// received or sent meanwhile goes through the endpoint below with no lock but the turns. So a goroutine that reads does not
// keep one from writing, and nothing suspends while the library uses its thread's list of errors.
//
// Reading may make output (an alert, the answer to a change of keys). Its reader sends it unless somebody writes, who looks
// for more when done.
#include <degu/base/error.h>
#include <degu/net/internal/tls_endpoint.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <new>
#include <utility>

namespace degu::net::internal {
namespace {

// A record of the greatest size with its header and tag.
constexpr std::size_t kInputBytes = 5 + 16 * 1024 + 256;
constexpr std::size_t kRecordBytes = 16 * 1024;
constexpr std::size_t kOutputBytes = 64 * 1024;  // made before they are sent, a record more at most

TlsEndpoint& owner_of(BIO* bio) noexcept { return *static_cast<TlsEndpoint*>(BIO_get_data(bio)); }

int bio_read(BIO* bio, char* into, std::size_t size, std::size_t* bytes) {
  BIO_clear_retry_flags(bio);
  *bytes = owner_of(bio).take_input({into, size});
  if (*bytes != 0) return 1;
  BIO_set_retry_read(bio);
  return 0;
}

int bio_write(BIO* bio, const char* from, std::size_t size, std::size_t* bytes) {
  BIO_clear_retry_flags(bio);
  *bytes = size;
  return owner_of(bio).add_output({from, size}) ? 1 : 0;
}

long bio_control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

BIO_METHOD* bio_method() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "degu");
    if (made == nullptr) throw std::bad_alloc();
    BIO_meth_set_read_ex(made, bio_read);
    BIO_meth_set_write_ex(made, bio_write);
    BIO_meth_set_ctrl(made, bio_control);
    return made;
  }();
  return method;
}

bool is_address(const std::string& name) {
  ASN1_OCTET_STRING* address = a2i_IPADDRESS(name.c_str());
  ASN1_OCTET_STRING_free(address);
  return address != nullptr;
}

// Whom the server has to be, and what it is asked for: SNI has no addresses (RFC 6066 section 3).
bool expect_server(SSL* ssl, const std::string& name, bool verify) {
  const bool address = is_address(name);
  if (!address && SSL_set_tlsext_host_name(ssl, name.c_str()) != 1) return false;
  if (!verify) return true;
  SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  return address ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name.c_str()) == 1
                 : SSL_set1_host(ssl, name.c_str()) == 1;
}

std::string subject_of(X509* certificate) {
  std::unique_ptr<BIO, decltype(&BIO_free_all)> text(BIO_new(BIO_s_mem()), &BIO_free_all);
  if (!text || X509_NAME_print_ex(text.get(), X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253) < 0)
    return {};
  char* data = nullptr;
  const long size = BIO_get_mem_data(text.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

std::vector<std::string> names_of(X509* certificate) {
  std::vector<std::string> names;
  auto* all =
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(all); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(all, i);
    if (name->type != GEN_DNS && name->type != GEN_URI && name->type != GEN_EMAIL) continue;
    const ASN1_IA5STRING* text = name->d.ia5;
    names.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                       static_cast<std::size_t>(ASN1_STRING_length(text)));
  }
  GENERAL_NAMES_free(all);
  return names;
}

}  // namespace

void TlsEndpoint::Freed::operator()(ssl_st* ssl) const noexcept { SSL_free(ssl); }

TlsEndpoint::TlsEndpoint(Socket inner, std::shared_ptr<const void> keep) noexcept
    : LayeredEndpoint(std::move(inner)), keep_(std::move(keep)) {}

TlsEndpoint* TlsEndpoint::make(Socket inner, ssl_ctx_st* context, std::shared_ptr<const void> keep,
                               const TlsPeer* peer) {
  struct Discard {
    void operator()(TlsEndpoint* endpoint) const noexcept { delete endpoint; }
  };
  std::unique_ptr<TlsEndpoint, Discard> made(new TlsEndpoint(std::move(inner), std::move(keep)));
  ERR_clear_error();
  made->session_.reset(SSL_new(context));
  BIO* const bio = BIO_new(bio_method());
  if (made->session_ == nullptr || bio == nullptr) {
    BIO_free(bio);
    throw std::bad_alloc();
  }
  BIO_set_data(bio, made.get());
  BIO_set_init(bio, 1);
  SSL_set_bio(made->session_.get(), bio, bio);
  if (peer == nullptr) {
    SSL_set_accept_state(made->session_.get());
  } else {
    made->connect_as(*peer);
  }
  return made.release();
}

void TlsEndpoint::connect_as(const TlsPeer& peer) {
  SSL_set_connect_state(session_.get());
  if (!expect_server(session_.get(), peer.name, peer.verify))
    throw Error(Code::kInvalidArgument,
                "TLS: \"" + peer.name.substr(0, 200) + "\" cannot be the name of a server");
  if (peer.sessions == nullptr) return;
  session_key_ = peer.session_key;
  sessions_ = peer.sessions;
  if (const TlsSessionPtr former = sessions_->take(session_key_); former != nullptr)
    SSL_set_session(session_.get(), former.get());
}

void TlsEndpoint::keep_sessions(ssl_ctx_st* context) noexcept {
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, [](SSL* ssl, SSL_SESSION* session) {
    owner_of(SSL_get_rbio(ssl)).keep_session(TlsSessionPtr(session));
    return 1;  // it is ours
  });
}

void TlsEndpoint::keep_session(TlsSessionPtr session) noexcept {
  try {
    if (sessions_ != nullptr) sessions_->put(session_key_, std::move(session));
  } catch (...) {
    return;  // no memory: the next handshake will be a full one
  }
}

// --- The library's side, with session_lock_ held

std::size_t TlsEndpoint::take_input(std::span<char> into) noexcept {
  const std::size_t bytes = std::min(into.size(), in_end_ - in_begin_);
  if (bytes != 0) std::memcpy(into.data(), in_.get() + in_begin_, bytes);
  in_begin_ += bytes;
  return bytes;
}

bool TlsEndpoint::add_output(std::span<const char> bytes) noexcept {
  try {
    out_.append(bytes.data(), bytes.size());
    return true;
  } catch (...) {
    return false;  // no memory: the session fails
  }
}

void TlsEndpoint::note_failure() noexcept {
  state_.store(State::kFailed, std::memory_order_release);
  const long verified = SSL_get_verify_result(session_.get());
  const unsigned long code = ERR_peek_last_error();
  const char* reason =
      verified != X509_V_OK ? X509_verify_cert_error_string(verified) : ERR_reason_error_string(code);
  try {
    failure_ = reason != nullptr ? reason : "the session failed";
  } catch (...) {
    failure_.clear();
  }
}

TlsEndpoint::Step TlsEndpoint::step_of(int result) noexcept {
  if (result == 1) return Step::kDone;
  switch (SSL_get_error(session_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return Step::kWantInput;
    case SSL_ERROR_ZERO_RETURN:
      return Step::kEnd;
    default:
      note_failure();
      return Step::kFailed;
  }
}

TlsEndpoint::Step TlsEndpoint::advance_handshake() noexcept {
  const std::lock_guard guard(session_lock_);
  ERR_clear_error();
  return step_of(SSL_do_handshake(session_.get()));
}

TlsEndpoint::Step TlsEndpoint::read_plain(std::span<char> into, std::size_t& bytes) noexcept {
  const std::lock_guard guard(session_lock_);
  ERR_clear_error();
  return step_of(SSL_read_ex(session_.get(), into.data(), into.size(), &bytes));
}

TlsEndpoint::Step TlsEndpoint::write_plain(std::span<const char> bytes) noexcept {
  const std::lock_guard guard(session_lock_);
  ERR_clear_error();
  std::size_t written = 0;  // all of it, as the output takes everything
  return step_of(SSL_write_ex(session_.get(), bytes.data(), bytes.size(), &written));
}

bool TlsEndpoint::has_buffered() noexcept {
  const std::lock_guard guard(session_lock_);
  return in_begin_ != in_end_ || SSL_has_pending(session_.get()) == 1;
}

bool TlsEndpoint::has_output() noexcept {
  const std::lock_guard guard(session_lock_);
  return !out_.empty();
}

// --- The endpoint's side

// By the reader, or in the handshake. ECONNABORTED at the end of what `inner_` has.
int TlsEndpoint::fill_input(TimePoint deadline) noexcept {
  if (in_ == nullptr) in_.reset(new (std::nothrow) char[kInputBytes]);
  if (in_ == nullptr) return ENOMEM;
  in_begin_ = in_end_ = 0;  // the session reads all it has been given before it wants more
  const IoResult result = inner_.read({in_.get(), kInputBytes}, deadline);
  in_end_ = result.bytes;
  if (result.error != 0) return result.error;
  return result.bytes == 0 ? ECONNABORTED : 0;
}

// By the writer, or in the handshake.
int TlsEndpoint::send_output(TimePoint deadline) noexcept {
  std::string records;
  {
    const std::lock_guard guard(session_lock_);
    records.swap(out_);
  }
  if (const int lost = sent_.load(std::memory_order_relaxed); lost != 0) return lost;
  if (records.empty()) return 0;
  const iovec part{records.data(), records.size()};
  const int error = inner_.writev(std::span(&part, 1), deadline).error;
  if (error != 0) sent_.store(error, std::memory_order_relaxed);
  return error;
}

void TlsEndpoint::send_if_nobody_writes(TimePoint deadline) noexcept {
  while (has_output()) {
    const Turn turn(*this, rt::Direction::kWrite, TimePoint());
    if (turn.error != 0 || send_output(deadline) != 0) return;
  }
}

int TlsEndpoint::handshake(TimePoint deadline) noexcept {
  const State state = state_.load(std::memory_order_acquire);
  if (state == State::kReady) [[likely]]
    return 0;
  if (state == State::kFailed) return EPROTO;
  try {
    if (!handshake_lock_.try_lock_until(deadline)) return ETIMEDOUT;
  } catch (const Error& error) {
    return error.code() == Code::kDeadlineExceeded ? ETIMEDOUT : ECANCELED;
  }
  const int error = handshake_locked(deadline);
  handshake_lock_.unlock();
  return error;
}

int TlsEndpoint::handshake_locked(TimePoint deadline) noexcept {
  while (true) {
    switch (state_.load(std::memory_order_acquire)) {
      case State::kReady:
        return 0;
      case State::kFailed:
        return EPROTO;
      case State::kNew:
        break;
    }
    const Step step = advance_handshake();
    const int sent = send_output(deadline);
    if (step == Step::kFailed || step == Step::kEnd) return EPROTO;
    if (sent != 0) return sent;
    if (step == Step::kDone) {
      state_.store(State::kReady, std::memory_order_release);
    } else if (const int error = fill_input(deadline); error != 0) {
      return error;
    }
  }
}

IoResult TlsEndpoint::read(std::span<char> into, TimePoint deadline) noexcept {
  const Turn turn(*this, rt::Direction::kRead, deadline);
  if (turn.error != 0) return {0, turn.error};
  if (const int error = handshake(deadline); error != 0) return {0, error};
  if (into.empty()) return {};
  while (true) {
    std::size_t bytes = 0;
    const Step step = read_plain(into, bytes);
    send_if_nobody_writes(deadline);
    switch (step) {
      case Step::kDone:
        return {bytes, 0};
      case Step::kEnd:
        return {};
      case Step::kFailed:
        return {0, EPROTO};
      case Step::kWantInput:
        if (const int error = fill_input(deadline); error != 0) return {0, error};
    }
  }
}

// `bytes` of the result are in records that have been sent.
IoResult TlsEndpoint::write_bytes(std::span<const char> bytes, TimePoint deadline) noexcept {
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    std::size_t made = 0;
    while (made < kOutputBytes && sent + made < bytes.size()) {
      const auto piece = bytes.subspan(sent + made, std::min(kRecordBytes, bytes.size() - sent - made));
      if (write_plain(piece) != Step::kDone) return {sent, EPROTO};
      made += piece.size();
    }
    if (const int error = send_output(deadline); error != 0) return {sent, error};
    sent += made;
  }
  return {sent, 0};
}

IoResult TlsEndpoint::writev(std::span<const iovec> parts, TimePoint deadline) noexcept {
  std::size_t total = 0;
  for (const iovec& part : parts) total += part.iov_len;
  IoResult result;
  {
    const Turn turn(*this, rt::Direction::kWrite, deadline);
    if (turn.error != 0) return {0, turn.error};
    if (const int error = handshake(deadline); error != 0) return {0, error};
    if (parts.size() > 1 && total <= kRecordBytes) {
      // One record for all of them.
      std::unique_ptr<char[]> joined(new (std::nothrow) char[total]);
      if (joined == nullptr) return {0, ENOMEM};
      std::size_t at = 0;
      for (const iovec& part : parts) {
        if (part.iov_len != 0) std::memcpy(joined.get() + at, part.iov_base, part.iov_len);
        at += part.iov_len;
      }
      result = write_bytes({joined.get(), total}, deadline);
    } else {
      for (const iovec& part : parts) {
        const IoResult one = write_bytes({static_cast<const char*>(part.iov_base), part.iov_len}, deadline);
        result.bytes += one.bytes;
        result.error = one.error;
        if (result.error != 0) break;
      }
    }
  }
  return result;
}

int TlsEndpoint::wait(rt::Direction direction, TimePoint deadline) noexcept {
  const Turn turn(*this, direction, deadline);
  if (turn.error != 0) return turn.error;
  if (direction == rt::Direction::kRead && has_buffered()) return 0;
  return inner_.wait(direction, deadline);
}

// By the reader.
bool TlsEndpoint::call_when_readable(rt::PollCall& call) noexcept {
  const Visit visit(*this);
  if (!visit || has_buffered()) return false;
  in_.reset();  // while it rests it needs none
  in_begin_ = in_end_ = 0;
  return inner_.call_when_readable(call);
}

// The alert that tells an end from a cut. It goes if it can go at once.
void TlsEndpoint::say_goodbye() noexcept {
  if (state_.load(std::memory_order_acquire) != State::kReady) return;
  {
    const std::lock_guard guard(session_lock_);
    ERR_clear_error();
    SSL_shutdown(session_.get());
  }
  send_output(now());
}

void TlsEndpoint::shutdown_write() noexcept {
  const Visit visit(*this);
  if (!visit) return;
  say_goodbye();
  inner_.shutdown_write();
}

std::string TlsEndpoint::failure() const {
  const std::lock_guard guard(session_lock_);
  return failure_;
}

std::optional<TlsInfo> TlsEndpoint::info() const {
  if (state_.load(std::memory_order_acquire) != State::kReady) return std::nullopt;
  const std::lock_guard guard(session_lock_);
  const SSL* ssl = session_.get();
  TlsInfo info;
  info.version = SSL_get_version(ssl);
  info.cipher = SSL_get_cipher_name(ssl);
  const unsigned char* protocol = nullptr;
  unsigned int size = 0;
  SSL_get0_alpn_selected(ssl, &protocol, &size);
  info.alpn.assign(reinterpret_cast<const char*>(protocol), size);
  if (const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name); name != nullptr)
    info.server_name = name;
  info.resumed = SSL_session_reused(ssl) == 1;
  if (X509* peer = SSL_get0_peer_certificate(ssl);
      peer != nullptr && SSL_get_verify_result(ssl) == X509_V_OK) {
    info.peer_subject = subject_of(peer);
    info.peer_names = names_of(peer);
  }
  return info;
}

}  // namespace degu::net::internal
