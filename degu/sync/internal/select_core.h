// The type-erased part of select(). Only <degu/sync/select.h> uses it.
#pragma once

#include <degu/base/time.h>
#include <degu/rt/cancel.h>
#include <degu/sync/internal/chan_core.h>

#include <cstddef>
#include <cstdint>

namespace degu::sync_internal {

struct SelectCase {
  enum class Kind : uint8_t { kNever, kSend, kRecv, kDone, kAfter, kDefault };

  Kind kind = Kind::kNever;
  bool ok = false;                 // result of a taken kRecv: an element is in the slot; false: closed
  ChanCore* chan = nullptr;        // kSend, kRecv; not null
  void* slot = nullptr;            // kSend: the element; kRecv: raw storage
  rt::CancelNode* node = nullptr;  // kDone; not null
  TimePoint deadline{};            // kAfter
};

/// Is the choice among the cases that are ready random, or the first?
enum class SelectOrder : bool { kRandom, kFirst };

/// Room that each case needs while it waits; raw, so that a select that need not wait does not pay for it.
struct alignas(8) SelectScratch {
  std::byte bytes[72];
};

/// Waits until one case can go on, performs it and returns its index. `orders` has room for 2 * count. Throws
/// Cancelled or DeadlineExceeded when the current context ends the wait, Error(kFailedPrecondition) when the
/// case taken is a send on a closed channel. No case has had an effect if it throws.
int select_any(SelectCase* cases, uint16_t count, SelectOrder order, uint16_t* orders,
               SelectScratch* scratch);

}  // namespace degu::sync_internal
