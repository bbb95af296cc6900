// SimDatagrams: a socket for datagrams in a simulation.
#pragma once

#include <degu/sim/internal/sim_endpoint.h>

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace degu::sim::internal {

class SimDatagrams final : public SimEndpoint {
 public:
  /// `peer`: of a connected one.
  SimDatagrams(SimNetwork& network, Place place, std::string local, std::optional<Place> peer,
               std::string peer_text);

  net::IoResult read(std::span<char> into, TimePoint deadline) noexcept override;
  net::IoResult writev(std::span<const iovec> parts, TimePoint deadline) noexcept override;
  net::internal::Accepted accept(TimePoint deadline) noexcept override;
  net::IoResult recv_from(std::span<char> into, net::Address& from, TimePoint deadline) noexcept override;
  net::IoResult send_to(std::span<const char> bytes, const net::Address& to,
                        TimePoint deadline) noexcept override;
  int wait(rt::Direction direction, TimePoint deadline) noexcept override;
  void shutdown_write() noexcept override {}
  std::string local_address() const override { return local_; }
  std::string peer_address() const override { return peer_text_; }

  const Place& place() const noexcept { return place_; }
  /// A datagram will be here at that time. Dropped when there are too many, or when it is not from the peer.
  void arrives(TimePoint when, const Place& from, std::string_view sender, std::string_view bytes);
  /// What was sent to the peer found nobody; a connected socket learns of it at that time.
  void refused(TimePoint when) noexcept;
  /// Loses what is under way from hosts that cannot be reached any more.
  void drop_parted() noexcept;

 private:
  struct Datagram {
    uint32_t host;
    std::string sender;
    std::string bytes;
  };
  void wake() noexcept override { receivers_.wake_all(); }
  void on_close() noexcept override;
  int wait_readable(TimePoint deadline) noexcept;

  const Place place_;
  const std::string local_;
  const std::optional<Place> peer_;
  const std::string peer_text_;
  std::multimap<TimePoint, Datagram> under_way_;  // by arrival
  std::size_t bytes_ = 0;                         // in it
  TimePoint refused_at_ = kNever;
  Waiters receivers_;
};

}  // namespace degu::sim::internal
