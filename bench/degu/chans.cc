// Channels and select. Twin of bench/go/chans.go.
#include <degu/degu.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "report.h"

namespace {

void ping_pong() {
  const int rounds = bench::scaled(2'000'000);
  auto there = degu::make_chan<int>();
  auto back = degu::make_chan<int>();
  degu::go([there, back] {
    for (int value : there) back.send(value);
    back.close();
  });
  const bench::Stopwatch clock;
  for (int i = 0; i < rounds; ++i) {
    there.send(i);
    back.recv();
  }
  bench::report("chan_pingpong", clock.per(rounds), "ns/roundtrip");
  there.close();
}

struct Mpmc {
  std::string_view name;
  int producers;
  int consumers;
  std::size_t capacity;
  int operations;
};

void mpmc(const Mpmc& shape) {
  auto chan = degu::make_chan<int>(shape.capacity);
  degu::WaitGroup producers;
  degu::WaitGroup consumers;
  struct alignas(64) Sum {
    int64_t value = 0;
  };
  std::vector<Sum> sums(static_cast<std::size_t>(shape.consumers));
  const bench::Stopwatch clock;
  for (int p = 0; p < shape.producers; ++p) {
    producers.add(1);
    degu::go([chan, &producers, &shape] {
      for (int i = 0; i < shape.operations / shape.producers; ++i) chan.send(i);
      producers.done();
    });
  }
  for (Sum& sum : sums) {
    consumers.add(1);
    degu::go([chan, &consumers, &sum] {
      int64_t total = 0;
      for (int value : chan) total += value;
      sum.value = total;
      consumers.done();
    });
  }
  producers.wait();
  chan.close();
  consumers.wait();
  bench::report(shape.name, clock.per(shape.operations), "ns/op");
}

// No switch, no contention.
void same_goroutine() {
  const int pairs = bench::scaled(20'000'000);
  auto chan = degu::make_chan<int>(128);
  const bench::Stopwatch clock;
  for (int i = 0; i < pairs; ++i) {
    chan.send(i);
    chan.recv();
  }
  bench::report("chan_same_goroutine_send_recv", clock.per(pairs), "ns/pair");
}

void select_of_four(std::string_view name, std::size_t capacity) {
  const int each = bench::scaled(4'000'000) / 4;
  std::array<degu::Chan<int>, 4> chans;
  for (auto& chan : chans) {
    chan = degu::make_chan<int>(capacity);
    degu::go([chan, each] {
      for (int i = 0; i < each; ++i) chan.send(i);
    });
  }
  int64_t sum = 0;
  const auto add = [&sum](int value) { sum += value; };
  const bench::Stopwatch clock;
  for (int i = 0; i < 4 * each; ++i) {
    degu::select(degu::recv(chans[0], add), degu::recv(chans[1], add), degu::recv(chans[2], add),
                 degu::recv(chans[3], add));
  }
  bench::report(name, clock.per(4 * each), "ns/op");
}

void select_with_otherwise() {
  const int operations = bench::scaled(50'000'000);
  auto chan = degu::make_chan<int>();
  int64_t idle = 0;
  const bench::Stopwatch clock;
  for (int i = 0; i < operations; ++i) {
    degu::select(degu::recv(chan), degu::otherwise([&idle] { ++idle; }));
  }
  bench::report("select_default_empty", clock.per(operations), "ns/op");
}

}  // namespace

int main() {
  return degu::run({.stuck_report = {}}, [] {
    ping_pong();
    mpmc({"chan_spsc_128", 1, 1, 128, bench::scaled(10'000'000)});
    mpmc({"chan_mpmc4x4_128", 4, 4, 128, bench::scaled(10'000'000)});
    mpmc({"chan_mpmc4x4_unbuf", 4, 4, 0, bench::scaled(2'000'000)});
    same_goroutine();
    select_of_four("select4_unbuf", 0);
    select_of_four("select4_128", 128);
    select_with_otherwise();
  });
}
