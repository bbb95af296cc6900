// The simulator's own measure: small programs with a bug that is known. The search has to find each within a number of
// seeds, every seed that fails has to fail again in the same way, and the program without the bug has to pass all seeds.
#include <degu/base/error.h>
#include <degu/base/random.h>
#include <degu/context/cancel_scope.h>
#include <degu/net/tcp.h>
#include <degu/rt/run.h>
#include <degu/sim/sim.h>
#include <degu/sync/chan.h>
#include <degu/sync/mutex.h>
#include <degu/sync/select.h>
#include <degu/sync/wait_group.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

using namespace std::chrono_literals;

namespace degu {
namespace {

enum class Version : bool { kCorrect, kBroken };

// `program(version)`; how it fails; within how many seeds.
template <class F>
void expect_found(F program, std::string_view failure, int within, sim::Options options = {}) {
  options.seeds = within;
  options.environment = false;
  const sim::Result found = sim::search(options, [&] { program(Version::kBroken); });
  ASSERT_FALSE(found.ok()) << "not found in " << within << " seeds";
  EXPECT_NE(found.failure.find(failure), std::string::npos) << found.report();

  options.seed = found.seed;
  const sim::Result again = sim::run(options, [&] { program(Version::kBroken); });
  EXPECT_EQ(again.hash, found.hash);
  EXPECT_EQ(again.steps, found.steps);
  EXPECT_EQ(again.failure.substr(0, 60), found.failure.substr(0, 60));

  options.seed = 1;
  options.seeds = 200;
  options.environment = true;
  const sim::Result correct = sim::search(options, [&] { program(Version::kCorrect); });
  EXPECT_TRUE(correct.ok()) << correct.report();
}

// --- a lost wake-up in a mutex made by hand from an atomic and a channel

class HandMadeMutex {
 public:
  explicit HandMadeMutex(Version version) : wake_(make_chan<int>(version == Version::kCorrect ? 1 : 0)) {}

  void lock() {
    while (locked_.exchange(true)) {
      ++waiters_;
      wake_.recv();
      --waiters_;
    }
  }
  void unlock() {
    locked_ = false;
    // Broken: who has seen it locked, but does not receive yet, is not woken.
    if (waiters_ > 0) static_cast<void>(wake_.try_send(1));
  }

 private:
  std::atomic<bool> locked_{false};
  std::atomic<int> waiters_{0};
  Chan<int> wake_;
};

TEST(PlantedBugs, LostWakeUpInAHandMadeMutex) {
  expect_found(
      [](Version version) {
        HandMadeMutex mutex(version);
        int inside = 0;
        WaitGroup wg;
        for (int i = 0; i < 2; ++i) {
          wg.go([&] {
            mutex.lock();
            sim::expect(++inside == 1, "two inside");
            yield();
            --inside;
            mutex.unlock();
          });
        }
        wg.wait();
      },
      "all goroutines are asleep", 50);
}

// --- money that is spent twice: the balance is looked at and changed under two locks instead of one

struct Account {
  Mutex mutex;
  int balance;
};

bool transfer(Version version, Account& from, Account& to, int amount) {
  if (version == Version::kBroken) {
    std::unique_lock lock(from.mutex);
    if (from.balance < amount) return false;
    lock.unlock();
    lock.lock();
    from.balance -= amount;
    lock.unlock();
  } else {
    const std::lock_guard guard(from.mutex);
    if (from.balance < amount) return false;
    from.balance -= amount;
  }
  const std::lock_guard guard(to.mutex);
  to.balance += amount;
  return true;
}

TEST(PlantedBugs, DoubleSpendBetweenTwoAccounts) {
  expect_found(
      [](Version version) {
        Account alice{{}, 100};
        Account bob{{}, 0};
        WaitGroup wg;
        for (int i = 0; i < 2; ++i) wg.go([&] { transfer(version, alice, bob, 80); });
        wg.wait();
        sim::expect(alice.balance + bob.balance == 100, "money came from nowhere");
        sim::expect(alice.balance >= 0, "the account is overdrawn");
      },
      "overdrawn", 50);
}

// --- a missed cancellation: the worker looks at its context, then waits for work without it

TEST(PlantedBugs, MissedCancellation) {
  expect_found(
      [](Version version) {
        auto work = make_chan<int>();
        auto stop = make_chan<int>();
        std::atomic<bool> stopping{false};
        WaitGroup wg;
        wg.go([&] {
          for (;;) {
            if (stopping) return;
            if (version == Version::kCorrect) {
              bool ended = false;
              select(recv(work, [](std::optional<int>) {}),
                     recv(stop, [&](std::optional<int>) { ended = true; }));
              if (ended) return;
            } else {
              work.recv();
            }
          }
        });
        work.send(1);
        // Broken: works out if the worker is between its last item and its look at the flag.
        stopping = true;
        stop.close();
        wg.wait();
      },
      "all goroutines are asleep", 50);
}

// --- a select loop that starves a case: an item that comes too early is put back, and is ready again before the message
// that would let it through

TEST(PlantedBugs, SelectLoopThatStarvesACase) {
  expect_found(
      [](Version version) {
        auto items = make_chan<int>(1);
        auto opened = make_chan<int>();
        bool open = false;
        bool done = false;
        go([&] { items.send(1); });
        go([&] { opened.send(1); });
        const auto on_item = [&](std::optional<int> item) {
          if (open) {
            done = true;
          } else {
            items.send(*item);
          }
        };
        const auto on_open = [&](std::optional<int>) { open = true; };
        int turns = 0;
        while (!done) {
          sim::expect(++turns <= 1000, "the item never gets through");
          if (version == Version::kBroken) {
            select_ordered(recv(items, on_item), recv(opened, on_open));
          } else {
            select(recv(items, on_item), recv(opened, on_open));
          }
        }
      },
      "never gets through", 50);
}

// --- a message lost on reconnect: the broken client takes a write that succeeded for a message that arrived

struct Inbox {
  std::set<int> seen;
};

// One number a line, each answered with the same line.
void serve_numbers(net::TcpStream& stream, Inbox& inbox) {
  std::string line;
  char byte = 0;
  while (stream.read({&byte, 1}).bytes == 1) {
    line += byte;
    if (byte != '\n') continue;
    inbox.seen.insert(std::stoi(line));  // the same one again is no harm
    if (stream.write(line).error != 0) return;
    line.clear();
  }
}

bool read_line(net::TcpStream& stream, TimePoint deadline) {
  for (char byte = 0; byte != '\n';) {
    if (stream.read({&byte, 1}, deadline).bytes != 1) return false;
  }
  return true;
}

void send_numbers(Version version, int count) {
  net::TcpStream stream;
  for (int number = 0; number < count;) {
    if (!stream) stream = net::TcpStream::connect("server:7");
    const std::string line = std::to_string(number) + '\n';
    bool sent = stream.write(line).error == 0;
    if (version == Version::kCorrect) sent = sent && read_line(stream, now() + std::chrono::seconds(10));
    if (sent) {
      ++number;
    } else {
      stream.close();
    }
  }
  stream.shutdown_write();
  while (read_line(stream, now() + std::chrono::seconds(10))) {
  }
}

TEST(PlantedBugs, MessageLostOnReconnect) {
  expect_found(
      [](Version version) {
        Inbox inbox;
        {
          const auto on = sim::network().host("server");
          go([&inbox, listener = net::TcpListener::listen(":7")]() mutable {
            for (;;) go([&inbox, stream = listener.accept()]() mutable { serve_numbers(stream, inbox); });
          });
        }
        send_numbers(version, 5);
        sim::expect(inbox.seen.size() == 5, "a number is missing");
      },
      "a number is missing", 100, {.network = {.reset = 0.05}});
}

// --- split brain: a node that does not hear of the leader for a while becomes leader. The broken one does not ask whether
// it can reach a majority

class Node {
 public:
  Node(Version version, int id) : version_(version), id_(id) {}

