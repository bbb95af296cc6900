// The idioms of docs/from-go.md about running, looking inside and testing.
#include <degu/base/time.h>
#include <degu/degu.h>
#include <degu/export/pprof.h>
#include <degu/rt/flight.h>
#include <degu/rt/os_thread.h>
#include <degu/rt/profile.h>
#include <degu/sim/bubble.h>
#include <fmt/core.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

namespace {

// [profile]
void save_cpu_profile(const std::string& path) {
  const degu::rt::Profile profile = degu::rt::cpu_profile(200ms);  // the caller waits, the others go on
  std::ofstream(path, std::ios::binary) << degu::exporter::encode_pprof(profile);
}

void save_goroutines(const std::string& path) {
  std::ofstream(path, std::ios::binary) << degu::exporter::encode_pprof(degu::rt::goroutine_profile());
}
// [/profile]

// [trace]
bool save_trace(const std::string& path) {
  return degu::rt::write_flight_trace(path);  // the last 8,192 events of each P: nothing to start or stop
}
// [/trace]

// [synctest]
void timeout_fires() {
  degu::sim::bubble([] {
    const degu::TimePoint start = degu::now();
    degu::Chan<int> never = degu::make_chan<int>();
    degu::select(degu::recv(never, [](auto) {}), degu::after(1h));
    fmt::print("virtual: {} s passed\n",
               std::chrono::round<std::chrono::seconds>(degu::now() - start).count());
  });
}
// [/synctest]

// [settle]
void flusher_runs_each_minute() {
  degu::sim::bubble([] {
    int flushed = 0;
    degu::go([&] {
      for (int i = 0; i < 3; ++i) {
        degu::sleep(1min);
        ++flushed;
      }
    });
    degu::sleep(150s);
    degu::sim::wait();  // until the others are blocked
    fmt::print("settled: {} times\n", flushed);
    degu::sleep(1min);  // time stands still when this function has returned
  });
}
// [/settle]

// [long]
uint64_t sum(const std::vector<uint64_t>& values) {
  uint64_t total = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    total += values[i];
    if (i % 1'000'000 == 0) degu::yield();  // others on this P get their turn
  }
  return total;
}
// [/long]

// [lock]
void render(degu::WaitGroup& wg) {
  wg.go([] {
    const degu::OsThreadLock lock;  // this goroutine alone runs on its thread
    const std::thread::id before = std::this_thread::get_id();
    degu::sleep(1ms);
    fmt::print("locked: {}\n", before == std::this_thread::get_id() ? "same thread" : "moved");
  });
}
// [/lock]

std::size_t size_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  return file ? static_cast<std::size_t>(file.tellg()) : 0;
}

}  // namespace

int main() {
  return degu::run([] {
    const std::string path =
        std::filesystem::temp_directory_path() / fmt::format("degu_from_go_running.{}", ::getpid());
    save_cpu_profile(path);
    fmt::print("cpu profile: {}\n", size_of(path) > 0);
    save_goroutines(path);
    fmt::print("goroutine profile: {}\n", size_of(path) > 0);
    fmt::print("trace: {}\n", save_trace(path) && size_of(path) > 0);
    std::remove(path.c_str());
    timeout_fires();
    flusher_runs_each_minute();
    std::vector<uint64_t> values(3'000'000);
    std::iota(values.begin(), values.end(), uint64_t{0});
    fmt::print("sum: {}\n", sum(values));
    degu::WaitGroup wg;
    render(wg);
    wg.wait();
  });
}
