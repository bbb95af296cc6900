// Outbox: messages that leave a service if and only if its transaction was committed.
#pragma once

#include <degu/base/function.h>
#include <degu/store/background.h>
#include <degu/store/database.h>
#include <degu/store/retry.h>
#include <degu/store/signal.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace degu::store {

struct OutboxMessage {
  int64_t id = 0;  // grows with time; the same at every attempt, so receivers can tell repeats
  std::string topic;
  std::string key;  // messages of one key are delivered in order; it is also the receiver's idempotency key
  std::string payload;
  int attempts = 0;   // that have failed
  std::string error;  // of the last failed attempt
};

struct OutboxOptions {
  RetryPolicy retry{
      .attempts = 12, .first = std::chrono::milliseconds(100), .longest = std::chrono::milliseconds(30000)};
  int parallel = 16;                                 // deliveries at once
  std::chrono::milliseconds delivery_timeout{5000};  // the context of one delivery
  UniqueFunction<void(const OutboxMessage&, bool recorded)>
      probe;  // after a delivery; before and after its record
};

/// A table of messages and a relay that delivers them: at least once, in order within a key, with growing
/// pauses. After `retry.attempts` failures a message goes to the table of dead letters, is logged, and no
/// longer holds its key up. Goroutine-safe; stop() before the database is closed.
class Outbox {
 public:
  /// The tables `outbox` and `outbox_dead`; a part of the service's migrations.
  static std::string_view schema() noexcept;

  /// `deliver` succeeds by returning. It may be called by several goroutines at once, for different keys.
  Outbox(Database& database, UniqueFunction<void(const OutboxMessage&)> deliver, OutboxOptions options = {});
  /// stop(0).
  ~Outbox();

  /// Adds a message to the business transaction; call notify() after the commit.
  static void add(Transaction& tx, std::string_view topic, std::string_view key, std::string_view payload);

  /// Starts the relay; it begins with what an earlier process left.
  void start();
  /// There may be something new. Never blocks.
  void notify() noexcept { wake_.notify(); }
  /// Ends the relay after the deliveries under way, at the latest after `grace`. The rest stays in the table.
  void stop(std::chrono::nanoseconds grace);

  std::vector<OutboxMessage> dead_letters(int limit = 100);
  /// Puts all dead letters back into the queue; returns how many.
  int64_t revive();
  /// Messages that wait.
  int64_t pending();

 private:
  struct Result;

  void relay();
  std::vector<OutboxMessage> due(TimePoint& next);
  std::vector<Result> deliver(const std::vector<OutboxMessage>& messages);
  void record(const std::vector<OutboxMessage>& messages, const std::vector<Result>& results);

  Database& database_;
  UniqueFunction<void(const OutboxMessage&)> deliver_;
  OutboxOptions options_;
  Signal wake_;
  std::atomic<bool> stopping_{false};
  Background background_;  // last: the relay uses all of the above
};

}  // namespace degu::store
