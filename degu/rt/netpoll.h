// Netpoll: goroutines wait for file descriptors. Edge-triggered epoll, one registration a descriptor.
#pragma once

#include <degu/base/time.h>

#include <cstdint>

namespace degu::rt {

struct PollDesc;

enum class Direction : uint8_t { kRead, kWrite };
enum class PollResult : uint8_t { kReady, kTimeout, kCancelled, kClosed };

/// Registers a non-blocking descriptor with the current scheduler's poller; null with errno-style `*error`
/// when the kernel refuses. The caller keeps owning the descriptor.
PollDesc* poll_open(int fd, int* error) noexcept;

/// Unregisters, before close(2). Waiters return kClosed; the PollDesc must not be used afterwards except by
/// them.
void poll_close(PollDesc* desc) noexcept;

/// Wakes waiters with kClosed, now and later, but keeps the registration: for closing from another goroutine.
void poll_shutdown(PollDesc* desc) noexcept;

/// Makes a goroutine that waits for `direction` look again: its wait, or else the next, returns kReady at once.
void poll_nudge(PollDesc* desc, Direction direction) noexcept;

/// The peer has closed its side, or the descriptor has failed: no further read edge may come, so read on
/// until the end.
bool poll_hangup(const PollDesc* desc) noexcept;

/// Waits for the next readiness edge. One goroutine at a time a direction. Returns kReady at once if an edge
/// came since the last kReady; it may be spurious, so retry the call and wait again on EAGAIN. Observes the
/// current context.
PollResult poll_wait(PollDesc* desc, Direction direction, TimePoint deadline) noexcept;

/// What is called when a descriptor is ready that no goroutine waits for.
struct PollCall {
  void (*fn)(PollCall* self) = nullptr;
};

/// Instead of a goroutine that waits: true, and `call` is used once, at the next readiness edge, poll_nudge(),
/// poll_shutdown() or poll_close(), perhaps before this returns. It runs on a scheduler's stack or where those were
/// called, must not wait, and may start goroutines with spawn_from_callback(). False, and it is not used: an edge came since
/// the last kReady, the descriptor is closing, or the caller's time is virtual. Counts as the one waiter of the
/// direction.
bool poll_call(PollDesc* desc, Direction direction, PollCall& call) noexcept;

}  // namespace degu::rt
