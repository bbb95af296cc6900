#include <degu/app/inherited_listener.h>
#include <degu/base/error.h>
#include <degu/net/inherited.h>
#include <fmt/format.h>

#include <cstdlib>
#include <string>
#include <vector>

namespace degu::app {
namespace {

std::string_view variable(const char* name) noexcept {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string_view() : value;
}

}  // namespace

net::TcpListener inherited_listener(std::string_view name) {
  const std::vector<net::InheritedDescriptor> all = net::inherited_descriptors({
      .pid = variable("LISTEN_PID"),
      .fds = variable("LISTEN_FDS"),
      .names = variable("LISTEN_FDNAMES"),
  });
  const net::InheritedDescriptor* chosen = nullptr;
  std::string names;
  for (const net::InheritedDescriptor& one : all) {
    names.append(names.empty() ? "" : ", ").append(one.name);
    if (!name.empty() && one.name != name) continue;
    if (chosen != nullptr) {
      throw Error(Code::kFailedPrecondition,
                  fmt::format("several sockets were handed over that could be meant: {}", names));
    }
    chosen = &one;
  }
  if (chosen != nullptr) return net::TcpListener::adopt(chosen->fd);
  if (all.empty())
    throw Error(Code::kFailedPrecondition,
                "no socket was handed over to this process (LISTEN_PID, LISTEN_FDS)");
  throw Error(Code::kFailedPrecondition,
              fmt::format("no socket named {} was handed over, only {}", name, names));
}

}  // namespace degu::app
