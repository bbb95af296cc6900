#include <degu/base/cpu.h>
#include <sched.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <new>
#include <optional>
#include <string_view>
#include <vector>

namespace degu {
namespace {

struct FileCloser {
  void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, FileCloser>;

File open_file(const std::string& path) { return File(std::fopen(path.c_str(), "re")); }

std::vector<std::string> read_lines(const std::string& path) {
  std::vector<std::string> lines;
  const File file = open_file(path);
  if (!file) return lines;
  char* line = nullptr;
  std::size_t capacity = 0;
  while (true) {
    const ssize_t size = ::getline(&line, &capacity, file.get());
    if (size <= 0) break;
    lines.emplace_back(line, static_cast<std::size_t>(size));
    if (lines.back().back() == '\n') lines.back().pop_back();
  }
  std::free(line);
  return lines;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const auto at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

bool has_cpu(std::string_view names) {
  const auto parts = split(names, ',');
  return std::find(parts.begin(), parts.end(), "cpu") != parts.end();
}

// mountinfo writes space, tab, newline and backslash as \ooo.
std::string unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      out += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

/// A mounted hierarchy: the cgroup `top` is what is to be seen at `point`.
struct Mount {
  std::string top;
  std::string point;
};

// proc(5): id parent device root point options [optional...] - type source super-options.
std::optional<Mount> find_mount(const std::vector<std::string>& mountinfo, bool v2) {
  for (const std::string& line : mountinfo) {
    const auto fields = split(line, ' ');
    const auto dash = std::find(fields.begin(), fields.end(), "-");
    if (dash - fields.begin() < 6 || fields.end() - dash < 4) continue;
    if (dash[1] != (v2 ? "cgroup2" : "cgroup") || (!v2 && !has_cpu(dash[3]))) continue;
    return Mount{unescape(fields[3]), unescape(fields[4])};
  }
  return std::nullopt;
}

// Quota in CPUs of one cgroup folder, or infinity.
double quota_of(const std::string& folder) {
  double quota = 0;
  double period = 0;
  if (const File v2 = open_file(folder + "/cpu.max"); v2) {
    const bool limited = std::fscanf(v2.get(), "%lf %lf", &quota, &period) == 2;  // else "max"
    return limited && quota > 0 && period > 0 ? quota / period : INFINITY;
  }
  const File v1_quota = open_file(folder + "/cpu.cfs_quota_us");
  const File v1_period = open_file(folder + "/cpu.cfs_period_us");
  if (v1_quota && v1_period && std::fscanf(v1_quota.get(), "%lf", &quota) == 1 &&
      std::fscanf(v1_period.get(), "%lf", &period) == 1 && quota > 0 && period > 0) {
    return quota / period;
  }
  return INFINITY;
}

// The part of `path` below the mounted cgroup. A path outside of it, as a process sees that was moved into a
// container's namespace ("/../x"), leaves the mounted one itself.
std::string below(const Mount& mount, std::string_view path) {
  if (path.find("/..") != std::string_view::npos) return {};
  if (mount.top != "/") {
    if (path.substr(0, mount.top.size()) != mount.top) return {};
    path.remove_prefix(mount.top.size());
    if (!path.empty() && path.front() != '/') return {};
  }
  return path == "/" ? std::string() : std::string(path);
}

double least_quota(const std::string& mounted_at, std::string path) {
  double least = INFINITY;
  while (true) {
    least = std::min(least, quota_of(mounted_at + path));
    if (path.empty()) return least;
    path.resize(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
  }
}

int affinity_cpus() noexcept {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return std::max(1, CPU_COUNT(&set));
}

}  // namespace

double cpu_quota(const std::string& root) {
  const std::vector<std::string> mountinfo = read_lines(root + "/proc/self/mountinfo");
  double least = INFINITY;
  for (const std::string& line : read_lines(root + "/proc/self/cgroup")) {  // id:controllers:path
    const auto names_at = line.find(':');
    const auto path_at = names_at == std::string::npos ? names_at : line.find(':', names_at + 1);
    if (path_at == std::string::npos) continue;
    const std::string_view names = std::string_view(line).substr(names_at + 1, path_at - names_at - 1);
    if (!names.empty() && !has_cpu(names)) continue;
    const std::optional<Mount> mount = find_mount(mountinfo, names.empty());
    if (!mount) continue;
    least = std::min(least, least_quota(root + mount->point, below(*mount, line.substr(path_at + 1))));
  }
  return least;
}

int cpus_for(int affinity, double quota) noexcept {
  const double wanted = std::max(2.0, std::ceil(quota));
  return std::max(1, wanted < affinity ? static_cast<int>(wanted) : affinity);
}

int available_cpus() noexcept {
  const int affinity = affinity_cpus();
  try {
    return cpus_for(affinity, cpu_quota());
  } catch (const std::bad_alloc&) {
    return affinity;
  }
}

}  // namespace degu
