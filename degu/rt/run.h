// run, go, yield, sleep, blocking, with_stack: the everyday face of the scheduler.
#pragma once

#include <degu/base/function.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

namespace degu {

namespace rt {
class SimScheduler;
}

/// How a scheduler runs. The defaults suit programs; tests use the rest to visit every shape.
struct RunOptions {
  int procs = 0;                ///< Ps; 0: DEGU_MAXPROCS, else the CPUs that affinity and cgroups grant
  bool steal = true;            ///< Ps take work from each other
  uint64_t shuffle_seed = 0;    ///< not 0: run-queue order is shuffled by this seed
  bool deadlock_report = true;  ///< all goroutines asleep: report who waits for what, and exit with status 2
  /// A goroutine that keeps its P for so long outside blocking() is reported on stderr with its stack, once for each
  /// place; 0: never
  std::chrono::nanoseconds stuck_report = std::chrono::milliseconds(100);
  int max_threads = 1024;    ///< at most; beyond it, goroutines wait while others block their threads
  bool dump_on_quit = true;  ///< SIGQUIT (Ctrl-\): all goroutines on stderr, and exit with status 2
  /// A file for the last scheduling events (rt/flight.h) of a program that ends with a fatal report or by SIGQUIT; "":
  /// what DEGU_TRACE_ON_FAILURE names, if anything
  std::string_view trace_on_failure = {};
  rt::SimScheduler* sim = nullptr;  ///< of degu/sim, which sets it
};

/// How a goroutine is started.
struct GoOptions {
  std::string_view name = {};   ///< shown in dumps; must outlive the goroutine (a literal)
  std::size_t stack_bytes = 0;  ///< 0: 256 KiB; rounded up to 64 KiB, 256 KiB, 1 MiB or 8 MiB
};

namespace rt {
/// How many threads run goroutines now, those that are blocked or idle included; 0 where no scheduler runs.
int threads() noexcept;

int run_main(const RunOptions& options, UniqueFunction<int()> main);
void spawn(UniqueFunction<void()>&& body, const GoOptions& options);
/// degu::go where nothing may wait: callbacks of the poller, of timers and of the end of a context, or with a Lock held.
/// What the poller starts takes its turn among those that it wakes.
void spawn_from_callback(UniqueFunction<void()>&& body, const GoOptions& options);
void enter_blocking() noexcept;
void exit_blocking() noexcept;
void call_on_stack(std::size_t bytes, void (*fn)(void*), void* arg);
}  // namespace rt

/// Runs `main` as the first goroutine on a scheduler of its own, and returns what it returned (0 for void)
/// once it has. As in Go, other goroutines that still exist are then abandoned: they never run again and
/// their destructors are not run. Rethrows what `main` threw. Goroutines run on threads of the scheduler's own; the
/// calling thread waits. A thread whose goroutine does not come back, because it computes or is in a call that blocks,
/// is left behind after 2 s. One scheduler at a time a process.
template <class F>
int run(const RunOptions& options, F&& main) {
  using Result = std::invoke_result_t<std::remove_cvref_t<F>&>;
  if constexpr (std::is_void_v<Result>) {
    return rt::run_main(options, [body = std::forward<F>(main)]() mutable -> int {
      body();
      return 0;
    });
  } else {
    return rt::run_main(options,
                        [body = std::forward<F>(main)]() mutable -> int { return static_cast<int>(body()); });
  }
}
template <class F>
int run(F&& main) {
  return run(RunOptions{}, std::forward<F>(main));
}

/// Starts a goroutine that runs `body` with the caller's current context. Waits for nothing, but when 256 that were
/// started on the same P have not run yet and no P is idle, lets others run first, as yield() does: a loop that starts
/// millions has few of them alive at once. May be called from any thread while a scheduler runs. An exception that
/// escapes `body` ends the process with a report, as a panic does in Go.
template <class F>
void go(F&& body) {
  rt::spawn(UniqueFunction<void()>(std::forward<F>(body)), GoOptions{});
}
template <class F>
void go(const GoOptions& options, F&& body) {
  rt::spawn(UniqueFunction<void()>(std::forward<F>(body)), options);
}

/// Lets other goroutines run; the caller goes to the end of its P's queue. Does not observe the context.
void yield() noexcept;

/// Parks for at least `duration`. Throws Cancelled or DeadlineExceeded when the context ends first.
void sleep(std::chrono::nanoseconds duration);

/// Number of the calling goroutine, unique in the process; 0 on a foreign thread.
uint64_t goroutine_id() noexcept;

/// How many goroutines exist: those that run, wait or are about to run, the caller's included. Looks at every record
/// there is: for gauges and tests, not for decisions. Exact only while none starts or ends.
std::size_t num_goroutines() noexcept;

/// Runs `fn` on the caller's thread, marked as a call that may block the thread (files, getaddrinfo, SQLite, waiting
/// for a child): when it takes longer than some 20 to 100 us, another thread runs the others meanwhile. Costs some
/// nanoseconds when it does not. Exceptions pass through. On a foreign thread it is a plain call. `fn` should not use
/// goroutine primitives. Unmarked calls are noticed too, later, and reported (RunOptions::stuck_report).
template <class F>
auto blocking(F&& fn) -> std::invoke_result_t<F&> {
  struct Exit {
    ~Exit() { rt::exit_blocking(); }
  };
  rt::enter_blocking();
  const Exit exit;
  return fn();
}

/// Runs `fn` on a fresh stack of at least `bytes`, for calls that need more than the goroutine has.
/// Exceptions pass through.
template <class F>
auto with_stack(std::size_t bytes, F&& fn) -> std::invoke_result_t<F&> {
  using Result = std::invoke_result_t<F&>;
  struct Call {
    F& fn;
    std::exception_ptr error;
    std::conditional_t<std::is_void_v<Result>, bool, std::optional<Result>> result;
  };
  Call call{fn, nullptr, {}};
  rt::call_on_stack(
      bytes,
      [](void* arg) {
        auto& c = *static_cast<Call*>(arg);
        try {
          if constexpr (std::is_void_v<Result>) {
            c.fn();
          } else {
            c.result.emplace(c.fn());
          }
        } catch (...) {
          c.error = std::current_exception();
        }
      },
      &call);
  if (call.error) std::rethrow_exception(call.error);
  if constexpr (!std::is_void_v<Result>) return std::move(*call.result);
}

}  // namespace degu
