// A goroutine per connection that has something to read; a list of all under a lock that is held for list operations
// only; a reaper goroutine per serve() that wakes a few times per idle_timeout and closes connections that have been idle
// for that long, and that ends the contexts of requests whose client has gone.
#include <degu/context/cancel_scope.h>
#include <degu/http/internal/address_counts.h>
#include <degu/http/internal/http1_session.h>
#include <degu/http/internal/http2_session.h>
#include <degu/http/internal/refusals.h>
#include <degu/http/internal/route_table.h>
#include <degu/http/server.h>
#include <degu/net/proxy_protocol.h>
#include <degu/net/tcp.h>
#include <degu/net/tls.h>
#include <degu/obs/log.h>
#include <degu/rt/netpoll.h>
#include <degu/rt/run.h>
#include <degu/sync/pool.h>
#include <degu/sync/wait_group.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

namespace degu::http {

using internal::AddressCounts;
using internal::Connection;
using internal::Http1Session;
using internal::Http2Session;
using internal::IpAddress;

struct Server::Impl {
  Impl(Router r, ServerOptions o)
      : router(std::move(r)), options(std::move(o)), refusals(options.on_refusal), env{*router.table(),
                                                                                       options,
                                                                                       draining,
                                                                                       closing,
                                                                                       drain.context,
                                                                                       refusals} {}

  void admit(net::TcpStream stream);
  bool take_place(const net::TcpStream& stream, std::optional<IpAddress>& client);
  void open(net::TcpStream stream, const std::optional<IpAddress>& client);
  static void activate(Connection& connection);
  void serve_connection(Connection& connection) noexcept;
  bool serve_burst(Connection& connection);
  Http1Session::End serve_http1(Connection& connection, std::string& input);
  static bool serve_http2(Connection& connection, std::optional<std::string_view> input);
  bool is_secured(Connection& connection);
  bool is_introduced(Connection& connection);
  void start_http2(Connection& connection) const;
  net::TcpStream layered(net::TcpStream stream) const;
  void reload_certificates();
  void accept_until_closed(net::TcpListener& listener);
  enum class Answer : bool { kNone, kHttp1 };
  void refuse_connection(net::TcpStream& stream, RefusalCause cause, Answer answer);
  void reap();
  void reap_once();
  void close_abandoned();
  void add(Connection& connection);
  void remove(Connection& connection);
  template <class F>
  void for_each(F f);
  void begin_drain();
  void close_idle();
  bool all_ended_within(std::chrono::nanoseconds limit);

