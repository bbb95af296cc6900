// with_stop_token, StopOnEnd: contexts and std::stop_token, either way.
#pragma once

#include <degu/context/after_func.h>
#include <degu/context/source.h>

#include <stop_token>
#include <utility>

namespace degu {

/// A child of `parent` that ends when a stop is requested of `token` (at once if it has been), with kCancelled.
inline Context with_stop_token(const Context& parent, std::stop_token token) {
  return with_source(parent, [&token](CancelCauseFunc end) {
    auto on_stop = [end = std::move(end)]() noexcept { end(); };
    return std::stop_callback<decltype(on_stop)>(std::move(token), std::move(on_stop));
  });
}

/// A stop token for calls into libraries that take one: a stop is requested when `context` ends, from a goroutine of
/// its own, since callbacks of the token run in the caller of request_stop(). The scope does not wait for a request that is under way.
///
///   degu::StopOnEnd stop(current_context());
///   engine.search(query, stop.token());
class StopOnEnd {
 public:
  explicit StopOnEnd(const Context& context)
      : registration_(after_func(context, [source = source_]() mutable { source.request_stop(); })) {}
  ~StopOnEnd() { registration_.stop(); }
  StopOnEnd(const StopOnEnd&) = delete;
  StopOnEnd& operator=(const StopOnEnd&) = delete;

  std::stop_token token() const noexcept { return source_.get_token(); }

 private:
  std::stop_source source_;
  AfterFunc registration_;
};

}  // namespace degu
