// Descriptors that the starting process hands over, by the protocol of systemd's socket activation.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace degu::net {

/// The environment variables of sd_listen_fds(3); empty: not set.
struct ListenVariables {
  std::string_view pid = {};    ///< LISTEN_PID
  std::string_view fds = {};    ///< LISTEN_FDS
  std::string_view names = {};  ///< LISTEN_FDNAMES
};

struct InheritedDescriptor {
  int fd = -1;
  std::string name;  ///< "unknown" where no names are given, as with systemd
};

/// What they hand over to this process: LISTEN_FDS descriptors from 3 on; none when LISTEN_PID is another process, which has
/// not cleared its environment, or is not set. All of them are open, and from now on not inherited by children. They belong
/// to the caller: TcpListener::adopt(). Throws Error(kInvalidArgument) for variables that contradict themselves or the
/// descriptors that there are. At most 1024. Waits for nothing; not for a goroutine of a simulation.
std::vector<InheritedDescriptor> inherited_descriptors(const ListenVariables& variables);

}  // namespace degu::net
