#include <degu/base/error.h>
#include <degu/context/cancel_scope.h>
#include <degu/obs/log.h>
#include <degu/rt/park.h>
#include <degu/rt/run.h>
#include <degu/store/background.h>
#include <degu/store/signal.h>

#include <exception>
#include <mutex>
#include <utility>

namespace degu::store {

Background::Background() : own_(with_cancel(Context::background())) {}

Background::~Background() { stop({}); }

bool Background::go(UniqueFunction<void()> body) {
  {
    std::lock_guard guard(lock_);
    if (stopping_) return false;
    ++running_;
  }
  degu::go([this, run = std::move(body)]() mutable {
    rt::exchange_context(own_.context.context_node());
    try {
      run();
    } catch (const Error& error) {
      if (!cancelled()) log(Level::kError, "background work failed", {{"error", error.what()}});
    } catch (const std::exception& error) {
      log(Level::kError, "background work failed", {{"error", error.what()}});
    }
    run.reset();  // what it holds goes before the owner may
    finished();
  });
  return true;
}

void Background::finished() {
  std::lock_guard guard(lock_);
  // Under the lock: stop() may destroy *this as soon as it sees zero.
  if (--running_ == 0 && stopping_) drained_.notify();
}

void Background::stop(std::chrono::nanoseconds grace) {
  const Shield shield;
  {
    std::lock_guard guard(lock_);
    stopping_ = true;
    if (running_ == 0) return;
  }
  const TimePoint patience = now() + grace;
  while (busy() && drained_.wait_until(patience)) {
  }
  own_.cancel();
  while (busy()) drained_.wait_until(kNever);
}

bool Background::busy() {
  std::lock_guard guard(lock_);
  return running_ != 0;
}

}  // namespace degu::store
