#include <degu/base/testing/temp_dir.h>
#include <degu/rt/flight.h>
#include <degu/rt/internal/flight_trace.h>
#include <degu/rt/internal/sched.h>
#include <degu/rt/lock.h>
#include <degu/rt/park.h>
#include <degu/rt/run.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace degu::rt {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr auto kRecv = static_cast<uint8_t>(WaitReason::kChanRecv);
constexpr auto kYield = static_cast<uint8_t>(FlightStop::kYield);

// A ring written by hand.
struct Recorded {
  uint32_t p = 3;
  std::unique_ptr<FlightRing> ring = std::make_unique<FlightRing>();
  std::atomic<uint32_t> last{0};

  // Returns the event's place.
  uint32_t record(uint64_t word) {
    last += FlightRing::kStep;
    ring->put(last, word);
    return last;
  }
  uint32_t record(FlightEvent what, uint64_t value = 0) { return record(flight_event(what, value)); }
  // It goes on, having stopped for that reason before.
  uint32_t run(uint64_t goroutine, uint8_t stopped_by = 0, uint32_t waker = 0) {
    return record(flight_switch(goroutine, stopped_by, static_cast<uint16_t>(waker)));
  }
  void time(uint64_t ns) { record(FlightEvent::kTime, ns); }
  FlightTrack track() {
    record(FlightEvent::kTime, 0);  // the newest one may be under way, and is left out
    return read_flight(p, *ring, last);
  }
  std::string trace(int64_t now_ns) {
    FlightContext context;
    context.now_ns = now_ns;
    context.goroutines[7] = {7, "worker", 1, kRecv};
    const std::vector<FlightTrack> tracks{track()};
    return render_flight(tracks, context);
  }
};

TEST(FlightRing, GivesBackWhatWasRecordedOldestFirst) {
  Recorded recorded;
  auto records = std::make_unique<std::array<FlightRing::Record, FlightRing::kSize>>();
  for (uint64_t i = 1; i <= 10'000; ++i) recorded.record(FlightEvent::kPoll, i);
  const uint32_t count = recorded.ring->read(recorded.last, *records);
  ASSERT_EQ(count, FlightRing::kSize - 2);
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t number = 10'000 - count + i;
    EXPECT_EQ((*records)[i],
              (FlightRing::Record{number * FlightRing::kStep, flight_event(FlightEvent::kPoll, number)}));
  }
}

TEST(FlightRing, AWordHoldsAValueBesideWhatItIs) {
  constexpr uint64_t kValue = 0xfe'dcba'9876'5432;
  const uint64_t word = flight_event(FlightEvent::kTime, kValue);
  EXPECT_EQ(flight_what(word), static_cast<uint8_t>(FlightEvent::kTime));
  EXPECT_EQ(flight_value(word), kValue);
}

TEST(FlightRing, TheWordOfASwitchIsInTheRecord) {
  G g;
  g.id = 0x1'0000'0007;
  start_flight(g);
  EXPECT_EQ(flight_word(g), flight_switch(7, 0));
  g.reason = WaitReason::kChanRecv;
  mark_woken(g, 0x12345);
  EXPECT_EQ(flight_word(g), flight_switch(7, kRecv, 0x2345));
  set_yielded(g);
  EXPECT_EQ(g.status, Status::kRunnable);
  EXPECT_EQ(flight_what(flight_word(g)), kYield);
  const uint64_t moved = flight_event(FlightEvent::kMoved, flight_moved(flight_word(g)));
  EXPECT_EQ(goroutine_of(flight_value(moved)), 7U);
  EXPECT_EQ(woken_at(moved), 0x2345U);
}

TEST(Flight, WritesSlicesWithTheirEnds) {
  Recorded recorded;
  recorded.time(1'000'000);
  recorded.run(7);
  recorded.time(3'000'000);
  recorded.run(8);
  recorded.time(4'000'000);
  recorded.record(FlightEvent::kLoop);
  recorded.time(5'000'000);
  recorded.record(FlightEvent::kIdle);
  recorded.time(9'000'000);
  recorded.record(FlightEvent::kSteal, uint64_t{5} << 16 | 1);
  recorded.time(9'000'000);
  const std::string events = recorded.trace(9'000'000);
  EXPECT_THAT(events, HasSubstr(R"({"name":"worker 7","ph":"X","pid":1,"tid":3,"ts":1000.000,"dur":1999.999,)"
                                R"("args":{"stopped by":"chan receive","created by":"goroutine 1"}})"));
  EXPECT_THAT(events,
              HasSubstr(R"({"name":"goroutine 8","ph":"X","pid":1,"tid":3,"ts":3000.000,"dur":999.999,)"
                        R"("args":{"stopped by":"exit"}})"));
  EXPECT_THAT(events, HasSubstr(R"({"name":"idle","ph":"X","pid":1,"tid":3,"ts":5000.000,"dur":3999.999})"));
  EXPECT_THAT(events,
              HasSubstr(R"({"name":"steals 5 from P1","ph":"i","pid":1,"tid":3,"ts":9000.000,"s":"t"})"));
}

