// After golang/go src/iter/pull_test.go.
#include <degu/base/error.h>
#include <degu/rt/testing/all_shapes.h>
#include <degu/sync/chan.h>
#include <degu/sync/generator.h>
#include <degu/sync/mutex.h>
#include <degu/sync/task_group.h>
#include <degu/sync/testing/probe.h>
#include <degu/sync/wait_group.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace degu {
namespace {

using testing::code_of;
using testing::Counted;
using testing::Explosive;
using namespace std::chrono_literals;

Generator<int> count_to(int limit) {
  return Generator<int>([limit](auto& yield) {
    for (int i = 0; i < limit; ++i) {
      if (!yield(i)) return;
    }
  });
}

// TestPull: every length, every place to stop.
TEST(Generator, GivesValuesUntilItsEndOrStop) {
  all_shapes([] {
    for (int limit = 0; limit < 4; ++limit) {
      for (int stop_at = 0; stop_at <= limit + 1; ++stop_at) {
        Generator<int> numbers = count_to(limit);
        for (int i = 0; i < stop_at; ++i)
          EXPECT_EQ(numbers.next(), i < limit ? std::optional<int>(i) : std::nullopt);
        numbers.stop();
        EXPECT_EQ(numbers.next(), std::nullopt);
        numbers.stop();
      }
    }
  });
}

TEST(Generator, RangeForTakesWhatIsLeft) {
  all_shapes([] {
    Generator<int> numbers = count_to(6);
    std::vector<int> seen;
    for (int& n : numbers) {
      seen.push_back(n);
      if (n == 2) break;
    }
    for (int n : numbers) seen.push_back(n);
    EXPECT_EQ(seen, (std::vector<int>{0, 1, 2, 3, 4, 5}));
  });
}

// Early stop: what the producer holds is released before stop() returns; so with the destructor.
TEST(Generator, StopUnwindsTheProducer) {
  all_shapes([] {
    for (const bool by_destructor : {false, true}) {
      std::optional<Generator<int>> numbers(std::in_place, [held = Counted(1)](auto& yield) {
        const Counted local(2);
        while (yield(held.value())) {
        }
      });
      EXPECT_EQ(numbers->next(), 1);
      EXPECT_EQ(Counted::alive, 2);
      if (by_destructor) {
        numbers.reset();
      } else {
        numbers->stop();
      }
      EXPECT_EQ(Counted::alive, 0);
    }
    Generator<int> never([held = Counted(1)](auto& yield) { static_cast<void>(yield(held.value())); });
    never.stop();
    EXPECT_EQ(Counted::alive, 0);
    EXPECT_EQ(never.next(), std::nullopt);
  });
}

// TestPullPanic*: exceptions reach whoever drives the producer, which is over then.
TEST(Generator, ExceptionsPassThrough) {
  all_shapes([] {
    Generator<int> first([](auto&) { throw std::runtime_error("first"); });
    EXPECT_THROW(first.next(), std::runtime_error);
    EXPECT_EQ(first.next(), std::nullopt);
    Generator<int> later([](auto& yield) {
      if (yield(1)) throw Error(Code::kAborted, "later");
    });
    EXPECT_EQ(later.next(), 1);
    EXPECT_EQ(code_of([&] { later.next(); }), Code::kAborted);
    EXPECT_EQ(later.next(), std::nullopt);
    later.stop();
    Generator<int> in_stop([](auto& yield) {
      while (yield(1)) {
      }
      throw Error(Code::kDataLoss, "in stop");
    });
    in_stop.next();
    EXPECT_EQ(code_of([&] { in_stop.stop(); }), Code::kDataLoss);
    Generator<int> deaf([](auto& yield) {
      for (;;) static_cast<void>(yield(1));
    });
    deaf.next();
    EXPECT_EQ(code_of([&] { deaf.stop(); }), Code::kFailedPrecondition);
    Generator<int> lost([](auto& yield) {
      while (yield(1)) {
      }
      throw Error(Code::kDataLoss, "lost");
    });
    lost.next();
  });
}

// Each side has its own exceptions: both may be inside `catch`, and unwinding, at once.
TEST(Generator, SwitchesInsideCatch) {
  all_shapes([] {
    Generator<std::string> texts([](auto& yield) {
      for (int i = 0;; ++i) {
        try {
          throw std::runtime_error("producer " + std::to_string(i));
        } catch (const std::exception& e) {
          EXPECT_EQ(std::uncaught_exceptions(), 0);
          if (!yield(std::string(e.what()))) return;
          EXPECT_STREQ(e.what(), ("producer " + std::to_string(i)).c_str());
          EXPECT_TRUE(std::current_exception());
        }
        if (!yield(std::string(std::current_exception() ? "caught" : "none"))) return;
      }
    });
    struct InDestructor {
      Generator<std::string>& texts;
      ~InDestructor() {
        EXPECT_EQ(std::uncaught_exceptions(), 1);
        EXPECT_EQ(texts.next(), "producer 1");
        EXPECT_EQ(std::uncaught_exceptions(), 1);
      }
    };
    try {
      throw Error(Code::kAborted, "consumer");
    } catch (const Error& e) {
      EXPECT_EQ(texts.next(), "producer 0");
      EXPECT_EQ(texts.next(), "none");
      try {
        const InDestructor in_destructor{texts};
        throw;
      } catch (const Error& again) {
        EXPECT_EQ(again.message(), "consumer");
      }
    }
    EXPECT_FALSE(std::current_exception());
  });
}

TEST(Generator, MovesValues) {
  all_shapes([] {
    Generator<std::unique_ptr<int>> boxes([](auto& yield) {
      auto mine = std::make_unique<int>(1);
      if (!yield(std::move(mine))) return;
      EXPECT_EQ(mine, nullptr);
      static_cast<void>(yield(std::make_unique<int>(2)));
    });
    EXPECT_EQ(**boxes.next(), 1);
    EXPECT_EQ(**boxes.next(), 2);
    EXPECT_FALSE(boxes.next());
    Generator<Explosive> explosive([](auto& yield) {
      Explosive value(3);
      while (yield(std::move(value))) {
      }
    });
    Explosive::armed = true;
    EXPECT_EQ(code_of([&] { explosive.next(); }), Code::kInternal);
    Explosive::armed = false;
    EXPECT_EQ(explosive.next()->value(), 3);
    explosive.stop();
    EXPECT_EQ(Explosive::alive, 0);
  });
}

TEST(Generator, OneThatPullsFromAnother) {
  all_shapes([] {
    std::vector<Generator<int>> chain;
    chain.push_back(count_to(100));
    for (std::size_t i = 0; i < 10; ++i) {
      chain.emplace_back([source = std::move(chain.back())](auto& yield) mutable {
        for (int n : source) {
          if (!yield(n + 1)) return;
        }
      });
    }
    EXPECT_EQ(chain.back().next(), 10);
    EXPECT_EQ(chain.back().next(), 11);
    chain.back().stop();
  });
}

// The producer parks: its goroutine waits in next(), and may go on on another thread.
TEST(Generator, ProducerMayWait) {
  all_shapes([] {
    auto c = make_chan<int>();
    WaitGroup wg;
    wg.go([&] {
      for (int i = 0; i < 50; ++i) c.send(i);
      c.close();
    });
    Generator<int> doubled([&](auto& yield) {
      for (int v : c) {
        degu::yield();
        if (!yield(2 * v)) return;
      }
    });
    for (int i = 0; i < 50; ++i) {
      EXPECT_EQ(doubled.next(), 2 * i);
      yield();
    }
    EXPECT_FALSE(doubled.next());
    wg.wait();
  });
}

TEST(Generator, GoroutinesMayTakeTurns) {
  all_shapes([] {
    Generator<int> numbers = count_to(400);
    Mutex mutex;
    std::vector<int> seen;
    WaitGroup wg;
    for (int g = 0; g < 4; ++g) {
      wg.go([&] {
        for (int i = 0; i < 100; ++i) {
          mutex.lock();
          seen.push_back(*numbers.next());
          mutex.unlock();
          if (i % 10 == 0) yield();
        }
      });
    }
    wg.wait();
    for (std::size_t i = 0; i < seen.size(); ++i) EXPECT_EQ(seen[i], static_cast<int>(i));
    EXPECT_EQ(seen.size(), 400u);
  });
}

// Its context is that of where it was made, and does not leak to the consumer.
TEST(Generator, KeepsItsContext) {
  all_shapes([] {
    TaskGroup outer;
    std::optional<Generator<int>> made;
    outer.go([&] {
      made.emplace([&](auto& yield) {
        TaskGroup inner;
        EXPECT_EQ(rt::current_context()->node(), outer.node());
        rt::exchange_context(inner.context_node());
        while (yield(1)) EXPECT_EQ(rt::current_context()->node(), inner.node());
        rt::exchange_context(outer.context_node());
      });
      EXPECT_EQ(made->next(), 1);
      EXPECT_EQ(rt::current_context()->node(), outer.node());
    });
    outer.wait();
    EXPECT_EQ(rt::current_context(), nullptr);
    EXPECT_EQ(made->next(), 1);
    EXPECT_EQ(rt::current_context(), nullptr);
    made.reset();
  });
}

TEST(Generator, MisuseThrows) {
  run([] {
    std::optional<Generator<int>> self;
    self.emplace([&](auto& yield) {
      EXPECT_EQ(code_of([&] { self->next(); }), Code::kFailedPrecondition);
      EXPECT_EQ(code_of([&] { self->stop(); }), Code::kFailedPrecondition);
      static_cast<void>(yield(1));
    });
    EXPECT_EQ(self->next(), 1);
  });
}

TEST(Generator, DeepProducersGetTheStackTheyAskFor) {
  run([] {
    Generator<int> deep(
        [](auto& yield) {
          volatile char frame[3 * 1024 * 1024];
          frame[0] = 1;
          frame[sizeof frame - 1] = 2;
          static_cast<void>(yield(frame[0] + frame[sizeof frame - 1]));
        },
        4 * 1024 * 1024);
    EXPECT_EQ(deep.next(), 3);
  });
}

TEST(Generator, WorksOnForeignThreads) {
  int sum = 0;
  Generator<int> outside = count_to(10);
  for (int n : outside) sum += n;
  EXPECT_EQ(sum, 45);
  run([] {
    Generator<int> numbers = count_to(100);
    EXPECT_EQ(numbers.next(), 0);
    std::thread thread([&] {
      for (int i = 1; i < 50; ++i) EXPECT_EQ(numbers.next(), i);
    });
    blocking([&] { thread.join(); });
    EXPECT_EQ(numbers.next(), 50);
  });
}

}  // namespace
}  // namespace degu
