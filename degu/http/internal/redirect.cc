#include <degu/base/error.h>
#include <degu/http/internal/fields.h>
#include <degu/http/internal/redirect.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <string_view>

namespace degu::http::internal {
namespace {

constexpr std::array<std::string_view, 3> kSecrets{"authorization", "cookie", "proxy-authorization"};
constexpr std::array<std::string_view, 4> kOfBodies{"content-type", "content-encoding", "content-language",
                                                    "content-location"};

bool is_redirect(int status) noexcept {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

std::optional<std::string_view> location_of(const ResponseHead& head) {
  std::optional<std::string_view> location;
  for (const auto& [name, value] : head.headers) {
    if (!equals_ignoring_case(name, "location")) continue;
    if (location) throw Error(Code::kInternal, "malformed response: several Locations");
    location = value;
  }
  return location;
}

Url target_of(const Url& base, std::string_view location) {
  try {
    return resolve_url(base, location);
  } catch (const Error& error) {
    throw Error(Code::kInternal, fmt::format("malformed response: Location: {}", error.message()));
  }
}

void remove_headers(ClientRequest& request, std::span<const std::string_view> names) {
  std::erase_if(request.headers, [&](const auto& header) {
    return std::any_of(names.begin(), names.end(),
                       [&](std::string_view name) { return equals_ignoring_case(header.first, name); });
  });
}

bool becomes_get(const ClientRequest& request, int status) noexcept {
  if (status == 303) return request.method != "HEAD";
  return (status == 301 || status == 302) && request.method == "POST";
}

}  // namespace

bool follow_redirect(ClientRequest& request, const ResponseHead& head, Downgrade downgrade) {
  if (!is_redirect(head.status)) return false;
  const auto location = location_of(head);
  if (!location) return false;
  const bool gets = becomes_get(request, head.status);
  if (!gets && request.writer_begun) return false;
  Url next = target_of(request.url, *location);
  if (request.url.secure && !next.secure && downgrade == Downgrade::kRefused)
    throw Error(Code::kFailedPrecondition, "a redirect leads from https to http");
  if (gets) {
    request.method = "GET";
    request.body = {};
    request.writer = nullptr;
    request.writer_begun = false;
    remove_headers(request, kOfBodies);
  }
  if (next.origin() != request.url.origin()) remove_headers(request, kSecrets);
  request.url = std::move(next);
  return true;
}

}  // namespace degu::http::internal
