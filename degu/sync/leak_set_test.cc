// The patterns by which goroutines are left behind: the cases of Go's testgoroutineleakprofile ("simple" and
// "commonpatterns"), written anew. Those of goker are in leak_set_goker_test.cc.
#include <degu/sync/chan.h>
#include <degu/sync/cond.h>
#include <degu/sync/mutex.h>
#include <degu/sync/rw_mutex.h>
#include <degu/sync/select.h>
#include <degu/sync/testing/keep.h>
#include <degu/sync/testing/leak_set.h>
#include <degu/sync/testing/probe.h>
#include <degu/sync/wait_group.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>

namespace degu {
namespace {

using namespace std::chrono_literals;
using testing::keep;
using testing::LeakProgram;
using testing::until;

// --- simple

void nil_recv(bool fixed) {
  auto& chan = keep<Chan<int>>();
  if (fixed) chan = make_chan<int>(1);
  go([&] { chan.recv(); });
  if (fixed) chan.send(1);
}

void nil_send(bool fixed) {
  auto& chan = keep<Chan<int>>();
  if (fixed) chan = make_chan<int>(1);
  go([&] { chan.send(1); });
}

void select_no_cases(bool fixed) {
  go([fixed] {
    if (!fixed) select();
  });
}

void chan_recv(bool fixed) {
  auto& chan = keep<Chan<int>>(make_chan<int>());
  go([&] { chan.recv(); });
  if (fixed) chan.close();
}

void chan_send(bool fixed) {
  auto& chan = keep<Chan<int>>(make_chan<int>());
  go([&] { chan.send(1); });
  if (fixed) chan.recv();
}

void select_two(bool fixed) {
  auto& a = keep<Chan<int>>(make_chan<int>());
  auto& b = keep<Chan<int>>(make_chan<int>());
  go([&] { select(recv(a), send(b, 1)); });
  if (fixed) b.recv();
}

void wait_group(bool fixed) {
  auto& wg = keep<WaitGroup>();
  wg.add(2);
  go([&] { wg.wait(); });
  wg.done();
  if (fixed) wg.done();
}

void mutex_stuck(bool fixed) {
  auto& mutex = keep<Mutex>();
  mutex.lock();
  go([&] { const std::scoped_lock lock(mutex); });
  if (fixed) mutex.unlock();
}

void mutex_twice(bool fixed) {
  auto& mutex = keep<Mutex>();
  go([&mutex, fixed] {
    mutex.lock();
    if (fixed) mutex.unlock();
    mutex.lock();
    mutex.unlock();
  });
}

void rw_mutex_read(bool fixed) {
  auto& rw = keep<RWMutex>();
  rw.lock();
  go([&] {
    rw.lock_shared();
    rw.unlock_shared();
  });
  if (fixed) rw.unlock();
}

void rw_mutex_write(bool fixed) {
  auto& rw = keep<RWMutex>();
  rw.lock_shared();
  go([&] {
    rw.lock();
    rw.unlock();
  });
  if (fixed) rw.unlock_shared();
}

void cond(bool fixed) {
  struct State {
    Mutex mutex;
    Cond cond;
    bool ready = false;
  };
  auto& s = keep<State>();
  go([&s] {
    std::unique_lock lock(s.mutex);
    s.cond.wait(lock, [&] { return s.ready; });
  });
  until([&] { return s.cond.has_waiters_for_test(); });
  const std::scoped_lock lock(s.mutex);
  s.ready = true;
  if (fixed) s.cond.signal();
}

// The one that would wake the other waits itself.
void mixed(bool fixed) {
  struct State {
    Chan<int> chan = make_chan<int>();
    WaitGroup wg;
  };
  auto& s = keep<State>();
  s.wg.add(1);
  go([&s] {
    s.chan.recv();
    s.wg.done();
  });
  go([&s, fixed] {
    if (fixed) s.chan.send(1);
    s.wg.wait();
    if (!fixed) s.chan.send(1);
  });
}

// A goroutine that waits on something everybody can reach is used again later: no leak.
void no_leak_global(bool) {
  static auto& chan = keep<Chan<int>>(make_chan<int>());
  go([] { chan.recv(); });
  until([] { return testing::receiver_waits(chan); });
  chan.send(1);
}

// --- commonpatterns

void no_close_range(bool fixed) {
  auto& jobs = keep<Chan<int>>(make_chan<int>(8));
  for (int worker = 0; worker < 3; ++worker) {
    go([&] {
      for ([[maybe_unused]] const int job : jobs) yield();
    });
  }
  for (int job = 0; job < 5; ++job) jobs.send(job);
  if (fixed) jobs.close();
}

void double_send(bool fixed) {
  auto& result = keep<Chan<int>>(make_chan<int>());
  go([&result, fixed] {
    result.send(-1);  // the error
    if (fixed) return;
    result.send(1);
  });
  result.recv();
}

void early_return(bool fixed) {
  auto& result = keep<Chan<int>>(make_chan<int>(fixed ? 1 : 0));
  go([&] { result.send(1); });
  const bool invalid = true;
  if (invalid) return;
  result.recv();
}

void n_cast(bool fixed) {
  constexpr int kCount = 6;
  auto& first = keep<Chan<int>>(make_chan<int>(fixed ? kCount : 0));
  for (int i = 0; i < kCount; ++i) go([&first, i] { first.send(i); });
  first.recv();
}

void timeout(bool fixed) {
  auto& done = keep<Chan<int>>(make_chan<int>(fixed ? 1 : 0));
  auto& late = keep<std::atomic<bool>>(false);
  go([&] {
    until([&] { return late.load(); });
    done.send(1);
  });
  select(recv(done), after(1ms));
  late = true;
}

constexpr LeakProgram kSimple[] = {
    {"NilRecv", 1, false, &nil_recv},
    {"NilSend", 1, false, &nil_send},
    {"SelectNoCases", 1, false, &select_no_cases},
    {"ChanRecv", 1, false, &chan_recv},
    {"ChanSend", 1, false, &chan_send},
    {"Select", 1, false, &select_two},
    {"WaitGroup", 1, false, &wait_group},
    {"MutexStuck", 1, false, &mutex_stuck},
    {"MutexTwice", 1, true, &mutex_twice},
    {"RWMutexRLock", 1, false, &rw_mutex_read},
    {"RWMutexLock", 1, false, &rw_mutex_write},
    {"Cond", 1, false, &cond},
    {"Mixed", 2, false, &mixed},
    {"NoLeakGlobal", 0, false, &no_leak_global},
};

constexpr LeakProgram kCommonPatterns[] = {
    {"NoCloseRange", 3, false, &no_close_range},
    {"DoubleSend", 1, false, &double_send},
    {"EarlyReturn", 1, false, &early_return},
    {"NCastLeak", 5, false, &n_cast},
    {"Timeout", 1, false, &timeout},
};

TEST(LeakSet, Simple) { testing::score("simple", kSimple); }
TEST(LeakSet, CommonPatterns) { testing::score("commonpatterns", kCommonPatterns); }

}  // namespace
}  // namespace degu
