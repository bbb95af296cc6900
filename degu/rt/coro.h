// Coro: a function on a stack of its own that stops and goes on where its caller says. The base of Generator.
#pragma once

#include <cstddef>

namespace degu::rt {

struct CoroState;

/// A switch costs what a function call costs; no scheduler takes part. The body runs as the goroutine, or the
/// foreign thread, that calls resume(), which may be another one each time, never two at once. It may park:
/// then its caller waits too. It has the context, shield and exceptions in flight of its own that it had when
/// it last ran; at first the context that was current where the Coro was made.
class Coro {
 public:
  using Body = void (*)(void* arg);

  /// Takes a stack of at least `stack_bytes`, as GoOptions; runs nothing.
  Coro(Body body, void* arg, std::size_t stack_bytes);
  /// The body must have ended, or never have begun.
  ~Coro();
  Coro(const Coro&) = delete;
  Coro& operator=(const Coro&) = delete;

  /// Runs the body until it suspends, or ends: then rethrows what it threw. Must not be called from the body
  /// nor after its end.
  void resume();
  /// From the body: makes resume() return.
  void suspend() noexcept;

  bool started() const noexcept;
  /// The body is suspended in nobody's call: resume() is being called.
  bool running() const noexcept;
  bool ended() const noexcept;

 private:
  CoroState* state_;  // lives at the top of its stack
};

}  // namespace degu::rt
