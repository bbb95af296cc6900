// A goroutine is a function that runs by itself; main waits for it.
#include <degu/degu.h>
#include <fmt/core.h>

int main() {
  return degu::run([] {
    degu::WaitGroup wg;
    wg.go([] { fmt::print("hello from a goroutine\n"); });
    wg.wait();
  });
}
