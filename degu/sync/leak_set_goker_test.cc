// Blocking bugs of well-known Go programs in the manner of GoBench's "goker" set, written anew from the descriptions
// of the bugs (the numbers are those of the projects' pull requests). The interleaving that loses is forced, so that
// each leaks on every run.
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
#include <shared_mutex>

namespace degu {
namespace {

using testing::keep;
using testing::LeakProgram;
using testing::until;

// Goroutines get to the point where each holds what it has before any goes on.
struct Meeting {
  explicit Meeting(int expected) : missing(expected) {}
  void arrive() {
    missing.fetch_sub(1);
    until([this] { return missing <= 0; });
  }
  std::atomic<int> missing;
};

void until_writer_waits(RWMutex& rw) {
  until([&] {
    if (!rw.try_lock_shared()) return true;
    rw.unlock_shared();
    return false;
  });
}

// --- locks

// cockroach#584: a loop is left by a branch that does not unlock.
void break_without_unlock(bool fixed) {
  auto& mutex = keep<Mutex>();
  go([&mutex, fixed] {
    for (;;) {
      mutex.lock();
      const bool closed = true;
      if (closed) {
        if (fixed) mutex.unlock();
        break;
      }
      mutex.unlock();
    }
    mutex.lock();
    mutex.unlock();
  });
}

// cockroach#7504, cockroach#10214, moby#4951, hugo#5379: two locks in both orders.
void two_orders(bool fixed) {
  struct State {
    Mutex leases;
    Mutex names;
    Meeting both{2};
  };
  auto& s = keep<State>();
  go([&s] {
    const std::scoped_lock first(s.leases);
    s.both.arrive();
    const std::scoped_lock second(s.names);
  });
  go([&s, fixed] {
    if (fixed) {
      s.both.arrive();
      const std::scoped_lock first(s.leases);
      const std::scoped_lock second(s.names);
      return;
    }
    const std::scoped_lock first(s.names);
    s.both.arrive();
    const std::scoped_lock second(s.leases);
  });
}

// cockroach#9935, grpc#795, moby#36114: a method that locks calls another one that locks.
void lock_in_callee(bool fixed) {
  auto& mutex = keep<Mutex>();
  go([&mutex, fixed] {
    const auto exit_on_error = [&] { const std::scoped_lock lock(mutex); };
    {
      const std::scoped_lock lock(mutex);
      if (!fixed) exit_on_error();
    }
    exit_on_error();
  });
}

// etcd#6708: a reader's method is called under the writer's lock.
void read_under_write(bool fixed) {
  auto& rw = keep<RWMutex>();
  go([&rw, fixed] {
    std::unique_lock lock(rw);
    if (fixed) lock.unlock();
    const std::shared_lock endpoints(rw);
  });
}

// etcd#5509: the error path forgets to unlock the readers' side; Close wants to write.
void missing_read_unlock(bool fixed) {
  auto& rw = keep<RWMutex>();
  auto& failed = keep<std::atomic<bool>>(false);
  go([&rw, &failed, fixed] {
    rw.lock_shared();
    const bool connection_closed = true;
    failed = true;
    if (connection_closed && !fixed) return;
    rw.unlock_shared();
  });
  go([&] {
    until([&] { return failed.load(); });
    const std::scoped_lock close(rw);
  });
}

// cockroach#3710, cockroach#6181, cockroach#16167, kubernetes#62464: a second read lock behind a waiting writer.
void reader_writer_reader(bool fixed) {
  auto& rw = keep<RWMutex>();
  auto& reading = keep<std::atomic<bool>>(false);
  go([&rw, &reading, fixed] {
    const std::shared_lock outer(rw);
    reading = true;
    until_writer_waits(rw);
    if (!fixed) const std::shared_lock inner(rw);
  });
  go([&] {
    until([&] { return reading.load(); });
    const std::scoped_lock writer(rw);
  });
}

// moby#7559, moby#17176: `continue` and `return` between lock and unlock.
void continue_without_unlock(bool fixed) {
  auto& mutex = keep<Mutex>();
  go([&mutex, fixed] {
    for (int i = 0; i < 2; ++i) {
      mutex.lock();
      if (i == 0 && !fixed) continue;
      mutex.unlock();
    }
  });
}

// --- locks and channels

// grpc#1353, kubernetes#1321, etcd#7492: a send under a lock whose receiver needs that lock first.
void send_under_lock(bool fixed) {
  struct State {
    explicit State(std::size_t room) : events(make_chan<int>(room)) {}
    Mutex mutex;
    Chan<int> events;
    std::atomic<bool> locked{false};
  };
  auto& s = keep<State>(fixed ? 1U : 0U);
  go([&s] {
    const std::scoped_lock lock(s.mutex);
    s.locked = true;
    s.events.send(1);
  });
  go([&s] {
    until([&] { return s.locked.load(); });
    { const std::scoped_lock lock(s.mutex); }
    s.events.recv();
  });
}

// kubernetes#10182: the manager waits for a status under its lock; the one who sends it takes the lock to do so.
void receive_under_lock(bool fixed) {
  struct State {
    Mutex mutex;
    Chan<int> statuses = make_chan<int>();
    std::atomic<bool> locked{false};
  };
  auto& s = keep<State>();
  go([&s, fixed] {
    std::unique_lock lock(s.mutex);
    s.locked = true;
    if (fixed) lock.unlock();
    s.statuses.recv();
  });
  go([&s] {
    until([&] { return s.locked.load(); });
    const std::scoped_lock lock(s.mutex);
    s.statuses.send(1);
  });
}

// etcd#6873, moby#28462: stop() holds the lock while it waits for the goroutine's end, which wants the lock.
void stop_under_lock(bool fixed) {
  struct State {
    Mutex mutex;
    Chan<int> stop = make_chan<int>();
    Chan<int> done = make_chan<int>();
  };
  auto& s = keep<State>();
  go([&s] {
    s.stop.recv();
    { const std::scoped_lock lock(s.mutex); }
    s.done.close();
  });
  go([&s, fixed] {
    std::unique_lock lock(s.mutex);
    s.stop.close();
    if (fixed) lock.unlock();
    s.done.recv();
  });
}

// kubernetes#6632: a frame is written under the lock while the reset that drains the pipe wants it too.
void reset_under_lock(bool fixed) {
  struct State {
    Mutex write;
    Chan<int> resets = make_chan<int>();
    Chan<int> closed = make_chan<int>();
  };
  auto& s = keep<State>();
  go([&s] {  // monitor
    int resets = 0;
    select(recv(s.closed,
                [&](std::optional<int>) {
                  const std::scoped_lock lock(s.write);
                  ++resets;
                }),
           recv(s.resets, [&](std::optional<int>) { ++resets; }));
  });
  go([&s, fixed] {
    std::unique_lock lock(s.write);
    s.closed.close();
    until([&] { return s.write.has_waiters_for_test() || fixed; });
    if (fixed) return;
    s.resets.send(1);
  });
}

// --- channels

// cockroach#2448: two multiplexers, each sending to the other while nobody receives.
void send_to_each_other(bool fixed) {
  struct State {
    explicit State(std::size_t room) : a(make_chan<int>(room)), b(make_chan<int>(room)) {}
    Chan<int> a;
    Chan<int> b;
  };
  auto& s = keep<State>(fixed ? 1U : 0U);
  go([&s] {
    s.a.send(1);
    s.b.recv();
  });
  go([&s] {
    s.b.send(1);
    s.a.recv();
  });
}

// cockroach#24808: the same event is sent twice into a buffer of one before the loop that drains it has started.
void full_before_start(bool fixed) {
  auto& events = keep<Chan<int>>(make_chan<int>(1));
  go([&events, fixed] {
    events.send(1);
    if (fixed) {
      static_cast<void>(events.try_send(2));
    } else {
      events.send(2);
    }
  });
}

// cockroach#35931, cockroach#18101: the consumer gives up, the producer fills the buffer.
void consumer_gone(bool fixed) {
  struct State {
    Chan<int> rows = make_chan<int>(2);
    Chan<int> gone = make_chan<int>();
  };
  auto& s = keep<State>();
  go([&s, fixed] {
    for (int row = 0; row < 10; ++row) {
      if (fixed) {
        bool stop = false;
        select(send(s.rows, row), recv(s.gone, [&](std::optional<int>) { stop = true; }));
        if (stop) return;
      } else {
        s.rows.send(row);
      }
    }
  });
  go([&s] {
    s.rows.recv();
    s.gone.close();  // an error: it reads no more
  });
}

// kubernetes#5316, grpc#660: the result comes after the one who asked has timed out.
void result_after_timeout(bool fixed) {
  struct State {
    explicit State(std::size_t room) : result(make_chan<int>(room)) {}
    Chan<int> result;
    Chan<int> timer = make_chan<int>();
  };
  auto& s = keep<State>(fixed ? 1U : 0U);
  go([&s] {
    select(recv(s.result), recv(s.timer));
    go([&s] { s.result.send(1); });
  });
  s.timer.close();
}

// grpc#1275, grpc#1424: a reader of a stream that is dropped without being closed.
void dropped_stream(bool fixed) {
  auto& frames = keep<Chan<int>>(make_chan<int>(4));
  go([&] {
    while (frames.recv()) yield();
  });
  frames.send(1);
  if (fixed) frames.close();
}

// etcd#6857: a request to a node that has stopped in between.
void request_after_stop(bool fixed) {
  struct State {
    Chan<int> status = make_chan<int>();
    Chan<int> stop = make_chan<int>();
    Chan<int> done = make_chan<int>();
  };
  auto& s = keep<State>();
  go([&s] {
    select(recv(s.status), recv(s.stop));
    s.done.close();
  });
  s.stop.close();
  s.done.recv();
  go([&s, fixed] {
    if (fixed) {
      select(send(s.status, 1), recv(s.done));
    } else {
      s.status.send(1);
    }
  });
}

// istio#17860, kubernetes#25331: two may report an end, one is heard.
void second_report(bool fixed) {
  auto& status = keep<Chan<int>>(make_chan<int>(fixed ? 2U : 0U));
  go([&] { status.send(1); });
  go([&] { status.send(2); });
  status.recv();
}

// kubernetes#70277: a poller keeps ticking into a channel after its reader has had enough.
void poller_without_done(bool fixed) {
  struct State {
    Chan<int> ticks = make_chan<int>();
    Chan<int> done = make_chan<int>();
  };
  auto& s = keep<State>();
  go([&s, fixed] {
    for (bool stop = false; !stop;) {
      if (fixed) {
        select(send(s.ticks, 1), recv(s.done, [&](std::optional<int>) { stop = true; }));
      } else {
        s.ticks.send(1);
      }
    }
  });
  s.ticks.recv();
  s.done.close();
}

// cockroach#13197, cockroach#13755: what waits for the end of a transaction that nobody ends when the query failed.
void nobody_ends_the_transaction(bool fixed) {
  auto& ended = keep<Chan<int>>(make_chan<int>());
  go([&] { ended.recv(); });
  const bool query_failed = true;
  if (query_failed && !fixed) return;
  ended.close();
}

// --- conditions and groups

// moby#29733, moby#30408: the flag is set, nobody is told.
void set_without_signal(bool fixed) {
  struct State {
    Mutex mutex;
    Cond cond;
    int waiting = 0;
    bool activated = false;
  };
  auto& s = keep<State>();
  for (int i = 0; i < 2; ++i) {
    go([&s] {
      std::unique_lock lock(s.mutex);
      ++s.waiting;
      s.cond.wait(lock, [&] { return s.activated; });
    });
  }
  until([&] {
    const std::scoped_lock lock(s.mutex);
    return s.waiting == 2;
  });
  const std::scoped_lock lock(s.mutex);
  s.activated = true;
  if (fixed) s.cond.broadcast();
}

// etcd#7902: one of the members that all wait for gives up before the barrier.
void barrier_never_full(bool fixed) {
  struct State {
    Mutex mutex;
    Cond cond;
    int missing = 3;
  };
  auto& s = keep<State>();
  for (int i = 0; i < 3; ++i) {
    go([&s, i, fixed] {
      std::unique_lock lock(s.mutex);
      const bool fails = i == 2;
      if (fails && !fixed) return;
      if (--s.missing == 0) s.cond.broadcast();
      s.cond.wait(lock, [&] { return s.missing == 0; });
    });
  }
  // The two others wait when the third has been and gone.
  if (!fixed) until([&] { return s.cond.has_waiters_for_test(); });
}

// cockroach#1055, cockroach#25456: the one who drains waits, with the lock held, for tasks that want the lock.
void drain_under_lock(bool fixed) {
  struct State {
    Mutex mutex;
    WaitGroup tasks;
    std::atomic<bool> draining{false};
  };
  auto& s = keep<State>();
  go([&s, fixed] {
    std::unique_lock lock(s.mutex);
    s.tasks.go([&s] {
      until([&] { return s.draining.load(); });
      const std::scoped_lock task(s.mutex);
    });
    if (fixed) lock.unlock();
    s.draining = true;
    s.tasks.wait();
  });
}

// moby#25384: wait() in the loop that starts the goroutines it waits for.
void wait_inside_the_loop(bool fixed) {
  auto& wg = keep<WaitGroup>();
  wg.add(2);
  go([&wg, fixed] {
    for (int i = 0; i < 2; ++i) {
      go([&wg] { wg.done(); });
      if (!fixed) wg.wait();
    }
    wg.wait();
  });
}

// cockroach#1462, istio#18454: done() is behind a send that nobody receives, as the receiver is in wait().
void done_behind_a_send(bool fixed) {
  struct State {
    explicit State(std::size_t room) : out(make_chan<int>(room)) {}
    WaitGroup wg;
    Chan<int> out;
  };
  constexpr int kWorkers = 3;
  auto& s = keep<State>(fixed ? 3U : 0U);
  for (int i = 0; i < kWorkers; ++i) s.wg.go([&s, i] { s.out.send(i); });
  go([&s] {
    s.wg.wait();
    for (int i = 0; i < kWorkers; ++i) s.out.recv();
  });
}

constexpr LeakProgram kGoker[] = {
    {"cockroach584 break w/o unlock", 1, true, &break_without_unlock},
    {"cockroach7504 two orders", 2, true, &two_orders},
    {"cockroach9935 lock in callee", 1, true, &lock_in_callee},
    {"etcd6708 read under write", 1, true, &read_under_write},
    {"etcd5509 missing read unlock", 1, false, &missing_read_unlock},
    {"cockroach3710 reader-writer-reader", 2, false, &reader_writer_reader},
    {"moby7559 continue w/o unlock", 1, true, &continue_without_unlock},
    {"grpc1353 send under lock", 2, false, &send_under_lock},
    {"kubernetes10182 receive under lock", 2, false, &receive_under_lock},
    {"etcd6873 stop under lock", 2, false, &stop_under_lock},
    {"kubernetes6632 reset under lock", 2, false, &reset_under_lock},
    {"cockroach2448 send to each other", 2, false, &send_to_each_other},
    {"cockroach24808 full before start", 1, false, &full_before_start},
    {"cockroach35931 consumer gone", 1, false, &consumer_gone},
    {"kubernetes5316 late result", 1, false, &result_after_timeout},
    {"grpc1275 dropped stream", 1, false, &dropped_stream},
    {"etcd6857 request after stop", 1, false, &request_after_stop},
    {"istio17860 second report", 1, false, &second_report},
    {"kubernetes70277 poller", 1, false, &poller_without_done},
    {"cockroach13755 nobody ends it", 1, false, &nobody_ends_the_transaction},
    {"moby29733 set w/o signal", 2, false, &set_without_signal},
    {"etcd7902 barrier never full", 2, false, &barrier_never_full},
    {"cockroach1055 drain under lock", 2, true, &drain_under_lock},
    {"moby25384 wait inside the loop", 1, false, &wait_inside_the_loop},
    {"cockroach1462 done behind a send", 4, false, &done_behind_a_send},
};

TEST(LeakSet, Goker) { testing::score("goker", kGoker); }

}  // namespace
}  // namespace degu
