// Exchange: one request and its response, what a handler works with.
#pragma once

#include <degu/base/error.h>
#include <degu/base/function.h>
#include <degu/http/bind.h>
#include <degu/http/json_codec.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace degu {
class Context;
}

namespace degu::net {
struct TlsInfo;
}

namespace degu::http {

namespace internal {
struct ExchangeAccess;
struct FormData;
}  // namespace internal

class Exchange;

/// Whether a redirect to it stays on this server whatever browsers make of it: a path from the root, "/a?b#c". Not
/// "//host", "/\\host", URLs, nor anything with backslashes, spaces, controls or non-ASCII. Guards against open
/// redirects: `c.redirect(303, is_local_target(next) ? next : "/")`.
bool is_local_target(std::string_view target) noexcept;

/// Serves a request, or, as middleware, surrounds the rest of the chain by calling c.next(). One handler
/// serves many requests at once from several threads: it must be safe to call concurrently.
using Handler = UniqueFunction<void(Exchange&)>;

/// A named value of the request: a path or query parameter, percent-decoded.
struct Param {
  std::string_view name;
  std::string_view value;
};

/// A file of a multipart/form-data body, where it lies in the request; see UploadedFile for what can be relied on.
struct UploadedPart {
  std::string_view name;  ///< of the form's field
  std::string_view filename;
  std::string_view content_type;
  std::string_view content;
};

/// An Error with an HTTP status of its own, for statuses that no Code maps to (405, 413, 415, 429 with detail
/// ...).
class HttpError : public Error {
 public:
  HttpError(int status, Code code, std::string message, std::vector<ErrorDetail> details = {})
      : Error(code, std::move(message), std::move(details)), status_(status) {}
  int status() const noexcept { return status_; }

 private:
  int status_;
};

/// A request body read piece by piece. From Exchange::body_stream.
class RequestStream {
 public:
  /// Waits for at least one byte and returns how many of `into` were filled; 0 is the end. A client is held back while
  /// nobody reads. Throws HttpError 413 beyond the limit, 408 for a client that is too slow, 400 for one that breaks the
  /// rules, Error(kUnavailable) when it has gone, Cancelled or DeadlineExceeded by the context.
  std::size_t read(std::span<char> into);

 private:
  friend class Exchange;
  explicit RequestStream(Exchange& exchange) noexcept : exchange_(exchange) {}
  Exchange& exchange_;
};

/// A response body sent piece by piece: chunked on HTTP/1.1, until close on 1.0, by its length if that is known; dropped
/// for HEAD. From Exchange::stream.
class ResponseStream {
 public:
  /// Sends one piece; blocks while the client does not read (write timeout of the server). Throws
  /// Error(kUnavailable) when the client is gone, DeadlineExceeded or Cancelled when the context ends.
  void write(std::string_view piece);
  /// A field behind the body. On HTTP/1.1 only clients that said "TE: trailers" get it (RFC 9110 section 6.5.1). Throws as
  /// Exchange::set_header.
  void add_trailer(std::string_view name, std::string_view value);

