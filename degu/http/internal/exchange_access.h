// ExchangeAccess: what middleware of this layer sees behind an Exchange.
#pragma once

#include <degu/http/internal/exchange_state.h>

#include <cstddef>
#include <string_view>

namespace degu::http::internal {

struct ExchangeAccess {
  static Exchange::State& state(Exchange& exchange) noexcept { return *exchange.state_; }
  static const Exchange::State& state(const Exchange& exchange) noexcept { return *exchange.state_; }
};

/// The first request field of a name, and how many there are of it: where a decision hangs on a field, two of them are
/// a disagreement, and nobody says which one the next reader believes.
struct CountedField {
  std::string_view value;
  std::size_t count = 0;
};
CountedField counted_field(const Exchange& exchange, std::string_view name) noexcept;

}  // namespace degu::http::internal
