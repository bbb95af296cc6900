#include <degu/obs/metric.h>
#include <sched.h>

#include <algorithm>
#include <bit>
#include <utility>

namespace degu {
namespace {

struct Registry {
  std::atomic_flag held;  // this layer lies below the runtime and its locks; held for a few instructions
  Metric* first = nullptr;
};

class Hold {
 public:
  explicit Hold(Registry& registry) noexcept : registry_(registry) {
    while (registry_.held.test_and_set(std::memory_order_acquire))
      registry_.held.wait(true, std::memory_order_relaxed);
  }
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;
  ~Hold() {
    registry_.held.clear(std::memory_order_release);
    registry_.held.notify_one();
  }

 private:
  Registry& registry_;
};

Registry& registry() noexcept {
  static auto* r = new Registry;  // never destroyed: metrics at namespace scope may outlive it
  return *r;
}

}  // namespace

namespace obs_internal {

std::size_t shard_index() noexcept {
  return static_cast<std::size_t>(std::max(0, ::sched_getcpu())) % kShards;
}

}  // namespace obs_internal

Metric::Metric(std::string name, std::string help, std::string labels)
    : name_(std::move(name)), help_(std::move(help)), labels_(std::move(labels)) {
  Registry& r = registry();
  const Hold hold(r);
  next_ = r.first;
  prev_ = &r.first;
  if (next_ != nullptr) next_->prev_ = &next_;
  r.first = this;
}

Metric::~Metric() {
  const Hold hold(registry());
  *prev_ = next_;
  if (next_ != nullptr) next_->prev_ = prev_;
}

uint64_t Counter::value() const noexcept {
  uint64_t total = 0;
  for (const auto& shard : shards_) total += shard.value.load(std::memory_order_relaxed);
  return total;
}

void Counter::accept(MetricVisitor& visitor) const { visitor.visit(*this); }

// Values below 4 have a bucket each; from there on the top three bits choose: the exponent and two bits of
// mantissa.
std::size_t Histogram::bucket_of(uint64_t value) noexcept {
  if (value < 4) return static_cast<std::size_t>(value);
  const auto exponent = static_cast<std::size_t>(std::bit_width(value)) - 1;
  const auto mantissa = static_cast<std::size_t>(value >> (exponent - 2)) & 3U;
  return std::min(kBuckets - 1, (exponent - 1) * 4 + mantissa);
}

uint64_t Histogram::upper_bound(std::size_t bucket) noexcept {
  if (bucket < 4) return bucket;
  if (bucket >= kBuckets - 1) return UINT64_MAX;
  const std::size_t exponent = bucket / 4 + 1;
  const uint64_t mantissa = 4 + bucket % 4;
  return ((mantissa + 1) << (exponent - 2)) - 1;
}

uint64_t Histogram::count() const noexcept {
  uint64_t total = 0;
  for (const auto& bucket : buckets_) total += bucket.load(std::memory_order_relaxed);
  return total;
}

uint64_t Histogram::quantile(double q) const noexcept {
  const uint64_t total = count();
  if (total == 0) return 0;
  const auto rank = static_cast<uint64_t>(std::clamp(q, 0.0, 1.0) * static_cast<double>(total - 1)) + 1;
  uint64_t seen = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    seen += bucket_count(i);
    if (seen >= rank) return upper_bound(i);
  }
  return UINT64_MAX;
}

void Histogram::accept(MetricVisitor& visitor) const { visitor.visit(*this); }

void visit_metrics(MetricVisitor& visitor) {
  const Hold hold(registry());
  for (const Metric* metric = registry().first; metric != nullptr; metric = metric->next_)
    metric->accept(visitor);
}

}  // namespace degu
