// Five workers at once. A WaitGroup says exactly when the last is done; no sleep in main guesses it.
#include <degu/degu.h>
#include <fmt/core.h>

#include <chrono>

using namespace std::chrono_literals;

void worker(int id) {
  fmt::print("worker {} starting\n", id);
  degu::sleep(200ms);
  fmt::print("worker {} done\n", id);
}

int main() {
  return degu::run([] {
    degu::WaitGroup wg;
    for (int id = 0; id < 5; ++id) wg.go([id] { worker(id); });
    wg.wait();
    fmt::print("all done\n");
  });
}
