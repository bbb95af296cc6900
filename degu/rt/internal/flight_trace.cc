#include <degu/obs/log.h>
#include <degu/rt/internal/flight_trace.h>
#include <degu/rt/park.h>
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>

namespace degu::rt {
namespace {

struct Event : FlightRing::Record {
  int64_t at_ns = 0;
};

bool is_switch(uint64_t word) noexcept {
  return flight_what(word) < static_cast<uint8_t>(FlightEvent::kTime);
}

// Does what ran before end with it?
bool begins_turn(uint64_t word) noexcept {
  return is_switch(word) || flight_what(word) == static_cast<uint8_t>(FlightEvent::kLoop);
}

FlightEvent event_of(uint64_t word) noexcept { return static_cast<FlightEvent>(flight_what(word)); }

// Does what follows an event take time? A goroutine runs after a switch; the scheduler's own steps are short.
int64_t weight_of(uint64_t word) noexcept {
  switch (event_of(word)) {
    case FlightEvent::kSteal:
    case FlightEvent::kMoved:
    case FlightEvent::kTimers:
    case FlightEvent::kPoll:
      return 0;
    default:
      return 1;
  }
}

// The moment whose lower 56 bits are recorded, at most a year from now.
int64_t full_ns(uint64_t recorded, int64_t now_ns) noexcept {
  const uint64_t ahead = (recorded - static_cast<uint64_t>(now_ns)) << 8;
  return now_ns + (static_cast<int64_t>(ahead) >> 8);
}

// The events with their times: the one after a look at the clock has that moment, those up to the next look are spread
// evenly, but for those that take no time. Those before the first look take that moment; after the last, where a goroutine may have run for long, they
// are a microsecond apart. No two have the same moment: viewers would nest what they begin.
std::vector<Event> timed(const FlightTrack& track, int64_t now_ns) {
  std::vector<Event> events;
  std::size_t since = 0;  // first event after the last look
  std::optional<int64_t> last_ns;
  const auto spread = [&](int64_t to_ns) {
    const int64_t from_ns = last_ns.value_or(to_ns);
    int64_t gaps = 0;
    for (std::size_t i = since; i < events.size(); ++i) gaps += weight_of(events[i].word);
    int64_t passed = 0;
    for (; since < events.size(); ++since) {
      events[since].at_ns = from_ns + (to_ns - from_ns) * passed / std::max<int64_t>(gaps, 1);
      passed += weight_of(events[since].word);
    }
  };
  for (const FlightRing::Record& record : track.records) {
    if (event_of(record.word) == FlightEvent::kTime) {
      const int64_t at_ns = full_ns(flight_value(record.word), now_ns);
      spread(at_ns);
      last_ns = at_ns;
    } else {
      events.push_back({record, 0});
    }
  }
  const int64_t begin_ns = last_ns.value_or(now_ns);
  const auto rest = static_cast<int64_t>(events.size() - since);
  spread(std::max(begin_ns, std::min(now_ns, begin_ns + 1000 * rest)));
  constexpr int64_t kLeastGap = 2;
  for (std::size_t i = 1; i < events.size(); ++i)
    events[i].at_ns = std::max(events[i].at_ns, events[i - 1].at_ns + kLeastGap);
  return events;
}

std::string_view stop_text(uint8_t what) noexcept {
  switch (static_cast<FlightStop>(what)) {
    case FlightStop::kYield:
      return "yield";
    case FlightStop::kBlocking:
      return "blocking call";
  }
  return to_string(static_cast<WaitReason>(what));
}

struct Timeline {
  uint32_t p = 0;
  std::vector<Event> events;

  // The index of the last event at or before that place; none if the ring has gone on since.
  std::optional<std::size_t> find(uint32_t at) const noexcept {
    if (events.empty() || at - events.front().at >= FlightRing::kBytes) return {};
    const uint32_t base = events.front().at;
    const auto after = std::upper_bound(events.begin(), events.end(), at - base,
                                        [&](uint32_t place, const Event& e) { return place < e.at - base; });
    return static_cast<std::size_t>(after - events.begin()) - 1;
  }
};

class Renderer {
 public:
  Renderer(std::span<const FlightTrack> tracks, const FlightContext& context) : context_(context) {
    for (const auto& [low, goroutine] : context.goroutines) newest_ = std::max(newest_, goroutine.id);
    for (const FlightTrack& track : tracks) {
      timelines_.push_back({track.p, timed(track, context.now_ns)});
      for (const Event& event : timelines_.back().events) {
        if (is_switch(event.word))
          turns_[goroutine_of(event.word)].push_back({event.at_ns, flight_what(event.word)});
      }
    }
    for (auto& [goroutine, turns] : turns_) {
      std::stable_sort(turns.begin(), turns.end(), [](const Turn& a, const Turn& b) {
        return a.is_first() != b.is_first() ? a.is_first() : a.at_ns < b.at_ns;
      });
    }
  }

