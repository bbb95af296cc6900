// Checked arithmetic on amounts in minor units.
#pragma once

#include <degu/base/error.h>

#include <cstdint>

namespace shop::order {

/// sum + price * quantity. Throws Error(kOutOfRange) instead of overflowing.
inline int64_t add_times(int64_t sum, int64_t price, int64_t quantity) {
  int64_t product = 0;
  int64_t result = 0;
  if (__builtin_mul_overflow(price, quantity, &product) || __builtin_add_overflow(sum, product, &result)) {
    throw degu::Error(degu::Code::kOutOfRange, "the amount is too large");
  }
  return result;
}

}  // namespace shop::order