 private:
  friend class Exchange;
  explicit ResponseStream(Exchange& exchange) noexcept : exchange_(exchange) {}
  Exchange& exchange_;
};

/// One request with its response. Belongs to the goroutine that serves it, from the head's arrival until the
/// chain of handlers has returned; it is then recycled for the connection's next request. So neither it nor
/// any string_view from it may be kept or handed to a goroutine that outlives the handler: copy what you
/// need.
///
/// The response is held back until the chain has returned, except for stream(); so middleware may still
/// change it, and an exception after a half-built answer leaves no trace of it. Without any answer the client
/// gets 204, or 404 when no route matched.
class Exchange {
 public:
  struct State;
  explicit Exchange(State& state) noexcept : state_(&state) {}
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // --- The request
  // -------------------------------------------------------------------------------------------------
  std::string_view method() const noexcept;
  /// As received, not decoded, without the query.
  std::string_view path() const noexcept;
  /// Path and query as received.
  std::string_view target() const noexcept;
  std::string_view host() const noexcept;
  /// The first field of that name (case-insensitive); "" if absent.
  std::string_view header(std::string_view name) const noexcept;
  /// The values of all fields of that name, in order.
  std::vector<std::string_view> header_values(std::string_view name) const;
  /// The first cookie of that name (cookie.h says what is read as one); "" if absent.
  std::string_view cookie(std::string_view name) const;
  std::optional<std::string_view> find_cookie(std::string_view name) const;
  std::string_view body() const noexcept;
  /// The body piece by piece: of a route with RouteOptions::stream_body as it comes, of others from body().
  RequestStream& body_stream();
  /// A field behind the body (RFC 9110 section 6.5), once that was read to its end; "" if absent.
  std::string_view trailer(std::string_view name) const noexcept;
  /// The client's "address:port"; "" in tests without a socket.
  std::string peer() const;
  /// It came over TLS: to this server, or to a proxy that real_ip() trusts and that says so.
  bool secure() const noexcept;
  /// "https" if secure(), else "http".
  std::string_view scheme() const noexcept;
  /// Version, names and certificate of the client (degu/net/tls.h); nothing without TLS.
  std::optional<net::TlsInfo> tls() const;
  /// Ends when the server's shutdown() begins, before the request's own context does: for handlers that last. To wait for
  /// both: select and done(context). Never ends without a server. (degu/context/context.h)
  Context draining() const;
  /// The pattern of the route that serves this, e.g. "/users/:id"; "" when none matched.
  std::string_view route() const noexcept;
  /// Set by the request_id() middleware; "" without it.
  std::string_view request_id() const noexcept;

  /// A path parameter, decoded once; "" if the route has none of that name.
  std::string_view param(std::string_view name) const noexcept;
  std::optional<std::string_view> find_param(std::string_view name) const noexcept;
  std::span<const Param> params() const noexcept;
  /// A query parameter, decoded ('+' is a space); "" if absent; the first one if repeated. Throws
  /// Error(kInvalidArgument) when the query is not valid UTF-8 after decoding or holds %00.
  std::string_view query(std::string_view name) const;
  std::optional<std::string_view> find_query(std::string_view name) const;
  std::span<const Param> query_params() const;

  /// The body parsed as JSON, once; nothing when there is no body. Throws Error(kInvalidArgument) when it is
  /// not JSON, HttpError(415) when it says it is something else.
  std::optional<json::Value> json_body() const;

  /// A text field of the body as a form: application/x-www-form-urlencoded (WHATWG URL section 5.1), at most 1,000
  /// fields, or multipart/form-data (multipart.h), at most 1,000 parts. "" if absent or there is no body; the first
  /// one if repeated. Throws Error(kInvalidArgument) when the body is malformed, not valid UTF-8 or holds %00,
  /// HttpError(413) when it has too many parts, HttpError(415) when it says it is something else.
  std::string_view form(std::string_view name) const;
  std::optional<std::string_view> find_form(std::string_view name) const;
  std::span<const Param> form_params() const;
  /// The files of a multipart/form-data body, but for file fields in which nothing was chosen. Throws as form().
  std::span<const UploadedPart> form_files() const;

  /// Fills a described struct (json_codec.h). A member gets what the path parameter of its name says, else the query
  /// parameters, else the body: JSON, or by its Content-Type a form (see form()), whose fields and files must all be
  /// members, as those of JSON. Scalars, optionals and vectors of them (repeated values) come from all of these,
  /// nested structs and maps from JSON only; UploadedFile (uploaded_file.h) from multipart forms; FromHeader and
  /// FromCookie (from.h) from where they say. An empty form field leaves an optional empty unless it is a string. What
  /// is absent keeps its default, or is a fault if it is Required. A function `validate(const T&,
  /// json::FieldErrors&)` found by argument-dependent lookup runs afterwards. Throws Error(kInvalidArgument) with
  /// one detail per faulty field, HttpError(415) for a body of another type. T may be a message of protobuf, and so may a
  /// FromBody member (protobuf.h).
  ///
  /// A browser sends forms to other sites without asking them: a route that trusts cookies must not rely on being
  /// reachable by JSON only.
  template <class T>
  T bind() const;

