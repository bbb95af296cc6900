// Profile: where the program spends time, waits and allocates, as samples of stacks. degu/export writes them in
// pprof's format.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace degu::rt {

struct ProfileValue {
  std::string type;  ///< "cpu", "contentions" ...
  std::string unit;  ///< "nanoseconds", "count", "bytes"
};

struct ProfileSample {
  std::vector<uintptr_t> stack;  ///< innermost first; return addresses less one (symbolize.h)
  std::vector<int64_t> values;   ///< one for each of Profile::types
  std::string goroutine;         ///< its name (GoOptions), where the profile tells by it
};

struct Profile {
  std::vector<ProfileValue> types;
  std::vector<ProfileSample> samples;  ///< no two with the same stack and name
  ProfileValue period_type;
  int64_t period = 0;  ///< of sampling, in units of period_type
  std::chrono::system_clock::time_point time = std::chrono::system_clock::now();
  std::chrono::nanoseconds duration{0};  ///< 0: since the program started
};

/// What `later` has beyond `earlier`: two cumulative profiles of the same kind.
Profile difference(Profile later, const Profile& earlier);

/// How many goroutines are at each stack now (dump.h).
Profile goroutine_profile();

/// Samples the CPU time of every thread, foreign ones too, `hz` times a second for `duration`, which the caller
/// waits out; its context may end it. Stacks are goroutines'; other threads show where they are only. By one timer
/// a thread (timer_create(2), SIGPROF), so that no thread is seen less than others; a thread that starts meanwhile
/// is seen from 100 ms on. System calls that do not restart may return EINTR. Throws Error(kFailedPrecondition)
/// while another one is taken or when the program handles SIGPROF itself; Cancelled, DeadlineExceeded.
Profile cpu_profile(std::chrono::nanoseconds duration, int hz = 100);

/// Blocking: where goroutines wait for channels, locks, conditions, groups and semaphores, and how long; at the
/// place that waits. Each wait of `rate` or longer is counted, of a shorter one a share that makes up for the
/// others. 1 ns: all of them. 0 (the default): off, which costs a wait two predicted branches. Thread-safe.
void set_block_profile_rate(std::chrono::nanoseconds rate) noexcept;
std::chrono::nanoseconds block_profile_rate() noexcept;
/// Since the start of the program. Thread-safe.
Profile block_profile();

/// Mutex contention: how long others waited for a Mutex or RWMutex, at the unlock that let them go on. One of
/// `fraction` is counted. 0 (the default): off. Thread-safe.
void set_mutex_profile_fraction(uint32_t fraction) noexcept;
uint32_t mutex_profile_fraction() noexcept;
/// Since the start of the program. Thread-safe.
Profile mutex_profile();

/// The program is linked with degu::heap_profiler, which samples operator new, one object about every 512 KiB.
bool has_heap_profile() noexcept;
/// What was allocated since the start and what of it is in use, scaled up from the samples; no samples without
/// degu::heap_profiler. Thread-safe.
Profile heap_profile();

}  // namespace degu::rt
