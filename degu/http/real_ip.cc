#include <degu/base/error.h>
#include <degu/http/internal/exchange_access.h>
#include <degu/http/internal/fields.h>
#include <degu/http/internal/forwarded.h>
#include <degu/http/internal/ip.h>
#include <degu/http/real_ip.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

namespace degu::http {
namespace {

using internal::IpAddress;
using internal::IpRange;

// All fields of a name as the one list that they are (RFC 9110 section 5.3).
std::string combined(const Exchange& c, std::string_view name) {
  const RequestHead& head = *internal::ExchangeAccess::state(c).head;
  std::string list;
  for (std::size_t i = 0; i < head.field_count(); ++i) {
    if (!internal::equals_ignoring_case(head.field_name(i), name)) continue;
    if (!list.empty()) list += ',';
    list += head.field_value(i);
  }
  return list;
}

std::optional<IpAddress> peer_address(const Exchange& c) { return IpAddress::of_peer(c.peer()); }

struct Sender {
  IpAddress address;
  bool secure = false;
};

class RealIp {
 public:
  explicit RealIp(const RealIpOptions& options) : field_(options.field) {
    if (options.trusted.empty()) throw Error(Code::kInvalidArgument, "real_ip: no proxy is trusted");
    for (const std::string& range : options.trusted) trusted_.push_back(IpRange::parse(range));
  }

  void operator()(Exchange& c) const {
    const std::optional<IpAddress> peer = peer_address(c);
    if (peer && trusts(*peer)) {
      const Sender sender =
          field_ == ProxyField::kForwarded ? by_forwarded(c, *peer) : by_x_forwarded_for(c, *peer);
      Exchange::State& state = internal::ExchangeAccess::state(c);
      state.client_ip = internal::to_string(sender.address);
      state.secure = sender.secure;
    }
    c.next();
  }

 private:
  bool trusts(const IpAddress& address) const noexcept {
    return std::any_of(trusted_.begin(), trusted_.end(),
                       [&](const IpRange& range) { return range.contains(address); });
  }

  Sender by_x_forwarded_for(const Exchange& c, const IpAddress& peer) const {
    const internal::CountedField proto = internal::counted_field(c, "x-forwarded-proto");
    Sender sender{peer, proto.count == 1 && internal::equals_ignoring_case(proto.value, "https")};
    const std::string list = combined(c, "x-forwarded-for");
    std::string_view left = list;
    while (trusts(sender.address)) {
      const auto element = internal::take_last_element(left, false);
      const auto address = element ? IpAddress::parse_node(*element) : std::nullopt;
      if (!address) break;
      sender.address = *address;
    }
    return sender;
  }

  Sender by_forwarded(const Exchange& c, const IpAddress& peer) const {
    Sender sender{peer};
    const std::string list = combined(c, "forwarded");
    std::string_view left = list;
    while (trusts(sender.address)) {
      const auto text = internal::take_last_element(left, true);
      const auto element = text ? internal::parse_forwarded_element(*text) : std::nullopt;
      const auto address = element ? IpAddress::parse_node(element->node) : std::nullopt;
      if (!address) break;
      sender = {*address, element->proto == "https"};
    }
    return sender;
  }

  ProxyField field_;
  std::vector<IpRange> trusted_;
};

}  // namespace

Handler real_ip(RealIpOptions options) { return RealIp(options); }

std::string client_ip(const Exchange& exchange) {
  const Exchange::State& state = internal::ExchangeAccess::state(exchange);
  if (!state.client_ip.empty()) return state.client_ip;
  const auto peer = peer_address(exchange);
  return peer ? internal::to_string(*peer) : std::string();
}

}  // namespace degu::http
