// FlightRing: the last scheduling events of one P, written all the time. An event is a word, and its place is the P's
// count of switches, which is kept anyway. A switch records a word that lies ready in the record of the goroutine that
// goes on: its number, why it stopped last, and where the P was whose goroutine has woken it. Those parts are written
// where they are known, together with what is written there anyway. So a switch costs a load and a store. Reading the
// clock would cost more than that: it is read when the P falls idle, is taken up again, and now and then by the
// scheduler's loop; the times between are interpolated by the reader.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <utility>

namespace degu::rt {

/// False (CMake: DEGU_FLIGHT=OFF): nothing is recorded, to measure what recording costs.
#ifdef DEGU_NO_FLIGHT
inline constexpr bool kFlightRecorded = false;
#else
inline constexpr bool kFlightRecorded = true;
#endif

/// What happened, where a switch has why its goroutine had stopped.
enum class FlightEvent : uint8_t {
  kTime = 0xf0,    // value: nanoseconds of the monotonic clock
  kIdle = 0xf1,    // the P has no thread from here on
  kSteal = 0xf2,   // value: how many << 16 | from which P
  kMoved = 0xf3,   // value: the first of those stolen, and who has woken it: see flight_moved()
  kBlock = 0xf4,   // value: the goroutine inside blocking()
  kBack = 0xf5,    // value: the goroutine that came back from it
  kTimers = 0xf6,  // timers are due; those woken before the next event are woken by them
  kPoll = 0xf7,    // value: how many goroutines the poller made runnable
  kCreate = 0xf8,  // value: the next of the goroutines that are created here; one in kIdBlock of them
  kLoop = 0xf9,    // a switch to the scheduler's loop
};

/// Why a goroutine stopped, beyond the WaitReasons.
enum class FlightStop : uint8_t { kYield = 0xe3, kBlocking = 0xe5 };

// The word of a switch, from its lower end: the goroutine's number (the lower half), its status (of no use here), why it
// had stopped, and the lower half of the place where its waker's P was, 0 if that is not known or was another P: whoever
// is woken goes on long before the ring is through. The word of another event has its value in all but the byte of the
// reason.
inline constexpr unsigned kFlightWhatShift = 40;
inline constexpr unsigned kFlightWokenShift = 48;
inline constexpr uint64_t kFlightLow = (uint64_t{1} << kFlightWhatShift) - 1;

inline constexpr uint64_t flight_event(FlightEvent what, uint64_t value) noexcept {
  return (value & kFlightLow) | uint64_t{static_cast<uint8_t>(what)} << kFlightWhatShift |
         value >> kFlightWhatShift << kFlightWokenShift;
}
inline constexpr uint64_t flight_switch(uint64_t id, uint8_t stopped_by, uint16_t woken_at = 0) noexcept {
  return static_cast<uint32_t>(id) | uint64_t{stopped_by} << kFlightWhatShift |
         uint64_t{woken_at} << kFlightWokenShift;
}
/// The value of kMoved: the parts of that switch's word that the thief's own one will not have.
inline constexpr uint64_t flight_moved(uint64_t word) noexcept {
  return static_cast<uint32_t>(word) | word >> kFlightWokenShift << kFlightWhatShift;
}
inline constexpr uint8_t flight_what(uint64_t word) noexcept {
  return static_cast<uint8_t>(word >> kFlightWhatShift);
}
inline constexpr uint64_t flight_value(uint64_t word) noexcept {
  return (word & kFlightLow) | word >> kFlightWokenShift << kFlightWhatShift;
}
inline constexpr uint32_t goroutine_of(uint64_t word) noexcept { return static_cast<uint32_t>(word); }
inline constexpr uint16_t woken_at(uint64_t word) noexcept {
  return static_cast<uint16_t>(word >> kFlightWokenShift);
}

class FlightRing {
 public:
  /// A place is a count of bytes: its lower half is where in the ring, so that no instruction is spent on that.
  static constexpr uint32_t kStep = sizeof(uint64_t);
  static constexpr uint32_t kBytes = 1U << 16;
  static constexpr uint32_t kSize = kBytes / kStep;

  /// By the P's holder only; `at` grows by kStep from event to event.
  void put(uint32_t at, uint64_t word) noexcept { slot(at).store(word, std::memory_order_relaxed); }

  struct Record {
    uint32_t at;
    uint64_t word;
    bool operator==(const Record&) const = default;
  };
  /// By anybody: the events that are whole, oldest first. `last` is where the last event is, which is left out.
  /// Returns how many.
  uint32_t read(const std::atomic<uint32_t>& last, std::array<Record, kSize>& out) const noexcept;

 private:
  const std::atomic<uint64_t>& slot(uint32_t at) const noexcept {
    const char* const words = reinterpret_cast<const char*>(words_.data());
    return *reinterpret_cast<const std::atomic<uint64_t>*>(words + static_cast<uint16_t>(at));
  }
  std::atomic<uint64_t>& slot(uint32_t at) noexcept {
    return const_cast<std::atomic<uint64_t>&>(std::as_const(*this).slot(at));
  }

  std::array<std::atomic<uint64_t>, kSize> words_{};
};

}  // namespace degu::rt
