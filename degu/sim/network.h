// Network: what joins the hosts of a simulation. Programs use degu::net as always: TcpStream, UdpSocket, UnixStream, Pipe
// and all that stands on them. Unix sockets and pipes stay within a host.
#pragma once

#include <degu/base/function.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

namespace degu::sim {

/// What the network does by itself, by seed. Probabilities are 0 to 1.
struct NetworkOptions {
  std::chrono::nanoseconds min_latency =
      std::chrono::microseconds(50);  ///< one way, drawn for each write; the
  std::chrono::nanoseconds max_latency = std::chrono::milliseconds(5);  ///< order within a connection is kept
  double refuse = 0;                                                    ///< a TCP connect is refused
  double reset =
      0;  ///< a write breaks its TCP connection: it fails, or succeeds and what is under way is lost
  double loss = 0.05;  ///< a datagram does not arrive
  double duplicate =
      0.05;            ///< a datagram arrives twice; each has its own latency, so they overtake each other
  double slow = 0.25;  ///< a connection has a small buffer: writers wait for the reader
  double short_read = 0.25;        ///< a read returns less than is there
  std::size_t buffer = 64 * 1024;  ///< bytes under way in one direction, until the writer waits
};

class HostScope;

/// The network of the caller's simulation. Hosts are made by their name being used; they resolve each other by name.
/// A goroutine runs on the host of the one that started it; the main goroutine on "main".
///
/// Options::faults reach the network as well: "net.connect" is refused; "net.read" and "net.write" break their connection
/// (ECONNRESET), but not a pipe; "net.accept" finds no free descriptor (kResourceExhausted, the connection stays queued);
/// "net.send" of a datagram fails with ENOBUFS; "net.resolve" finds nobody who knows names (kUnavailable).
class Network {
 public:
  /// Until the end of the scope the calling goroutine runs on that host, and those that it starts stay there.
  ///   const auto on = sim::network().host("order");
  [[nodiscard]] HostScope host(std::string_view name);

  /// Nothing passes between the two, both ways, until heal(): bytes wait, connects do not get through, datagrams are lost. Connections
  /// stay: who waits does not learn of it, but by his deadline.
  void partition(std::string_view a, std::string_view b);
  /// Between the host and all others, those made later too.
  void isolate(std::string_view host);
  void heal(std::string_view a, std::string_view b);
  /// All partitions.
  void heal();
  /// All connections between the two break; what is under way is lost.
  void reset(std::string_view a, std::string_view b);
};

class HostScope {
 public:
  HostScope(const HostScope&) = delete;
  HostScope& operator=(const HostScope&) = delete;
  ~HostScope();

 private:
  friend class Network;
  explicit HostScope(uint32_t host);
  uint32_t former_;
};

/// Throws Error(kFailedPrecondition) outside of a simulation.
Network& network();

}  // namespace degu::sim
