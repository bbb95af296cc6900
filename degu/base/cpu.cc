#include <degu/base/cpu.h>
#include <sched.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

namespace degu {
namespace {

struct FileCloser {
  void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, FileCloser>;

int affinity_cpus() noexcept {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return std::max(1, CPU_COUNT(&set));
}

// Quota in CPUs of one cgroup folder, or infinity.
double quota_of(const std::string& folder) {
  double quota = 0;
  double period = 0;
  if (File v2{std::fopen((folder + "/cpu.max").c_str(), "re")}; v2) {
    if (std::fscanf(v2.get(), "%lf %lf", &quota, &period) == 2 && period > 0) return quota / period;
    return INFINITY;  // "max"
  }
  File v1_quota{std::fopen((folder + "/cpu.cfs_quota_us").c_str(), "re")};
  File v1_period{std::fopen((folder + "/cpu.cfs_period_us").c_str(), "re")};
  if (v1_quota && v1_period && std::fscanf(v1_quota.get(), "%lf", &quota) == 1 &&
      std::fscanf(v1_period.get(), "%lf", &period) == 1 && quota > 0 && period > 0) {
    return quota / period;
  }
  return INFINITY;
}

// The least quota from `path` up to the root of the hierarchy mounted at `mount`.
double least_quota(const std::string& mount, std::string path) {
  double least = INFINITY;
  while (true) {
    least = std::min(least, quota_of(mount + path));
    const auto slash = path.rfind('/');
    if (slash == std::string::npos || path.empty()) return least;
    path.resize(slash);
  }
}

double cgroup_cpus() {
  File file{std::fopen("/proc/self/cgroup", "re")};
  if (!file) return INFINITY;
  double least = INFINITY;
  char line[4096];
  while (std::fgets(line, sizeof line, file.get()) != nullptr) {
    line[std::strcspn(line, "\n")] = '\0';
    const char* controllers = std::strchr(line, ':');
    const char* path = controllers != nullptr ? std::strchr(controllers + 1, ':') : nullptr;
    if (path == nullptr) continue;
    const std::string names(controllers + 1, path);
    std::string relative(path + 1);
    if (relative == "/") relative.clear();
    if (names.empty()) {
      least = std::min(least, least_quota("/sys/fs/cgroup", relative));
    } else if (names.find("cpu") != std::string::npos) {
      least = std::min(least, least_quota("/sys/fs/cgroup/cpu", relative));
    }
  }
  return least;
}

}  // namespace

int available_cpus() noexcept {
  const int affinity = affinity_cpus();
  try {
    const double quota = cgroup_cpus();
    if (quota < affinity) return std::max(1, static_cast<int>(std::ceil(quota)));
  } catch (const std::bad_alloc&) {
    return affinity;
  }
  return affinity;
}

}  // namespace degu
