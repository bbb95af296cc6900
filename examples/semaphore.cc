// Ten tasks, five tokens: never more than five at work. Once with a channel of tokens, the idiom of Go, and
// once with degu::Semaphore, which says what it is and gives its permit back even when the work throws.
#include <degu/degu.h>
#include <fmt/core.h>

#include <atomic>
#include <chrono>
#include <string_view>

using namespace std::chrono_literals;

constexpr int kTasks = 10;
constexpr int kTokens = 5;

void raise_to(std::atomic<int>& highest, int value) {
  for (int seen = highest; value > seen && !highest.compare_exchange_weak(seen, value);) {
  }
}

// `with_token(work)` runs work while it holds a token.
template <class WithToken>
void run_tasks(std::string_view name, WithToken with_token) {
  std::atomic<int> working = 0;
  std::atomic<int> finished = 0;
  std::atomic<int> most = 0;
  degu::WaitGroup wg;
  for (int id = 0; id < kTasks; ++id) {
    wg.go([&] {
      with_token([&] {
        raise_to(most, ++working);
        degu::sleep(50ms);
        --working;
      });
      ++finished;
    });
  }
  wg.wait();
  fmt::print("{}: {} tasks done, at most {} at once\n", name, finished.load(), most.load());
}

int main() {
  return degu::run([] {
    struct Token {};
    auto tokens = degu::make_chan<Token>(kTokens);
    run_tasks("channel", [&](auto work) {
      tokens.send({});
      work();
      tokens.recv();
    });

    degu::Semaphore semaphore(kTokens);
    run_tasks("semaphore", [&](auto work) {
      const auto permit = semaphore.hold();
      work();
    });
  });
}
