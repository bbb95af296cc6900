// The lookup runs in a goroutine of its own, since getaddrinfo cannot be interrupted: a caller whose context ends
// leaves it behind, and it puts its answer into a channel that nobody reads.
#include <degu/base/error.h>
#include <degu/base/time.h>
#include <degu/net/internal/look_up.h>
#include <degu/net/internal/network.h>
#include <degu/net/resolve.h>
#include <degu/rt/lock.h>
#include <degu/rt/run.h>
#include <degu/sync/chan.h>
#include <fmt/format.h>
#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <map>
#include <memory>
#include <string>
#include <utility>

namespace degu::net {
namespace {

using internal::Answer;

Answer ask_system(const std::string& host) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  Answer answer;
  answer.error = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
  if (answer.error != 0) return answer;
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> list(found, &::freeaddrinfo);
  for (const addrinfo* a = found; a != nullptr; a = a->ai_next) {
    const std::optional<Address> address = Address::from_raw(a->ai_addr, a->ai_addrlen);
    if (address) answer.addresses.push_back(*address);
  }
  return answer;
}

std::atomic<internal::LookUp> look_up{&ask_system};

class Cache {
 public:
  void set_time(std::chrono::nanoseconds time) noexcept {
    lock_.lock();
    time_ = time;
    entries_.clear();
    lock_.unlock();
  }

  std::vector<Address> find(const std::string& host) {
    std::vector<Address> found;
    lock_.lock();
    if (const auto at = entries_.find(host); at != entries_.end() && now() < at->second.until)
      found = at->second.addresses;
    lock_.unlock();
    return found;
  }

  void keep(const std::string& host, const std::vector<Address>& addresses) {
    constexpr std::size_t kMaxNames = 256;
    lock_.lock();
    if (time_ > std::chrono::nanoseconds(0)) {
      const TimePoint time = now();
      if (entries_.size() >= kMaxNames)
        std::erase_if(entries_, [&](const auto& e) { return e.second.until <= time; });
      if (entries_.size() >= kMaxNames) entries_.clear();
      entries_[host] = {addresses, after_delay(time, time_)};
    }
    lock_.unlock();
  }

 private:
  struct Entry {
    std::vector<Address> addresses;
    TimePoint until;
  };
  rt::Lock lock_;
  std::chrono::nanoseconds time_{0};
  std::map<std::string, Entry> entries_;
};

Cache& cache() {
  static auto* the_cache = new Cache;
  return *the_cache;
}

void remove_duplicates(std::vector<Address>& addresses) {
  auto end = addresses.begin();
  for (const Address& address : addresses) {
    if (std::find(addresses.begin(), end, address) == end) *end++ = address;
  }
  addresses.erase(end, addresses.end());
}

Code code_of(int error) noexcept {
  switch (error) {
    case EAI_NONAME:
    case EAI_NODATA:
      return Code::kNotFound;
    case EAI_MEMORY:
      return Code::kResourceExhausted;
    default:
      return Code::kUnavailable;
  }
}

std::vector<Address> look_up_aside(const std::string& host) {
  const Chan<Answer> answers = make_chan<Answer>(1);
  go({.name = "resolve"}, [host, answers] { answers.send(blocking([&] { return look_up.load()(host); })); });
  std::optional<Answer> answer = answers.recv();
  remove_duplicates(answer->addresses);
  if (answer->error == 0 && answer->addresses.empty()) answer->error = EAI_NODATA;
  if (answer->error != 0) {
    throw Error(code_of(answer->error),
                fmt::format("cannot resolve {}: {}", host, ::gai_strerror(answer->error)));
  }
  cache().keep(host, answer->addresses);
  return std::move(answer->addresses);
}

}  // namespace

std::vector<Address> resolve(std::string_view host, uint16_t port) {
  if (host.empty()) return {*Address::from_ip("127.0.0.1", port), *Address::from_ip("::1", port)};
  if (const std::optional<Address> numeric = Address::from_ip(host, port)) return {*numeric};
  const std::string name(host);
  if (internal::Network* network = internal::current_network(); network != nullptr)
    return network->resolve(name, port);
  std::vector<Address> addresses = cache().find(name);
  if (addresses.empty()) addresses = look_up_aside(name);
  for (Address& address : addresses) address.set_port(port);
  return addresses;
}

namespace internal {

void set_look_up_for_test(LookUp fn) noexcept { look_up = fn != nullptr ? fn : &ask_system; }

}  // namespace internal

void set_resolve_cache(std::chrono::nanoseconds time) noexcept { cache().set_time(time); }

}  // namespace degu::net
