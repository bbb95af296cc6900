// The idioms of docs/from-go.md about goroutines and channels.
#include <degu/degu.h>
#include <fmt/core.h>
#include <fmt/ranges.h>

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace {

std::string fetch(const std::string& url) { return "<" + url + ">"; }
int square(int n) { return n * n; }

void wait_group() {
  // [wait-group]
  std::vector<std::string> pages(3);
  degu::WaitGroup wg;
  for (std::size_t i = 0; i < pages.size(); ++i) {
    wg.go([&pages, i] { pages[i] = fetch(std::to_string(i)); });
  }
  wg.wait();
  // [/wait-group]
  fmt::print("wait group: {} {} {}\n", pages[0], pages[1], pages[2]);
}

void channel() {
  // [channel]
  auto numbers = degu::make_chan<int>();         // unbuffered
  auto words = degu::make_chan<std::string>(8);  // buffered
  degu::go([numbers] {
    for (int i = 1; i <= 3; ++i) numbers.send(i);
    numbers.close();
  });
  int sum = 0;
  for (int n : numbers) sum += n;  // until closed and drained

  words.send("hello");
  words.close();
  auto first = words.recv();   // std::optional<std::string>
  auto second = words.recv();  // nullopt: closed
  // [/channel]
  fmt::print("channel: {} {} {}\n", sum, *first, second.has_value());
}

// [direction]
void produce(const degu::SendChan<int>& out) {
  for (int i = 0; i < 3; ++i) out.send(i);
  out.close();
}
int consume(const degu::RecvChan<int>& in) {
  int sum = 0;
  for (int n : in) sum += n;
  return sum;
}
// [/direction]

void directions() {
  auto chan = degu::make_chan<int>();
  degu::go([chan] { produce(chan); });
  fmt::print("directions: {}\n", consume(chan));
}

void worker_pool() {
  // [worker-pool]
  auto jobs = degu::make_chan<int>(16);
  auto results = degu::make_chan<int>(16);
  degu::WaitGroup workers;
  for (int w = 0; w < 4; ++w) {
    workers.go([=] {
      for (int job : jobs) results.send(square(job));
    });
  }
  degu::go([=] {
    for (int i = 1; i <= 10; ++i) jobs.send(i);
    jobs.close();
  });
  degu::go([&workers, results] {
    workers.wait();
    results.close();
  });
  int sum = 0;
  for (int result : results) sum += result;
  // [/worker-pool]
  fmt::print("worker pool: {}\n", sum);
}

// [pipeline]
degu::RecvChan<int> count_to(int n) {
  auto out = degu::make_chan<int>();
  degu::go([=] {
    for (int i = 1; i <= n; ++i) out.send(i);
    out.close();
  });
  return out;
}

degu::RecvChan<int> squares(degu::RecvChan<int> in) {
  auto out = degu::make_chan<int>();
  degu::go([=] {
    for (int n : in) out.send(square(n));
    out.close();
  });
  return out;
}
// [/pipeline]

// [fan-in]
degu::RecvChan<int> merge(const std::vector<degu::RecvChan<int>>& inputs) {
  auto out = degu::make_chan<int>();
  degu::go([=] {
    degu::WaitGroup wg;
    for (const auto& in : inputs) {
      wg.go([=] {
        for (int n : in) out.send(n);
      });
    }
    wg.wait();
    out.close();
  });
  return out;
}
// [/fan-in]

void pipeline() {
  int sum = 0;
  for (int n : squares(count_to(4))) sum += n;
  fmt::print("pipeline: {}\n", sum);

  const auto source = count_to(5);  // two stages take from one source: fan-out
  sum = 0;
  for (int n : merge({squares(source), squares(source)})) sum += n;
  fmt::print("fan-out, fan-in: {}\n", sum);
}

void nil_channel() {
  // [nil-channel]
  degu::RecvChan<int> a = count_to(2);
  degu::RecvChan<int> b = count_to(3);
  int received = 0;
  while (a || b) {  // a nil channel is never ready: its case is off
    const auto take = [&received](degu::RecvChan<int>& from, std::optional<int> n) {
      n ? void(++received) : void(from = {});
    };
    degu::select(degu::recv(a, [&](std::optional<int> n) { take(a, n); }),
                 degu::recv(b, [&](std::optional<int> n) { take(b, n); }));
  }
  // [/nil-channel]
  fmt::print("nil channel: {}\n", received);
}

void generator() {
  // [generator]
  degu::Generator<int> fibonacci([](auto& yield) {
    for (int a = 0, b = 1; yield(a); b += std::exchange(a, b)) {
    }
  });
  std::vector<int> small;
  for (int n : fibonacci) {
    if (n > 20) break;
    small.push_back(n);
  }
  fibonacci.stop();  // its end does it too
  // [/generator]
  fmt::print("generator: {}\n", fmt::join(small, " "));
}

void all() {
  wait_group();
  channel();
  directions();
  worker_pool();
  pipeline();
  nil_channel();
  generator();
}

}  // namespace

// [go]
void hello() {
  degu::WaitGroup wg;
  wg.add();
  degu::go([&wg] {  // starts at once, waits for nobody
    fmt::print("hello from a goroutine\n");
    wg.done();
  });
  wg.wait();
}

int main() {
  return degu::run([] {  // goroutines exist in here
    hello();
    all();
  });
}
// [/go]
