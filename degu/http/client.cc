#include <degu/context/context.h>
#include <degu/http/client.h>
#include <degu/http/content_coding.h>
#include <degu/http/internal/client_call.h>
#include <degu/http/internal/client_connector.h>
#include <degu/http/internal/client_http2_call.h>
#include <degu/http/internal/client_http2_pool.h>
#include <degu/http/internal/client_pool.h>
#include <degu/http/internal/client_request.h>
#include <degu/http/internal/fields.h>
#include <degu/http/internal/proxy_rules.h>
#include <degu/http/internal/redirect.h>
#include <degu/http/internal/retry.h>
#include <degu/http/internal/retry_budget.h>
#include <degu/rt/run.h>
#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace degu::http {
namespace {

using internal::ClientCall;
using internal::ClientHttp2Call;
using internal::ClientHttp2Pool;
using internal::ClientPool;
using internal::ClientRequest;
using internal::NotAnswered;

// What is waited for, and limited as a whole.
enum class Extent : bool { kHead, kWhole };

// When a request has to be over.
struct Times {
  std::optional<TimePoint> context;
  TimePoint deadline = kNever;
};

// Codings that we did not ask for, one on top of another too, stay as they are, for the caller to see.
std::optional<Coding> coding_to_decode(const internal::ResponseHead& head) {
  std::optional<Coding> coding;
  int fields = 0;
  for (const auto& [name, value] : head.headers) {
    if (!internal::equals_ignoring_case(name, "content-encoding")) continue;
    ++fields;
    coding = coding_of(value);
  }
  if (fields != 1 || coding == Coding::kIdentity || head.content_length == 0U) return std::nullopt;
  return coding;
}

// The head that has come, and the call that will read its body.
struct Answer {
  internal::ResponseHead head;
  std::unique_ptr<internal::BodyReader> call;
};

// Where a request is sent: a stream of HTTP/2, or else a connection of HTTP/1.1.
struct Way {
  ClientHttp2Pool::Slot http2;
  ClientPool::Lease http1;
  bool reused() const noexcept { return http2 ? http2.reused() : http1.reused(); }
};

internal::PoolLimits pool_limits(const ClientOptions& options) {
  return {.max_idle = options.max_idle,
          .max_idle_per_host = options.max_idle_per_host,
          .max_per_host = std::max<std::size_t>(options.max_connections_per_host, 1),
          .idle_timeout = options.idle_timeout};
}

OpenResponse open_answer(const ClientRequest& request, Answer answer, std::size_t max_decoded) {
  OpenResponse response;
  response.status = answer.head.status;
  response.url = request.url.text();
  const bool bodiless = answer.head.status == 204 || answer.head.status == 304;
  const auto coding = request.decodes && !bodiless ? coding_to_decode(answer.head) : std::nullopt;
  response.headers = std::move(answer.head.headers);
  std::unique_ptr<internal::BodyReader> reader = std::move(answer.call);
  if (coding) {
    reader = std::make_unique<internal::DecodingReader>(std::move(reader), *coding, max_decoded);
    std::erase_if(response.headers, [](const auto& header) {
      return internal::equals_ignoring_case(header.first, "content-encoding") ||
             internal::equals_ignoring_case(header.first, "content-length");
    });
  }
  response.body = ResponseBody(std::move(reader));
  return response;
}

// One connection to a proxy serves plain requests to every host, a tunnel one host.
std::string pool_key(const internal::Url& url, const internal::ProxyRoute* proxy) {
  if (proxy == nullptr) return url.origin();
  return url.secure ? proxy->address + " " + url.origin() : "proxy " + proxy->address;
}

bool may_repeat(const ClientRequest& request, const NotAnswered& error) noexcept {
  return !request.writer_begun && (!error.reached() || request.is_idempotent());
}

// Of an answer that is not wanted: a small body is read away, so that the connection can be used again.
void skip_body(Answer& answer) {
  constexpr uint64_t kWorthReading = 16 * 1024;
  std::string piece;
  try {
    while (answer.head.content_length.value_or(kWorthReading + 1) <= kWorthReading &&
           answer.call->read(piece)) {
    }
  } catch (const Error& error) {
    if (error.code() != Code::kUnavailable) throw;
  }
  answer.call.reset();
}

}  // namespace

