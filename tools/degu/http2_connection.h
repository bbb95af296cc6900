// Http2Connection: the client's end of a connection of HTTP/2.
#pragma once

#include <degu/base/time.h>
#include <degu/net/tcp.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "request_template.h"

struct nghttp2_session;

namespace degu::bench {

/// A request under way and what is known of its answer. Stays where it is until it has ended.
struct Http2Exchange {
  std::string_view body;          ///< of the request; has to live as long
  std::string* answer = nullptr;  ///< unless null, gets the first MiB of the answer's body
  int status = 0;
  uint32_t reset_code = 0;  ///< of the server's RST_STREAM

  // The connection's.
  int32_t stream = 0;
  std::size_t body_sent = 0;
  bool whole = false;  // the answer
  bool reset = false;
};

/// What became of a request.
enum class Http2End : uint8_t {
  kAnswered,   ///< its status counts
  kReset,      ///< the server sent RST_STREAM
  kMalformed,  ///< the answer is against the rules (RFC 9113 section 8.1.1)
  kUnprocessed,  ///< the server says by GOAWAY that it has done nothing for it: it may be sent again (section 6.8)
};

/// "INTERNAL_ERROR"; RFC 9113 section 7. Others give "an unknown code".
std::string_view http2_code_name(uint32_t code) noexcept;

/// Sends requests on streams side by side. What is submitted gathers until flush(), so that many requests share a write.
/// Belongs to one goroutine, which is the only one that it needs. Windows are as wide as they go: an answer is read, not kept.
class Http2Connection {
 public:
  class Owner {
   public:
    /// Called once for each exchange that was not cancelled, within flush() and receive(), as long as the connection lasts:
    /// what is under way when it fails is the owner's.
    virtual void ended(Http2Exchange& exchange, Http2End end) = 0;

   protected:
    ~Owner() = default;
  };

  /// `stream` is connected, and its TLS handshake over.
  Http2Connection(net::TcpStream stream, Owner& owner);
  ~Http2Connection();
  Http2Connection(const Http2Connection&) = delete;
  Http2Connection& operator=(const Http2Connection&) = delete;

  /// Greets the server and waits until it says how many streams it takes. Throws Error(kUnavailable) when it does not, Cancelled
  /// by the context.
  void open(TimePoint deadline);

  /// Takes requests: no GOAWAY has come, and there are numbers left for streams.
  bool usable() const noexcept;
  /// How many streams the server takes at once.
  std::size_t stream_limit() const noexcept;
  /// Nothing will come any more, and nothing can be sent.
  bool over() const noexcept;
  /// What the server did against the rules; empty: nothing that ends the connection.
  const std::string& error() const noexcept { return error_; }
  /// The code of the server's GOAWAY.
  std::optional<uint32_t> goaway() const noexcept { return goaway_; }
  /// Why the latest answer was kMalformed.
  const std::string& complaint() const noexcept { return complaint_; }

  /// Only while usable(), and below the limit. `fields` may go afterwards, the exchange's body may not. Throws
  /// Error(kResourceExhausted) without memory.
  void submit(Http2Exchange& exchange, const RequestFields& fields);
  /// Nobody waits for it any more.
  void cancel(Http2Exchange& exchange) noexcept;
  /// Sends what there is to send, as far as windows allow.
  net::IoResult flush(TimePoint deadline);
  /// Waits for bytes and deals with them. As Stream::read.
  net::IoResult receive(TimePoint deadline);
  /// When the latest bytes came.
  TimePoint received_at() const noexcept { return received_at_; }

 private:
  struct Callbacks;

  void fail(std::string_view why);

  net::TcpStream stream_;
  Owner& owner_;
  nghttp2_session* session_ = nullptr;
  std::vector<char> input_;
  std::string output_;
  TimePoint received_at_{};
  bool settled_ = false;  // the server's SETTINGS have come
  bool broken_ = false;
  std::optional<uint32_t> goaway_;
  std::string error_;
  std::string complaint_;
};

}  // namespace degu::bench
