#include <degu/base/error.h>
#include <degu/net/inherited.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <charconv>
#include <cstddef>
#include <optional>

namespace degu::net {
namespace {

constexpr int kFirst = 3;  // SD_LISTEN_FDS_START
constexpr int kMost = 1024;

std::optional<int> number(std::string_view text) noexcept {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

[[noreturn]] void refuse(const std::string& what) { throw Error(Code::kInvalidArgument, what); }

std::vector<std::string> split(std::string_view names) {
  std::vector<std::string> parts;
  while (true) {
    const std::size_t colon = names.find(':');
    parts.emplace_back(names.substr(0, colon));
    if (colon == std::string_view::npos) return parts;
    names.remove_prefix(colon + 1);
  }
}

}  // namespace

std::vector<InheritedDescriptor> inherited_descriptors(const ListenVariables& variables) {
  if (variables.pid.empty()) return {};
  const std::optional<int> pid = number(variables.pid);
  if (!pid || *pid == 0) refuse(fmt::format("LISTEN_PID={} is no process", variables.pid));
  if (*pid != ::getpid()) return {};
  const std::optional<int> count = number(variables.fds);
  if (!count || *count > kMost)
    refuse(fmt::format("LISTEN_FDS={} is no number of descriptors up to {}", variables.fds, kMost));
  std::vector<std::string> names;
  if (!variables.names.empty()) names = split(variables.names);
  if (!names.empty() && names.size() != static_cast<std::size_t>(*count))
    refuse(fmt::format("LISTEN_FDNAMES has {} names for LISTEN_FDS={}", names.size(), *count));
  std::vector<InheritedDescriptor> all;
  for (int i = 0; i < *count; ++i) {
    const int fd = kFirst + i;
    if (::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
      refuse(fmt::format("LISTEN_FDS={}, but descriptor {} is not open", *count, fd));
    all.push_back({fd, names.empty() ? "unknown" : names[static_cast<std::size_t>(i)]});
  }
  return all;
}

}  // namespace degu::net
