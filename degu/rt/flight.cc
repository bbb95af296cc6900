#include <degu/rt/flight.h>
#include <degu/rt/internal/flight_trace.h>
#include <degu/rt/internal/sched.h>

#include <cstdio>

namespace degu::rt {

void flight_time(P& p, int64_t now_ns) noexcept {
  if constexpr (!kFlightRecorded) return;
  flight_record(p, FlightEvent::kTime, static_cast<uint64_t>(now_ns));
  p.flight_timed = p.tick.load(std::memory_order_relaxed);
}

std::string flight_trace_with(std::string_view note) {
  std::vector<FlightTrack> tracks;
  FlightContext context;
  context.note = note;
  if (Scheduler* sched = default_scheduler(); sched != nullptr) {
    const uint32_t count = sched->p_count.load(std::memory_order_acquire);
    for (uint32_t i = 0; i < count; ++i) {
      const P& p = *sched->ps[i].load(std::memory_order_acquire);
      tracks.push_back(read_flight(p.id, p.flight, p.tick));
    }
    context.now_ns = clock_ns();
    visit_goroutines(
        [](const SeenGoroutine& seen, void* arg) {
          (*static_cast<decltype(context.goroutines)*>(arg))[static_cast<uint32_t>(seen.id)] = {
              seen.id, std::string(seen.name), seen.creator, seen.reason};
        },
        &context.goroutines);
  }
  return render_flight(tracks, context);
}

std::string flight_trace() { return flight_trace_with({}); }

bool write_flight_trace(const std::string& path) {
  const std::string text = flight_trace();
  std::FILE* file = std::fopen(path.c_str(), "we");
  if (file == nullptr) return false;
  const bool whole = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  return std::fclose(file) == 0 && whole;
}

}  // namespace degu::rt
