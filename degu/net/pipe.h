// Pipe: a pipe of the kernel. pipe(): two connected streams within the process.
#pragma once

#include <degu/net/stream.h>

#include <utility>

namespace degu::net {

/// pipe2(2) over the poller: reads and writes park, and have deadlines. Writing when no reader is left fails with
/// EPIPE; SIGPIPE, where it has its default effect, gets a handler that does nothing. Of `reader` only the reading
/// calls succeed, of `writer` only the writing ones.
struct Pipe {
  /// Throws Error(kResourceExhausted) when the process has no descriptors left.
  static Pipe open();

  Stream reader;
  Stream writer;
};

/// Two ends of a connection that goes through memory, without a buffer: a write returns when the other end has read
/// all of it. Deadlines, contexts and close() as with sockets: after close() the peer reads the end of the stream, and
/// its writes fail with EPIPE. Go's net.Pipe. For tests, and to join two parts of one program.
std::pair<Stream, Stream> pipe();

}  // namespace degu::net
