// One operation of the runtime, N times, for bench/instructions.py: it counts the instructions of N and of 2 N operations
// and takes the difference. One P, so that no other thread's spinning is counted. usage: instructions OPERATION N
#include <degu/degu.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <string>

namespace {

using namespace std::chrono_literals;

constexpr std::size_t kBuffered = 128;

void spawn_batch(long n) {
  constexpr long kBatch = 100;
  degu::WaitGroup wg;
  for (long i = 0; i < n / kBatch; ++i) {
    wg.add(kBatch);
    for (long j = 0; j < kBatch; ++j) degu::go([&wg] { wg.done(); });
    wg.wait();
  }
}

void spawn_join(long n) {
  degu::WaitGroup wg;
  for (long i = 0; i < n; ++i) {
    wg.add(1);
    degu::go([&wg] { wg.done(); });
    wg.wait();
  }
}

void task_group(long n) {
  for (long i = 0; i < n; ++i) {
    degu::TaskGroup group;
    group.go([] {});
    group.wait();
  }
}

// Two goroutines that hand the P to each other; n switches.
void yields(long n) {
  degu::WaitGroup wg;
  for (int g = 0; g < 2; ++g) {
    wg.add(1);
    degu::go([&wg, n] {
      for (long i = 0; i < n / 2; ++i) degu::yield();
      wg.done();
    });
  }
  wg.wait();
}

void ping_pong(long n) {
  auto there = degu::make_chan<int>();
  auto back = degu::make_chan<int>();
  degu::go([there, back] {
    for (int value : there) back.send(value);
    back.close();
  });
  for (long i = 0; i < n; ++i) {
    there.send(1);
    back.recv();
  }
  there.close();
  back.recv();
}

// One goroutine sends, one receives.
void transfer(long n, std::size_t capacity) {
  auto chan = degu::make_chan<long>(capacity);
  degu::go([chan, n] {
    for (long i = 0; i < n; ++i) chan.send(i);
    chan.close();
  });
  while (chan.recv()) {
  }
}

void same_goroutine(long n) {
  auto chan = degu::make_chan<long>(kBuffered);
  for (long i = 0; i < n; ++i) {
    chan.send(i);
    chan.recv();
  }
}

void select_of_four(long n, std::size_t capacity) {
  std::array<degu::Chan<long>, 4> chans;
  for (auto& chan : chans) {
    chan = degu::make_chan<long>(capacity);
    degu::go([chan, n] {
      for (long i = 0; i < n / 4; ++i) chan.send(i);
    });
  }
  long sum = 0;
  const auto add = [&sum](long value) { sum += value; };
  for (long i = 0; i < n / 4 * 4; ++i) {
    degu::select(degu::recv(chans[0], add), degu::recv(chans[1], add), degu::recv(chans[2], add),
                 degu::recv(chans[3], add));
  }
}

void select_default(long n) {
  auto chan = degu::make_chan<long>();
  long idle = 0;
  for (long i = 0; i < n; ++i) degu::select(degu::recv(chan), degu::otherwise([&idle] { ++idle; }));
}

void mutex(long n) {
  degu::Mutex lock;
  for (long i = 0; i < n; ++i) const std::lock_guard guard(lock);
}

void context(long n) {
  for (long i = 0; i < n; ++i) degu::with_timeout(degu::Context::background(), 60s).cancel();
}

void context_child(long n) {
  auto [parent, cancel] = degu::with_cancel(degu::Context::background());
  for (long i = 0; i < n; ++i) degu::with_timeout(parent, 60s).cancel();
  cancel();
}

void after_func_stop(long n) {
  for (long i = 0; i < n; ++i) degu::after_func(60s, [] {}).stop();
}

using Operation = void (*)(long n);

const std::map<std::string, Operation>& operations() {
  static const std::map<std::string, Operation> all = {
      {"spawn_batch100", &spawn_batch},
      {"spawn_join", &spawn_join},
      {"task_group_join", &task_group},
      {"yield", &yields},
      {"chan_pingpong", &ping_pong},
      {"chan_unbuffered", [](long n) { transfer(n, 0); }},
      {"chan_spsc_128", [](long n) { transfer(n, kBuffered); }},
      {"chan_same_goroutine", &same_goroutine},
      {"select4_unbuffered", [](long n) { select_of_four(n, 0); }},
      {"select4_128", [](long n) { select_of_four(n, kBuffered); }},
      {"select_default", &select_default},
      {"mutex", &mutex},
      {"context_timeout", &context},
      {"context_timeout_child", &context_child},
      {"after_func_stop", &after_func_stop},
  };
  return all;
}

}  // namespace

int main(int argc, char** argv) {
  const auto found = argc == 3 ? operations().find(argv[1]) : operations().end();
  if (found == operations().end()) {
    std::fprintf(stderr, "usage: %s OPERATION N, with one of", argv[0]);
    for (const auto& [name, unused] : operations()) std::fprintf(stderr, " %s", name.c_str());
    std::fprintf(stderr, "\n");
    return 2;
  }
  const long n = std::strtol(argv[2], nullptr, 10);
  return degu::run({.procs = 1, .stuck_report = {}}, [&] { found->second(n); });
}
