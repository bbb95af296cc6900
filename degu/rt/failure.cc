// What ends the process: a stack overflow (the guard below a stack was hit), an exception nobody caught, a
// failed check. Each prints what happened, then the goroutine. Signal handlers run on a stack of the thread's
// own, as the goroutine's is used up. Symbols are looked up by the reporter's thread, since this one may hold
// the allocator's lock or have no stack left; if that fails, addresses are printed.
#include <cxxabi.h>
#include <degu/base/assert.h>
#include <degu/base/error.h>
#include <degu/rt/dump.h>
#include <degu/rt/internal/flight_trace.h>
#include <degu/rt/internal/frames.h>
#include <degu/rt/internal/reporter.h>
#include <degu/rt/internal/sched.h>
#include <degu/rt/symbolize.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <typeinfo>

namespace degu::rt {
namespace {

constexpr std::size_t kSignalStackBytes = 128 * 1024;
constexpr std::chrono::seconds kPatience{10};  // with the reporter's thread

std::string trace_path;  // written before any goroutine runs
struct sigaction previous_segv;
std::terminate_handler previous_terminate = nullptr;

// fmt into a buffer of its own: nothing is allocated.
template <class... Args>
void print(fmt::format_string<Args...> format, const Args&... args) noexcept {
  char buffer[512];
  const auto end = fmt::format_to_n(buffer, sizeof buffer, fmt::runtime(fmt::string_view(format)), args...);
  write_stderr({buffer, std::min(end.size, sizeof buffer)});
}

// The goroutine that fails, as its own thread sees it.
struct Failed {
  uint64_t id = 0;
  std::string_view name;
  uint64_t creator = 0;
  const void* created_at = nullptr;
  Frames frames;

  explicit Failed(const G& g) noexcept
      : id(g.id), name(g.name), creator(g.creator_id), created_at(g.created_at) {}
};

void print_with_symbols(void* arg) {
  const auto& failed = *static_cast<const Failed*>(arg);
  GoroutineInfo info;
  info.id = failed.id;
  info.name = failed.name;
  info.state = GoroutineState::kRunning;
  info.creator = failed.creator;
  if (failed.created_at != nullptr) info.created_at = reinterpret_cast<uintptr_t>(failed.created_at) - 1;
  info.stack.assign(failed.frames.pcs, failed.frames.pcs + failed.frames.count);
  std::string text;
  append_goroutines(text, {&info, 1});
  write_stderr(text);
}

void trace_failed(void* arg) {
  const auto& failed = *static_cast<const Failed*>(arg);
  write_failure_trace(fmt::format("goroutine {} {} failed", failed.id, failed.name));
}

void print_failed(Failed& failed) noexcept {
  if (!report_elsewhere(&print_with_symbols, &failed, kPatience)) {
    print("goroutine {} {} [running]:\n", failed.id, failed.name);
    for (std::size_t i = 0; i < failed.frames.count; ++i) print("\t{:#x}\n", failed.frames.pcs[i]);
  }
  if (!trace_path.empty() && !report_elsewhere(&trace_failed, &failed, kPatience))
    write_stderr("degu: no trace was written: the reporting thread is busy or gone\n");
}

void on_segv(int signal, siginfo_t* info, void* context) {
  Stack stack;
  const M* m = this_m();
  if (!stack_guard_hit(info->si_addr, &stack) || m == nullptr || m->g == nullptr) {
    // Not ours: let the former handler, or the default action on return, deal with it.
    ::sigaction(signal, &previous_segv, nullptr);
    return;
  }
  const G& g = *m->g;
  print(
      "degu: fatal: stack overflow in goroutine {}{}{}: its stack of {} KiB is used up\n"
      "  give it a larger one (degu::go({{.stack_bytes = ...}}, ...)), run the deep call in "
      "degu::with_stack(bytes, ...), or recurse less\n",
      g.id, g.name.empty() ? "" : " ", g.name, kStackClasses[stack.size_class] / 1024);
  Failed failed(g);
  walk_interrupted(context, &g, failed.frames);
  print_failed(failed);
  ::signal(SIGABRT, SIG_DFL);
  std::abort();
}

// What an exception says, and those that it was caused by: Error::cause() and std::throw_with_nested().
void append_exception(std::string& out, const std::exception_ptr& error, int depth = 0) {
  constexpr int kMaxCauses = 16;
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& e) {
    const std::type_info* type = abi::__cxa_current_exception_type();
    fmt::format_to(std::back_inserter(out), "{}: {}\n", demangle(type->name()), e.what());
    std::exception_ptr cause;
    if (const auto* own = dynamic_cast<const Error*>(&e); own != nullptr) cause = own->cause();
    if (const auto* nested = dynamic_cast<const std::nested_exception*>(&e); nested != nullptr && !cause) {
      cause = nested->nested_ptr();
    }
    if (cause == nullptr || depth == kMaxCauses) return;
    out += "  caused by ";
    append_exception(out, cause, depth + 1);
  } catch (...) {
    const std::type_info* type = abi::__cxa_current_exception_type();  // all there is to say
    fmt::format_to(std::back_inserter(out), "{}\n",
                   type != nullptr ? demangle(type->name()) : "of a foreign kind");
  }
}

// An exception is uncaught also when it would leave a noexcept function or a destructor; then there may be others that
// unwound the stack when it was thrown.
void print_uncaught() {
  std::string text = "degu: fatal: uncaught exception ";
  append_exception(text, std::current_exception());
  if (const int others = std::uncaught_exceptions(); others > 0) {
    fmt::format_to(std::back_inserter(text), "  thrown while {} other exception{} unwound the stack\n",
                   others, others == 1 ? "" : "s");
  }
  write_stderr(text);
}

[[noreturn]] void on_terminate() noexcept {
  static std::atomic_flag reporting;
  if (reporting.test_and_set()) {
    write_stderr("degu: fatal: std::terminate while an uncaught exception was reported\n");
    std::abort();
  }
  const M* m = this_m();
  if (m != nullptr && m->g != nullptr) {
    if (std::current_exception() != nullptr) {
      print_uncaught();
    } else {
      write_stderr("degu: fatal: std::terminate\n");
    }
    print_goroutine_failure();
    std::abort();
  }
  if (previous_terminate != nullptr) previous_terminate();
  std::abort();
}

}  // namespace

