#include <degu/base/function.h>
#include <degu/context/cancel_scope.h>
#include <degu/http/client.h>
#include <degu/http/content_coding.h>
#include <degu/http/internal/chunked.h>
#include <degu/http/internal/fields.h>
#include <degu/http/internal/read_buffer.h>
#include <degu/http/internal/response_parser.h>
#include <degu/net/tcp.h>
#include <degu/rt/lock.h>
#include <degu/rt/park.h>
#include <degu/sync/once.h>
#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace degu::http {
namespace {

struct Url {
  bool secure = false;
  std::string authority;  // as the Host field has it
  std::string host;       // without a port and brackets
  std::string address;    // host:port to connect to
  std::string target;
};

Url parse_url(std::string_view url) {
  const bool secure = internal::equals_ignoring_case(url.substr(0, 8), "https://");
  const std::size_t scheme_bytes = secure ? 8 : 7;
  const auto bad = [&](std::string_view why) -> Error {
    return {Code::kInvalidArgument, fmt::format("URL \"{}\": {}", url.substr(0, 200), why)};
  };
  if (!secure && !internal::equals_ignoring_case(url.substr(0, scheme_bytes), "http://"))
    throw bad("must start with http:// or https://");
  const std::string_view rest = url.substr(scheme_bytes, url.find('#') - scheme_bytes);
  const std::size_t end = std::min(rest.find_first_of("/?"), rest.size());
  Url result;
  result.secure = secure;
  result.authority = rest.substr(0, end);
  result.target = rest.substr(end);
  if (result.target.empty() || result.target.front() == '?') result.target.insert(0, 1, '/');
  for (const char c : rest) {
    if (c <= 0x20 || c >= 0x7F) throw bad("has characters that must be percent-encoded");
  }
  if (result.authority.empty() || result.authority.find('@') != std::string::npos)
    throw bad("has no usable host");
  const std::size_t colon = result.authority.rfind(':');
  const bool has_port = colon != std::string::npos && result.authority.find(']', colon) == std::string::npos;
  result.address = has_port ? result.authority : result.authority + (secure ? ":443" : ":80");
  result.host = result.authority.substr(0, has_port ? colon : std::string::npos);
  if (result.host.size() > 2 && result.host.front() == '[' && result.host.back() == ']')
    result.host = result.host.substr(1, result.host.size() - 2);
  return result;
}

bool is_idempotent(std::string_view method) noexcept {
  constexpr std::string_view kIdempotent[] = {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"};
  return std::find(std::begin(kIdempotent), std::end(kIdempotent), method) != std::end(kIdempotent);
}

// The other side may have closed it, or said something unasked, while it lay in the pool.
bool is_fresh(const net::TcpStream& stream) noexcept {
  char byte = 0;
  return !stream.has_buffered() && ::recv(stream.fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
         (errno == EAGAIN || errno == EWOULDBLOCK);
}

// The connection broke before any of the answer came; the request may be tried again if it may be repeated.
class BrokenBeforeAnswer : public Error {
 public:
  explicit BrokenBeforeAnswer(const std::string& why) : Error(Code::kUnavailable, why) {}
};

bool has_header(const Request& request, std::string_view name) noexcept {
  return std::any_of(request.headers.begin(), request.headers.end(),
                     [&](const auto& header) { return internal::equals_ignoring_case(header.first, name); });
}

// A part of an encoded body could not be decoded, and who names codings wants to see them.
bool wants_decoding(const Request& request, const ClientOptions& options) noexcept {
  return options.decode_content && request.method != "HEAD" && !has_header(request, "accept-encoding") &&
         !has_header(request, "range");
}

std::string make_head(const Request& request, const Url& url, TimePoint deadline, bool has_deadline,
                      bool decodes) {
  if (!internal::is_token(request.method))
    throw Error(Code::kInvalidArgument, "the request method is not a token");
  std::string head = fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\n", request.method, url.target, url.authority);
  for (const auto& [name, value] : request.headers) {
    if (!internal::is_token(name) || !internal::is_field_value(value)) {
      throw Error(Code::kInvalidArgument, "a request header has characters that are not allowed");
    }
    for (const std::string_view ours : {"host", "content-length", "transfer-encoding", "connection"}) {
      if (internal::equals_ignoring_case(name, ours)) {
        throw Error(Code::kInvalidArgument, fmt::format("{} is set by the client", name));
      }
    }
    head.append(name).append(": ").append(value).append("\r\n");
  }
  if (decodes) head += "Accept-Encoding: gzip, br\r\n";
  if (has_deadline) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - now()).count();
    if (left <= 0) throw DeadlineExceeded("no time is left for the request");
    fmt::format_to(std::back_inserter(head), "x-request-timeout-ms: {}\r\n", left);
  }
  if (!request.body.empty() || request.method == "POST" || request.method == "PUT" ||
      request.method == "PATCH") {
    fmt::format_to(std::back_inserter(head), "Content-Length: {}\r\n", request.body.size());
  }
  return head += "\r\n";
}

// Codings that we did not ask for, one on top of another too, stay as they are, for the caller to see.
void decode_body(Response& response, std::size_t max_bytes) {
  const auto fields = std::count_if(response.headers.begin(), response.headers.end(), [](const auto& header) {
    return internal::equals_ignoring_case(header.first, "content-encoding");
  });
  if (response.body.empty() || fields != 1) return;
  const auto coding = coding_of(response.header("content-encoding"));
  if (!coding || *coding == Coding::kIdentity) return;
  try {
    response.body = decode(*coding, response.body, {.max_bytes = max_bytes, .max_ratio = 0});
  } catch (const Error& error) {
    if (error.code() == Code::kOutOfRange) {
      throw Error(Code::kResourceExhausted, "the response's body is too large when decoded");
    }
    throw Error(Code::kInternal, fmt::format("malformed response: {}", error.message()));
  }
  std::erase_if(response.headers, [](const auto& header) {
    return internal::equals_ignoring_case(header.first, "content-encoding") ||
           internal::equals_ignoring_case(header.first, "content-length");
  });
}

// One request and its answer on one connection.
class Call {
 public:
  Call(net::TcpStream& stream, const ClientOptions& options, TimePoint deadline)
      : stream_(stream), options_(options), deadline_(deadline) {}

