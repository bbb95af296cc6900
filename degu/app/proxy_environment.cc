#include <degu/app/proxy_environment.h>

#include <cstdlib>
#include <string_view>

namespace degu::app {
namespace {

std::string_view variable(const char* name) noexcept {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string_view() : value;
}

std::string_view variable(const char* name, const char* or_else) noexcept {
  const std::string_view value = variable(name);
  return value.empty() ? variable(or_else) : value;
}

}  // namespace

http::ProxyOptions proxy_from_environment() {
  return http::proxy_options(variable("http_proxy"), variable("https_proxy", "HTTPS_PROXY"),
                             variable("no_proxy", "NO_PROXY"));
}

}  // namespace degu::app