  Router router;
  ServerOptions options;
  internal::Refusals refusals;
  AddressCounts clients;
  std::atomic<bool> draining{false};
  std::atomic<bool> closing{false};
  const ContextAnd<CancelFunc> drain = with_cancel(Context());
  internal::ConnectionEnv env;
  Pool<Http1Session> sessions{[this] { return std::make_unique<Http1Session>(env); }};
  std::atomic<std::size_t> count{0};
  WaitGroup accepting;  // calls of serve() that may add to `connections`
  WaitGroup connections;
  rt::Lock lock;  // guards what follows, and connections from being destroyed while it is held
  Connection* first = nullptr;
  std::vector<net::TcpListener*> listeners;
  uint64_t past_requests = 0;  // of connections that have ended
};

template <class F>
void Server::Impl::for_each(F f) {
  lock.lock();
  for (Connection* c = first; c != nullptr; c = c->next) f(*c);
  lock.unlock();
}

void Server::Impl::add(Connection& connection) {
  lock.lock();
  connection.next = first;
  if (first != nullptr) first->prev = &connection;
  first = &connection;
  lock.unlock();
}

void Server::Impl::remove(Connection& connection) {
  lock.lock();
  (connection.prev != nullptr ? connection.prev->next : first) = connection.next;
  if (connection.next != nullptr) connection.next->prev = connection.prev;
  past_requests += connection.requests();
  lock.unlock();
}

net::TcpStream Server::Impl::layered(net::TcpStream stream) const {
  if (options.behind_proxy) stream = net::behind_proxy(std::move(stream));
  return options.tls != nullptr ? options.tls->wrap(std::move(stream)) : std::move(stream);
}

// Whether there is one left for whom it comes from; `client` is counted for it then.
bool Server::Impl::take_place(const net::TcpStream& stream, std::optional<IpAddress>& client) {
  const std::size_t limit =
      options.max_connections_per_address.value_or(std::max<std::size_t>(options.max_connections / 2, 1));
  if (limit == 0) return true;
  const std::optional<IpAddress> address = IpAddress::of_peer(stream.peer());
  if (!address || (!options.max_connections_per_address && address->is_loopback())) return true;
  const IpAddress counted = AddressCounts::client_of(*address);
  if (!clients.add(counted, limit)) return false;
  client = counted;
  return true;
}

void Server::Impl::admit(net::TcpStream stream) {
  const Answer answer = options.tls == nullptr ? Answer::kHttp1 : Answer::kNone;
  if (count.load(std::memory_order_relaxed) >= options.max_connections)
    return refuse_connection(stream, RefusalCause::kConnections, answer);
  std::optional<IpAddress> client;
  if (!options.behind_proxy && !take_place(stream, client))
    return refuse_connection(stream, RefusalCause::kAddress, answer);
  open(std::move(stream), client);
}

void Server::Impl::open(net::TcpStream stream, const std::optional<IpAddress>& client) {
  auto* connection = new Connection(layered(std::move(stream)), with_cancel(current_context()),
                                    &Server::Impl::activate, this);
  connection->client = client;
  connection->introduced = !options.behind_proxy;
  count.fetch_add(1, std::memory_order_relaxed);
  connections.add(1);
  add(*connection);
  // seq_cst, as in close_idle(): that closes what is in the list, and what comes later is closed here.
  if (closing.load()) connection->close_if_idle();
  if (!connection->park()) activate(*connection);
}

void Server::Impl::activate(Connection& connection) {
  rt::spawn_from_callback(
      [&connection] { static_cast<Impl*>(connection.owner())->serve_connection(connection); },
      {.name = "http connection"});
}

// The handshake, which the first bytes of a connection begin. It counts as idle meanwhile: a drain ends it.
bool Server::Impl::is_secured(Connection& connection) {
  if (options.tls == nullptr || connection.secured) return true;
  try {
    const Shield shield;
    net::tls_handshake(connection.stream(), after_delay(now(), options.header_timeout));
    if (net::tls_info(connection.stream())->alpn == "h2") start_http2(connection);
    return connection.secured = true;
  } catch (const Error& error) {
    // Unless it was ended by us, who has closed an idle connection.
    const std::string peer = connection.stream().peer();
    if (connection.idle())
      refusals.note({.cause = RefusalCause::kTls, .reason = error.message(), .peer = peer});
    return false;
  }
}

// Who comes through a proxy is known, and counted, when the PROXY header was read: with TLS the handshake has done that.
bool Server::Impl::is_introduced(Connection& connection) {
  if (connection.introduced) return true;
  net::TcpStream& stream = connection.stream();
  {
    const Shield shield;
    const int error = net::take_proxy_header(stream, after_delay(now(), options.header_timeout));
    if (error != 0) {
      const std::string peer = stream.peer();
      const char* const reason =
          error == EPROTO ? "the connection does not begin with a PROXY header" : std::strerror(error);
      if (connection.idle())
        refusals.note({.cause = RefusalCause::kProxyHeader, .reason = reason, .peer = peer});
      return false;
    }
  }
  connection.introduced = take_place(stream, connection.client);
  if (connection.introduced) return true;
  refuse_connection(stream, RefusalCause::kAddress,
                    connection.http2 == nullptr ? Answer::kHttp1 : Answer::kNone);
  return false;
}

void Server::Impl::start_http2(Connection& connection) const {
  if (connection.http2 == nullptr) connection.http2 = std::make_shared<Http2Session>(env);
  connection.multiplexed.store(true);
}

bool Server::Impl::serve_http2(Connection& connection, std::optional<std::string_view> input) {
  return connection.http2->serve(connection, input) == Http2Session::End::kIdle;
}

// `input`: what came, if its client speaks HTTP/2.
Http1Session::End Server::Impl::serve_http1(Connection& connection, std::string& input) {
  std::unique_ptr<Http1Session> own;
  {
    const Pool<Http1Session>::Lease session = sessions.borrow();
    const Http1Session::End end = session->serve(connection);
    if (end == Http1Session::End::kHttp2) input = session->take_input();
    if (end != Http1Session::End::kLasting) return end;
    own = std::make_unique<Http1Session>(env, session->take_lasting());
  }
  const Http1Session::End end = own->serve(connection);
  if (end == Http1Session::End::kHttp2) input = own->take_input();
  return end;
}

// True: the connection is idle, and may be served elsewhere already. False: it is over.
bool Server::Impl::serve_burst(Connection& connection) {
  const ContextScope scope(connection.context());
  if (!is_secured(connection) || !is_introduced(connection)) return false;
  if (connection.http2 != nullptr) return serve_http2(connection, std::nullopt);
  std::string input;
  while (true) {
    const Http1Session::End end = serve_http1(connection, input);
    if (end == Http1Session::End::kClose) return false;
    if (end == Http1Session::End::kHttp2) break;
    // Once it is parked, another goroutine may end it, and the server with it: nothing of either is touched afterwards.
    if (connection.park()) return true;
  }
  start_http2(connection);
  return serve_http2(connection, input);
}

void Server::Impl::serve_connection(Connection& connection) noexcept {
  try {
    if (serve_burst(connection)) return;
  } catch (const std::exception& error) {
    log(Level::kError, "connection failed", {{"error", error.what()}});
  }
  connection.cancel();
  remove(connection);
  if (connection.client) clients.remove(*connection.client);
  delete &connection;
  count.fetch_sub(1, std::memory_order_relaxed);
  connections.done();
}

// With the answer in one packet and no word from the client, this cannot block. By TLS it would take a handshake.
void Server::Impl::refuse_connection(net::TcpStream& stream, RefusalCause cause, Answer answer) {
  constexpr std::string_view kAnswer =
      "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n";
  const std::string peer = stream.peer();
  refusals.note({.cause = cause,
                 .status = answer == Answer::kHttp1 ? 503 : 0,
                 .reason = cause == RefusalCause::kAddress ? "too many connections of this client"
                                                           : "too many connections",
                 .peer = peer});
  if (answer == Answer::kNone) return;
  stream.write({kAnswer.data(), kAnswer.size()}, now());
  stream.shutdown_write();
}

namespace {

constexpr std::size_t kMaxQueued = 4096;  // as the backlog: more have come since

// Out of descriptors: others have to end before the next accept can succeed. False: the context has ended.
bool pause() {
  try {
    sleep(std::chrono::milliseconds(50));
    return true;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

// When it drains, accept() fails once nobody waits in the listener's queue: whoever does has connected, and may have asked.
// Other processes that share it have the same queue.
void Server::Impl::accept_until_closed(net::TcpListener& listener) {
  constexpr std::chrono::seconds kWarnEvery(10);
  TimePoint next_warning{};
  std::size_t last_ones = listener.shared() ? 0 : kMaxQueued;
  while (!draining.load(std::memory_order_relaxed) ||
         (!closing.load(std::memory_order_relaxed) && last_ones-- > 0)) {
    net::TcpStream stream;
    try {
      stream = listener.accept();
    } catch (const Error& error) {
      if (error.code() != Code::kResourceExhausted || draining.load()) return;
      if (const TimePoint time = now(); time >= next_warning) {
        log(Level::kWarn, "cannot accept connections", {{"error", error.what()}});
        next_warning = time + kWarnEvery;
      }
      if (!pause()) return;
      continue;
    }
    admit(std::move(stream));
  }
}

void Server::Impl::reap_once() {
  const TimePoint time = now();
  for_each([&](Connection& c) {
    const bool idle = c.idle();
    const uint64_t requests = c.requests();
    if (c.seen_since == kNever || c.seen_requests != requests || c.seen_idle != idle) {
      c.seen_requests = requests;
      c.seen_idle = idle;
      c.seen_since = time;
    } else if (idle && time - c.seen_since >= options.idle_timeout) {
      c.close_if_idle();
    }
  });
}

// Looks whether the clients of requests that have lasted for a tick have hung up. At most kMaxLooks a tick;
// others get their turn when these are done.
void Server::Impl::close_abandoned() {
  constexpr std::size_t kMaxLooks = 256;
  std::array<pollfd, kMaxLooks> looks;
  std::array<Connection*, kMaxLooks> owners;
  std::size_t size = 0;
  lock.lock();
  for (Connection* c = first; c != nullptr && size < kMaxLooks; c = c->next) {
    if (c->seen_idle || c->idle() || c->seen_requests != c->requests() || c->abandoned) continue;
    looks[size] = {c->fd(), POLLRDHUP, 0};
    owners[size++] = c;
  }
  if (size == 0 || ::poll(looks.data(), size, 0) <= 0) size = 0;
  for (std::size_t i = 0; i < size; ++i) {
    if ((looks[i].revents & (POLLRDHUP | POLLHUP | POLLERR)) == 0) continue;
    owners[i]->abandoned = true;
    owners[i]->cancel();
  }
  lock.unlock();
}

void Server::Impl::reload_certificates() {
  try {
    if (options.tls->reload_if_changed()) log(Level::kInfo, "certificates reloaded", {});
  } catch (const Error& error) {
    log(Level::kError, "certificates not reloaded, the old ones stay", {{"error", error.what()}});
  }
}

void Server::Impl::reap() {
  constexpr std::chrono::seconds kReloadEvery(10);
  TimePoint next_reload = after_delay(now(), kReloadEvery);
  const std::chrono::nanoseconds tick = std::clamp<std::chrono::nanoseconds>(
      options.idle_timeout / 4, std::chrono::milliseconds(10), std::chrono::seconds(1));
  try {
    for (;;) {
      sleep(tick);
      reap_once();
      close_abandoned();
      if (options.tls == nullptr || now() < next_reload) continue;
      next_reload = after_delay(now(), kReloadEvery);
      reload_certificates();
    }
  } catch (const Error&) {
    return;  // serve() is over
  }
}

void Server::Impl::begin_drain() {
  draining.store(true);  // seq_cst: see Http2Session::read_more
  drain.cancel();
  lock.lock();
  for (net::TcpListener* listener : listeners) listener->interrupt();
  lock.unlock();
  // seq_cst on both sides, so either who starts HTTP/2 sees that this drains or this sees that it has.
  for_each([](Connection& c) {
    if (c.multiplexed.load()) c.nudge();
  });
}

void Server::Impl::close_idle() {
  closing.store(true);  // seq_cst: see Http1Session::wait_for_request
  for_each([](Connection& c) { c.close_if_idle(); });
}

bool Server::Impl::all_ended_within(std::chrono::nanoseconds limit) {
  try {
    const CancelScope scope(limit);
    accepting.wait();
    connections.wait();
    return true;
  } catch (const Error&) {
    return false;
  }
}

Server::Server(Router router, ServerOptions options)
    : impl_(std::make_shared<Impl>(std::move(router), std::move(options))) {}

Server::~Server() = default;

void Server::serve(net::TcpListener& listener) {
  const std::shared_ptr<Impl> impl = impl_;
  impl->accepting.add(1);
  impl->lock.lock();
  impl->listeners.push_back(&listener);
  impl->lock.unlock();
  if (impl->draining.load()) listener.interrupt();  // begin_drain() may have missed it
  WaitGroup reaper;                                 // its end waits
  const auto [reaper_context, stop_reaper] = with_cancel(current_context());
  {
    const ContextScope scope(reaper_context);
    reaper.go([&impl] { impl->reap(); });
  }
  impl->accept_until_closed(listener);
  impl->lock.lock();
  std::erase(impl->listeners, &listener);
  impl->lock.unlock();
  if (!listener.shared()) listener.stop_listening();
  impl->accepting.done();
  // The end of our context is the end of the connections' contexts too: only the idle ones do not know yet.
  if (current_context().done()) {
    impl->begin_drain();
    impl->close_idle();
  }
  {
    const Shield shield;
    impl->connections.wait();
  }
  stop_reaper();
}

void Server::shutdown(std::chrono::nanoseconds drain) {
  // After the contexts were ended, answers that say so get this long to be written.
  constexpr std::chrono::nanoseconds kLastWords = std::chrono::seconds(1);
  const std::shared_ptr<Impl> impl = impl_;
  const std::chrono::nanoseconds grace = std::min(impl->options.idle_grace, drain);
  impl->begin_drain();
  const bool ended = impl->all_ended_within(grace);
  impl->close_idle();
  if (ended || impl->all_ended_within(drain - grace)) return;
  impl->for_each([](Connection& c) { c.cancel(); });
  if (impl->all_ended_within(kLastWords)) return;
  impl->for_each([](Connection& c) { c.interrupt(); });
  const Shield shield;
  impl->connections.wait();
}

std::size_t Server::connections() const noexcept { return impl_->count.load(std::memory_order_relaxed); }

uint64_t Server::refusals(RefusalCause cause) const noexcept { return impl_->refusals.count(cause); }

uint64_t Server::requests() const noexcept {
  uint64_t total = 0;
  impl_->for_each([&](const Connection& c) { total += c.requests(); });
  impl_->lock.lock();
  total += impl_->past_requests;
  impl_->lock.unlock();
  return total;
}

}  // namespace degu::http
