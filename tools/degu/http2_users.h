// Http2Users: one connection of HTTP/2, and the users that share it.
#pragma once

#include <degu/base/time.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http2_connection.h"
#include "shared.h"
#include "user_values.h"

namespace degu::bench {

/// LoadOptions::streams users, each with one request under way at most. Belongs to one goroutine, which drives all of them:
/// it starts what is due, writes that at once, reads what has come, and begins again. A connection that the server ends by
/// GOAWAY takes no more requests; when those that the server still answers are done another one is made, and what it has not
/// processed is sent there, as if nothing had happened.
class Http2Users final : private Http2Connection::Owner {
 public:
  /// `seed` is that of the first user, others have the numbers behind it.
  Http2Users(Shared& shared, uint64_t seed);
  ~Http2Users();

  /// Sends until the arrivals are over or the context has ended.
  void run();

 private:
  struct User;

  // A user is in one list at most.
  class List {
   public:
    bool empty() const noexcept { return first_ == nullptr; }
    std::size_t size() const noexcept { return size_; }
    User& front() const noexcept { return *first_; }
    void push_back(User& user) noexcept;
    void remove(User& user) noexcept;
    User& pop_front() noexcept;

   private:
    User* first_ = nullptr;
    User* last_ = nullptr;
    std::size_t size_ = 0;
  };

  void ended(Http2Exchange& exchange, Http2End end) override;

  bool step();
  void start();
  bool has_room();
  User* next_user();
  void launch(User& user);
  bool connect(User& user);
  void submit(User& user, std::size_t request);
  void transfer();
  TimePoint next_event();
  void expire();
  void wake();
  void lost(int error);
  void answered(User& user);
  void unprocessed(User& user);
  void fail(User& user, ErrorKind kind, std::string_view why, std::string_view cause = {});
  void request_over(User& user);
  void count_unfinished() noexcept;

  Shared& shared_;
  std::vector<User> users_;
  List free_;
  List again_;      // whose request is to be sent at once: by a plan, or once more
  List under_way_;  // by deadline
  std::vector<std::pair<TimePoint, User*>> thinking_;  // a heap: who is done first is in front
  std::optional<TimePoint> arrival_;                   // the next start, taken from the plan
  bool arrivals_over_ = false;
  bool barren_ = false;  // the latest attempt to connect led to no answer
  std::unique_ptr<Http2Connection> connection_;
  RequestFields rendered_;
  TimePoint time_{};  // when the step began, or later
};

}  // namespace degu::bench
