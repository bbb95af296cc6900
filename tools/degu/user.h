// User: one connection that sends requests one after another.
#pragma once

#include <degu/base/random.h>
#include <degu/base/time.h>
#include <degu/net/tcp.h>
#include <degu/net/tls.h>

#include <cstddef>
#include <string>
#include <vector>

#include "arrivals.h"
#include "load.h"
#include "recorder.h"
#include "response_parser.h"
#include "scenario.h"

namespace degu::bench {

/// What the users of a run share. They only read it, but for the recorder and the arrivals, which are thread-safe.
struct Shared {
  const LoadOptions& options;
  const Scenario& scenario;
  const net::TlsClient* tls = nullptr;  ///< null: plain
  Arrivals& arrivals;
  Recorder& recorder;
  TimePoint measure_from;
};

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
  void take_values(std::size_t request);
  void fail(ErrorKind kind, std::string_view why);
  bool lost(int error, TimePoint deadline);

  Shared& shared_;
  Random random_;
  net::TcpStream stream_;
  ResponseParser parser_;
  std::vector<char> buffer_;
  std::string rendered_;
  std::string body_;
  std::vector<std::string> values_;  // of the variables
  std::vector<bool> known_;          // those of answers: there has been one
  // Of the request under way:
  std::size_t request_ = 0;
  bool counted_ = false;
  TimePoint sent_;
  TimePoint deadline_;
};

}  // namespace degu::bench
