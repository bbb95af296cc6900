// Recorder: what the users of a run report, and its sums.
#pragma once

#include <degu/rt/lock.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "histogram.h"

namespace degu::bench {

/// Why a request did not have the answer it should have. kStatus: 400 or more; its latency counts all the same.
enum class ErrorKind : uint8_t { kConnect, kTimeout, kReset, kParse, kStatus, kExtract };
inline constexpr std::size_t kErrorKinds = 6;
/// "connect", "timeout", ...
std::string_view to_string(ErrorKind kind) noexcept;

/// The sums of one named request.
struct RequestTotals {
  Histogram latency;  ///< from the intended start in the open loop, else from the sending
  Histogram sent;     ///< from the sending; filled in the open loop only
  uint64_t errors = 0;
};

/// All sums at a moment.
struct Totals {
  Histogram latency;
  Histogram sent;
  std::vector<RequestTotals> requests;
  std::map<int, uint64_t> statuses;
  std::array<uint64_t, kErrorKinds> errors{};
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;
  uint64_t unfinished = 0;
  uint64_t stream_limit =
      0;  ///< of HTTP/2: the least that a server allowed at once on a connection; 0: unknown
  /// Of HTTP/2: what servers gave as the cause of a failure.
  std::map<std::string, uint64_t, std::less<>> causes;

  uint64_t all_errors() const noexcept;
  /// Of any outcome but unfinished.
  uint64_t all_requests() const noexcept;
};

/// Thread-safe; nothing waits, and recording allocates nothing. Counts lie apart for each P.
class Recorder {
 public:
  /// For requests numbered from 0. `open_loop`: the sent latencies are kept besides.
  Recorder(std::size_t requests, bool open_loop);
  ~Recorder();

  /// An answer. `latency` from the intended start, `sent` from the sending.
  void response(std::size_t request, int status, std::chrono::nanoseconds latency,
                std::chrono::nanoseconds sent) noexcept;
  /// No answer, or (kExtract, besides response()) one without what was to be taken from it. The first `why` of each
  /// kind is kept. `cause`: one of a few, which are counted; empty: none.
  void failure(std::size_t request, ErrorKind kind, std::string_view why, std::string_view cause = {});
  void transferred(std::size_t in, std::size_t out) noexcept;
  /// The run ended before the answer came.
  void unfinished() noexcept;

  /// A server of HTTP/2 allows so many streams at once on a connection.
  void allowed_streams(uint64_t count) noexcept;

  Totals totals() const;
  std::string first_error(ErrorKind kind) const;
  bool open_loop() const noexcept { return open_loop_; }

 private:
  struct Shard;
  Shard& shard() const noexcept;

  std::size_t requests_;
  bool open_loop_;
  std::vector<std::unique_ptr<Shard>> shards_;
  mutable rt::Lock lock_;  // guards what follows
  std::array<std::string, kErrorKinds> first_errors_;
  std::map<std::string, uint64_t, std::less<>> causes_;
  uint64_t stream_limit_ = 0;
};

}  // namespace degu::bench
