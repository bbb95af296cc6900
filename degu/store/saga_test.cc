#include <degu/base/testing/temp_dir.h>
#include <degu/context/cancel_scope.h>
#include <degu/rt/run.h>
#include <degu/store/saga.h>
#include <degu/sync/mutex.h>
#include <degu/sync/wait_group.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <mutex>
#include <set>
#include <stdexcept>

namespace degu::store {
namespace {

using namespace std::chrono_literals;
using degu::testing::TempDir;
using ::testing::ElementsAre;

// The world that sagas change: effects by name, and a log of what was asked of it.
class World {
 public:
  void note(const std::string& what) {
    std::lock_guard guard(mutex_);
    log_.push_back(what);
  }
  std::vector<std::string> log() {
    std::lock_guard guard(mutex_);
    return log_;
  }

 private:
  Mutex mutex_;
  std::vector<std::string> log_;
};

class SagaTest : public ::testing::Test {
 protected:
  // Runs the body with an engine; several calls in one test are several lives of a process.
  template <class F>
  void with_engine(F body, SagaOptions options = {}) {
    degu::run([&] {
      auto db =
          Database::open(dir_.file("s.db"),
                         {.migrations = {{1, "saga", std::string(SagaEngine::schema())},
                                         {2, "business", "CREATE TABLE done(saga TEXT, step TEXT) STRICT"}},
                          .synchronous = Synchronous::kNormal});
      SagaEngine engine(*db, std::move(options));
      body(engine, *db);
      engine.stop(1s);
      db->close();
    });
  }

  // A step that notes act and undo, and records itself in the business table.
  SagaStep step(const std::string& name) {
    SagaStep made;
    made.name = name;
    made.act = [this, name](SagaRun&) { world_.note("+" + name); };
    made.done = [name](SagaRun& run, Transaction& tx) {
      tx.exec("INSERT INTO done VALUES(?,?)", run.id(), name);
    };
    made.undo = [this, name](SagaRun&) { world_.note("-" + name); };
    made.undone = [name](SagaRun& run, Transaction& tx) {
      tx.exec("DELETE FROM done WHERE saga=? AND step=?", run.id(), name);
    };
    return made;
  }

  SagaDefinition three() {
    SagaDefinition saga;
    saga.name = "three";
    saga.retry = {.attempts = 3, .first = 1ms, .longest = 2ms};
    saga.undo_retry = {.attempts = 3, .first = 1ms, .longest = 2ms};
    for (const char* name : {"a", "b", "c"}) saga.steps.push_back(step(name));
    return saga;
  }

  static void begin(SagaEngine& engine, Database& db, const std::string& id, const std::string& data = "") {
    db.write([&](Transaction& tx) { engine.begin(tx, "three", id, data); });
  }
  static SagaState run(SagaEngine& engine, const std::string& id) {
    engine.launch(id);
    return *engine.wait(id);
  }
  static int64_t rows(Database& db) {
    return db.read([](Snapshot& s) { return *s.value<int64_t>("SELECT count(*) FROM done"); });
  }

