#include <degu/sim/internal/sim_network.h>
#include <degu/sim/internal/simulation.h>
#include <degu/sim/network.h>

namespace degu::sim {
namespace {

internal::SimNetwork& net_of_caller() { return internal::current_run().network(); }

}  // namespace

HostScope Network::host(std::string_view name) { return HostScope(net_of_caller().host_named(name)); }

void Network::partition(std::string_view a, std::string_view b) {
  internal::SimNetwork& net = net_of_caller();
  net.partition(net.host_named(a), net.host_named(b));
}
void Network::isolate(std::string_view host) {
  internal::SimNetwork& net = net_of_caller();
  net.isolate(net.host_named(host));
}
void Network::heal(std::string_view a, std::string_view b) {
  internal::SimNetwork& net = net_of_caller();
  net.heal(net.host_named(a), net.host_named(b));
}
void Network::heal() { net_of_caller().heal(); }
void Network::reset(std::string_view a, std::string_view b) {
  internal::SimNetwork& net = net_of_caller();
  net.reset(net.host_named(a), net.host_named(b));
}

HostScope::HostScope(uint32_t host) : former_(internal::current_run().host()) {
  internal::current_run().set_host(host);
}
HostScope::~HostScope() { internal::current_run().set_host(former_); }

Network& network() {
  internal::current_run();
  static Network the_network;  // it has no state: the simulation of the caller has
  return the_network;
}

}  // namespace degu::sim
