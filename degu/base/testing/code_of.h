// code_of: with which code a call fails.
#pragma once

#include <degu/base/error.h>

namespace degu::testing {

/// The code of the Error that `f` throws; kOk if it throws none.
template <class F>
Code code_of(F f) {
  try {
    f();
    return Code::kOk;
  } catch (const Error& error) {
    return error.code();
  }
}

}  // namespace degu::testing
