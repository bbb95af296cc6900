// User: one connection of HTTP/1.1 that sends requests one after another.
#pragma once

#include <degu/base/time.h>
#include <degu/net/tcp.h>

#include <cstddef>
#include <string>
#include <vector>

#include "response_parser.h"
#include "shared.h"
#include "user_values.h"

namespace degu::bench {

/// Belongs to one goroutine. A steady request allocates nothing, and takes one write and one read.
class User {
 public:
  User(Shared& shared, uint64_t seed);

  /// Sends until the arrivals are over or the context has ended.
  void run();

 private:
  void perform(std::size_t request, TimePoint start, int depth);
  bool provide(std::size_t request, TimePoint start, int depth);
  bool connect();
  bool send(std::string_view bytes);
  bool receive();
  void fail(ErrorKind kind, std::string_view why);
  bool lost(int error, TimePoint deadline);

  Shared& shared_;
  UserValues values_;
  net::TcpStream stream_;
  ResponseParser parser_;
  std::vector<char> buffer_;
  std::string rendered_;
  std::string body_;
  // Of the request under way:
  std::size_t request_ = 0;
  bool counted_ = false;
  TimePoint sent_;
  TimePoint deadline_;
};

}  // namespace degu::bench
