// Workers that report over a channel: share memory by communicating.
#include <degu/degu.h>
#include <fmt/core.h>

#include <chrono>
#include <string>

// clang-format off: as the design page shows it
// [main]
using namespace std::chrono_literals;

int main() {
  return degu::run([] {                            // the main goroutine
    auto lines = degu::make_chan<std::string>(3);  // a handle, as in Go; a default-made one is nil
    degu::WaitGroup wg;
    for (int id = 0; id < 5; ++id)
      wg.go([=] {
        degu::sleep(2s);
        lines.send(fmt::format("worker {} done", id));
      });
    degu::go([&] {
      wg.wait();
      lines.close();
    });
    for (auto& line : lines) fmt::print("{}\n", line);  // until closed and drained
  });
}
// [/main]
// clang-format on
