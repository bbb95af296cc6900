#include "recorder.h"

#include <degu/rt/park.h>

#include <algorithm>
#include <mutex>
#include <numeric>

namespace degu::bench {
namespace {

constexpr int kStatuses = 1000;

// Counters are only summed up, each for itself: nothing is published through them.
using Counter = std::atomic<uint64_t>;

void add(Counter& counter, uint64_t count) noexcept { counter.fetch_add(count, std::memory_order_relaxed); }

void add_cells(const std::vector<Counter>& from, std::size_t offset, Histogram& to) {
  for (std::size_t i = 0; i < Cells::kCount; ++i) {
    const uint64_t count = from[offset + i].load(std::memory_order_relaxed);
    if (count != 0) to.add_cell(i, count);
  }
}

std::size_t cell_of(std::chrono::nanoseconds value) noexcept {
  return Cells::index(value.count() < 0 ? 0 : static_cast<uint64_t>(value.count()));
}

}  // namespace

// A goroutine may move between asking for its P and counting, so these are atomic all the same; they are hardly ever
// contended.
struct Recorder::Shard {
  Shard(std::size_t requests, bool open_loop)
      : latency(requests * Cells::kCount), sent(open_loop ? requests * Cells::kCount : 0), errors(requests) {}

  std::vector<Counter> latency;
  std::vector<Counter> sent;
  std::vector<Counter> errors;  // of each request
  std::array<Counter, kStatuses> statuses{};
  std::array<Counter, kErrorKinds> kinds{};
  Counter bytes_in{0};
  Counter bytes_out{0};
  Counter unfinished{0};
};

std::string_view to_string(ErrorKind kind) noexcept {
  constexpr std::string_view kNames[] = {"connect", "timeout", "reset", "parse", "status", "extract"};
  return kNames[static_cast<std::size_t>(kind)];
}

uint64_t Totals::all_errors() const noexcept {
  return std::accumulate(errors.begin(), errors.end(), uint64_t{0});
}

uint64_t Totals::all_requests() const noexcept {
  uint64_t without_answer = 0;
  for (const ErrorKind kind :
       {ErrorKind::kConnect, ErrorKind::kTimeout, ErrorKind::kReset, ErrorKind::kParse}) {
    without_answer += errors[static_cast<std::size_t>(kind)];
  }
  return latency.count() + without_answer;
}

Recorder::Recorder(std::size_t requests, bool open_loop) : requests_(requests), open_loop_(open_loop) {
  for (uint32_t p = 0; p < rt::procs(); ++p) shards_.push_back(std::make_unique<Shard>(requests, open_loop));
}

Recorder::~Recorder() = default;

Recorder::Shard& Recorder::shard() const noexcept { return *shards_[rt::current_proc() % shards_.size()]; }

void Recorder::response(std::size_t request, int status, std::chrono::nanoseconds latency,
                        std::chrono::nanoseconds sent) noexcept {
  Shard& here = shard();
  add(here.latency[request * Cells::kCount + cell_of(latency)], 1);
  if (open_loop_) add(here.sent[request * Cells::kCount + cell_of(sent)], 1);
  add(here.statuses[static_cast<std::size_t>(status) % kStatuses], 1);
  if (status < 400) return;
  add(here.errors[request], 1);
  add(here.kinds[static_cast<std::size_t>(ErrorKind::kStatus)], 1);
}

void Recorder::failure(std::size_t request, ErrorKind kind, std::string_view why, std::string_view cause) {
  Shard& here = shard();
  add(here.errors[request], 1);
  add(here.kinds[static_cast<std::size_t>(kind)], 1);
  const std::lock_guard guard(lock_);
  std::string& first = first_errors_[static_cast<std::size_t>(kind)];
  if (first.empty()) first = why;
  if (cause.empty()) return;
  const auto known = causes_.find(cause);
  if (known != causes_.end()) {
    ++known->second;
  } else {
    causes_.emplace(cause, 1);
  }
}

void Recorder::transferred(std::size_t in, std::size_t out) noexcept {
  Shard& here = shard();
  add(here.bytes_in, in);
  add(here.bytes_out, out);
}

void Recorder::unfinished() noexcept { add(shard().unfinished, 1); }

void Recorder::allowed_streams(uint64_t count) noexcept {
  const std::lock_guard guard(lock_);
  stream_limit_ = stream_limit_ == 0 ? count : std::min(stream_limit_, count);
}

Totals Recorder::totals() const {
  Totals sum;
  sum.requests.resize(requests_);
  for (const auto& shard : shards_) {
    for (std::size_t r = 0; r < requests_; ++r) {
      add_cells(shard->latency, r * Cells::kCount, sum.requests[r].latency);
      if (open_loop_) add_cells(shard->sent, r * Cells::kCount, sum.requests[r].sent);
      sum.requests[r].errors += shard->errors[r].load(std::memory_order_relaxed);
    }
    for (int status = 0; status < kStatuses; ++status) {
      const uint64_t count =
          shard->statuses[static_cast<std::size_t>(status)].load(std::memory_order_relaxed);
      if (count != 0) sum.statuses[status] += count;
    }
    for (std::size_t i = 0; i < kErrorKinds; ++i)
      sum.errors[i] += shard->kinds[i].load(std::memory_order_relaxed);
    sum.bytes_in += shard->bytes_in.load(std::memory_order_relaxed);
    sum.bytes_out += shard->bytes_out.load(std::memory_order_relaxed);
    sum.unfinished += shard->unfinished.load(std::memory_order_relaxed);
  }
  for (const RequestTotals& request : sum.requests) {
    sum.latency.add(request.latency);
    sum.sent.add(request.sent);
  }
  const std::lock_guard guard(lock_);
  sum.causes = causes_;
  sum.stream_limit = stream_limit_;
  return sum;
}

std::string Recorder::first_error(ErrorKind kind) const {
  const std::lock_guard guard(lock_);
  return first_errors_[static_cast<std::size_t>(kind)];
}

}  // namespace degu::bench
