// A bank under locks: transfers keep the sum, readers see it whole, a semaphore keeps its limit, a bounded queue its bounds.
#include <degu/degu.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <deque>
#include <mutex>
#include <numeric>
#include <shared_mutex>

#include "round.h"

namespace stress {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kAccounts = 16;
constexpr int64_t kEach = 1000;

struct Account {
  degu::Mutex mutex;
  int64_t balance = kEach;
};

struct Bank {
  Round& round;
  int limit;
  std::array<Account, kAccounts> accounts = {};
  degu::RWMutex whole = {};  // shared to transfer, exclusive to audit
  degu::Semaphore permits{limit};
  std::atomic<int> holders = 0;

  degu::Mutex queue_mutex = {};
  degu::Cond filled = {};
  degu::Cond emptied = {};
  std::deque<int> queue = {};
  std::atomic<int64_t> put = 0;
  std::atomic<int64_t> got = 0;
};

void transfer(Bank& bank, Random& random) {
  Account& from = bank.accounts[random.below(kAccounts)];
  Account& to = bank.accounts[random.below(kAccounts)];
  if (&from == &to) return;
  const std::shared_lock shared(bank.whole);
  const std::scoped_lock both(from.mutex, to.mutex);
  const int64_t amount = random.below(10);
  from.balance -= amount;
  if (one_in(random, 50)) degu::yield();  // a lock may be held across a switch
  to.balance += amount;
}

void audit(Bank& bank) {
  const std::lock_guard exclusive(bank.whole);
  int64_t sum = 0;
  for (const Account& account : bank.accounts) sum += account.balance;
  check(sum == kEach * static_cast<int64_t>(kAccounts), "the bank holds {}", sum);
}

void with_permit(Bank& bank, Random& random) {
  const auto permit = bank.permits.hold();
  const int holders = ++bank.holders;
  check(holders <= bank.limit, "{} hold one of {} permits", holders, bank.limit);
  if (one_in(random, 3)) degu::yield();
  --bank.holders;
}

void queue_one(Bank& bank, Random& random) {
  constexpr std::size_t kRoom = 4;
  std::unique_lock lock(bank.queue_mutex);
  if (one_in(random, 2)) {
    if (!bank.emptied.wait_for(lock, 100us, [&] { return bank.queue.size() < kRoom; })) return;
    const int value = static_cast<int>(random.below(1000));
    bank.queue.push_back(value);
    check(bank.queue.size() <= kRoom, "{} in a queue of {}", bank.queue.size(), kRoom);
    bank.put += value;
    bank.filled.signal();
  } else {
    if (!bank.filled.wait_for(lock, 100us, [&] { return !bank.queue.empty(); })) return;
    bank.got += bank.queue.front();
    bank.queue.pop_front();
    bank.emptied.broadcast();
  }
}

}  // namespace

void locks(Round& round, Random random) {
  Bank bank{.round = round, .limit = between(random, 1, 5)};
  degu::WaitGroup clients;
  const int count = between(random, 2, 32);
  for (int i = 0; i < count; ++i) {
    clients.go([&bank, random = Random(random.next())]() mutable {
      while (!bank.round.over()) {
        const uint32_t what = random.below(100);
        if (what < 70) transfer(bank, random);
        if (what >= 70 && what < 72) audit(bank);
        if (what >= 72 && what < 85) with_permit(bank, random);
        if (what >= 85) queue_one(bank, random);
        bank.round.operations.fetch_add(1, std::memory_order_relaxed);
      }
    });
  }
  clients.wait();
  audit(bank);
  const int64_t left = std::accumulate(bank.queue.begin(), bank.queue.end(), int64_t{0});
  check(bank.put == bank.got + left, "{} put into the queue, {} taken, {} left", bank.put.load(),
        bank.got.load(), left);
}

}  // namespace stress
