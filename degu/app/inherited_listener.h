// inherited_listener: the socket that whoever started the process has opened for it.
#pragma once

#include <degu/net/tcp.h>

#include <string_view>

namespace degu::app {

/// The listening socket handed over as systemd does it (LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES; net/inherited.h), with this name
/// (FileDescriptorName=); with an empty one there has to be only one. Throws Error(kFailedPrecondition) when there is none,
/// or no single one, and kInvalidArgument for one that does not listen for TCP connections. At the start of the program,
/// before others change the environment; once for a socket.
net::TcpListener inherited_listener(std::string_view name);

}  // namespace degu::app
