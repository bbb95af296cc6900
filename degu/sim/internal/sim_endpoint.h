// SimStream and SimListener: the endpoints that a Socket stands on in a simulation.
#pragma once

#include <degu/net/internal/endpoint.h>
#include <degu/sim/internal/sim_network.h>

#include <array>
#include <deque>
#include <memory>
#include <string>
#include <string_view>

namespace degu::sim::internal {

/// What both share: an endpoint that is there until its owner has released it and the last call has returned.
class SimEndpoint : public net::internal::Endpoint {
 public:
  explicit SimEndpoint(SimNetwork& network) noexcept : network_(network) {}

  void set_deadline(rt::Direction direction, TimePoint deadline) noexcept override;
  void interrupt() noexcept override;
  void close() noexcept override;
  void release() noexcept override;
  int fd() const noexcept override { return -1; }
  bool closed() const noexcept override { return closed_; }

 protected:
  /// Alive while a call is inside.
  class Inside {
   public:
    explicit Inside(SimEndpoint& end) noexcept : end_(end) { ++end_.inside_; }
    ~Inside() {
      if (--end_.inside_ == 0 && end_.released_) delete &end_;
    }
    Inside(const Inside&) = delete;
    Inside& operator=(const Inside&) = delete;

   private:
    SimEndpoint& end_;
  };

  /// EBADF after close() and interrupt(), ETIMEDOUT after the deadline of the direction or the call, else 0.
  int state(rt::Direction direction, TimePoint deadline) const noexcept;
  TimePoint until(rt::Direction direction, TimePoint deadline) const noexcept;
  virtual void wake() noexcept = 0;
  virtual void on_close() noexcept = 0;

  SimNetwork& network_;

 private:
  std::array<TimePoint, 2> deadlines_{kNever, kNever};
  bool interrupted_ = false;
  bool closed_ = false;
  bool released_ = false;
  int inside_ = 0;
};

class SimStream final : public SimEndpoint {
 public:
  SimStream(SimNetwork& network, std::shared_ptr<Link> link, std::size_t side, std::string local,
            std::string peer)
      : SimEndpoint(network),
        link_(std::move(link)),
        side_(side),
        local_(std::move(local)),
        peer_(std::move(peer)) {}

  net::IoResult read(std::span<char> into, TimePoint deadline) noexcept override;
  net::IoResult writev(std::span<const iovec> parts, TimePoint deadline) noexcept override;
  net::internal::Accepted accept(TimePoint deadline) noexcept override;
  int wait(rt::Direction direction, TimePoint deadline) noexcept override;
  void shutdown_write() noexcept override;
  std::string local_address() const override { return local_; }
  std::string peer_address() const override { return peer_; }

 private:
  void wake() noexcept override { link_->wake_all(); }
  void on_close() noexcept override;
  // Of a pipe each end has one direction.
  bool may_read() const noexcept { return link_->kind != LinkKind::kPipe || side_ == 1; }
  bool may_write() const noexcept { return link_->kind != LinkKind::kPipe || side_ == 0; }
  bool breaks(std::string_view fault_point) noexcept;
  Pipe& incoming() const noexcept { return link_->pipes[1 - side_]; }
  Pipe& outgoing() const noexcept { return link_->pipes[side_]; }
  bool joined() const { return network_.joined(link_->hosts[0], link_->hosts[1]); }
  int wait_readable(TimePoint deadline) noexcept;
  int wait_writable(TimePoint deadline) noexcept;
  TimePoint arrival() noexcept;

  const std::shared_ptr<Link> link_;
  const std::size_t side_;
  const std::string local_;
  const std::string peer_;
};

class SimListener final : public SimEndpoint {
 public:
  /// `keep_path`: of a Unix socket, whose path outlives it.
  SimListener(SimNetwork& network, Place place, std::string local, bool keep_path = false)
      : SimEndpoint(network), place_(std::move(place)), local_(std::move(local)), keep_path_(keep_path) {}

  net::IoResult read(std::span<char> into, TimePoint deadline) noexcept override;
  net::IoResult writev(std::span<const iovec> parts, TimePoint deadline) noexcept override;
  net::internal::Accepted accept(TimePoint deadline) noexcept override;
  int wait(rt::Direction direction, TimePoint deadline) noexcept override;
  void shutdown_write() noexcept override {}
  std::string local_address() const override { return local_; }
  std::string peer_address() const override { return {}; }

  const Place& place() const noexcept { return place_; }
  bool keeps_path() const noexcept { return keep_path_; }
  /// A connection has arrived.
  void arrived(std::shared_ptr<Link> link, std::string from);

 private:
  struct Arrival {
    std::shared_ptr<Link> link;
    std::string from;
  };
  void wake() noexcept override { acceptors_.wake_all(); }
  void on_close() noexcept override;

  const Place place_;
  const std::string local_;
  const bool keep_path_;
  std::deque<Arrival> arrivals_;
  Waiters acceptors_;
};

}  // namespace degu::sim::internal