TEST(Flight, InterpolatesBetweenLooksAtTheClock) {
  Recorded recorded;
  recorded.time(1'000'000);
  for (uint64_t i = 1; i <= 4; ++i) recorded.record(FlightEvent::kBlock, i);
  recorded.time(5'000'000);
  const std::string events = recorded.trace(5'000'000);
  EXPECT_THAT(events, HasSubstr(R"("blocking call of goroutine 1","ph":"i","pid":1,"tid":3,"ts":1000.000)"));
  EXPECT_THAT(events, HasSubstr(R"("blocking call of goroutine 2","ph":"i","pid":1,"tid":3,"ts":2000.000)"));
  EXPECT_THAT(events, HasSubstr(R"("blocking call of goroutine 4","ph":"i","pid":1,"tid":3,"ts":4000.000)"));
}

TEST(Flight, TheSchedulersOwnStepsTakeNoTime) {
  Recorded recorded;
  recorded.time(1'000'000);
  recorded.record(FlightEvent::kSteal, uint64_t{1} << 16 | 1);
  recorded.record(FlightEvent::kMoved, flight_moved(flight_switch(8, kRecv)));
  recorded.run(8);
  recorded.time(9'000'000);
  EXPECT_THAT(recorded.trace(9'000'000),
              HasSubstr(R"("goroutine 8","ph":"X","pid":1,"tid":3,"ts":1000.004)"));
}

TEST(Flight, WhatStillRunsLastsUntilNow) {
  Recorded recorded;
  recorded.time(1'000'000);
  recorded.run(7);
  EXPECT_THAT(recorded.trace(61'000'000),
              HasSubstr(R"("worker 7","ph":"X","pid":1,"tid":3,"ts":1000.000,"dur":59999.999)"));
}

TEST(Flight, AnArrowLeadsFromTheWakersSliceToTheWoken) {
  Recorded recorded;
  recorded.time(1'000'000);
  const uint32_t waker = recorded.run(7);
  recorded.time(3'000'000);
  recorded.run(8, kRecv, waker);
  recorded.time(4'000'000);
  const std::string events = recorded.trace(4'000'000);
  EXPECT_THAT(events,
              HasSubstr(R"({"name":"wakes","ph":"s","pid":1,"tid":3,"ts":2000.000,"cat":"wakes","id":1})"));
  EXPECT_THAT(
      events,
      HasSubstr(R"({"name":"wakes","ph":"f","pid":1,"tid":3,"ts":3000.000,"cat":"wakes","id":1,"bp":"e"})"));
  EXPECT_THAT(events, HasSubstr(R"("args":{"woken by":"worker 7"}})"));
}

TEST(Flight, TimersThatFireWakeWithoutAnArrow) {
  Recorded recorded;
  recorded.time(1'000'000);
  const uint32_t timers = recorded.record(FlightEvent::kTimers);
  recorded.run(8, kRecv, timers);
  recorded.time(4'000'000);
  const std::string events = recorded.trace(4'000'000);
  EXPECT_THAT(events, HasSubstr(R"("timers fire","ph":"i")"));
  EXPECT_THAT(events, HasSubstr(R"("args":{"woken by":"timer"}})"));
  EXPECT_THAT(events, Not(HasSubstr(R"("ph":"s")")));
}

// The place of its waker is that of a former wake-up.
TEST(Flight, WhoHasYieldedWasWokenByNobody) {
  Recorded recorded;
  recorded.time(1'000'000);
  const uint32_t waker = recorded.run(7);
  recorded.run(8, kRecv, waker);
  recorded.run(9);
  recorded.run(8, kYield, waker);
  recorded.time(4'000'000);
  const std::string events = recorded.trace(4'000'000);
  EXPECT_THAT(events, HasSubstr(R"("cat":"wakes","id":1)"));
  EXPECT_THAT(events, Not(HasSubstr(R"("cat":"wakes","id":2)")));
  EXPECT_THAT(events, HasSubstr(R"("args":{"stopped by":"yield","woken by":"worker 7"}})"));
}

