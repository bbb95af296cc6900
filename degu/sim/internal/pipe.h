// Pipe and Link: the bytes under way in one direction, and the two directions of a connection.
#pragma once

#include <degu/base/time.h>
#include <degu/rt/park.h>
#include <degu/sync/internal/wait_queue.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>

namespace degu::sim::internal {

/// Goroutines that wait for a change of one thing.
class Waiters {
 public:
  /// 0, ETIMEDOUT at `until`, or ECANCELED.
  int wait(rt::WaitReason reason, TimePoint until) noexcept;
  void wake_all() noexcept;

 private:
  sync_internal::WaitQueue queue_;
};

struct Chunk {
  TimePoint arrives;
  std::string bytes;
};

/// One direction.
struct Pipe {
  std::deque<Chunk> chunks;   // in order of arrival
  std::size_t under_way = 0;  // bytes in them
  std::size_t capacity = 0;
  TimePoint last_arrival{};
  bool ended = false;       // the writer has shut it down ...
  TimePoint end_arrives{};  // ... which the reader learns then
  bool deserted = false;    // the reader has closed its end
  bool told = false;        // ... and the writer has had an answer to that
  Waiters reader;
  Waiters writer;
};

enum class LinkKind : uint8_t { kTcp, kUnix, kPipe };

struct Link {
  uint64_t id = 0;
  LinkKind kind = LinkKind::kTcp;
  std::array<uint32_t, 2> hosts{};  // who connected, or writes to a pipe; who accepted
  std::array<Pipe, 2> pipes;        // [side]: what that side writes
  bool broken = false;              // both sides see ECONNRESET

  void break_off() noexcept;
  void wake_all() noexcept;
};

}  // namespace degu::sim::internal
