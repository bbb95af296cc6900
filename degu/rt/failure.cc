// What ends the process: a stack overflow (the guard below a stack was hit), an exception nobody caught, a
// failed check. Each prints the goroutine first. Signal handlers run on a stack of the thread's own, as the
// goroutine's is used up.
#include <cxxabi.h>
#include <degu/base/assert.h>
#include <degu/rt/dump.h>
#include <degu/rt/internal/sched.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <exception>
#include <mutex>
#include <typeinfo>

namespace degu::rt {
namespace {

constexpr std::size_t kSignalStackBytes = 128 * 1024;

struct sigaction previous_segv;
std::terminate_handler previous_terminate = nullptr;

void print(std::string_view text) noexcept {
  while (!text.empty()) {
    const ssize_t n = ::write(STDERR_FILENO, text.data(), text.size());
    if (n <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
}

void on_segv(int signal, siginfo_t* info, void* context) {
  Stack stack;
  if (!stack_guard_hit(info->si_addr, &stack)) {
    // Not ours: let the former handler, or the default action on return, deal with it.
    ::sigaction(signal, &previous_segv, nullptr);
    return;
  }
  std::string text;
  const G* g = current();
  fmt::format_to(std::back_inserter(text),
                 "degu: fatal: stack overflow in goroutine {}{}{}: its stack of {} KiB is used up\n"
                 "  give it a larger one (degu::go({{.stack_bytes = ...}}, ...)), run the deep call in "
                 "degu::with_stack(bytes, ...), or recurse less\n",
                 g->id, g->name.empty() ? "" : " ", g->name, kStackClasses[stack.size_class] / 1024);
  append_fault_stack(text, context);
  print(text);
  ::signal(SIGABRT, SIG_DFL);
  std::abort();
}

[[noreturn]] void on_terminate() noexcept {
  const M* m = this_m();
  if (m != nullptr && m->g != nullptr) {
    std::string text = "degu: fatal: ";
    if (const std::type_info* type = abi::__cxa_current_exception_type(); type != nullptr) {
      int status = 0;
      char* name = abi::__cxa_demangle(type->name(), nullptr, nullptr, &status);
      fmt::format_to(std::back_inserter(text), "uncaught exception {}", status == 0 ? name : type->name());
      std::free(name);
      try {
        std::rethrow_exception(std::current_exception());
      } catch (const std::exception& e) {
        fmt::format_to(std::back_inserter(text), ": {}", e.what());
      } catch (...) {
        // Not a std::exception: the type is all there is to say.
      }
    } else {
      text += "std::terminate";
    }
    text += '\n';
    append_own_stack(text);
    print(text);
    std::abort();
  }
  if (previous_terminate != nullptr) previous_terminate();
  std::abort();
}

}  // namespace

void print_goroutine_failure() noexcept {
  std::string text;
  append_own_stack(text);
  print(text);
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