// Goroutine 8 begins on P1 at `first_ns` and goes on, after a receive, on P2 at `second_ns`, for a millisecond each.
std::string trace_of_two_turns(uint64_t first_ns, uint64_t second_ns) {
  Recorded first{.p = 1};
  first.time(first_ns);
  first.run(8);
  first.time(first_ns + 1'000'000);
  first.record(FlightEvent::kLoop);
  Recorded second{.p = 2};
  second.time(second_ns);
  second.run(8, kRecv);
  second.time(second_ns + 1'000'000);
  second.record(FlightEvent::kLoop);
  FlightContext context;
  context.now_ns = 6'000'000;
  const std::vector<FlightTrack> tracks{second.track(), first.track()};
  return render_flight(tracks, context);
}

TEST(Flight, WhyASliceEndedIsFoundOnTheNextP) {
  EXPECT_THAT(trace_of_two_turns(1'000'000, 5'000'000),
              HasSubstr(R"("tid":1,"ts":1000.000,"dur":999.999,"args":{"stopped by":"chan receive"}})"));
}

// Whatever the times of two Ps say: they are interpolated.
TEST(Flight, TheFirstTurnOfAGoroutineComesBeforeItsOthers) {
  const std::string events = trace_of_two_turns(4'000'000, 2'000'000);
  EXPECT_THAT(events,
              HasSubstr(R"("tid":1,"ts":4000.000,"dur":999.999,"args":{"stopped by":"chan receive"}})"));
  EXPECT_THAT(events, HasSubstr(R"("tid":2,"ts":2000.000,"dur":999.999,"args":{"stopped by":"exit"}})"));
}

TEST(Flight, PlacesAndTimesAreWholeAfterTheirLowerPartsHaveWrapped) {
  Recorded recorded;
  recorded.last = 0xffff'ffe0;
  constexpr int64_t kDay = int64_t{24} * 3600 * 1'000'000'000;
  constexpr int64_t kStart = 2000 * kDay;
  recorded.time(kStart);
  const uint32_t waker = recorded.run(7);
  recorded.time(kStart + 2'000'000);
  recorded.record(FlightEvent::kPoll, 1);
  recorded.run(8, kRecv, waker);
  recorded.time(kStart + 3'000'000);
  const std::string events = recorded.trace(kStart + 3'000'000);
  EXPECT_THAT(events, HasSubstr(R"("args":{"woken by":"worker 7"}})"));
  EXPECT_THAT(events, HasSubstr(R"("worker 7","ph":"X","pid":1,"tid":3,"ts":172800000000000.000)"));
}

// It was before what is recorded of that P.
TEST(Flight, AWakerThatIsNotInTheRingIsNone) {
  Recorded recorded;
  recorded.last = 64 * FlightRing::kStep;
  recorded.time(1'000'000);
  recorded.run(7);
  recorded.run(8, kRecv, 3 * FlightRing::kStep);
  EXPECT_THAT(recorded.trace(4'000'000), Not(HasSubstr("wakes")));
}

TEST(Flight, TheFirstOfThoseStolenIsFollowedToItsWaker) {
  Recorded victim{.p = 1};
  victim.time(1'000'000);
  const uint32_t waker = victim.run(7);
  victim.time(2'000'000);
  Recorded thief{.p = 2};
  thief.time(5'000'000);
  thief.record(FlightEvent::kSteal, uint64_t{2} << 16 | 1);
  thief.record(FlightEvent::kMoved, flight_moved(flight_switch(8, kRecv, static_cast<uint16_t>(waker))));
  thief.run(8, kRecv);
  thief.time(6'000'000);
  FlightContext context;
  context.now_ns = 6'000'000;
  const std::vector<FlightTrack> tracks{victim.track(), thief.track()};
  const std::string events = render_flight(tracks, context);
  EXPECT_THAT(events, HasSubstr(R"("ph":"s","pid":1,"tid":1)"));
  EXPECT_THAT(events, HasSubstr(R"("ph":"f","pid":1,"tid":2)"));
  EXPECT_THAT(events, HasSubstr(R"("args":{"woken by":"goroutine 7"}})"));
}

// After four thousand million goroutines, the upper half of a number is that of the newest.
TEST(Flight, NumbersBeyond32BitsAreWhole) {
  Recorded recorded;
  recorded.time(1'000'000);
  recorded.run(7);
  recorded.run(9, kRecv);
  FlightContext context;
  constexpr uint64_t kNewest = (uint64_t{5} << 32) + 100;
  context.goroutines[7] = {7, "old", 0, 0};
  context.goroutines[100] = {kNewest, "", 0, 0};
  const std::vector<FlightTrack> tracks{recorded.track()};
  const std::string events = render_flight(tracks, context);
  EXPECT_THAT(events, HasSubstr("\"old 7\""));
  EXPECT_THAT(events, HasSubstr("\"goroutine 21474836489\""));
}

