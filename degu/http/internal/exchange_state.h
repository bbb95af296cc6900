// What an Exchange consists of, behind its public face; the connection keeps one and reuses it for each
// request.
#pragma once

#include <degu/context/context.h>
#include <degu/http/exchange.h>
#include <degu/http/internal/body_filter.h>
#include <degu/http/internal/form_data.h>
#include <degu/http/internal/route_table.h>
#include <degu/http/request_parser.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace degu::net {
class TcpStream;
}

namespace degu::http {

namespace internal {

/// How a request can become something else than a request and a response.
enum class Switching : uint8_t {
  kNone,
  kUpgrade,  ///< by the request's Upgrade field, if it has one (RFC 9110 section 7.8)
  kConnect,  ///< it is an extended CONNECT for a WebSocket (RFC 8441), and can be answered by nothing else
};

/// Where streamed responses go and what only the transport knows.
class ResponseSink {
 public:
  virtual ~ResponseSink() = default;
  /// Sends the head; the length of the body is unknown. Throws as ResponseStream::write.
  virtual void start_stream(Exchange::State& state) = 0;
  virtual void write_piece(Exchange::State& state, std::string_view piece) = 0;
  /// Of a route with stream_body; as RequestStream::read.
  virtual std::size_t read_body(Exchange::State& state, std::span<char> into);
  virtual std::string peer() const = 0;
  /// The connection itself is TLS.
  virtual bool secure() const noexcept { return false; }
  virtual std::optional<net::TlsInfo> tls() const;
  /// The server is shutting down: a cancelled request failed for that reason.
  virtual bool stopping() const noexcept { return false; }
  /// Ends when the server begins to shut down.
  virtual Context draining() const { return {}; }
  /// Whether switch_protocols() is possible.
  virtual Switching switching() const noexcept { return Switching::kNone; }
  /// Sends 101, or for kConnect 200, with these fields and those of the response; from then on the connection, or the stream,
  /// is the handler's, until the chain has returned. `input`: what was read behind the request. Throws as
  /// ResponseStream::write.
  virtual net::TcpStream& switch_protocols(Exchange::State& state, std::string_view fields,
                                           std::string& input);
};

struct Local {
  const void* tag;
  void* object;
  void (*destroy)(void*);
};

}  // namespace internal

struct Exchange::State {
  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { clear_locals(); }

  // The request.
  RequestHead* head = nullptr;
  std::string_view body;
  std::size_t body_read = 0;                 // of it, by RequestStream
  std::string trailers;                      // "Name: value\r\n" lines
  std::string decoded_body;                  // what body views when body_decoded
  bool body_decoded = false;                 // by decompress()
  std::size_t max_body_bytes = 1024 * 1024;  // the server's; a route may have its own
  internal::ResponseSink* sink = nullptr;

  // The route.
  const internal::RouteTable* table = nullptr;
  const internal::Route* route = nullptr;
  int fallback_status = 404;  // the answer when route is null
  std::string allow;          // for 405 and automatic OPTIONS
  internal::MatchParams match;
  std::string decoded_path;
  std::vector<Param> params;
  std::size_t next_handler = 0;

  // Parsed on demand.
  bool query_parsed = false;
  std::string query_text;
  std::vector<Param> query;
  std::optional<degu::json::Document> document;
  std::unique_ptr<internal::FormData> form;

  // The response.
  int status = 0;  // 0: nothing said yet
  bool has_body = false;
  std::string content_type;
  std::string fields;  // "Name: value\r\n" lines
  std::string text;
  std::shared_ptr<const std::string> shared_text;  // instead of text
  std::string_view shared_part;                    // what of it is sent
  bool coded = false;                              // text is compressed, and fields say so
  std::unique_ptr<RequestStream> body_stream;
  std::unique_ptr<ResponseStream> stream;
  std::string response_trailers;                 // "Name: value\r\n" lines
  std::unique_ptr<internal::BodyFilter> filter;  // of the stream
  std::optional<uint64_t> stream_length;         // absent: known at its end only
  bool stream_started = false;
  std::size_t streamed_bytes = 0;
  bool switched = false;       // to another protocol: neither response nor request can follow
  bool ends_at_drain = false;  // a streamed response that a shutdown cancels is complete all the same
  bool broken = false;         // a streamed response failed halfway: cut the connection

  std::string request_id;
  std::string client_ip;  // by real_ip(); empty without it
  bool secure = false;    // by real_ip(): the client's own connection, to a proxy, was TLS
  std::vector<internal::Local> locals;

  /// Ready for the next request; keeps its memory up to a bound.
  void reset();
  /// Forgets the response's body and status; its fields stay.
  void discard_body();
  /// The body is about to be another one: takes back its announced length and what compress() has said about it.
  void forget_body();
  void clear_locals() noexcept;
  /// The most that a body of this request may have.
  std::size_t body_limit() const noexcept {
    const std::size_t own = route != nullptr ? route->options.max_body_bytes : 0;
    return own != 0 ? own : max_body_bytes;
  }
  std::string_view response_body() const noexcept {
    return shared_text ? shared_part : std::string_view(text);
  }
};

}  // namespace degu::http
