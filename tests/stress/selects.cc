// Nodes that pass tokens on by select over many channels, both ways at once: no token is lost or doubled.
#include <degu/degu.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <optional>
#include <vector>

#include "round.h"

namespace stress {
namespace {

using namespace std::chrono_literals;

struct Net {
  Round& round;
  std::vector<degu::Chan<int>> chans;  // of each node
  degu::Chan<char> quit;
};

/// Takes what comes to it and to a neighbour, and gives to a third, until it is told to quit; what it holds then.
std::vector<int> node(Net& net, Random random, std::size_t self, std::vector<int> held) {
  const auto size = static_cast<uint32_t>(net.chans.size());
  bool quitting = false;
  const auto hold = [&](int token) { held.push_back(token); };
  while (!quitting) {
    const auto& mine = net.chans[self];
    const auto& other = net.chans[random.below(size)];
    // A nil channel switches the case off.
    const auto to = held.empty() ? degu::Chan<int>() : net.chans[random.below(size)];
    const int token = held.empty() ? -1 : held.back();
    const auto give = [&] { held.erase(std::find(held.begin(), held.end(), token)); };
    const auto quit = [&](std::optional<char>) { quitting = true; };
    if (one_in(random, 4)) {
      degu::select_ordered(degu::recv(net.quit, quit), degu::send(to, token, give), degu::recv(mine, hold),
                           degu::recv(other, hold), degu::after(50us));
    } else {
      degu::select(degu::recv(mine, hold), degu::recv(other, hold), degu::send(to, token, give),
                   degu::recv(net.quit, quit));
    }
    net.round.operations.fetch_add(1, std::memory_order_relaxed);
  }
  return held;
}

void pass_tokens(Round& round, Random& random) {
  Net net{round, {}, degu::make_chan<char>()};
  const auto size = static_cast<std::size_t>(between(random, 2, 24));
  for (std::size_t i = 0; i < size; ++i) net.chans.push_back(degu::make_chan<int>(random.below(3)));
  std::vector<std::vector<int>> held(size);
  const int tokens = between(random, 1, 40);
  for (int token = 0; token < tokens; ++token)
    held[random.below(static_cast<uint32_t>(size))].push_back(token);

  degu::WaitGroup nodes;
  for (std::size_t i = 0; i < size; ++i) {
    nodes.go([&net, &mine = held[i], random = Random(random.next()), i] {
      mine = node(net, random, i, std::move(mine));
    });
  }
  degu::sleep(std::chrono::milliseconds(between(random, 1, 200)));
  net.quit.close();
  nodes.wait();

  std::vector<int> seen(static_cast<std::size_t>(tokens));
  for (const auto& some : held) {
    for (const int token : some) ++seen[static_cast<std::size_t>(token)];
  }
  for (const auto& chan : net.chans) {
    while (const auto token = chan.try_recv()) ++seen[static_cast<std::size_t>(*token)];
  }
  for (std::size_t token = 0; token < seen.size(); ++token) {
    check(seen[token] == 1, "token {} of {} is there {} times", token, tokens, seen[token]);
  }
}

}  // namespace

void selects(Round& round, Random random) {
  while (!round.over()) pass_tokens(round, random);
}

}  // namespace stress
