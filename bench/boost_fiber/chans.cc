// Channels of Boost.Fiber. Twin of bench/go/chans.go, without select, which it does not have.
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "fibers.h"

namespace {

using boost::fibers::buffered_channel;
using boost::fibers::channel_op_status;
using boost::fibers::unbuffered_channel;

void ping_pong() {
  const int rounds = bench::scaled(2'000'000);
  unbuffered_channel<int> there;
  unbuffered_channel<int> back;
  auto other = bench::spawn([&] {
    int value = 0;
    while (there.pop(value) == channel_op_status::success) back.push(value);
  });
  const bench::Stopwatch clock;
  for (int i = 0; i < rounds; ++i) {
    int value = 0;
    there.push(i);
    back.pop(value);
  }
  bench::report("chan_pingpong", clock.per(rounds), "ns/roundtrip");
  there.close();
  other.join();
}

template <class Channel>
void mpmc(std::string_view name, Channel& chan, int workers, int operations) {
  std::vector<boost::fibers::fiber> producers;
  std::vector<boost::fibers::fiber> consumers;
  std::vector<int64_t> sums(static_cast<std::size_t>(workers));
  const bench::Stopwatch clock;
  for (int p = 0; p < workers; ++p) {
    producers.push_back(bench::spawn([&chan, each = operations / workers] {
      for (int i = 0; i < each; ++i) chan.push(i);
    }));
  }
  for (int64_t& sum : sums) {
    consumers.push_back(bench::spawn([&chan, &sum] {
      int value = 0;
      while (chan.pop(value) == channel_op_status::success) sum += value;
    }));
  }
  for (auto& fiber : producers) fiber.join();
  chan.close();
  for (auto& fiber : consumers) fiber.join();
  bench::report(name, clock.per(operations), "ns/op");
}

}  // namespace

int main() {
  ping_pong();
  buffered_channel<int> one(128);
  mpmc("chan_spsc_128", one, 1, bench::scaled(10'000'000));
  buffered_channel<int> many(128);
  mpmc("chan_mpmc4x4_128", many, 4, bench::scaled(10'000'000));
  unbuffered_channel<int> unbuffered;
  mpmc("chan_mpmc4x4_unbuf", unbuffered, 4, bench::scaled(2'000'000));
}
