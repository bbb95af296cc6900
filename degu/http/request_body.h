// RequestBody: where a function writes the body of a request, piece by piece.
#pragma once

#include <degu/base/function.h>

#include <string_view>

namespace degu::http {

/// Belongs to the call of Client that made it, and to its goroutine.
class RequestBody {
 public:
  /// Sends one piece (chunked); blocks while the server does not read. Throws DeadlineExceeded or Cancelled by the context
  /// or when the server takes nothing for ClientOptions::idle_timeout, Error(kUnavailable) when the connection breaks, and
  /// when the server has answered already and wants no more: let that pass, the client then gives that answer.
  virtual void write(std::string_view piece) = 0;

 protected:
  ~RequestBody() = default;
};

/// Writes a whole body; what it throws ends the request, and comes out of the client.
using BodyWriter = UniqueFunction<void(RequestBody&)>;

}  // namespace degu::http
