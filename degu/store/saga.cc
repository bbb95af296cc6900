// Invariants, each kept by one commit:
//   state 'running', step s: steps before s are done, s has begun (its act may have had its effect), none
//   after s. state 'compensating', step s: steps after s never began or are undone, s is being undone. state
//   'stuck', step s: as compensating, or as running for a forward_only saga; nobody works on it. An ended
//   saga is never changed again, apart from prune().
// abort_reason is only written while 'running' and read in the commit that would move the saga on, so an
// abort is either seen or refused, never lost.
#include <degu/base/assert.h>
#include <degu/context/cancel_scope.h>
#include <degu/obs/log.h>
#include <degu/rt/run.h>
#include <degu/store/saga.h>
#include <degu/store/wall_clock.h>
#include <degu/sync/chan.h>
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <utility>

namespace degu::store {
namespace {

constexpr std::array<std::string_view, 5> kStates{"running", "compensating", "completed", "compensated",
                                                  "stuck"};

SagaState state_of(std::string_view name) {
  const auto found = std::find(kStates.begin(), kStates.end(), name);
  if (found == kStates.end()) throw Error(Code::kDataLoss, fmt::format("unknown saga state \"{}\"", name));
  return static_cast<SagaState>(found - kStates.begin());
}

bool is_open(SagaState state) {
  return state == SagaState::kRunning || state == SagaState::kCompensating || state == SagaState::kStuck;
}

void mark_step(Transaction& tx, const SagaRun& run, int64_t step, std::string_view name,
               std::string_view state) {
  tx.exec(
      "INSERT INTO saga_step(saga_id, step, name, state, updated_at_ms) VALUES(?1,?2,?3,?4,?5)"
      " ON CONFLICT(saga_id, step) DO UPDATE SET state=?4, updated_at_ms=?5",
      run.id(), step, name, state, wall_ms());
}

void move_saga(Transaction& tx, const SagaRun& run, SagaState state, int64_t step) {
  tx.exec("UPDATE saga SET state=?, step=?, updated_at_ms=? WHERE id=?", to_string(state), step, wall_ms(),
          run.id());
}

}  // namespace

std::string_view to_string(SagaState state) noexcept { return kStates[static_cast<size_t>(state)]; }

void SagaRun::set_data(Transaction& tx, std::string data) {
  tx.exec("UPDATE saga SET data=? WHERE id=?", data, id_);
  data_ = std::move(data);
}

std::string SagaRun::key(std::string_view step) const { return fmt::format("{}/{}", id_, step); }

struct SagaEngine::Entry {
  Chan<bool> ended = make_chan<bool>(0);
};

std::string_view SagaEngine::schema() noexcept {
  return "CREATE TABLE saga("
         "id TEXT PRIMARY KEY, name TEXT NOT NULL, state TEXT NOT NULL, step INTEGER NOT NULL, data TEXT NOT "
         "NULL,"
         "deadline_ms INTEGER NOT NULL, failure_code INTEGER NOT NULL DEFAULT 0, failure TEXT NOT NULL "
         "DEFAULT '',"
         "abort_reason TEXT, created_at_ms INTEGER NOT NULL, updated_at_ms INTEGER NOT NULL) STRICT;"
         "CREATE INDEX saga_open ON saga(state) WHERE state IN ('running', 'compensating', 'stuck');"
         "CREATE INDEX saga_by_age ON saga(updated_at_ms);"
         "CREATE TABLE saga_step("
         "saga_id TEXT NOT NULL REFERENCES saga(id) ON DELETE CASCADE, step INTEGER NOT NULL, name TEXT NOT "
         "NULL,"
         "state TEXT NOT NULL, updated_at_ms INTEGER NOT NULL, PRIMARY KEY(saga_id, step)) STRICT, WITHOUT "
         "ROWID;";
}

SagaEngine::SagaEngine(Database& database, SagaOptions options)
    : database_(database), options_(std::move(options)), slots_(std::max(options_.max_running, 1)) {}

SagaEngine::~SagaEngine() { stop({}); }

void SagaEngine::define(SagaDefinition definition) {
  DEGU_CHECK(!definition.steps.empty(), "saga {} has no steps", definition.name);
  for (const SagaStep& step : definition.steps) {
    DEGU_CHECK(static_cast<bool>(step.act), "step {} of saga {} does nothing", step.name, definition.name);
  }
  std::string name = definition.name;
  const bool added = definitions_.emplace(std::move(name), std::move(definition)).second;
  DEGU_CHECK(added, "a saga is defined twice");
}

const SagaDefinition& SagaEngine::definition(std::string_view name) const {
  const auto found = definitions_.find(name);
  if (found == definitions_.end())
    throw Error(Code::kInternal, fmt::format("no saga \"{}\" is defined", name));
  return found->second;
}

void SagaEngine::begin(Transaction& tx, std::string_view name, std::string_view id, std::string_view data) {
  const SagaDefinition& saga = definition(name);
  const int64_t now = wall_ms();
  tx.exec(
      "INSERT INTO saga(id, name, state, step, data, deadline_ms, created_at_ms, updated_at_ms)"
      " VALUES(?1,?2,'running',0,?3,?4,?5,?5)",
      id, name, data, now + saga.time_to_live.count(), now);
  tx.exec("INSERT INTO saga_step(saga_id, step, name, state, updated_at_ms) VALUES(?,0,?,'begun',?)", id,
          saga.steps.front().name, now);
}

void SagaEngine::launch(std::string_view id) {
  auto entry = std::make_shared<Entry>();
  {
    std::lock_guard guard(lock_);
    if (!running_.emplace(std::string(id), entry).second) return;
  }
  const auto finished = [this, entry](const std::string& saga) {
    {
      std::lock_guard guard(lock_);
      running_.erase(saga);
    }
    entry->ended.close();
  };
  const bool started = background_.go([this, finished, saga = std::string(id)] {
    try {
      run(saga);
    } catch (const std::exception& error) {
      // It stays recorded as it was before the step that failed; the next resume() takes it up.
      if (!background_.cancelled())
        log(Level::kError, "saga stopped", {{"saga", saga}, {"error", error.what()}});
    }
    finished(saga);
  });
  if (!started) finished(std::string(id));
}

std::optional<SagaState> SagaEngine::wait(std::string_view id) {
  std::shared_ptr<Entry> entry;
  {
    std::lock_guard guard(lock_);
    if (const auto found = running_.find(id); found != running_.end()) entry = found->second;
  }
  if (entry != nullptr) entry->ended.recv();
  const auto state = database_.read([&](Snapshot& snapshot) {
    return snapshot.value<std::string>("SELECT state FROM saga WHERE id=?", id);
  });
  if (!state) return std::nullopt;
  return state_of(*state);
}

bool SagaEngine::abort(std::string_view id, std::string_view reason) {
  return database_.write([&](Transaction& tx) {
    const auto name = tx.value<std::string>("SELECT name FROM saga WHERE id=?", id);
    if (!name || definition(*name).forward_only) return false;
    return tx.exec(
               "UPDATE saga SET abort_reason=?, updated_at_ms=? WHERE id=? AND state='running' AND "
               "abort_reason IS NULL",
               reason, wall_ms(), id) == 1;
  });
}

size_t SagaEngine::resume() {
  const auto open = database_.read([](Snapshot& snapshot) {
    std::vector<std::string> ids;
    auto rows = snapshot.prepare(
        "SELECT id FROM saga WHERE state IN ('running', 'compensating', 'stuck') ORDER BY created_at_ms");
    while (auto row = rows.next()) ids.push_back(row->get<std::string>(0));
    return ids;
  });
  for (const std::string& id : open) launch(id);
  return open.size();
}

void SagaEngine::stop(std::chrono::nanoseconds grace) { background_.stop(grace); }

int64_t SagaEngine::prune(std::chrono::seconds age) {
  const int64_t before = wall_ms() - std::chrono::milliseconds(age).count();
  return database_.write([&](Transaction& tx) {
    return tx.exec("DELETE FROM saga WHERE updated_at_ms < ? AND state IN ('completed', 'compensated')",
                   before);
  });
}

std::optional<SagaRun> SagaEngine::load(std::string_view id) {
  return database_.read([&](Snapshot& snapshot) -> std::optional<SagaRun> {
    auto rows = snapshot.query(
        "SELECT name, state, step, data, deadline_ms, failure_code, failure, abort_reason FROM saga WHERE "
        "id=?",
        id);
    const auto row = rows.next();
    if (!row) return std::nullopt;
    SagaRun run;
    run.id_ = id;
    run.name_ = row->get<std::string>(0);
    run.state_ = state_of(row->get<std::string_view>(1));
    run.step_ = row->get<int64_t>(2);
    run.data_ = row->get<std::string>(3);
    run.deadline_ms_ = row->get<int64_t>(4);
    run.failure_code_ = static_cast<Code>(row->get<uint8_t>(5));
    run.failure_ = row->get<std::string>(6);
    run.aborted_ = !row->is_null(7);
    if (run.aborted_ && run.failure_.empty()) run.failure_ = row->get<std::string>(7);
    return run;
  });
}

void SagaEngine::run(const std::string& id) {
  slots_.acquire();
  struct Slot {
    Semaphore& slots;
    ~Slot() { slots.release(); }
  } const slot{slots_};
  auto run = load(id);
  if (!run || !is_open(run->state_)) return;
  const SagaDefinition& saga = definition(run->name_);
  if (run->step_ < 0 || run->step_ >= std::ssize(saga.steps)) {
    throw Error(Code::kDataLoss,
                fmt::format("saga {} stands at step {}, which {} does not have", id, run->step_, saga.name));
  }
  if (saga.forward_only) {
    run->state_ = SagaState::kRunning;
    forward_only(saga, *run);
    return;
  }
  if (run->state_ == SagaState::kRunning) forward(saga, *run);
  if (run->state_ == SagaState::kCompensating || run->state_ == SagaState::kStuck) backward(saga, *run);
}

void SagaEngine::forward(const SagaDefinition& saga, SagaRun& run) {
  if (run.aborted_) turn(saga, run, Code::kCancelled, run.failure_);
  while (run.state_ == SagaState::kRunning) {
    const SagaStep& step = saga.steps[static_cast<size_t>(run.step_)];
    if (wall_ms() > run.deadline_ms_) {
      turn(saga, run, Code::kDeadlineExceeded,
           fmt::format("not finished within its time ({} ms)", saga.time_to_live.count()));
      return;
    }
    try {
      act_with_retries(saga, step, run);
    } catch (const Error& error) {
      if (background_.cancelled()) throw;
      turn(saga, run, error.code(), error.message());
      return;
    } catch (const std::exception& error) {
      log(Level::kError, "saga step failed",
          {{"saga", run.id_}, {"step", step.name}, {"error", error.what()}});
      turn(saga, run, Code::kInternal, "internal error");
      return;
    }
    record_done(saga, step, run);
  }
}

void SagaEngine::forward_only(const SagaDefinition& saga, SagaRun& run) {
  while (run.state_ == SagaState::kRunning) {
    const SagaStep& step = saga.steps[static_cast<size_t>(run.step_)];
    if (!insist(saga, step, step.act, run)) {
      record_stuck(run);
      return;
    }
    record_done(saga, step, run);
  }
}

void SagaEngine::act_with_retries(const SagaDefinition& saga, const SagaStep& step, SagaRun& run) {
  for (int attempt = 1;; ++attempt) {
    try {
      CancelScope scope(saga.step_timeout);
      step.act(run);
      return;
    } catch (const Error& error) {
      if (background_.cancelled() || !is_transient(error.code()) || attempt >= saga.retry.attempts) throw;
      if (wall_ms() > run.deadline_ms_) throw;
    }
    sleep(saga.retry.pause(attempt));
  }
}

// Commits `body` between the two probes of the point. A database that cannot take the commit now (disk full,
// I/O error, too many writers) is tried again until stop(), because the effect that is to be recorded has
// been made.
template <class F>
void SagaEngine::record(SagaPoint point, F body) {
  constexpr RetryPolicy kPatience{
      .attempts = 0, .first = std::chrono::milliseconds(20), .longest = std::chrono::milliseconds(2000)};
  if (options_.probe) options_.probe(point);
  for (int attempt = 1;; ++attempt) {
    try {
      database_.write(body);
      break;
    } catch (const Error& error) {
      if (error.code() != Code::kUnavailable && error.code() != Code::kResourceExhausted) throw;
      log(Level::kWarn, "saga cannot record its progress", {{"saga", point.saga}, {"error", error.what()}});
    }
    sleep(kPatience.pause(attempt));
  }
  point.committed = true;
  if (options_.probe) options_.probe(point);
}

void SagaEngine::record_done(const SagaDefinition& saga, const SagaStep& step, SagaRun& run) {
  const int64_t next = run.step_ + 1;
  const bool last = next == std::ssize(saga.steps);
  std::optional<std::string> abort_reason;
  record({run.id_, saga.name, step.name}, [&](Transaction& tx) {
    if (step.done) step.done(run, tx);
    mark_step(tx, run, run.step_, step.name, "done");
    if (last) {
      move_saga(tx, run, SagaState::kCompleted, run.step_);
      run.state_ = SagaState::kCompleted;
      if (saga.ended) saga.ended(run, tx);
      return;
    }
    if (!saga.forward_only)
      abort_reason = tx.value<std::string>("SELECT abort_reason FROM saga WHERE id=?", run.id_);
    if (abort_reason) return;
    mark_step(tx, run, next, saga.steps[static_cast<size_t>(next)].name, "begun");
    move_saga(tx, run, SagaState::kRunning, next);
  });
  if (last) return;
  if (abort_reason) {
    // This step is done and on record as begun: turning here undoes it and those before it.
    run.aborted_ = true;
    turn(saga, run, Code::kCancelled, *abort_reason);
  } else {
    run.step_ = next;
  }
}

void SagaEngine::turn(const SagaDefinition& saga, SagaRun& run, Code code, std::string_view reason) {
  run.failure_code_ = code;
  run.failure_ = std::string(reason.substr(0, 500));
  record({run.id_, saga.name, "", true}, [&](Transaction& tx) {
    tx.exec("UPDATE saga SET failure_code=?, failure=? WHERE id=?", static_cast<int>(code), run.failure_,
            run.id_);
    move_saga(tx, run, SagaState::kCompensating, run.step_);
    if (saga.failing) saga.failing(run, tx);
  });
  run.state_ = SagaState::kCompensating;
}

void SagaEngine::backward(const SagaDefinition& saga, SagaRun& run) {
  run.state_ = SagaState::kCompensating;
  while (run.state_ == SagaState::kCompensating) {
    const SagaStep& step = saga.steps[static_cast<size_t>(run.step_)];
    if (step.undo && !insist(saga, step, step.undo, run)) {
      record_stuck(run);
      return;
    }
    record_undone(saga, step, run);
  }
}

// Tries `effect`, whatever it throws; false when it has used up its attempts.
bool SagaEngine::insist(const SagaDefinition& saga, const SagaStep& step,
                        const UniqueFunction<void(SagaRun&)>& effect, SagaRun& run) {
  for (int attempt = 1;; ++attempt) {
    try {
      CancelScope scope(saga.step_timeout);
      effect(run);
      return true;
    } catch (const std::exception& error) {
      if (background_.cancelled()) throw;
      log(attempt >= saga.undo_retry.attempts ? Level::kError : Level::kWarn,
          "saga step has to be tried again",
          {{"saga", run.id_}, {"step", step.name}, {"attempt", attempt}, {"error", error.what()}});
      if (attempt >= saga.undo_retry.attempts) return false;
    }
    sleep(saga.undo_retry.pause(attempt));
  }
}

void SagaEngine::record_undone(const SagaDefinition& saga, const SagaStep& step, SagaRun& run) {
  const bool last = run.step_ == 0;
  record({run.id_, saga.name, step.name, true}, [&](Transaction& tx) {
    if (step.undone) step.undone(run, tx);
    mark_step(tx, run, run.step_, step.name, "undone");
    if (!last) {
      move_saga(tx, run, SagaState::kCompensating, run.step_ - 1);
      return;
    }
    move_saga(tx, run, SagaState::kCompensated, 0);
    run.state_ = SagaState::kCompensated;
    if (saga.ended) saga.ended(run, tx);
  });
  if (!last) --run.step_;
}

void SagaEngine::record_stuck(SagaRun& run) {
  database_.write([&](Transaction& tx) { move_saga(tx, run, SagaState::kStuck, run.step_); });
  run.state_ = SagaState::kStuck;
}

}  // namespace degu::store
