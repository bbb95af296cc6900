// Saga: a sequence of steps across services that is carried to its end, or undone, whatever crashes in
// between.
#pragma once

#include <degu/base/function.h>
#include <degu/store/background.h>
#include <degu/store/database.h>
#include <degu/store/retry.h>
#include <degu/sync/semaphore.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace degu::store {

/// kCompleted: every step was done. kCompensated: a step failed, all that had begun was undone. kStuck: an
/// undo (or a step of a forward_only saga) failed more often than its policy allows; the next resume() or
/// launch() tries again.
enum class SagaState : uint8_t { kRunning, kCompensating, kCompleted, kCompensated, kStuck };

std::string_view to_string(SagaState state) noexcept;

/// What the functions of a step see of their saga.
class SagaRun {
 public:
  const std::string& id() const noexcept { return id_; }

  /// What begin() or the last set_data() stored: the saga's own memory between its steps.
  const std::string& data() const noexcept { return data_; }
  /// Replaces it, as part of `tx`. Only from the `done` and `undone` functions.
  void set_data(Transaction& tx, std::string data);

  /// A key for the calls of step `step`, the same at every attempt: "<id>/<step>".
  std::string key(std::string_view step) const;

  /// Why it is being undone; kOk while it goes forward.
  Code failure_code() const noexcept { return failure_code_; }
  const std::string& failure() const noexcept { return failure_; }
  /// It is being undone because abort() was called.
  bool aborted() const noexcept { return aborted_; }

 private:
  friend class SagaEngine;

  std::string id_;
  std::string name_;
  std::string data_;
  SagaState state_ = SagaState::kRunning;
  int64_t step_ = 0;  // the one to be done, or to be undone
  int64_t deadline_ms_ = 0;
  Code failure_code_ = Code::kOk;
  std::string failure_;
  bool aborted_ = false;
};

/// One step. `act` and `undo` make the effect, usually a call to another service; they run outside any
/// transaction and may run again after a crash, a time-out or a retry, so they are idempotent by
/// SagaRun::key(). `done` and `undone` change the service's own tables in the transaction that records the
/// step's end: both are kept or none is.
///
/// A step whose act failed is undone like those before it, because a failed call may have had its effect:
/// undo() has to cope with an effect that never was, and to keep a late one from happening.
struct SagaStep {
  std::string name;
  UniqueFunction<void(SagaRun&)> act;
  UniqueFunction<void(SagaRun&, Transaction&)> done;    // may be empty
  UniqueFunction<void(SagaRun&)> undo;                  // may be empty: nothing to undo
  UniqueFunction<void(SagaRun&, Transaction&)> undone;  // may be empty
};

struct SagaDefinition {
  std::string name;
  std::vector<SagaStep> steps;
  std::chrono::milliseconds time_to_live{60000};  // from begin(); later it is undone with kDeadlineExceeded
  std::chrono::milliseconds step_timeout{5000};   // the context of one attempt of act or undo
  RetryPolicy retry{.attempts = 4};               // of act, for transient errors (see is_transient)
  RetryPolicy undo_retry{.attempts = 30};         // of undo, for any error
  /// Never undone, has no time-to-live and cannot be aborted: act is repeated by undo_retry for any error,
  /// then the saga is stuck. For sagas that give something back.
  bool forward_only = false;
  /// Runs in the transaction that turns the saga to compensating, and in the one that ends it.
  UniqueFunction<void(SagaRun&, Transaction&)> failing;
  UniqueFunction<void(SagaRun&, Transaction&)> ended;  // with the state kCompleted or kCompensated
};

/// Where a run stands, for who follows it, tests and fault injection: around a commit that records progress.
struct SagaPoint {
  std::string_view id;
  std::string_view saga;  // its definition's name
  std::string_view step;  // "" with undoing: where it turns from going forward to being undone
  bool undoing = false;
  bool committed = false;  // false: just before the commit, effect made; true: just after it
};

struct SagaOptions {
  int max_running = 256;                  // others wait for their turn
  UniqueFunction<void(SagaPoint)> probe;  // may be empty
};

/// Runs the sagas of one service; their state lives in the service's own database (tables of schema()). Every
/// step is recorded before and after it runs, and the record "done" of one is committed with the record
/// "begun" of the next. A saga is run by one goroutine at a time. The database belongs to one process
/// (DatabaseOptions::single_process).
///
/// Goroutine-safe. Define all sagas, then resume(), then begin new ones; stop() before the database is
/// closed.
class SagaEngine {
 public:
  /// The tables `saga` and `saga_step`; a part of the service's migrations.
  static std::string_view schema() noexcept;

  explicit SagaEngine(Database& database, SagaOptions options = {});
  /// stop(0).
  ~SagaEngine();

  void define(SagaDefinition definition);

  /// Records a new saga in the business transaction. It does not run before launch(id), which belongs after
  /// the commit; a crash between the two is what resume() is for. Error(kAlreadyExists) when the id is taken.
  void begin(Transaction& tx, std::string_view name, std::string_view id, std::string_view data);

  /// Runs a recorded saga in a goroutine of the engine, independent of the caller's context. Nothing happens
  /// when it is running or has ended.
  void launch(std::string_view id);

  /// Waits until the saga that was launched has ended (or stopped with the engine) and returns its recorded
  /// state; the end of the caller's context ends the wait, not the saga. nullopt: there is no such saga.
  std::optional<SagaState> wait(std::string_view id);

  /// Asks for the saga to be undone: it turns at its next step, and does not if the last one is done first.
  /// False when it has ended, is forward_only, or is being undone already. Launch it afterwards if it may not
  /// be running.
  bool abort(std::string_view id, std::string_view reason);

  /// Launches everything that has not ended; returns how many. Call it once at start-up.
  size_t resume();

  /// Launches nothing more; gives running sagas `grace` to end, then interrupts them between or inside their
  /// acts. What has not ended is continued by the next resume().
  void stop(std::chrono::nanoseconds grace);

  /// Deletes the records of sagas that ended longer ago than `age`; returns how many.
  int64_t prune(std::chrono::seconds age);

 private:
  struct Entry;

  const SagaDefinition& definition(std::string_view name) const;
  void run(const std::string& id);
  std::optional<SagaRun> load(std::string_view id);
  void forward(const SagaDefinition& definition, SagaRun& run);
  void forward_only(const SagaDefinition& definition, SagaRun& run);
  void backward(const SagaDefinition& definition, SagaRun& run);
  void act_with_retries(const SagaDefinition& definition, const SagaStep& step, SagaRun& run);
  bool insist(const SagaDefinition& definition, const SagaStep& step,
              const UniqueFunction<void(SagaRun&)>& effect, SagaRun& run);
  void record_done(const SagaDefinition& definition, const SagaStep& step, SagaRun& run);
  void record_undone(const SagaDefinition& definition, const SagaStep& step, SagaRun& run);
  void turn(const SagaDefinition& definition, SagaRun& run, Code code, std::string_view reason);
  void record_stuck(SagaRun& run);
  template <class F>
  void record(SagaPoint point, F body);

  Database& database_;
  SagaOptions options_;
  std::map<std::string, SagaDefinition, std::less<>> definitions_;
  Semaphore slots_;
  rt::Lock lock_;
  std::map<std::string, std::shared_ptr<Entry>, std::less<>> running_;  // guarded by lock_
  Background background_;  // last: its goroutines use all of the above
};

}  // namespace degu::store
