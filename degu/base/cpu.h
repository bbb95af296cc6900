// CPU facts: how many processors this process may use.
#pragma once

#include <string>

namespace degu {

/// Processors granted to this process: cpus_for() of the scheduling affinity and cpu_quota(). Reads a few files, some
/// hundred microseconds; what they say may change while the process runs. Thread-safe.
int available_cpus() noexcept;

/// A quota is rounded up, and to 2 at least, as in Go 1.25: with one P a single busy goroutine would hold up all others
/// for the rest of its period. Never more than `affinity`, at least 1.
int cpus_for(int affinity, double quota) noexcept;

/// CPU quota of this process's cgroups in CPUs, infinity if it has none: the smallest of its own and all ancestors'
/// that are to be seen (an ancestor's quota binds its children: golang/go#81180). v2 `cpu.max`; v1
/// `cpu.cfs_quota_us` over `cpu.cfs_period_us`; the mounts are looked up in /proc/self/mountinfo. What cannot be read
/// does not limit. `root` is put before every path, for tests.
double cpu_quota(const std::string& root = {});

}  // namespace degu
