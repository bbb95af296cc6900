// IoResult: how a transfer ended.
#pragma once

#include <cstddef>

namespace degu::net {

/// Outcome of a transfer: an expected event is a value. `error` is an errno: ETIMEDOUT for a deadline,
/// ECANCELED when the context ended, EBADF after close() or interrupt(). bytes == 0 and error == 0 on a read
/// is the end of the stream.
struct IoResult {
  std::size_t bytes = 0;
  int error = 0;
};

}  // namespace degu::net
