// SignalSet: wait for POSIX signals in a goroutine.
#pragma once

#include <degu/net/socket.h>

#include <initializer_list>

namespace degu::net {

/// While it lives, the listed signals do not have their default effect; wait() returns them one by one. One
/// SignalSet a signal at a time.
class SignalSet {
 public:
  explicit SignalSet(std::initializer_list<int> signals);
  ~SignalSet();
  SignalSet(const SignalSet&) = delete;
  SignalSet& operator=(const SignalSet&) = delete;

  /// Parks until a signal comes and returns its number. Throws Cancelled or DeadlineExceeded by the context.
  /// Several of the same number that come before a wait() are one.
  int wait();

 private:
  Socket events_;
  unsigned long long mask_ = 0;  // bit n: signal n is ours
};

}  // namespace degu::net
