// BodyFilter: what middleware does to a streamed body on its way to the client.
#pragma once

#include <degu/http/exchange.h>

#include <string>
#include <string_view>

namespace degu::http::internal {

/// Set in Exchange::State by middleware before it calls next(); used by the exchange's goroutine, destroyed when the
/// chain has returned. There is one at most: who finds another leaves it.
class BodyFilter {
 public:
  BodyFilter() = default;
  BodyFilter(const BodyFilter&) = delete;
  BodyFilter& operator=(const BodyFilter&) = delete;
  virtual ~BodyFilter() = default;

  /// Before the head goes out, whose fields it may change. False: this body is not for it.
  virtual bool start(Exchange::State& state) = 0;
  /// Appends to `out` what takes the place of `piece`, such that the client can use it at once.
  virtual void write(std::string_view piece, std::string& out) = 0;
  /// Appends what ends the body.
  virtual void finish(std::string& out) = 0;
};

}  // namespace degu::http::internal
