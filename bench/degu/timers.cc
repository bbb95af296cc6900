// Timers: a million after_funcs or sleeps of 3 to 4 s, evenly spread in a shuffled order, so that all exist before the
// first fires; and after_funcs that are stopped. Twin of bench/go/timers.go. usage: timers afterfunc|sleep|stop
#include <degu/degu.h>

#include <chrono>
#include <string>
#include <vector>

#include "report.h"

namespace {

using namespace std::chrono_literals;
using std::chrono::microseconds;
using std::chrono::milliseconds;

const int kTimers = bench::scaled(1'000'000);

void fire(const std::vector<int>& order) {
  degu::WaitGroup wg;
  std::vector<double> late(order.size());
  wg.add(kTimers);
  const double before = bench::cpu_nanoseconds();
  const bench::Stopwatch clock;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const auto delay = 3s + microseconds(order[i]);
    degu::after_func(delay, [&late = late[i], &wg, due = degu::now() + delay] {
      late = bench::microseconds_since(due);
      wg.done();
    });
  }
  bench::report("afterfunc_create", clock.per(kTimers), "ns/timer");
  const double created = bench::cpu_nanoseconds();
  wg.wait();
  bench::report("afterfunc_create_cpu", (created - before) / kTimers, "ns/timer");
  bench::report("afterfunc_fire_cpu", (bench::cpu_nanoseconds() - created) / kTimers, "ns/timer");
  bench::report_lateness("afterfunc", std::move(late), "us");
}

void sleeping(const std::vector<int>& order) {
  degu::WaitGroup wg;
  std::vector<double> late(order.size());
  wg.add(kTimers);
  const double before = bench::cpu_nanoseconds();
  const bench::Stopwatch clock;
  for (std::size_t i = 0; i < order.size(); ++i) {
    degu::go([&late = late[i], &wg, delay = 3s + microseconds(order[i])] {
      const auto due = degu::now() + delay;
      degu::sleep(delay);
      late = bench::microseconds_since(due);
      wg.done();
    });
  }
  bench::report("sleep_spawn", clock.per(kTimers), "ns/goroutine");
  wg.wait();
  bench::report("sleep_total_cpu", (bench::cpu_nanoseconds() - before) / kTimers, "ns/goroutine");
  bench::report_lateness("sleep", std::move(late), "us");
}

void stop(const std::vector<int>& order) {
  for (std::size_t i = 0; i < order.size() / 10; ++i) {  // these stay
    degu::after_func(1h + milliseconds(order[i]), [] {});
  }
  const bench::Stopwatch at_once;
  for (int i = 0; i < kTimers; ++i) degu::after_func(1min + milliseconds(i & 1023), [] {}).stop();
  bench::report("afterfunc_create_stop", at_once.per(kTimers), "ns/timer");

  const bench::Stopwatch later;
  std::vector<degu::FuncTimer> timers(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    timers[i] = degu::after_func(1min + microseconds(order[i]), [] {});
  }
  for (const int at : order) timers[static_cast<std::size_t>(at)].stop();
  bench::report("afterfunc_create_1m_stop_random", later.per(kTimers), "ns/timer");
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "afterfunc";
  return degu::run({.stuck_report = {}}, [&] {
    const auto order = bench::shuffled(kTimers);
    if (mode == "afterfunc") fire(order);
    if (mode == "sleep") sleeping(order);
    if (mode == "stop") stop(order);
  });
}