  TempDir dir_;
  World world_;
};

TEST_F(SagaTest, RunsItsStepsInOrder) {
  with_engine([&](SagaEngine& engine, Database& db) {
    engine.define(three());
    begin(engine, db, "1");
    EXPECT_EQ(run(engine, "1"), SagaState::kCompleted);
    EXPECT_EQ(run(engine, "1"), SagaState::kCompleted) << "an ended saga does nothing";
    EXPECT_THAT(world_.log(), ElementsAre("+a", "+b", "+c"));
    EXPECT_EQ(rows(db), 3);
    EXPECT_EQ(engine.wait("unknown"), std::nullopt);
    EXPECT_THROW(begin(engine, db, "1"), Error);
  });
}

TEST_F(SagaTest, AFailureIsUndoneInReverse) {
  with_engine([&](SagaEngine& engine, Database& db) {
    SagaDefinition saga = three();
    saga.steps[2].act = [&](SagaRun&) { throw Error(Code::kFailedPrecondition, "declined"); };
    std::string reason;
    saga.ended = [&](SagaRun& run, Transaction&) {
      reason = run.failure();
      EXPECT_EQ(run.failure_code(), Code::kFailedPrecondition);
    };
    engine.define(std::move(saga));
    begin(engine, db, "1");
    EXPECT_EQ(run(engine, "1"), SagaState::kCompensated);
    EXPECT_THAT(world_.log(), ElementsAre("+a", "+b", "-c", "-b", "-a"))
        << "the failed step too: its effect is unknown";
    EXPECT_EQ(rows(db), 0);
    EXPECT_EQ(reason, "declined");
  });
}

TEST_F(SagaTest, TransientFailuresAreTriedAgain) {
  with_engine([&](SagaEngine& engine, Database& db) {
    SagaDefinition saga = three();
    int left = 2;
    saga.steps[1].act = [&](SagaRun&) {
      world_.note("try");
      if (left-- > 0) throw Error(Code::kUnavailable, "not now");
    };
    engine.define(std::move(saga));
    begin(engine, db, "1");
    EXPECT_EQ(run(engine, "1"), SagaState::kCompleted);
    EXPECT_THAT(world_.log(), ElementsAre("+a", "try", "try", "try", "+c"));
  });
}

TEST_F(SagaTest, TransientFailuresEndToo) {
  with_engine([&](SagaEngine& engine, Database& db) {
    SagaDefinition saga = three();
    saga.steps[1].act = [&](SagaRun&) { throw Error(Code::kUnavailable, "never"); };
    engine.define(std::move(saga));
    begin(engine, db, "1");
    EXPECT_EQ(run(engine, "1"), SagaState::kCompensated);
    EXPECT_THAT(world_.log(), ElementsAre("+a", "-b", "-a"));
  });
}

TEST_F(SagaTest, AStepHasATimeLimit) {
  with_engine([&](SagaEngine& engine, Database& db) {
    SagaDefinition saga = three();
    saga.step_timeout = 5ms;
    saga.steps[0].act = [&](SagaRun&) {
      world_.note("hang");
      sleep(1h);
    };
    engine.define(std::move(saga));
    begin(engine, db, "1");
    EXPECT_EQ(run(engine, "1"), SagaState::kCompensated);
    EXPECT_THAT(world_.log(), ElementsAre("hang", "hang", "hang", "-a"));
  });
}

TEST_F(SagaTest, PastItsTimeToLiveItIsUndone) {
  with_engine([&](SagaEngine& engine, Database& db) {
    SagaDefinition saga = three();
    saga.time_to_live = 20ms;
    saga.steps[1].act = [&](SagaRun&) { sleep(40ms); };
    Code code{};
    saga.ended = [&](SagaRun& run, Transaction&) { code = run.failure_code(); };
    engine.define(std::move(saga));
    begin(engine, db, "1");
    EXPECT_EQ(run(engine, "1"), SagaState::kCompensated);
    EXPECT_EQ(code, Code::kDeadlineExceeded);
    EXPECT_THAT(world_.log(), ElementsAre("+a", "-c", "-b", "-a"));
  });
}

TEST_F(SagaTest, AnUndoThatFailsIsStuckAndResumed) {
  bool broken = true;
  const auto define = [&](SagaEngine& engine) {
    SagaDefinition saga = three();
    saga.steps[1].act = [](SagaRun&) { throw std::runtime_error("bug"); };
    saga.steps[0].undo = [&](SagaRun&) {
      if (broken) throw Error(Code::kInternal, "cannot");
      world_.note("-a");
    };
    engine.define(std::move(saga));
  };
  with_engine([&](SagaEngine& engine, Database& db) {
    define(engine);
    begin(engine, db, "1");
    EXPECT_EQ(run(engine, "1"), SagaState::kStuck);
  });
  broken = false;
  with_engine([&](SagaEngine& engine, Database&) {
    define(engine);
    EXPECT_EQ(engine.resume(), 1U);
    EXPECT_EQ(engine.wait("1"), SagaState::kCompensated);
    EXPECT_THAT(world_.log(), ElementsAre("+a", "-b", "-a"));
    EXPECT_EQ(engine.resume(), 0U);
  });
}

TEST_F(SagaTest, AbortTurnsItAtTheNextStep) {
  with_engine([&](SagaEngine& engine, Database& db) {
    SagaDefinition saga = three();
    SagaEngine* self = &engine;
    saga.steps[1].act = [&, self](SagaRun& run) {
      world_.note("+b");
      EXPECT_TRUE(self->abort(run.id(), "changed my mind"));
      EXPECT_FALSE(self->abort(run.id(), "twice"));
    };
    bool aborted = false;
    std::string reason;
    saga.ended = [&](SagaRun& run, Transaction&) {
      aborted = run.aborted();
      reason = run.failure();
    };
    engine.define(std::move(saga));
    begin(engine, db, "1");
    EXPECT_EQ(run(engine, "1"), SagaState::kCompensated);
    EXPECT_THAT(world_.log(), ElementsAre("+a", "+b", "-b", "-a"));
    EXPECT_TRUE(aborted);
    EXPECT_EQ(reason, "changed my mind");
    EXPECT_FALSE(engine.abort("1", "too late"));
    EXPECT_FALSE(engine.abort("unknown", "x"));
  });
}

TEST_F(SagaTest, AbortDuringTheLastStepIsTooLate) {
  with_engine([&](SagaEngine& engine, Database& db) {
    SagaDefinition saga = three();
    SagaEngine* self = &engine;
    saga.steps[2].act = [self](SagaRun& run) { self->abort(run.id(), "late"); };
    engine.define(std::move(saga));
    begin(engine, db, "1");
    EXPECT_EQ(run(engine, "1"), SagaState::kCompleted);
    EXPECT_EQ(rows(db), 3);
  });
}

TEST_F(SagaTest, AbortBeforeTheFirstLaunch) {
  with_engine([&](SagaEngine& engine, Database& db) {
    engine.define(three());
    begin(engine, db, "1");
    EXPECT_TRUE(engine.abort("1", "no"));
    EXPECT_EQ(run(engine, "1"), SagaState::kCompensated);
    EXPECT_THAT(world_.log(), ElementsAre("-a"));
  });
}

TEST_F(SagaTest, ForwardOnlyInsists) {
  with_engine([&](SagaEngine& engine, Database& db) {
    SagaDefinition saga = three();
    saga.forward_only = true;
    saga.time_to_live = 0ms;
    int left = 2;
    saga.steps[1].act = [&](SagaRun&) {
      if (left-- > 0) throw Error(Code::kInternal, "bad");
      world_.note("+b");
    };
    engine.define(std::move(saga));
    begin(engine, db, "1");
    EXPECT_FALSE(engine.abort("1", "no"));
    EXPECT_EQ(run(engine, "1"), SagaState::kCompleted);
    EXPECT_THAT(world_.log(), ElementsAre("+a", "+b", "+c"));
  });
}

TEST_F(SagaTest, IsNeverRunTwiceAtOnce) {
  with_engine([&](SagaEngine& engine, Database& db) {
    SagaDefinition saga = three();
    std::atomic<int> inside{0};
    saga.steps[1].act = [&](SagaRun&) {
      EXPECT_EQ(++inside, 1);
      sleep(5ms);
      --inside;
      world_.note("+b");
    };
    engine.define(std::move(saga));
    begin(engine, db, "1");
    WaitGroup wg;
    for (int i = 0; i < 20; ++i) wg.go([&] { EXPECT_EQ(run(engine, "1"), SagaState::kCompleted); });
    wg.wait();
    EXPECT_THAT(world_.log(), ElementsAre("+a", "+b", "+c"));
  });
}

TEST_F(SagaTest, StopLeavesItForTheNextProcess) {
  std::atomic<bool> hang{true};
  const auto define = [&](SagaEngine& engine) {
    SagaDefinition saga = three();
    saga.steps[1].act = [&](SagaRun& run) {
      world_.note("+b");
      EXPECT_EQ(run.data(), "memory");
      if (hang) sleep(1h);
    };
    saga.steps[0].done = [](SagaRun& run, Transaction& tx) { run.set_data(tx, "memory"); };
    engine.define(std::move(saga));
  };
  with_engine([&](SagaEngine& engine, Database& db) {
    define(engine);
    begin(engine, db, "1");
    engine.launch("1");
    while (world_.log().size() < 2) sleep(1ms);
    engine.stop(0ms);
    EXPECT_EQ(engine.wait("1"), SagaState::kRunning);
    engine.launch("1");  // after stop: nothing
    EXPECT_EQ(engine.wait("1"), SagaState::kRunning);
  });
  hang = false;
  with_engine([&](SagaEngine& engine, Database&) {
    define(engine);
    EXPECT_EQ(engine.resume(), 1U);
    EXPECT_EQ(engine.wait("1"), SagaState::kCompleted);
    EXPECT_THAT(world_.log(), ElementsAre("+a", "+b", "+b", "+c"));
  });
}

TEST_F(SagaTest, AWaitEndsWithItsContextTheSagaDoesNot) {
  with_engine([&](SagaEngine& engine, Database& db) {
    SagaDefinition saga = three();
    saga.steps[1].act = [&](SagaRun&) { sleep(30ms); };
    engine.define(std::move(saga));
    begin(engine, db, "1");
    {
      CancelScope scope(5ms);
      EXPECT_THROW(run(engine, "1"), DeadlineExceeded);
    }
    EXPECT_EQ(engine.wait("1"), SagaState::kCompleted);
  });
}

TEST_F(SagaTest, ProbesStandAroundEveryCommit) {
  std::vector<std::string> points;
  SagaOptions options;
  options.probe = [&](SagaPoint p) {
    EXPECT_EQ(p.id, "1");
    points.push_back(std::string(p.undoing ? "undo " : "") + std::string(p.step) + (p.committed ? "" : "?"));
  };
  with_engine(
      [&](SagaEngine& engine, Database& db) {
        SagaDefinition saga = three();
        saga.steps.pop_back();
        saga.steps[1].act = [](SagaRun&) { throw Error(Code::kNotFound, "x"); };
        engine.define(std::move(saga));
        begin(engine, db, "1");
        run(engine, "1");
      },
      std::move(options));
  EXPECT_THAT(points, ElementsAre("a?", "a", "undo ?", "undo ", "undo b?", "undo b", "undo a?", "undo a"));
}

TEST_F(SagaTest, ManyAtOnce) {
  SagaOptions options;
  options.max_running = 8;
  with_engine(
      [&](SagaEngine& engine, Database& db) {
        SagaDefinition saga = three();
        saga.steps[1].act = [](SagaRun& run) {
          if (run.id().back() == '7') throw Error(Code::kFailedPrecondition, "sevens fail");
        };
        engine.define(std::move(saga));
        WaitGroup wg;
        for (int i = 0; i < 100; ++i) {
          wg.go([&, i] {
            const std::string id = std::to_string(i);
            begin(engine, db, id);
            EXPECT_EQ(run(engine, id), i % 10 == 7 ? SagaState::kCompensated : SagaState::kCompleted);
          });
        }
        wg.wait();
        EXPECT_EQ(rows(db), 270);
        EXPECT_EQ(engine.prune(std::chrono::hours(1)), 0);
        EXPECT_EQ(engine.prune(std::chrono::seconds(-1)), 100);
      },
      std::move(options));
}

}  // namespace
}  // namespace degu::store
