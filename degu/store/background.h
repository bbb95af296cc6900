// Background: goroutines that belong to an object and end with it.
#pragma once

#include <degu/base/function.h>
#include <degu/context/context.h>
#include <degu/rt/lock.h>
#include <degu/store/signal.h>

#include <chrono>
#include <cstddef>

namespace degu::store {

/// Starts goroutines under a context of their own (empty but for its cancellation) and waits for them. When
/// that context ends every wait in them throws Cancelled. Goroutine-safe; stop() is for one goroutine at a
/// time.
class Background {
 public:
  Background();
  /// stop(0).
  ~Background();
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  /// Runs `body` in a goroutine; false when stop() has begun, then nothing is started. An Error that escapes
  /// `body` after stop() has cancelled is expected and dropped; any other exception is logged.
  bool go(UniqueFunction<void()> body);

  /// Starts nothing more, gives the running ones `grace` to end by themselves, then cancels their context and
  /// waits. Idempotent. Not cut short by the caller's context.
  void stop(std::chrono::nanoseconds grace);

  /// stop() has cancelled the context.
  bool cancelled() const noexcept { return own_.context.done(); }

 private:
  void finished();
  bool busy();

  ContextAnd<CancelFunc> own_;
  rt::Lock lock_;
  size_t running_ = 0;     // guarded by lock_
  bool stopping_ = false;  // guarded by lock_
  Signal drained_;
};

}  // namespace degu::store
