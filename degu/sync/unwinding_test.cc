// Exceptions and goroutines: destructors that wait while the stack unwinds, exceptions of their own for each
// goroutine, and failures that cross a join.
#include <degu/base/error.h>
#include <degu/rt/testing/all_shapes.h>
#include <degu/sync/chan.h>
#include <degu/sync/mutex.h>
#include <degu/sync/select.h>
#include <degu/sync/task_group.h>
#include <degu/sync/testing/probe.h>
#include <degu/sync/wait_group.h>
#include <gtest/gtest.h>

#include <atomic>
#include <exception>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

namespace degu {
namespace {

using testing::code_of;
using testing::until;
using namespace std::chrono_literals;

template <class F>
class AtExit {
 public:
  explicit AtExit(F f) : f_(std::move(f)) {}
  ~AtExit() { f_(); }
  AtExit(const AtExit&) = delete;
  AtExit& operator=(const AtExit&) = delete;

 private:
  F f_;
};

// Many goroutines unwind at once; their destructors use channels, locks, select and groups, and meet in them.
TEST(Unwinding, DestructorsMayWait) {
  all_shapes([] {
    constexpr int kEach = 20;
    auto c = make_chan<int>();
    Mutex mutex;
    int locked = 0;
    std::atomic<int> caught{0};
    WaitGroup wg;
    for (int i = 0; i < 2 * kEach; ++i) {
      wg.go([&, i] {
        try {
          const AtExit meet([&, i] {
            EXPECT_EQ(std::uncaught_exceptions(), 1);
            if (i % 2 == 0) {
              c.send(i);
            } else {
              EXPECT_EQ(select(recv(c), after(1h)), 0);
            }
            {
              const std::lock_guard guard(mutex);
              ++locked;
              yield();
            }
            WaitGroup inner;
            inner.go([] { EXPECT_EQ(std::uncaught_exceptions(), 0); });
            inner.wait();
            EXPECT_EQ(std::uncaught_exceptions(), 1);
          });
          throw std::runtime_error(std::to_string(i));
        } catch (const std::runtime_error& e) {
          EXPECT_EQ(e.what(), std::to_string(i));
          caught.fetch_add(1);
        }
      });
    }
    wg.wait();
    EXPECT_EQ(caught, 2 * kEach);
    EXPECT_EQ(locked, 2 * kEach);
  });
}

// The context has ended: waits in destructors do not throw, those after the catch do.
TEST(Unwinding, DestructorsWaitThoughTheContextHasEnded) {
  all_shapes([] {
    TaskGroup group;
    auto c = make_chan<int>();
    auto never = make_chan<int>();
    group.go([&] {
      try {
        const AtExit meet([&] { EXPECT_EQ(c.recv(), 5); });
        never.recv();
      } catch (const Cancelled&) {
        EXPECT_THROW(never.recv(), Cancelled);
        throw;
      }
    });
    until([&] { return testing::receiver_waits(never); });
    group.cancel();
    c.send(5);
    group.wait();
  });
}

// std::uncaught_exceptions and std::current_exception are those of the goroutine, whatever thread it is on.
TEST(Unwinding, EachGoroutineHasItsOwnExceptions) {
  all_shapes([] {
    std::atomic<bool> stop{false};
    WaitGroup calm;
    for (int i = 0; i < 4; ++i) {
      calm.go([&] {
        while (!stop) {
          EXPECT_EQ(std::uncaught_exceptions(), 0);
          EXPECT_FALSE(std::current_exception());
          yield();
        }
      });
    }
    WaitGroup wild;
    for (int i = 0; i < 4; ++i) {
      wild.go([] {
        for (int round = 0; round < 20; ++round) {
          try {
            const AtExit outer([] {
              for (int n = 0; n < 3; ++n) yield();
              EXPECT_EQ(std::uncaught_exceptions(), 1);
              try {
                const AtExit inner([] {
                  yield();
                  EXPECT_EQ(std::uncaught_exceptions(), 2);
                });
                throw 2;
              } catch (int n) {
                yield();
                EXPECT_EQ(n, 2);
                EXPECT_EQ(std::uncaught_exceptions(), 1);
              }
            });
            throw 1;
          } catch (int n) {
            yield();
            EXPECT_EQ(n, 1);
            EXPECT_EQ(std::uncaught_exceptions(), 0);
            EXPECT_TRUE(std::current_exception());
          }
        }
      });
    }
    wild.wait();
    stop = true;
    calm.wait();
  });
}

// The object that a task threw, not a copy, reaches who waits; and may go on to another goroutine.
TEST(Unwinding, ExceptionsCrossTheJoin) {
  struct Rich : std::runtime_error {
    explicit Rich(std::shared_ptr<int> held) : std::runtime_error("rich"), data(std::move(held)) {}
    std::shared_ptr<int> data;
  };
  all_shapes([] {
    auto data = std::make_shared<int>(7);
    std::exception_ptr kept;
    {
      TaskGroup outer;
      outer.go([&] {
        TaskGroup inner;
        inner.go([&] {
          try {
            throw Rich(data);
          } catch (...) {
            yield();
            std::throw_with_nested(Error(Code::kAborted, "wrapped"));
          }
        });
        inner.wait();
      });
      try {
        outer.wait();
        ADD_FAILURE();
      } catch (const Error& e) {
        EXPECT_EQ(e.code(), Code::kAborted);
        yield();
        try {
          std::rethrow_if_nested(e);
          ADD_FAILURE();
        } catch (const Rich& rich) {
          EXPECT_EQ(rich.data, data);
          kept = std::current_exception();
        }
      }
    }
    EXPECT_EQ(data.use_count(), 2);
    WaitGroup wg;
    for (int i = 0; i < 3; ++i) {
      wg.go([&] {
        try {
          std::rethrow_exception(kept);
        } catch (const Rich& rich) {
          yield();
          EXPECT_EQ(*rich.data, 7);
        }
      });
    }
    wg.wait();
    kept = nullptr;
    EXPECT_EQ(data.use_count(), 1);
  });
}

// A TaskGroup that unwinding destroys ends its tasks, and waits for their destructors too.
TEST(Unwinding, GroupsAreJoinedOnTheWay) {
  all_shapes([] {
    std::atomic<int> ended{0};
    auto never = make_chan<int>();
    EXPECT_EQ(code_of([&] {
                TaskGroup group;
                for (int i = 0; i < 4; ++i) {
                  group.go([&] {
                    const AtExit count([&] {
                      sleep(10us);
                      ended.fetch_add(1);
                    });
                    never.recv();
                  });
                }
                until([&] { return testing::receiver_waits(never); });
                throw Error(Code::kDataLoss, "on the way");
              }),
              Code::kDataLoss);
    EXPECT_FALSE(testing::receiver_waits(never));
  });
}

}  // namespace
}  // namespace degu
