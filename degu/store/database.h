// Database: one SQLite file, many reading goroutines, one writer that commits for many at once.
#pragma once

#include <degu/store/migration.h>
#include <degu/store/session.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace degu::store {

/// What a commit waits for. kFull: the log is on the disk (survives power loss). kNormal: survives a crash of
/// the process or `kill -9`, may lose the last commits on power loss, never corrupts. kOff: for throw-away
/// data.
enum class Synchronous : uint8_t { kOff, kNormal, kFull };

struct DatabaseOptions {
  std::vector<Migration> migrations;  // applied before open() returns
  int readers = 4;                    // connections for reads, opened as they are needed
  Synchronous synchronous = Synchronous::kFull;
  std::chrono::milliseconds busy_timeout{5000};  // for locks of other processes
  size_t max_queued_writes = 4096;               // more waiting writes are refused: Error(kResourceExhausted)
  size_t max_group = 256;                        // writes in one commit
  size_t cached_statements = 64;                 // a connection
  bool single_process = true;  // hold `<path>.lock`; a second process gets Error(kUnavailable)
};

struct DatabaseStats {
  int64_t writes = 0;         // closures that were committed
  int64_t failed_writes = 0;  // closures that threw, or whose commit failed
  int64_t commits = 0;        // SQLite transactions committed for them
  int64_t largest_group = 0;
  int64_t reads = 0;
};

/// A SQLite database in WAL mode. Goroutine-safe. Calls into SQLite run inside degu::blocking, so no P waits
/// for the disk. Use it from goroutines (inside degu::run).
///
///     auto db = Database::open("shop.db", {.migrations = {{1, "start", "CREATE TABLE t(a INTEGER)
///     STRICT"}}}); db->write([&](Transaction& tx) { tx.exec("INSERT INTO t VALUES(?)", 7); }); auto n =
///     db->read([&](Snapshot& s) { return s.value<int64_t>("SELECT count(*) FROM t"); });
class Database {
 public:
  /// Opens or creates the file and applies the migrations. ":memory:" is refused (a pool needs a file).
  /// Throws Error.
  static std::unique_ptr<Database> open(std::string path, DatabaseOptions options = {});

  /// close(), if that has not been called.
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  /// Runs `body(Transaction&)` once, on the writer goroutine, and returns its result after the commit is
  /// durable. Writes of many goroutines share a commit; each has a savepoint of its own: if the body throws,
  /// its changes are undone, the others' are kept, and the exception is thrown here.
  ///
  /// Waits in a queue, in order of arrival. While the body has not started, the end of the caller's context
  /// takes it from the queue and throws Cancelled or DeadlineExceeded: nothing was done. Once started it
  /// completes, and write() returns its outcome even if the context has ended meanwhile.
  ///
  /// The body must not block on anything but its transaction: no channels, no calls to other services, no
  /// other write() (all writers wait for it; a nested write() of the same database throws Error(kInternal)).
  /// It runs with an empty context: take what it needs from the caller's by capture.
  ///
  /// Throws what the body threw; Error from SQLite, see sqlite_error.h; kResourceExhausted when the queue is
  /// full; kUnavailable after close(). If the commit itself fails with kUnavailable (I/O error), its outcome
  /// is open until the next start.
  template <class F>
  auto write(F&& body) -> std::invoke_result_t<F&, Transaction&>;

  /// Runs `body(Snapshot&)` on a reader connection, in the caller's goroutine, and returns its result. The
  /// body sees one consistent state that contains every write that returned before. Waits for a free
  /// connection; the end of the context ends that wait, and also a long-running query. The body should only
  /// query; it holds a connection.
  template <class F>
  auto read(F&& body) -> std::invoke_result_t<F&, Snapshot&>;

  /// Refuses new reads and writes, waits for those under way, folds the log into the file and closes it.
  /// Idempotent. Not cut short by the caller's context.
  void close();

  const std::string& path() const noexcept;
  DatabaseStats stats() const noexcept;

 private:
  struct Impl;
  template <class Session>
  struct Body {
    void (*call)(void* self, Session& session);
    void* self;
  };

  explicit Database(std::unique_ptr<Impl> impl) noexcept;
  void write_erased(Body<Transaction> body);
  void read_erased(Body<Snapshot> body);

  // Calls `run` (write_erased or read_erased) with `body`, handing its result back.
  template <class Session, class F, class Run>
  static auto with_result(F& body, Run run) -> std::invoke_result_t<F&, Session&> {
    using Result = std::invoke_result_t<F&, Session&>;
    if constexpr (std::is_void_v<Result>) {
      run(Body<Session>{[](void* self, Session& session) { (*static_cast<F*>(self))(session); },
                        const_cast<void*>(static_cast<const void*>(&body))});
    } else {
      struct Call {
        F& body;
        std::optional<Result> result;
      } call{body, std::nullopt};
      run(Body<Session>{[](void* self, Session& session) {
                          auto* made = static_cast<Call*>(self);
                          made->result.emplace(made->body(session));
                        },
                        &call});
      return *std::move(call.result);
    }
  }

  std::unique_ptr<Impl> impl_;
};

template <class F>
auto Database::write(F&& body) -> std::invoke_result_t<F&, Transaction&> {
  return with_result<Transaction>(body, [this](Body<Transaction> erased) { write_erased(erased); });
}

template <class F>
auto Database::read(F&& body) -> std::invoke_result_t<F&, Snapshot&> {
  return with_result<Snapshot>(body, [this](Body<Snapshot> erased) { read_erased(erased); });
}

}  // namespace degu::store
