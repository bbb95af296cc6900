#include <degu/context/cancel_scope.h>
#include <degu/rt/lock.h>
#include <degu/rt/park.h>
#include <degu/rt/run.h>
#include <degu/store/database.h>
#include <degu/store/internal/connection.h>
#include <degu/store/internal/file_lock.h>
#include <degu/store/internal/writer.h>
#include <degu/sync/semaphore.h>
#include <fmt/core.h>

#include <algorithm>
#include <mutex>

namespace degu::store {
namespace {

const char* pragma_of(Synchronous synchronous) {
  switch (synchronous) {
    case Synchronous::kOff:
      return "OFF";
    case Synchronous::kNormal:
      return "NORMAL";
    case Synchronous::kFull:
      break;
  }
  return "FULL";
}

internal::ConnectionOptions connection_options(const DatabaseOptions& options, bool read_only) {
  return {.read_only = read_only,
          .synchronous = pragma_of(options.synchronous),
          .busy_timeout = options.busy_timeout,
          .cached_statements = options.cached_statements};
}

}  // namespace

struct Database::Impl {
  std::string path;
  int reader_limit;
  internal::ConnectionOptions reader_options;
  internal::FileLock file_lock;  // destroyed last: nobody else opens the file before it is closed here
  internal::Writer writer;
  std::atomic<int64_t> reads{0};

  Semaphore slots;  // one a reader connection
  rt::Lock lock;
  bool closed = false;  // guarded by lock
  std::vector<std::unique_ptr<internal::Connection>>
      spare;  // guarded by lock; the most recently used is last

  Impl(std::string file, const DatabaseOptions& options, internal::FileLock held,
       std::unique_ptr<internal::Connection> connection)
      : path(std::move(file)),
        reader_limit(std::max(options.readers, 1)),
        reader_options(connection_options(options, true)),
        file_lock(std::move(held)),
        writer(std::move(connection),
               {std::max<size_t>(options.max_queued_writes, 1), std::max<size_t>(options.max_group, 1)}),
        slots(reader_limit) {}

  std::unique_ptr<internal::Connection> take_reader();
  void run_read(internal::Connection& connection, Body<Snapshot> body);
};

std::unique_ptr<Database> Database::open(std::string path, DatabaseOptions options) {
  if (path.empty() || path.starts_with(":memory:")) {
    throw Error(Code::kInvalidArgument, "a database needs a file: its readers have connections of their own");
  }
  std::unique_ptr<Impl> impl;
  blocking([&] {
    internal::FileLock held;
    if (options.single_process) held = internal::FileLock::acquire(path + ".lock");
    auto connection = internal::Connection::open(path, connection_options(options, false));
    internal::migrate(*connection, options.migrations);
    impl = std::make_unique<Impl>(std::move(path), options, std::move(held), std::move(connection));
  });
  impl->writer.start();
  return std::unique_ptr<Database>(new Database(std::move(impl)));
}

Database::Database(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}

Database::~Database() { close(); }

void Database::write_erased(Body<Transaction> body) {
  internal::WriteRequest request;
  request.call = body.call;
  request.self = body.self;
  impl_->writer.submit(request);
}

std::unique_ptr<internal::Connection> Database::Impl::take_reader() {
  std::lock_guard guard(lock);
  if (closed) throw Error(Code::kUnavailable, "the database is closed");
  if (spare.empty()) return nullptr;
  auto connection = std::move(spare.back());
  spare.pop_back();
  return connection;
}

void Database::Impl::run_read(internal::Connection& connection, Body<Snapshot> body) {
  connection.prepare("BEGIN").run();
  try {
    Snapshot snapshot(connection);
    body.call(body.self, snapshot);
  } catch (...) {
    if (connection.in_transaction()) connection.prepare("ROLLBACK").run();
    throw;
  }
  connection.prepare("COMMIT").run();
}

void Database::read_erased(Body<Snapshot> body) {
  Impl& impl = *impl_;
  if (rt::interrupted()) rt::throw_interrupted();
  impl.slots.acquire();
  struct Slot {
    Impl& impl;
    std::unique_ptr<internal::Connection> connection;
    ~Slot() {
      // A connection left inside a transaction (its rollback failed) is not used again.
      if (connection != nullptr && !connection->in_transaction()) {
        std::lock_guard guard(impl.lock);
        impl.spare.push_back(std::move(connection));
      }
      impl.slots.release();
    }
  } slot{impl, nullptr};
  slot.connection = impl.take_reader();
  blocking([&] {
    if (slot.connection == nullptr)
      slot.connection = internal::Connection::open(impl.path, impl.reader_options);
    impl.run_read(*slot.connection, body);
  });
  impl.reads.fetch_add(1, std::memory_order_relaxed);
}

void Database::close() {
  {
    std::lock_guard guard(impl_->lock);
    if (std::exchange(impl_->closed, true)) return;
  }
  const Shield shield;
  for (int i = 0; i < impl_->reader_limit; ++i) impl_->slots.acquire();
  // Readers first: the last connection to close, the writer's, folds the log into the file.
  blocking([&] { impl_->spare.clear(); });
  for (int i = 0; i < impl_->reader_limit; ++i)
    impl_->slots.release();  // who waits still learns that it is closed
  impl_->writer.close();
  impl_->file_lock = {};
}

const std::string& Database::path() const noexcept { return impl_->path; }

DatabaseStats Database::stats() const noexcept {
  const auto& counters = impl_->writer.counters();
  return {.writes = counters.writes.load(std::memory_order_relaxed),
          .failed_writes = counters.failed.load(std::memory_order_relaxed),
          .commits = counters.commits.load(std::memory_order_relaxed),
          .largest_group = counters.largest_group.load(std::memory_order_relaxed),
          .reads = impl_->reads.load(std::memory_order_relaxed)};
}

}  // namespace degu::store
