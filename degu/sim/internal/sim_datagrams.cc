#include <degu/rt/sim_point.h>
#include <degu/sim/internal/sim_datagrams.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace degu::sim::internal {

using net::IoResult;
using net::internal::Accepted;
using rt::Direction;

namespace {

constexpr std::size_t kMaxDatagram = 65'507;  // of UDP over IPv4

}  // namespace

SimDatagrams::SimDatagrams(SimNetwork& network, Place place, std::string local, std::optional<Place> peer,
                           std::string peer_text)
    : SimEndpoint(network),
      place_(std::move(place)),
      local_(std::move(local)),
      peer_(std::move(peer)),
      peer_text_(std::move(peer_text)) {}

IoResult SimDatagrams::read(std::span<char>, TimePoint) noexcept { return {0, EOPNOTSUPP}; }
IoResult SimDatagrams::writev(std::span<const iovec>, TimePoint) noexcept { return {0, EOPNOTSUPP}; }
Accepted SimDatagrams::accept(TimePoint) noexcept { return {nullptr, EOPNOTSUPP}; }

void SimDatagrams::arrives(TimePoint when, const Place& from, std::string_view sender,
                           std::string_view bytes) {
  if (peer_.has_value() && from != *peer_) return;
  if (bytes_ + bytes.size() > network_.options().buffer) return;
  bytes_ += bytes.size();
  under_way_.emplace(when, Datagram{from.host, std::string(sender), std::string(bytes)});
  receivers_.wake_all();
}

void SimDatagrams::refused(TimePoint when) noexcept {
  if (!peer_.has_value()) return;
  refused_at_ = std::min(refused_at_, when);
  receivers_.wake_all();
}

void SimDatagrams::drop_parted() noexcept {
  std::erase_if(under_way_, [this](const auto& entry) {
    const bool gone = entry.first > now() && !network_.joined(entry.second.host, place_.host);
    if (gone) bytes_ -= entry.second.bytes.size();
    return gone;
  });
}

// 0: a datagram has arrived, or a refusal.
int SimDatagrams::wait_readable(TimePoint deadline) noexcept {
  for (;;) {
    if (const int error = state(Direction::kRead, deadline); error != 0) return error;
    const TimePoint first = under_way_.empty() ? kNever : under_way_.begin()->first;
    const TimePoint next = std::min(first, refused_at_);
    if (next <= now()) return 0;
    if (receivers_.wait(rt::WaitReason::kIoRead, std::min(next, until(Direction::kRead, deadline))) ==
        ECANCELED)
      return ECANCELED;
  }
}

IoResult SimDatagrams::recv_from(std::span<char> into, net::Address& from, TimePoint deadline) noexcept {
  const Inside inside(*this);
  rt::sim_point();
  if (const int error = wait_readable(deadline); error != 0) return {0, error};
  if (refused_at_ <= now()) {
    refused_at_ = kNever;
    return {0, ECONNREFUSED};
  }
  const Datagram datagram = std::move(under_way_.begin()->second);
  under_way_.erase(under_way_.begin());
  bytes_ -= datagram.bytes.size();
  if (const std::size_t size = std::min(into.size(), datagram.bytes.size()); size != 0)
    std::memcpy(into.data(), datagram.bytes.data(), size);
  from = net::Address::parse(datagram.sender);
  network_.log(place_.port, datagram.bytes.size());
  return {datagram.bytes.size(), 0};
}

IoResult SimDatagrams::send_to(std::span<const char> bytes, const net::Address& to,
                               TimePoint deadline) noexcept {
  const Inside inside(*this);
  rt::sim_point();
  if (const int error = state(Direction::kWrite, deadline); error != 0) return {0, error};
  if (refused_at_ <= now()) {
    refused_at_ = kNever;
    return {0, ECONNREFUSED};
  }
  if (peer_.has_value() && to) return {0, EISCONN};
  if (!peer_.has_value() && !to) return {0, EDESTADDRREQ};
  if (bytes.size() > kMaxDatagram) return {0, EMSGSIZE};
  const int error = network_.send(*this, peer_.has_value() ? net::Address::parse(peer_text_) : to,
                                  {bytes.data(), bytes.size()});
  return {error == 0 ? bytes.size() : 0, error};
}

int SimDatagrams::wait(Direction direction, TimePoint deadline) noexcept {
  const Inside inside(*this);
  rt::sim_point();
  return direction == Direction::kRead ? wait_readable(deadline) : state(direction, deadline);
}

void SimDatagrams::on_close() noexcept {
  under_way_.clear();
  network_.closed(*this);
}

}  // namespace degu::sim::internal
