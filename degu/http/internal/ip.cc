#include <arpa/inet.h>
#include <degu/base/error.h>
#include <degu/http/internal/fields.h>
#include <degu/http/internal/ip.h>
#include <fmt/format.h>

#include <algorithm>

namespace degu::http::internal {
namespace {

constexpr std::size_t kMappedPrefix = 12;  // bytes in front of an IPv4 address

bool is_port(std::string_view text) noexcept {
  const auto number = parse_digits(text);
  return number && *number <= 65535;
}

}  // namespace

std::optional<IpAddress> IpAddress::parse(std::string_view text) noexcept {
  std::array<char, INET6_ADDRSTRLEN> copy{};
  if (text.size() >= copy.size() || text.find('\0') != std::string_view::npos) return std::nullopt;
  text.copy(copy.data(), text.size());
  IpAddress address;
  if (::inet_pton(AF_INET, copy.data(), address.bytes.data() + kMappedPrefix) == 1) {
    address.bytes[10] = address.bytes[11] = 0xFF;
    return address;
  }
  if (::inet_pton(AF_INET6, copy.data(), address.bytes.data()) == 1) return address;
  return std::nullopt;
}

std::optional<IpAddress> IpAddress::parse_node(std::string_view text) noexcept {
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view rest = text.substr(end + 1);
    if (!rest.empty() && !(rest.front() == ':' && is_port(rest.substr(1)))) return std::nullopt;
    text = text.substr(1, end - 1);
    return text.find(':') == std::string_view::npos ? std::nullopt : parse(text);
  }
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || text.find(':', colon + 1) != std::string_view::npos)
    return parse(text);
  return is_port(text.substr(colon + 1)) ? parse(text.substr(0, colon)) : std::nullopt;
}

std::optional<IpAddress> IpAddress::of_peer(std::string peer) noexcept {
  const std::size_t zone = peer.find('%');
  if (zone != std::string::npos) peer.erase(zone, peer.find(']', zone) - zone);
  return parse_node(peer);
}

bool IpAddress::is_v4() const noexcept {
  return std::all_of(bytes.begin(), bytes.begin() + 10, [](uint8_t b) { return b == 0; }) &&
         bytes[10] == 0xFF && bytes[11] == 0xFF;
}

bool IpAddress::is_loopback() const noexcept {
  if (is_v4()) return bytes[kMappedPrefix] == 127;
  return bytes.back() == 1 && std::all_of(bytes.begin(), bytes.end() - 1, [](uint8_t b) { return b == 0; });
}

IpAddress IpAddress::masked(unsigned bits) const noexcept {
  IpAddress result = *this;
  for (unsigned i = 0; i < result.bytes.size(); ++i) {
    const unsigned kept = bits > i * 8 ? std::min(bits - i * 8, 8U) : 0U;
    result.bytes[i] = static_cast<uint8_t>(result.bytes[i] & (0xFF00U >> kept));
  }
  return result;
}

std::string to_string(const IpAddress& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.is_v4()) {
    ::inet_ntop(AF_INET, address.bytes.data() + kMappedPrefix, text.data(), text.size());
  } else {
    ::inet_ntop(AF_INET6, address.bytes.data(), text.data(), text.size());
  }
  return text.data();
}

IpRange IpRange::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto base = IpAddress::parse(text.substr(0, slash));
  const bool short_form = text.find(':') == std::string_view::npos;  // bits are counted from the IPv4 part
  const auto bits =
      slash == std::string_view::npos ? (short_form ? 32 : 128) : parse_digits(text.substr(slash + 1));
  if (!base || !bits || *bits > (short_form ? 32 : 128)) {
    throw Error(Code::kInvalidArgument,
                fmt::format("\"{}\" is not a range of addresses; write 10.0.0.0/8, fd00::/8 or ::1", text));
  }
  IpRange range;
  range.base_ = *base;
  range.bits_ = static_cast<unsigned>(*bits) + (short_form ? 96 : 0);
  if (range.base_.masked(range.bits_) != range.base_) {
    throw Error(Code::kInvalidArgument, fmt::format("\"{}\" has address bits behind its prefix; write {}/{}",
                                                    text, to_string(range.base_.masked(range.bits_)), *bits));
  }
  return range;
}

bool IpRange::contains(const IpAddress& address) const noexcept {
  const bool v4_range = base_.is_v4() && bits_ >= 96;
  return address.is_v4() == v4_range && address.masked(bits_) == base_;
}

}  // namespace degu::http::internal
