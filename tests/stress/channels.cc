// Senders and receivers of one channel, some of which are cancelled: what was sent is received once, in each sender's order.
#include <degu/degu.h>

#include <chrono>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "round.h"

namespace stress {
namespace {

using namespace std::chrono_literals;

std::atomic<int64_t> living_parcels = 0;

/// Move-only, and counted, so that a value that is lost or doubled shows.
class Parcel {
 public:
  Parcel(int sender, int number) : sender_(sender), number_(number), alive_(true) { ++living_parcels; }
  Parcel(Parcel&& other) noexcept
      : sender_(other.sender_), number_(other.number_), alive_(std::exchange(other.alive_, false)) {}
  Parcel& operator=(Parcel&&) = delete;
  ~Parcel() {
    if (alive_) --living_parcels;
  }
  int sender() const noexcept { return sender_; }
  int number() const noexcept { return number_; }
  bool alive() const noexcept { return alive_; }

 private:
  int sender_;
  int number_;
  bool alive_;
};

struct Tally {
  std::atomic<int64_t> count = 0;
  std::atomic<int64_t> sum = 0;
  void add(int sender, int number) noexcept {
    ++count;
    sum += static_cast<int64_t>(sender) * 1'000'003 + number;
  }
};

struct Exchange {
  Round& round;
  degu::Chan<Parcel> chan;
  int producers;
  int consumers;
  int parcels;  // of each producer
  Tally sent = {};
  Tally received = {};
};

/// False: the chosen way did not get rid of it this time.
bool try_one_way(Exchange& exchange, Random& random, Parcel& parcel) {
  switch (random.below(4)) {
    case 0:
      exchange.chan.send(std::move(parcel));
      return true;
    case 1:
      return exchange.chan.try_send(std::move(parcel));
    case 2:
      return degu::select(degu::send(exchange.chan, std::move(parcel)), degu::after(20us)) == 0;
    default:
      return degu::select(degu::send(exchange.chan, std::move(parcel)),
                          degu::otherwise([] { degu::yield(); })) == 0;
  }
}

void produce(Exchange& exchange, Random random, int sender) {
  try {
    for (int number = 0; number < exchange.parcels && !exchange.round.over(); ++number) {
      Parcel parcel(sender, number);
      while (!try_one_way(exchange, random, parcel)) {
        check(parcel.alive(), "a send that did not happen took the value");
        degu::yield();
      }
      exchange.sent.add(sender, number);
    }
  } catch (const degu::Cancelled&) {
  }
}

std::optional<Parcel> receive(Exchange& exchange, Random& random, bool& closed) {
  std::optional<Parcel> got;
  const auto take = [&](std::optional<Parcel> parcel) {
    closed = !parcel;
    if (parcel) got.emplace(std::move(*parcel));
  };
  switch (random.below(4)) {
    case 0:
      take(exchange.chan.recv());
      break;
    case 1:
      if (auto parcel = exchange.chan.try_recv()) take(std::move(parcel));
      break;
    case 2:
      degu::select(degu::recv(exchange.chan, take), degu::after(20us));
      break;
    default:
      degu::select(degu::recv(exchange.chan, take), degu::otherwise([] { degu::yield(); }));
  }
  return got;
}

void consume(Exchange& exchange, Random random) {
  std::vector<int> last(static_cast<std::size_t>(exchange.producers), -1);
  try {
    for (bool closed = false; !closed;) {
      const auto parcel = receive(exchange, random, closed);
      if (!parcel) {
        degu::yield();
        continue;
      }
      int& before = last[static_cast<std::size_t>(parcel->sender())];
      check(parcel->number() > before, "sender {}: {} arrived after {}", parcel->sender(), parcel->number(),
            before);
      before = parcel->number();
      exchange.received.add(parcel->sender(), parcel->number());
      exchange.round.operations.fetch_add(1, std::memory_order_relaxed);
    }
  } catch (const degu::Cancelled&) {
  }
}

void exchange_once(Round& round, Random& random) {
  constexpr int kCapacities[] = {0, 0, 1, 3, 128};
  Exchange exchange{round, degu::make_chan<Parcel>(static_cast<std::size_t>(kCapacities[random.below(5)])),
                    between(random, 1, 8), between(random, 1, 8), between(random, 1, 2000)};
  auto [doomed, cancel] = degu::with_cancel(degu::current_context());
  degu::WaitGroup producers;
  degu::WaitGroup consumers;
  // The first of each kind is never cancelled, so that everything drains.
  for (int i = 0; i < exchange.producers; ++i) {
    const auto& context = i > 0 && one_in(random, 3) ? doomed : degu::current_context();
    producers.go([&exchange, context, mine = Random(random.next()), i] {
      const degu::ContextScope scope(context);
      produce(exchange, mine, i);
    });
  }
  for (int i = 0; i < exchange.consumers; ++i) {
    const auto& context = i > 0 && one_in(random, 3) ? doomed : degu::current_context();
    consumers.go([&exchange, context, mine = Random(random.next())] {
      const degu::ContextScope scope(context);
      consume(exchange, mine);
    });
  }
  if (one_in(random, 2)) degu::sleep(std::chrono::microseconds(random.below(500)));
  cancel();
  producers.wait();
  exchange.chan.close();
  consumers.wait();
  check(exchange.sent.count == exchange.received.count && exchange.sent.sum == exchange.received.sum,
        "channel of {}: {} sent (sum {}), {} received (sum {})", exchange.chan.cap(),
        exchange.sent.count.load(), exchange.sent.sum.load(), exchange.received.count.load(),
        exchange.received.sum.load());
}

}  // namespace

void channels(Round& round, Random random) {
  while (!round.over()) exchange_once(round, random);
}

int64_t parcels_alive() noexcept { return living_parcels; }

}  // namespace stress