  std::string render() {
    out_ = "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n";
    out_ += R"({"name":"process_name","ph":"M","pid":1,"args":{"name":"degu"}})";
    for (const Timeline& timeline : timelines_) {
      fmt::format_to(
          std::back_inserter(out_),
          ",\n{{\"name\":\"thread_name\",\"ph\":\"M\",\"pid\":1,\"tid\":{0},\"args\":{{\"name\":\"P{0}\"}}}}",
          timeline.p);
      put(timeline);
    }
    if (!context_.note.empty()) {
      begin_event("i", context_.note, context_.now_ns, 0);
      out_ += R"(,"s":"g"})";
    }
    out_ += "\n]}\n";
    return std::move(out_);
  }

 private:
  // What goes on on a P.
  struct Slice {
    bool open = false;
    int64_t since_ns = 0;
    uint32_t goroutine = 0;  // 0: idle
    std::string woken_by;
  };
  // The first of those that were stolen last.
  struct Stolen {
    uint32_t goroutine = 0;
    uint16_t woken_at = 0;
    const Timeline* from = nullptr;
  };
  // A goroutine goes on, having stopped for that reason, or begins.
  struct Turn {
    int64_t at_ns = 0;
    uint8_t stopped_by = 0;

    // The times of two Ps are not exact enough to tell.
    bool is_first() const noexcept { return stopped_by == static_cast<uint8_t>(WaitReason::kNone); }
  };
  // Who woke a goroutine, and when.
  struct Waker {
    std::string who;
    bool is_goroutine = false;
    int64_t at_ns = 0;
    uint32_t p = 0;
  };

  uint64_t full_id(uint32_t low) const {
    if (const auto it = context_.goroutines.find(low); it != context_.goroutines.end()) return it->second.id;
    constexpr uint64_t kHalf = uint64_t{1} << 32;
    const uint64_t id = (newest_ & ~(kHalf - 1)) | low;
    return id > newest_ + kHalf / 2 && id >= kHalf ? id - kHalf : id;
  }

  std::string name_of(uint32_t low) const {
    const auto it = context_.goroutines.find(low);
    if (it == context_.goroutines.end() || it->second.name.empty())
      return fmt::format("goroutine {}", full_id(low));
    return fmt::format("{} {}", it->second.name, it->second.id);
  }

  std::string creator_of(uint32_t low) const {
    const auto it = context_.goroutines.find(low);
    if (it == context_.goroutines.end() || it->second.creator == 0) return {};
    return name_of(static_cast<uint32_t>(it->second.creator));
  }

  // Why the turn that began then ended: the next one tells, or the goroutine's record.
  std::string_view stop_after(uint32_t goroutine, int64_t begin_ns) const {
    const auto turns = turns_.find(goroutine);
    if (turns != turns_.end()) {
      auto next = turns->second.begin();
      if (!next->is_first() || next++->at_ns != begin_ns) {
        next = std::upper_bound(next, turns->second.end(), begin_ns,
                                [](int64_t ns, const Turn& turn) { return ns < turn.at_ns; });
      }
      if (next != turns->second.end()) return stop_text(next->stopped_by);
    }
    const auto alive = context_.goroutines.find(goroutine);
    return alive == context_.goroutines.end() ? "exit" : stop_text(alive->second.reason);
  }

