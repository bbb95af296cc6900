// Writer: the one goroutine that changes a database, committing for many callers at once.
#pragma once

#include <degu/rt/lock.h>
#include <degu/rt/park.h>
#include <degu/store/internal/connection.h>
#include <degu/store/session.h>
#include <degu/sync/chan.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <vector>

namespace degu::store::internal {

/// One caller's closure; lives on the caller's stack until submit() returns.
struct WriteRequest {
  enum class State : uint8_t { kQueued, kTaken, kDone };

  void (*call)(void* self, Transaction& tx) = nullptr;
  void* self = nullptr;

  // Guarded by the writer's lock.
  State state = State::kQueued;
  rt::Ticket ticket{};
  WriteRequest* next = nullptr;
  WriteRequest* prev = nullptr;

  std::exception_ptr error;  // written by the writer before kDone
};

class Writer {
 public:
  struct Limits {
    size_t queued;
    size_t group;
  };
  struct Counters {
    std::atomic<int64_t> writes{0};
    std::atomic<int64_t> failed{0};
    std::atomic<int64_t> commits{0};
    std::atomic<int64_t> largest_group{0};
  };

  Writer(std::unique_ptr<Connection> connection, Limits limits);
  /// close() must have returned.
  ~Writer() = default;

  /// Starts the goroutine. Once.
  void start();

  /// Queues the request and waits for its outcome; see Database::write.
  void submit(WriteRequest& request);

  /// Refuses new requests, waits until the queue is empty and the goroutine gone, closes the connection.
  void close();

  const Counters& counters() const noexcept { return counters_; }

 private:
  using Group = std::vector<WriteRequest*>;

  void enqueue(WriteRequest& request);
  void await(WriteRequest& request);
  void unlink(WriteRequest& request) noexcept;
  void loop();
  bool next_group(Group& group);
  void finish(const Group& group);
  void run_group(const Group& group) noexcept;
  size_t run_transaction(const Group& group, size_t first);
  bool run_one(WriteRequest& request, bool savepoint);
  void fail_all(const Group& group, size_t first, size_t last, const std::exception_ptr& error);
  void exec(std::string_view sql);

  const Limits limits_;
  std::unique_ptr<Connection> connection_;  // the goroutine's, until it has ended
  Chan<bool> ended_;                        // closed when the goroutine ends
  Counters counters_;
  std::atomic<rt::G*> goroutine_{nullptr};

  rt::Lock lock_;
  WriteRequest* head_ = nullptr;
  WriteRequest* tail_ = nullptr;
  size_t queued_ = 0;
  bool idle_ = false;  // the goroutine is parked (or about to) on idle_ticket_
  rt::Ticket idle_ticket_{};
  bool closing_ = false;
};

}  // namespace degu::store::internal
