// Reporter: a thread that sleeps until something has to be said that the thread it happens on cannot say: in a
// signal handler, with a stack used up, while every P is stuck. It looks up symbols and prints.
#pragma once

#include <chrono>
#include <string_view>

namespace degu::rt {

/// Starts the thread. With `on_quit`, and if the program does not handle SIGQUIT itself, it from now on prints all
/// goroutines on stderr and ends the process with status 2, as Go does. Without a thread to be had, reports do
/// without symbols.
/// Now and then it also looks for goroutines that wait for each other (deadlock.h), and lets the memory of pooled
/// stacks fade.
void start_reporter(bool on_quit) noexcept;
/// Ends it and gives SIGQUIT its former action back.
void stop_reporter() noexcept;
/// 1 while it exists: threads that nobody will be woken by.
int reporter_threads() noexcept;

/// Runs fn(arg) there and waits for it. False: there is no such thread, it is at another report, or it has not
/// finished in time (it may need a lock that the caller holds); fn may then still run. Async-signal-safe.
bool report_elsewhere(void (*fn)(void* arg), void* arg, std::chrono::nanoseconds patience) noexcept;

/// All of it; false: errno says why not. Async-signal-safe.
bool write_all(int fd, std::string_view text) noexcept;
/// All of it, or as much as stderr takes. Async-signal-safe.
void write_stderr(std::string_view text) noexcept;

}  // namespace degu::rt