struct Client::Impl {
  explicit Impl(ClientOptions o)
      : options(std::move(o)),
        proxies(options.proxy),
        connector(options),
        pool(std::make_shared<ClientPool>(pool_limits(options))),
        http2(std::make_shared<ClientHttp2Pool>(
            pool_limits(options), internal::ClientHttp2Limits{.max_header_bytes = options.max_header_bytes,
                                                              .ping_after = options.http2_ping_after,
                                                              .write_timeout = options.body_idle_timeout})) {}

  OpenResponse open(const Request& asked, BodyWriter* writer, Extent extent);
  internal::CallLimits limits_of(const Times& times, Extent extent) const;
  Way find_way(const ClientRequest& request, const internal::ProxyRoute* proxy, ClientPool::Want want,
               TimePoint deadline);
  Answer call(ClientRequest& request, const internal::CallLimits& limits, const Times& times);
  Answer call_repeatedly(ClientRequest& request, const internal::CallLimits& limits, const Times& times);
  Response request(const Request& asked, BodyWriter* writer);

  const ClientOptions options;
  const internal::ProxyRules proxies;
  internal::ClientConnector connector;
  const std::shared_ptr<ClientPool> pool;
  const std::shared_ptr<ClientHttp2Pool> http2;
  internal::RetryBudget budget;
};

Way Client::Impl::find_way(const ClientRequest& request, const internal::ProxyRoute* proxy,
                           ClientPool::Want want, TimePoint deadline) {
  const std::string key = pool_key(request.url, proxy);
  ClientHttp2Pool::Place place;
  if (connector.may_speak_http2(request.url, proxy)) {
    place = http2->take(key, options.version == HttpVersion::kHttp2, deadline);
    if (place.slot) return {.http2 = std::move(place.slot), .http1 = {}};
  }
  ClientPool::Lease lease = pool->take(key, deadline, want);
  if (place.dial && !lease.reused()) {
    if (auto slot = http2->use_other(place.dial)) return {.http2 = std::move(slot), .http1 = {}};
  }
  if (!lease.reused()) lease.set_stream(connector.connect(request.url, proxy, deadline));
  if (!place.dial) return {.http2 = {}, .http1 = std::move(lease)};
  if (!lease.reused() && connector.speaks_http2(lease.stream(), request.url, proxy))
    return {.http2 = http2->add(std::move(place.dial), std::move(lease)), .http1 = {}};
  place.dial.not_spoken();
  return {.http2 = {}, .http1 = std::move(lease)};
}

Answer Client::Impl::call(ClientRequest& request, const internal::CallLimits& limits, const Times& times) {
  constexpr int kMaxUnseen = 3;
  const internal::ProxyRoute* const proxy = proxies.route_for(request.url);
  ClientPool::Want want = ClientPool::Want::kAny;
  for (int unseen = 0;;) {
    Way way = find_way(request, proxy, want, times.deadline);
    const bool reused = way.reused();
    const bool multiplexed = static_cast<bool>(way.http2);
    try {
      if (multiplexed) {
        auto call = std::make_unique<ClientHttp2Call>(std::move(way.http2), limits);
        internal::ResponseHead answer = call->run(request, internal::wire_fields(request, times.context));
        return {std::move(answer), std::move(call)};
      }
      const std::string head = internal::http1_head(request, times.context, proxy);
      auto call = std::make_unique<ClientCall>(std::move(way.http1), limits);
      internal::ResponseHead answer = call->run(request, head);
      return {std::move(answer), std::move(call)};
    } catch (const NotAnswered& error) {
      if (!may_repeat(request, error)) throw;
      if (multiplexed && !error.reached()) {
        if (++unseen > kMaxUnseen) throw;
        continue;
      }
      // The server may have closed a connection that lay in the pool: that says nothing about the next one.
      if (!reused || want == ClientPool::Want::kNew) throw;
      want = ClientPool::Want::kNew;
    }
  }
}