// Reads the trace as a viewer does: JSON, and on each track no slice begins before the one before has ended; arrows
// begin and end in slices, and those of "ponger" come from "pinger".
constexpr const char* kValidate = R"(
import json, sys
trace = json.load(open(sys.argv[1]))["traceEvents"]
ends, slices = {}, []
for e in trace:
    if e["ph"] != "X": continue
    slices.append(e)
    assert e["dur"] >= 0, e
    assert e["ts"] > ends.get(e["tid"], 0), (e, ends)  # viewers nest what touches
    ends[e["tid"]] = e["ts"] + e["dur"]
names = {e["args"]["name"] for e in trace if e["ph"] == "M"}
assert {"P0", "P1"} <= names, names
worker = [e for e in slices if e["name"].startswith("worker ")]
assert len(worker) >= 10, len(worker)
assert any(e.get("args", {}).get("stopped by") == "sleep" for e in worker), worker[:5]
assert any(e.get("args", {}).get("woken by") == "timer" for e in worker), worker[:5]
assert any(e["name"] == "timers fire" for e in trace)
def around(e):
    return [s for s in slices if s["tid"] == e["tid"] and s["ts"] - 0.01 <= e["ts"] <= s["ts"] + s["dur"] + 0.01]
starts = {e["id"]: e for e in trace if e["ph"] == "s"}
ponged = 0
for f in (e for e in trace if e["ph"] == "f"):
    s = starts[f["id"]]
    assert s["ts"] <= f["ts"], (s, f)
    assert around(s) and around(f), (s, f)
    if any(e["name"].startswith("ponger") for e in around(f)):
        ponged += any(e["name"].startswith("pinger") for e in around(s))
assert ponged >= 10, ponged
print("slices", len(slices), "arrows", len(starts))
)";

// One goroutine calls, another one waits for the call.
struct Bell {
  Lock lock;
  bool rung = false;
  bool waits = false;
  Ticket waiter{};

  void ring() {
    lock.lock();
    rung = true;
    const bool wakes = std::exchange(waits, false) && claim(waiter, 0);
    G* g = waiter.g;
    lock.unlock();
    if (wakes) wake(g);
  }
  void await() {
    lock.lock();
    if (!rung) {
      waiter = begin_wait(Interrupt::kIgnore);
      waits = true;
      lock.unlock();
      park(WaitReason::kChanRecv, this);
      lock.lock();
    }
    rung = false;
    lock.unlock();
  }
};

struct PingPong {
  Bell ping;
  Bell pong;
  Bell end;

  // Two goroutines wake each other and then stay, so that the trace knows their names.
  void play() {
    constexpr int kRounds = 100;
    go({.name = "pinger"}, [this] {
      for (int i = 0; i < kRounds; ++i) {
        ping.ring();
        pong.await();
      }
      end.ring();
      sleep(1h);
    });
    go({.name = "ponger"}, [this] {
      for (int i = 0; i < kRounds; ++i) {
        ping.await();
        pong.ring();
      }
      sleep(1h);
    });
    end.await();
  }
};

TEST(Flight, TraceOfARunIsValidAndItsSlicesNest) {
  const testing::TempDir dir;
  const std::string path = dir.file("trace.json");
  PingPong game;
  run({.procs = 2}, [&] {
    std::atomic<int> naps{0};
    go({.name = "worker"}, [&] {
      while (true) {
        sleep(100us);
        naps.fetch_add(1);
      }
    });
    while (naps < 50) {
      go([] {});
      yield();
      sleep(50us);
    }
    game.play();
    EXPECT_TRUE(write_flight_trace(path));
  });
  const std::string script = path + ".py";
  std::FILE* file = std::fopen(script.c_str(), "w");
  std::fputs(kValidate, file);
  std::fclose(file);
  EXPECT_EQ(std::system(("python3 " + script + " " + path).c_str()), 0);
}

TEST(Flight, WithoutASchedulerThereIsAnEmptyTrace) {
  EXPECT_THAT(flight_trace(), HasSubstr("\"traceEvents\""));
  EXPECT_THAT(flight_trace(), Not(HasSubstr("thread_name")));
}

}  // namespace
}  // namespace degu::rt