void print_goroutine_failure() noexcept {
  const M* m = this_m();
  if (m == nullptr || m->g == nullptr) return;
  Failed failed(*m->g);
  walk_own(failed.frames);
  print_failed(failed);
}

void set_failure_trace(std::string_view path) {
  const char* variable = std::getenv("DEGU_TRACE_ON_FAILURE");
  trace_path = !path.empty() || variable == nullptr ? path : std::string_view(variable);
}

void write_failure_trace(std::string_view note) noexcept {
  static std::atomic_flag written;
  if (trace_path.empty() || written.test_and_set()) return;
  const std::string text = flight_trace_with(note);
  const int file = ::open(trace_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0 || !write_all(file, text)) {
    print("degu: no trace was written to {}: {}\n", trace_path, std::generic_category().message(errno));
  } else {
    print("degu: the last scheduling events are in {}; ui.perfetto.dev shows them\n", trace_path);
  }
  if (file >= 0) ::close(file);
}

void install_failure_reports() noexcept {
  static std::once_flag once;
  std::call_once(once, [] {
    struct sigaction action {};
    action.sa_sigaction = &on_segv;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    ::sigaction(SIGSEGV, &action, &previous_segv);
    previous_terminate = std::set_terminate(&on_terminate);
    set_failure_hook(&print_goroutine_failure);
  });
}

void enter_signal_stack() noexcept {
  stack_t stack{};
  stack.ss_sp =
      ::mmap(nullptr, kSignalStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (stack.ss_sp == MAP_FAILED) return;
  stack.ss_size = kSignalStackBytes;
  ::sigaltstack(&stack, nullptr);
}

void leave_signal_stack() noexcept {
  stack_t off{};
  off.ss_flags = SS_DISABLE;
  stack_t old{};
  ::sigaltstack(&off, &old);
  if (old.ss_sp != nullptr && (old.ss_flags & SS_DISABLE) == 0) ::munmap(old.ss_sp, old.ss_size);
}

}  // namespace degu::rt