  void start() {
    const auto on = sim::network().host(name(id_));
    listener_ = net::TcpListener::listen(":7");
    go([this] {
      for (;;) go([this, stream = listener_.accept()]() mutable { answer(stream); });
    });
    go([this] { run(); });
  }
  bool leads() const { return leads_; }

 private:
  static constexpr int kNodes = 3;
  static std::string name(int id) { return "node" + std::to_string(id); }

  // "v": a vote, one a term; "h": a heartbeat of the leader.
  void answer(net::TcpStream& stream) {
    char request = 0;
    if (stream.read({&request, 1}).bytes != 1) return;
    char yes = 'y';
    if (request == 'v') {
      if (voted_) return;
      voted_ = true;
    } else {
      heard_ = now();
    }
    static_cast<void>(stream.write({&yes, 1}));
  }

  static bool ask(int node, char request) {
    try {
      const TimePoint deadline = now() + std::chrono::milliseconds(500);
      auto stream = net::TcpStream::connect(name(node) + ":7", {.deadline = deadline});
      if (stream.write({&request, 1}, deadline).error != 0) return false;
      return stream.read({&request, 1}, deadline).bytes == 1;
    } catch (const Error&) {
      return false;
    }
  }

  int ask_others(char request) const {
    int yes = 0;
    for (int node = 0; node < kNodes; ++node) yes += node != id_ && ask(node, request) ? 1 : 0;
    return yes;
  }

  void run() {
    heard_ = now();
    for (;;) {
      sleep(std::chrono::milliseconds(200 + random_u64() % 400));
      if (leads_) {
        static_cast<void>(ask_others('h'));
      } else if (now() - heard_ > std::chrono::seconds(3)) {
        elect();
      }
    }
  }

  void elect() {
    if (version_ == Version::kBroken) {
      leads_ = ask_others('v') + 1 > 0;
      return;
    }
    if (voted_) return;
    voted_ = true;  // for itself
    leads_ = ask_others('v') + 1 > kNodes / 2;
  }

  const Version version_;
  const int id_;
  net::TcpListener listener_;
  bool voted_ = false;
  bool leads_ = false;
  TimePoint heard_;
};

TEST(PlantedBugs, SplitBrainUnderAPartition) {
  expect_found(
      [](Version version) {
        std::vector<std::unique_ptr<Node>> nodes;
        for (int id = 0; id < 3; ++id) nodes.push_back(std::make_unique<Node>(version, id));
        for (auto& node : nodes) node->start();
        sleep(std::chrono::milliseconds(random_u64() % 5000));
        sim::network().isolate("node" + std::to_string(random_u64() % 3));
        sleep(20s);
        int leaders = 0;
        for (auto& node : nodes) leaders += node->leads() ? 1 : 0;
        sim::expect(leaders <= 1, "two leaders");
      },
      "two leaders", 50);
}

}  // namespace
}  // namespace degu