  Response run(const Request& request, const std::string& head) {
    send(head, request.body);
    internal::ResponseHead answer = read_head();
    while (answer.status < 200) {
      if (answer.status == 101) throw Error(Code::kInternal, "malformed response: unexpected 101");
      answer = read_head();
    }
    keep_alive_ = answer.keep_alive;
    Response response;
    response.status = answer.status;
    response.headers = std::move(answer.headers);
    if (request.method == "HEAD" || answer.status == 204 || answer.status == 304) {
      // no body, whatever the fields say
    } else if (answer.chunked) {
      read_chunked(response.body);
    } else if (answer.content_length) {
      read_sized(*answer.content_length, response.body);
    } else {
      read_until_close(response.body);
    }
    keep_alive_ = keep_alive_ && buffer_.size() == 0;
    return response;
  }

  bool keep_alive() const noexcept { return keep_alive_; }

 private:
  void send(const std::string& head, const std::string& body) {
    const std::array<iovec, 2> parts{
        {{const_cast<char*>(head.data()), head.size()}, {const_cast<char*>(body.data()), body.size()}}};
    check(stream_.writev(parts, deadline_));
  }

  void check(net::IoResult result) {
    if (result.error == 0) return;
    if (result.error == ECANCELED) rt::throw_interrupted();
    if (result.error == ETIMEDOUT) throw DeadlineExceeded("the server did not answer in time");
    const std::string why = fmt::format("the connection broke: {}", std::strerror(result.error));
    if (!answered_) throw BrokenBeforeAnswer(why);
    throw Error(Code::kUnavailable, why);
  }

  // False at the end of the stream.
  bool fill() {
    const net::IoResult result = stream_.read(buffer_.make_room(), deadline_);
    check(result);
    buffer_.commit(result.bytes);
    answered_ = answered_ || result.bytes > 0;
    return result.bytes > 0;
  }

  void fill_or_break() {
    if (fill()) return;
    if (!answered_) throw BrokenBeforeAnswer("the server closed the connection without an answer");
    throw Error(Code::kUnavailable, "the server closed the connection within its answer");
  }

  internal::ResponseHead read_head() {
    std::size_t scanned = 0;
    for (;;) {
      if (auto head = internal::parse_response_head(buffer_.view(), scanned)) {
        buffer_.consume(head->bytes);
        return std::move(*head);
      }
      if (buffer_.size() > options_.max_header_bytes) throw too_large("header section");
      fill_or_break();
    }
  }

  Error too_large(std::string_view what) const {
    return {Code::kResourceExhausted, fmt::format("the response's {} is too large", what)};
  }

  void read_sized(uint64_t length, std::string& body) {
    if (length > options_.max_body_bytes) throw too_large("body");
    while (buffer_.size() < length) fill_or_break();
    body.assign(buffer_.view().substr(0, static_cast<std::size_t>(length)));
    buffer_.consume(body.size());
  }

