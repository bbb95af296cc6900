// TlsEndpoint: TLS between a Socket and the endpoint that carries the records.
#pragma once

#include <degu/net/internal/layered_endpoint.h>
#include <degu/net/internal/tls_sessions.h>
#include <degu/net/tls.h>
#include <degu/sync/mutex.h>

#include <atomic>
#include <memory>
#include <span>
#include <string>

struct ssl_st;
struct ssl_ctx_st;

namespace degu::net::internal {

/// Whom a client talks to.
struct TlsPeer {
  std::string name;  ///< that the server has to prove, unless it is believed
  bool verify;
  TlsSessions* sessions;    ///< null: none is resumed, nor kept
  std::string session_key;  ///< what the session is kept for
};

/// The transfers of an Endpoint, encrypted. Errors besides those of `inner`: EPROTO, the peer broke the rules or could not
/// prove who it is; ECONNABORTED, it went away without saying so, and what came may have been cut.
class TlsEndpoint final : public LayeredEndpoint {
 public:
  /// A free-standing one for `inner`, a client's if there is a `peer`. `keep` lives as long as it does: what the callbacks
  /// of `context` and `peer` refer to. Throws Error(kInvalidArgument) for a name that cannot be one, std::bad_alloc.
  static TlsEndpoint* make(Socket inner, ssl_ctx_st* context, std::shared_ptr<const void> keep,
                           const TlsPeer* peer);

  IoResult read(std::span<char> into, TimePoint deadline) noexcept override;
  IoResult writev(std::span<const iovec> parts, TimePoint deadline) noexcept override;
  int wait(rt::Direction direction, TimePoint deadline) noexcept override;
  bool call_when_readable(rt::PollCall& call) noexcept override;
  bool has_buffered() noexcept override;
  void shutdown_write() noexcept override;

  /// 0 or an errno.
  int handshake(TimePoint deadline) noexcept;
  /// Why it failed; empty while it has not.
  std::string failure() const;
  std::optional<TlsInfo> info() const;

  /// What the records are read from and written to; for the library's callbacks.
  std::size_t take_input(std::span<char> into) noexcept;
  bool add_output(std::span<const char> bytes) noexcept;
  /// Has clients keep the sessions that servers give them.
  static void keep_sessions(ssl_ctx_st* context) noexcept;

 private:
  enum class State : uint8_t { kNew, kReady, kFailed };
  enum class Step : uint8_t { kDone, kEnd, kWantInput, kFailed };
  struct Freed {
    void operator()(ssl_st* ssl) const noexcept;
  };

  TlsEndpoint(Socket inner, std::shared_ptr<const void> keep) noexcept;
  ~TlsEndpoint() override = default;

  void connect_as(const TlsPeer& peer);
  void keep_session(TlsSessionPtr session) noexcept;
  void before_close() noexcept override { say_goodbye(); }

  int handshake_locked(TimePoint deadline) noexcept;
  Step advance_handshake() noexcept;
  Step read_plain(std::span<char> into, std::size_t& bytes) noexcept;
  Step write_plain(std::span<const char> bytes) noexcept;
  IoResult write_bytes(std::span<const char> bytes, TimePoint deadline) noexcept;
  Step step_of(int result) noexcept;
  void note_failure() noexcept;
  int fill_input(TimePoint deadline) noexcept;
  int send_output(TimePoint deadline) noexcept;
  void send_if_nobody_writes(TimePoint deadline) noexcept;
  bool has_output() noexcept;
  void say_goodbye() noexcept;

  const std::shared_ptr<const void> keep_;
  TlsSessions* sessions_ = nullptr;
  std::string session_key_;

  std::atomic<State> state_{State::kNew};
  Mutex handshake_lock_;  // may be held while waiting; whoever has it does all that the two turns protect

  // The session, out_ and failure_. Never held while waiting; taken behind the others.
  mutable Mutex session_lock_;
  std::unique_ptr<ssl_st, Freed> session_;
  std::string out_;           // records that are not sent yet
  std::atomic<int> sent_{0};  // an errno: some were lost, so that no later ones would be understood
  std::string failure_;

  // Records that the session has not read yet. The reader's: after the handshake only reading reads them, as there is no
  // renegotiation.
  std::unique_ptr<char[]> in_;
  std::size_t in_begin_ = 0;
  std::size_t in_end_ = 0;
};

}  // namespace degu::net::internal
