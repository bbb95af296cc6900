// CPU facts: how many processors this process may use.
#pragma once

namespace degu {

/// Processors granted to this process: the scheduling affinity, limited by the CPU quota of its cgroup and of
/// every ancestor (v2 `cpu.max`; v1 `cpu.cfs_quota_us`), rounded up, at least 1. Reads files; a few hundred
/// microseconds.
int available_cpus() noexcept;

}  // namespace degu
