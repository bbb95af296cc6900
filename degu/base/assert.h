// DEGU_ASSERT, DEGU_CHECK, DEGU_BUG: broken invariants end the process with a report; they are never
// exceptions.
#pragma once

#include <fmt/core.h>

#include <string>
#include <string_view>

namespace degu {

/// Called by a failed check after the message was printed, before abort(); the runtime installs one that
/// prints the goroutine. Must be async-signal-safe in spirit: no locks of the runtime.
using FailureHook = void (*)();
void set_failure_hook(FailureHook hook) noexcept;

namespace internal {
[[noreturn]] void fail(const char* file, int line, std::string_view condition,
                       const std::string& message) noexcept;
void report_bug(const char* file, int line, const std::string& message) noexcept;
}  // namespace internal

}  // namespace degu

/// Always on: prints condition, message and goroutine, then aborts.
#define DEGU_CHECK(condition, ...)                                                           \
  do {                                                                                       \
    if (!(condition)) [[unlikely]]                                                           \
      ::degu::internal::fail(__FILE__, __LINE__, #condition, ::fmt::format("" __VA_ARGS__)); \
  } while (false)

/// As DEGU_CHECK in debug builds; nothing in release builds.
#ifdef NDEBUG
#define DEGU_ASSERT(condition, ...) \
  do {                              \
    (void)sizeof((condition));      \
  } while (false)
#else
#define DEGU_ASSERT(condition, ...) DEGU_CHECK(condition __VA_OPT__(, ) __VA_ARGS__)
#endif

/// A state that should not occur but that the program survives: debug builds abort, release builds log and go
/// on.
#define DEGU_BUG(...) ::degu::internal::report_bug(__FILE__, __LINE__, ::fmt::format(__VA_ARGS__))
