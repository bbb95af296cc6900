// The mutex of Boost.Fiber, uncontended and used by 8 fibers. Twin of bench/go/mutex.go.
#include <mutex>
#include <string_view>
#include <vector>

#include "fibers.h"

namespace {

volatile int counter = 0;

void run(std::string_view name, int fibers, int operations, int work) {
  boost::fibers::mutex mutex;
  std::vector<boost::fibers::fiber> users;
  const bench::Stopwatch clock;
  for (int f = 0; f < fibers; ++f) {
    users.push_back(bench::spawn([&mutex, each = operations / fibers, work] {
      for (int i = 0; i < each; ++i) {
        const std::lock_guard lock(mutex);
        for (int k = 0; k < work; ++k) counter = counter + 1;
      }
    }));
  }
  for (auto& fiber : users) fiber.join();
  bench::report(name, clock.per(operations), "ns/op");
}

}  // namespace

int main() {
  run("mutex_uncontended", 1, bench::scaled(20'000'000), 1);
  run("mutex_8g", 8, bench::scaled(16'000'000), 1);
  run("mutex_8g_cs100", 8, bench::scaled(4'000'000), 100);
}