  // --- The response
  // ------------------------------------------------------------------------------------------------
  /// 100..599.
  void status(int status);
  int status() const noexcept;
  /// Replaces or adds. Throws Error(kInternal) for a name that is no token, a value with control characters
  /// (so no response splitting), and for framing fields (Content-Length, Transfer-Encoding, Connection,
  /// Date), which are ours. White space around a value is no part of it.
  void set_header(std::string_view name, std::string_view value);
  /// Adds another field of that name, e.g. Set-Cookie.
  void add_header(std::string_view name, std::string_view value);

  void text(int status, std::string_view text);
  template <class T>
  void json(int status, const T& value) {
    degu::json::Writer writer(begin_body(status, "application/json"));
    degu::json::write(writer, value);
  }
  /// A message of protobuf, in the format that the client prefers: of protobuf.h, which has to be included.
  template <class Message>
  void protobuf(int status, const Message& message) {
    write_protobuf(*this, status, message);
  }
  void raw(int status, std::string_view content_type, std::string body);
  /// A body that others own too, sent without copying it.
  void raw(int status, std::string_view content_type, std::shared_ptr<const std::string> body);
  /// text/html. The text is sent as it is: from HtmlTemplates (html_template.h), say, which escape.
  void html(int status, std::string_view text);
  /// Sends the client elsewhere: 301, 302, 303, 307 or 308. `location` is a URI reference (RFC 9110 section 10.2.2).
  /// Throws Error(kInternal) for another status and for what is no such: empty, with spaces, controls, non-ASCII,
  /// backslashes or quotes; encode those. A target that comes from outside must pass is_local_target() first.
  void redirect(int status, std::string_view location);
  /// Status without a body: 204, 304 ...
  void empty(int status);
  /// An RFC 9457 document. Details of internal failures (INTERNAL, UNKNOWN, DATA_LOSS) stay in the log.
  void problem(const Error& error);
  /// Starts a response body that is sent piece by piece; the head goes out with the first piece. It ends when
  /// the chain returns; if it ends by an exception, the connection is cut so that the client notices.
  ResponseStream& stream(int status, std::string_view content_type);
  /// The same for a body of exactly `length` bytes, which the client is told. Writing more throws Error(kInternal), and
  /// after less the connection is cut.
  ResponseStream& stream(int status, std::string_view content_type, uint64_t length);

  /// The response's body buffer, emptied, to write into; reused between requests.
  std::string& begin_body(int status, std::string_view content_type);
  std::size_t response_bytes() const noexcept;

  // --- The chain
  // ---------------------------------------------------------------------------------------------------
  /// Runs the rest of the chain. Not calling it ends the request here.
  void next();

  /// A value of the request by its type, e.g. the authenticated user; null if nobody has set one.
  template <class T>
  T* get() noexcept {
    return static_cast<T*>(find_local(&kTag<T>));
  }
  template <class T>
  T& set(T value) {
    auto owned = std::make_unique<T>(std::move(value));
    T& result = *owned;
    set_local(&kTag<T>, owned.release(), [](void* object) { delete static_cast<T*>(object); });
    return result;
  }

  /// Set by the request_id() middleware.
  void set_request_id(std::string id);

 private:
  friend class RequestStream;
  friend class ResponseStream;
  friend struct internal::ExchangeAccess;
  const internal::FormData& form_data() const;
  template <class T>
  static inline char kTag = 0;  // its address names the type

  void* find_local(const void* tag) noexcept;
  void set_local(const void* tag, void* object, void (*destroy)(void*));

  State* state_;
};

template <class T>
T Exchange::bind() const {
  T out{};
  degu::json::FieldErrors errors;
  if constexpr (internal::WholeBody<T>) {
    static_cast<void>(read_whole_body(*this, out));
  } else if constexpr (degu::json::DescribedStruct<T> && !degu::json::HasReadJson<T>) {
    internal::bind_members(*this, out, errors);
  } else if (const auto body = json_body()) {
    degu::json::read(*body, out, errors);
  }
  if constexpr (requires { validate(std::as_const(out), errors); }) validate(std::as_const(out), errors);
  errors.throw_if_any();
  return out;
}

}  // namespace degu::http