  // `lower`: of the place, as an event at `now` on that track has it.
  std::optional<Waker> waker_at(const Timeline& timeline, uint32_t now, uint16_t lower) const {
    const uint32_t at = now - static_cast<uint16_t>(now - lower);
    const std::optional<std::size_t> found = timeline.find(at);
    if (!found) return {};
    std::size_t i = *found;
    Waker waker;
    waker.p = timeline.p;
    // Some time before the next event: in the waker's slice, wherever that is.
    const int64_t next_ns = i + 1 < timeline.events.size() ? timeline.events[i + 1].at_ns : context_.now_ns;
    waker.at_ns = (timeline.events[i].at_ns + next_ns) / 2;
    const FlightEvent what = event_of(timeline.events[i].word);
    waker.who = what == FlightEvent::kTimers ? "timer" : what == FlightEvent::kPoll ? "poller" : "";
    if (!waker.who.empty()) return waker;
    while (i > 0 && !begins_turn(timeline.events[i].word)) --i;
    if (!is_switch(timeline.events[i].word)) return {};
    const uint32_t goroutine = goroutine_of(timeline.events[i].word);
    waker.who = name_of(goroutine);
    waker.is_goroutine = true;
    return waker;
  }

  const Timeline* timeline_of(uint32_t p) const {
    const auto it =
        std::find_if(timelines_.begin(), timelines_.end(), [p](const Timeline& t) { return t.p == p; });
    return it != timelines_.end() ? &*it : nullptr;
  }

  void put(const Timeline& timeline) {
    Slice slice;
    Stolen stolen;
    for (const Event& event : timeline.events) {
      if (is_switch(event.word)) {
        close(timeline.p, slice, event.at_ns);
        open(slice, event.at_ns, goroutine_of(event.word));
        put_waker(timeline, event, slice, stolen);
        continue;
      }
      switch (event_of(event.word)) {
        case FlightEvent::kLoop:
          close(timeline.p, slice, event.at_ns);
          break;
        case FlightEvent::kIdle:
          close(timeline.p, slice, event.at_ns);
          open(slice, event.at_ns, 0);
          break;
        case FlightEvent::kMoved:
          stolen.goroutine = goroutine_of(flight_value(event.word));
          stolen.woken_at = woken_at(event.word);
          break;
        case FlightEvent::kSteal:
          stolen.from = timeline_of(static_cast<uint32_t>(flight_value(event.word) & 0xffff));
          [[fallthrough]];
        default:
          if (slice.open && slice.goroutine == 0) close(timeline.p, slice, event.at_ns);  // taken up again
          mark(timeline.p, event.at_ns, mark_text(event));
      }
    }
    // It may still go on.
    if (slice.open) write(timeline.p, slice, std::max(context_.now_ns, slice.since_ns), {});
  }

  // Who woke the goroutine that goes on with that event: nobody, if it did not wait.
  void put_waker(const Timeline& timeline, const Event& event, Slice& slice, Stolen& stolen) {
    if (flight_what(event.word) > static_cast<uint8_t>(WaitReason::kOther)) return;
    const uint16_t here = woken_at(event.word);
    if (here != 0) {
      arrow(timeline.p, slice, waker_at(timeline, event.at, here));
    } else if (stolen.goroutine == goroutine_of(event.word) && stolen.woken_at != 0 &&
               stolen.from != nullptr && !stolen.from->events.empty()) {
      const uint32_t later =
          stolen.from->events.back().at + 2 * FlightRing::kStep;  // the last one is not read
      arrow(timeline.p, slice, waker_at(*stolen.from, later, stolen.woken_at));
    }
    if (stolen.goroutine == goroutine_of(event.word)) stolen = {};
  }

  std::string mark_text(const Event& event) const {
    const uint64_t value = flight_value(event.word);
    const auto goroutine = static_cast<uint32_t>(value);
    switch (event_of(event.word)) {
      case FlightEvent::kCreate:
        return fmt::format("creates {} and on", name_of(goroutine));
      case FlightEvent::kSteal:
        return fmt::format("steals {} from P{}", value >> 16, value & 0xffff);
      case FlightEvent::kBlock:
        return "blocking call of " + name_of(goroutine);
      case FlightEvent::kBack:
        return "back from blocking call: " + name_of(goroutine);
      case FlightEvent::kTimers:
        return "timers fire";
      case FlightEvent::kPoll:
        return fmt::format("{} ready in the poller", value);
      default:
        return fmt::format("event {:#x}", flight_what(event.word));
    }
  }

  static void open(Slice& slice, int64_t at_ns, uint32_t goroutine) { slice = {true, at_ns, goroutine, {}}; }

