// errno_error: an errno as an Error.
#pragma once

#include <degu/base/error.h>

#include <string_view>

namespace degu::net::internal {

/// "`what`: No such file or directory", with the code that fits.
Error errno_error(int error, std::string_view what);

}  // namespace degu::net::internal
