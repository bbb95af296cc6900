// The writer behind flight_trace(): rings as Chrome trace JSON.
#pragma once

#include <degu/rt/internal/flight.h>

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace degu::rt {

/// What was read of one P.
struct FlightTrack {
  uint32_t p = 0;
  std::vector<FlightRing::Record> records;  ///< oldest first
};
FlightTrack read_flight(uint32_t p, const FlightRing& ring, const std::atomic<uint32_t>& last);

struct FlightGoroutine {
  uint64_t id = 0;
  std::string name;
  uint64_t creator = 0;
  uint8_t reason = 0;  ///< why it stopped last
};

struct FlightContext {
  int64_t now_ns = 0;  ///< what is still going on lasts to here
  std::map<uint32_t, FlightGoroutine>
      goroutines;         ///< those that are alive, by the lower half of their number
  std::string_view note;  ///< not empty: what happened now
};

std::string render_flight(std::span<const FlightTrack> tracks, const FlightContext& context);

/// flight_trace() with a mark at its end.
std::string flight_trace_with(std::string_view note);

}  // namespace degu::rt