  void read_chunked(std::string& body) {
    internal::ChunkedDecoder decoder(options_.max_body_bytes);
    for (;;) {
      const std::size_t before = body.size();
      body.resize(before + buffer_.size());
      const ParseState state = decoder.decode(buffer_.data(), buffer_.size(), body.data() + before);
      body.resize(before + decoder.produced());
      buffer_.consume(decoder.consumed());
      if (state == ParseState::kDone) return;
      if (state == ParseState::kError) {
        if (decoder.error_status() == 413) throw too_large("body");
        throw Error(Code::kInternal, fmt::format("malformed response: {}", decoder.error_reason()));
      }
      fill_or_break();
    }
  }

  void read_until_close(std::string& body) {
    keep_alive_ = false;
    do {
      if (buffer_.size() > options_.max_body_bytes) throw too_large("body");
    } while (fill());
    body.assign(buffer_.view());
    buffer_.consume(body.size());
  }

  net::TcpStream& stream_;
  const ClientOptions& options_;
  TimePoint deadline_;
  internal::ReadBuffer buffer_;
  bool answered_ = false;
  bool keep_alive_ = false;
};

}  // namespace

struct Client::Impl {
  explicit Impl(ClientOptions o) : options(o) {}

  struct Idle {
    std::string key;  // see pool_key()
    TimePoint since;
    net::TcpStream stream;
  };

  net::TcpStream take(const std::string& key);
  void give_back(std::string key, net::TcpStream stream);
  net::TcpStream connect(const Url& url, TimePoint deadline);
  Response call(const Request& request);

  ClientOptions options;
  rt::Lock lock;  // guards idle; sockets are closed outside of it
  std::vector<Idle> idle;
  OnceValue<UniqueFunction<net::TlsClient()>> tls{[this] { return net::TlsClient(options.tls); }};
};

// A connection by TLS must not serve a plain request, nor the other way round.
std::string pool_key(const Url& url) { return (url.secure ? "s" : "p") + url.address; }

net::TcpStream Client::Impl::connect(const Url& url, TimePoint deadline) {
  const CancelScope scope(deadline);
  net::TcpStream stream = net::TcpStream::connect(url.address);
  if (!url.secure) return stream;
  stream = tls().wrap(std::move(stream), url.host);
  net::tls_handshake(stream);
  return stream;
}

// The one used last: it is the least likely to have been closed. Empty when there is none.
net::TcpStream Client::Impl::take(const std::string& key) {
  for (;;) {
    Idle found;
    lock.lock();
    const auto at =
        std::find_if(idle.rbegin(), idle.rend(), [&](const Idle& candidate) { return candidate.key == key; });
    if (at != idle.rend()) {
      found = std::move(*at);
      idle.erase(std::next(at).base());
    }
    lock.unlock();
    if (!found.stream) return {};
    if (now() - found.since < options.idle_timeout && is_fresh(found.stream)) return std::move(found.stream);
  }
}

void Client::Impl::give_back(std::string key, net::TcpStream stream) {
  std::vector<Idle> expired;
  const TimePoint time = now();
  lock.lock();
  for (auto at = idle.begin(); at != idle.end();) {
    if (time - at->since < options.idle_timeout) {
      ++at;
      continue;
    }
    expired.push_back(std::move(*at));
    at = idle.erase(at);
  }
  const auto same = static_cast<std::size_t>(
      std::count_if(idle.begin(), idle.end(), [&](const Idle& other) { return other.key == key; }));
  if (same < options.max_idle_per_host) idle.push_back({std::move(key), time, std::move(stream)});
  lock.unlock();
}

Response Client::Impl::call(const Request& request) {
  const Url url = parse_url(request.url);
  const auto context_deadline = current_context().deadline();
  const TimePoint deadline = context_deadline.value_or(after_delay(now(), options.default_timeout));
  const bool decodes = wants_decoding(request, options);
  for (;;) {
    const std::string head = make_head(request, url, deadline, context_deadline.has_value(), decodes);
    net::TcpStream stream = take(pool_key(url));
    const bool reused = static_cast<bool>(stream);
    if (!reused) stream = connect(url, deadline);
    Call call(stream, options, deadline);
    try {
      Response response = call.run(request, head);
      if (call.keep_alive()) give_back(pool_key(url), std::move(stream));
      if (decodes) decode_body(response, options.max_body_bytes);
      return response;
    } catch (const BrokenBeforeAnswer& error) {
      if (!reused || !is_idempotent(request.method)) throw Error(Code::kUnavailable, error.message());
    }
  }
}

Client::Client(ClientOptions options) : impl_(std::make_shared<Impl>(options)) {}
Client::~Client() = default;
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;

Response Client::get(std::string_view url) { return request({"GET", std::string(url), {}, {}}); }

Response Client::post(std::string_view url, std::string_view content_type, std::string body) {
  return request({"POST", std::string(url), {{"Content-Type", std::string(content_type)}}, std::move(body)});
}

Response Client::request(const Request& request) { return impl_->call(request); }

}  // namespace degu::http