  void close(uint32_t track, Slice& slice, int64_t at_ns) {
    if (!slice.open) return;
    slice.open = false;
    write(track, slice, at_ns, slice.goroutine == 0 ? "" : stop_after(slice.goroutine, slice.since_ns));
  }

  void write(uint32_t track, const Slice& slice, int64_t at_ns, std::string_view why) {
    begin_event("X", slice.goroutine == 0 ? "idle" : name_of(slice.goroutine), slice.since_ns, track);
    // It ends before the next one begins.
    const int64_t lasted_ns = std::max<int64_t>(at_ns - 1 - slice.since_ns, 0);
    fmt::format_to(std::back_inserter(out_), R"(,"dur":{}.{:03})", lasted_ns / 1000, lasted_ns % 1000);
    const std::string creator = creator_of(slice.goroutine);
    std::string_view before = R"(,"args":{)";
    const auto arg = [&](std::string_view key, std::string_view value) {
      if (value.empty()) return;
      fmt::format_to(std::back_inserter(out_), R"({}"{}":)", before, key);
      append_json_string(out_, value);
      before = ",";
    };
    arg("stopped by", why);
    arg("woken by", slice.woken_by);
    arg("created by", creator);
    out_ += before == "," ? "}}" : "}";
  }

  // From where the waker was to the begin of `slice`, for wakers that are goroutines.
  void arrow(uint32_t track, Slice& slice, const std::optional<Waker>& waker) {
    if (!waker || waker->at_ns > slice.since_ns) return;
    slice.woken_by = waker->who;
    if (!waker->is_goroutine) return;
    ++arrows_;
    begin_event("s", "wakes", waker->at_ns, waker->p);
    fmt::format_to(std::back_inserter(out_), R"(,"cat":"wakes","id":{}}})", arrows_);
    begin_event("f", "wakes", slice.since_ns, track);
    fmt::format_to(std::back_inserter(out_), R"(,"cat":"wakes","id":{},"bp":"e"}})", arrows_);
  }

  void mark(uint32_t track, int64_t at_ns, const std::string& name) {
    begin_event("i", name, at_ns, track);
    out_ += R"(,"s":"t"})";
  }

  void begin_event(std::string_view phase, std::string_view name, int64_t at_ns, uint32_t track) {
    out_ += ",\n{\"name\":";
    append_json_string(out_, name);
    fmt::format_to(std::back_inserter(out_), R"(,"ph":"{}","pid":1,"tid":{},"ts":{}.{:03})", phase, track,
                   at_ns / 1000, at_ns % 1000);
  }

  const FlightContext& context_;
  std::vector<Timeline> timelines_;
  std::map<uint32_t, std::vector<Turn>> turns_;  // by goroutine, oldest first
  uint64_t newest_ = 0;
  uint64_t arrows_ = 0;
  std::string out_;
};

}  // namespace

FlightTrack read_flight(uint32_t p, const FlightRing& ring, const std::atomic<uint32_t>& last) {
  auto records = std::make_unique<std::array<FlightRing::Record, FlightRing::kSize>>();
  const uint32_t count = ring.read(last, *records);
  FlightTrack track{p, {}};
  for (uint32_t i = 0; i < count; ++i) {
    const FlightRing::Record& record = (*records)[i];
    if (record.word != 0) track.records.push_back(record);  // else never written
  }
  return track;
}

uint32_t FlightRing::read(const std::atomic<uint32_t>& last, std::array<Record, kSize>& out) const noexcept {
  const uint32_t before = last.load(std::memory_order_acquire);
  for (uint32_t i = 0; i < kSize; ++i) {
    const uint32_t at = before - kBytes + i * kStep;
    out[i] = {at, slot(at).load(std::memory_order_relaxed)};
  }
  std::atomic_thread_fence(std::memory_order_acquire);
  // The one at `before` may not have been there yet, and is first in `out`, where the oldest ones are: those that were
  // overwritten meanwhile go, with one to spare for a write under way.
  const uint32_t lost = std::min((last.load(std::memory_order_relaxed) - before) / kStep + 2, kSize);
  std::copy(out.begin() + lost, out.end(), out.begin());
  return kSize - lost;
}

std::string render_flight(std::span<const FlightTrack> tracks, const FlightContext& context) {
  return Renderer(tracks, context).render();
}

}  // namespace degu::rt
