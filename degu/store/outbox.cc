#include <degu/context/cancel_scope.h>
#include <degu/obs/log.h>
#include <degu/rt/run.h>
#include <degu/store/outbox.h>
#include <degu/store/wall_clock.h>
#include <degu/sync/wait_group.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace degu::store {

struct Outbox::Result {
  bool tried = false;
  std::optional<std::string> error;
};

std::string_view Outbox::schema() noexcept {
  return "CREATE TABLE outbox("
         "id INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, key TEXT NOT NULL, payload TEXT NOT "
         "NULL,"
         "attempts INTEGER NOT NULL DEFAULT 0, error TEXT NOT NULL DEFAULT '', due_at_ms INTEGER NOT NULL) "
         "STRICT;"
         "CREATE INDEX outbox_by_key ON outbox(key, id);"
         "CREATE INDEX outbox_by_time ON outbox(due_at_ms);"
         "CREATE TABLE outbox_dead("
         "id INTEGER PRIMARY KEY, topic TEXT NOT NULL, key TEXT NOT NULL, payload TEXT NOT NULL,"
         "attempts INTEGER NOT NULL, error TEXT NOT NULL, died_at_ms INTEGER NOT NULL) STRICT;";
}

Outbox::Outbox(Database& database, UniqueFunction<void(const OutboxMessage&)> deliver, OutboxOptions options)
    : database_(database), deliver_(std::move(deliver)), options_(std::move(options)) {}

Outbox::~Outbox() { stop({}); }

void Outbox::add(Transaction& tx, std::string_view topic, std::string_view key, std::string_view payload) {
  tx.exec("INSERT INTO outbox(topic, key, payload, due_at_ms) VALUES(?,?,?,?)", topic, key, payload,
          wall_ms());
}

void Outbox::start() {
  background_.go([this] { relay(); });
}

void Outbox::stop(std::chrono::nanoseconds grace) {
  stopping_.store(true, std::memory_order_relaxed);
  wake_.notify();
  background_.stop(grace);
}

void Outbox::relay() {
  int failures = 0;
  while (!stopping_.load(std::memory_order_relaxed)) {
    TimePoint next = kNever;
    try {
      const auto messages = due(next);
      if (!messages.empty()) {
        record(messages, deliver(messages));
        next = TimePoint{};
      }
      failures = 0;
    } catch (const Error& error) {
      if (background_.cancelled()) return;
      log(Level::kWarn, "outbox relay failed", {{"error", error.what()}});
      next = now() + options_.retry.pause(++failures);
    }
    if (next > now()) wake_.wait_until(next);
  }
}

// What is to be delivered now, at most one message a key; if nothing, `next` is when to look again.
std::vector<OutboxMessage> Outbox::due(TimePoint& next) {
  return database_.read([&](Snapshot& snapshot) {
    const int64_t now_ms = wall_ms();
    std::vector<OutboxMessage> messages;
    auto rows = snapshot.query(
        "SELECT id, topic, key, payload, attempts FROM outbox AS o WHERE due_at_ms <= ?"
        " AND NOT EXISTS(SELECT 1 FROM outbox AS e WHERE e.key = o.key AND e.id < o.id) ORDER BY due_at_ms "
        "LIMIT ?",
        now_ms, std::max(options_.parallel, 1));
    while (auto row = rows.next()) {
      messages.push_back({.id = row->get<int64_t>(0),
                          .topic = row->get<std::string>(1),
                          .key = row->get<std::string>(2),
                          .payload = row->get<std::string>(3),
                          .attempts = row->get<int>(4),
                          .error = {}});
    }
    if (messages.empty()) {
      const auto soonest =
          snapshot.value<int64_t>("SELECT min(due_at_ms) FROM outbox WHERE due_at_ms > ?", now_ms);
      if (soonest) next = now() + std::chrono::milliseconds(*soonest - now_ms);
    }
    return messages;
  });
}

std::vector<Outbox::Result> Outbox::deliver(const std::vector<OutboxMessage>& messages) {
  std::vector<Result> results(messages.size());
  WaitGroup group;
  for (size_t i = 0; i < messages.size(); ++i) {
    group.go([this, &message = messages[i], &result = results[i]] {
      try {
        CancelScope scope(options_.delivery_timeout);
        deliver_(message);
        result.tried = true;
      } catch (const std::exception& error) {
        if (background_.cancelled()) return;  // not the message's fault
        result = {true, error.what()};
      }
    });
  }
  const Shield shield;  // the goroutines refer to this frame; their own contexts end them
  group.wait();
  return results;
}

void Outbox::record(const std::vector<OutboxMessage>& messages, const std::vector<Result>& results) {
  if (options_.probe)
    std::for_each(messages.begin(), messages.end(), [&](auto& m) { options_.probe(m, false); });
  database_.write([&](Transaction& tx) {
    for (size_t i = 0; i < messages.size(); ++i) {
      const OutboxMessage& message = messages[i];
      if (!results[i].tried) continue;
      const int attempts = message.attempts + 1;
      if (results[i].error && attempts < options_.retry.attempts) {
        tx.exec("UPDATE outbox SET attempts=?, error=?, due_at_ms=? WHERE id=?", attempts, *results[i].error,
                wall_ms() + options_.retry.pause(attempts).count(), message.id);
        continue;
      }
      if (results[i].error) {
        log(Level::kError, "outbox gives a message up",
            {{"topic", message.topic}, {"key", message.key}, {"error", *results[i].error}});
        tx.exec(
            "INSERT INTO outbox_dead(id, topic, key, payload, attempts, error, died_at_ms)"
            " SELECT id, topic, key, payload, ?, ?, ? FROM outbox WHERE id=?",
            attempts, *results[i].error, wall_ms(), message.id);
      }
      tx.exec("DELETE FROM outbox WHERE id=?", message.id);
    }
  });
  if (options_.probe)
    std::for_each(messages.begin(), messages.end(), [&](auto& m) { options_.probe(m, true); });
}

std::vector<OutboxMessage> Outbox::dead_letters(int limit) {
  return database_.read([&](Snapshot& snapshot) {
    std::vector<OutboxMessage> messages;
    auto rows = snapshot.query(
        "SELECT id, topic, key, payload, attempts, error FROM outbox_dead ORDER BY id LIMIT ?", limit);
    while (auto row = rows.next()) {
      messages.push_back({.id = row->get<int64_t>(0),
                          .topic = row->get<std::string>(1),
                          .key = row->get<std::string>(2),
                          .payload = row->get<std::string>(3),
                          .attempts = row->get<int>(4),
                          .error = row->get<std::string>(5)});
    }
    return messages;
  });
}

int64_t Outbox::revive() {
  const int64_t moved = database_.write([](Transaction& tx) {
    tx.exec(
        "INSERT INTO outbox(id, topic, key, payload, due_at_ms) SELECT id, topic, key, payload, ? FROM "
        "outbox_dead",
        wall_ms());
    return tx.exec("DELETE FROM outbox_dead");
  });
  notify();
  return moved;
}

int64_t Outbox::pending() {
  return database_.read(
      [](Snapshot& snapshot) { return *snapshot.value<int64_t>("SELECT count(*) FROM outbox"); });
}

}  // namespace degu::store