// Failures cost tokens of the budget whether they are repeated or not.
Answer Client::Impl::call_repeatedly(ClientRequest& request, const internal::CallLimits& limits,
                                     const Times& times) {
  const RetryOptions& retry = options.retry;
  for (int attempt = 1;; ++attempt) {
    const auto may_wait = [&](std::chrono::nanoseconds pause) {
      return attempt < retry.max_attempts && budget.allows() && after_delay(now(), pause) < times.deadline;
    };
    std::chrono::nanoseconds pause = internal::backoff(retry, attempt);
    try {
      Answer answer = call(request, limits, times);
      const auto asked = retry.retry_after ? internal::retry_after(answer.head) : std::nullopt;
      if (!asked) {
        budget.on_success();
        return answer;
      }
      budget.on_failure();
      if (*asked > retry.max_retry_after || !request.is_idempotent() || request.writer_begun ||
          !may_wait(*asked + pause))
        return answer;
      skip_body(answer);
      pause += *asked;  // not everybody at the same moment
    } catch (const NotAnswered& error) {
      budget.on_failure();
      if (!may_repeat(request, error) || !may_wait(pause)) throw;
    }
    sleep(pause);
  }
}

internal::CallLimits Client::Impl::limits_of(const Times& times, Extent extent) const {
  const bool whole = extent == Extent::kWhole;
  return {
      .deadline = times.deadline,
      .body_deadline = whole ? times.deadline : times.context.value_or(kNever),
      .head_timeout = options.head_timeout,
      .idle_timeout = options.body_idle_timeout,
      .max_header_bytes = options.max_header_bytes,
      .max_body_bytes = whole ? options.max_body_bytes : std::numeric_limits<std::size_t>::max(),
  };
}

OpenResponse Client::Impl::open(const Request& asked, BodyWriter* writer, Extent extent) {
  ClientRequest request = internal::make_client_request(asked, writer, options.decode_content);
  Times times;
  times.context = current_context().deadline();
  times.deadline = times.context.value_or(after_delay(now(), options.default_timeout));
  const internal::CallLimits limits = limits_of(times, extent);
  const auto downgrade =
      options.redirect_to_http ? internal::Downgrade::kAllowed : internal::Downgrade::kRefused;
  for (std::size_t redirects = 0;;) {
    Answer answer = call_repeatedly(request, limits, times);
    if (answer.head.status == 417 && request.expect_continue && !request.writer_begun) {
      request.expect_continue = false;
    } else if (options.max_redirects == 0 || !follow_redirect(request, answer.head, downgrade)) {
      return open_answer(request, std::move(answer), limits.max_body_bytes);
    } else if (++redirects > options.max_redirects) {
      throw Error(Code::kResourceExhausted,
                  fmt::format("the server redirects more than {} times", options.max_redirects));
    }
    skip_body(answer);
  }
}

Response Client::Impl::request(const Request& asked, BodyWriter* writer) {
  OpenResponse opened = open(asked, writer, Extent::kWhole);
  Response response;
  response.status = opened.status;
  response.headers = std::move(opened.headers);
  response.body = opened.body.read_all(options.max_body_bytes);
  response.trailers = opened.body.trailers();
  response.url = std::move(opened.url);
  return response;
}

Client::Client(ClientOptions options) : impl_(std::make_shared<Impl>(std::move(options))) {}
Client::~Client() = default;
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;

Response Client::get(std::string_view url) { return request({"GET", std::string(url), {}, {}}); }

Response Client::post(std::string_view url, std::string_view content_type, std::string body) {
  return request({"POST", std::string(url), {{"Content-Type", std::string(content_type)}}, std::move(body)});
}

Response Client::request(const Request& request) { return impl_->request(request, nullptr); }

Response Client::request(const Request& request, BodyWriter write) { return impl_->request(request, &write); }

OpenResponse Client::open(const Request& request) { return impl_->open(request, nullptr, Extent::kHead); }

OpenResponse Client::open(const Request& request, BodyWriter write) {
  return impl_->open(request, &write, Extent::kHead);
}

}  // namespace degu::http
