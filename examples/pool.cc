// Buffers that are reused instead of allocated for every call, and a deadline that frees everything it holds.
#include <degu/degu.h>
#include <fmt/core.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>

using namespace std::chrono_literals;

int main() {
  return degu::run([] {
    std::atomic<int> made = 0;
    degu::Pool<std::string> buffers([&made] {
      ++made;
      auto buffer = std::make_unique<std::string>();
      buffer->reserve(64 * 1024);
      return buffer;
    });

    for (int i = 0; i < 100; ++i) {
      auto buffer = buffers.borrow();  // goes back at the end of the scope
      buffer->assign("request ");      // it is as its last user left it
    }
    fmt::print("fewer buffers than uses: {}\n", made < 100);

    try {
      const degu::CancelScope scope(100ms);
      auto buffer = buffers.borrow();
      degu::sleep(60s);  // work that takes too long
    } catch (const degu::DeadlineExceeded& error) {
      fmt::print("released by {}\n", to_string(error.code()));
    }
  });
}
