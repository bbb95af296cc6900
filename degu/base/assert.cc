#include <degu/base/assert.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>

namespace degu {
namespace {

std::atomic<FailureHook> failure_hook{nullptr};

void print(const std::string& text) noexcept {
  std::string_view rest = text;
  while (!rest.empty()) {
    const ssize_t n = ::write(STDERR_FILENO, rest.data(), rest.size());
    if (n <= 0) return;
    rest.remove_prefix(static_cast<std::size_t>(n));
  }
}

}  // namespace

void set_failure_hook(FailureHook hook) noexcept { failure_hook.store(hook, std::memory_order_release); }

namespace internal {

void fail(const char* file, int line, std::string_view condition, const std::string& message) noexcept {
  print(fmt::format("degu: fatal: {}\n  check ({}) failed at {}:{}\n",
                    message.empty() ? "broken invariant" : message, condition, file, line));
  if (FailureHook hook = failure_hook.exchange(nullptr, std::memory_order_acq_rel); hook != nullptr) hook();
  std::abort();
}

void report_bug(const char* file, int line, const std::string& message) noexcept {
  print(fmt::format("degu: bug: {} at {}:{}; please report it\n", message, file, line));
#ifndef NDEBUG
  if (FailureHook hook = failure_hook.exchange(nullptr, std::memory_order_acq_rel); hook != nullptr) hook();
  std::abort();
#endif
}

}  // namespace internal
}  // namespace degu
