// Counter and Histogram: numbers that code reports and an exporter reads. Writing is wait-free; the registry
// is only for reading.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

namespace degu {

namespace obs_internal {
inline constexpr std::size_t kShards = 8;
struct alignas(64) Shard {
  std::atomic<uint64_t> value{0};
};
/// A shard for the processor that runs the caller: threads rarely share a cache line, and may.
std::size_t shard_index() noexcept;
}  // namespace obs_internal

class MetricVisitor;

/// Base of the metrics: registers itself for visit_metrics() while it lives. Create metrics at namespace
/// scope or as members.
class Metric {
 public:
  /// `name` as Prometheus has it (snake_case, unit last), `labels` either empty or `key="value",...`.
  Metric(std::string name, std::string help, std::string labels);
  Metric(const Metric&) = delete;
  Metric& operator=(const Metric&) = delete;
  virtual ~Metric();

  const std::string& name() const noexcept { return name_; }
  const std::string& help() const noexcept { return help_; }
  const std::string& labels() const noexcept { return labels_; }
  virtual void accept(MetricVisitor& visitor) const = 0;

 private:
  friend void visit_metrics(MetricVisitor& visitor);
  std::string name_;
  std::string help_;
  std::string labels_;
  Metric* next_ = nullptr;  // guarded by the registry
  Metric** prev_ = nullptr;
};

/// A number that only grows. Thread-safe.
class Counter final : public Metric {
 public:
  Counter(std::string name, std::string help, std::string labels = {})
      : Metric(std::move(name), std::move(help), std::move(labels)) {}
  void add(uint64_t count = 1) noexcept {
    shards_[obs_internal::shard_index()].value.fetch_add(count, std::memory_order_relaxed);
  }
  uint64_t value() const noexcept;
  void accept(MetricVisitor& visitor) const override;

 private:
  std::array<obs_internal::Shard, obs_internal::kShards> shards_;
};

/// Counts of values by size: four buckets a power of two, so a quantile is off by at most 12.5 %. Any
/// unsigned value, e.g. nanoseconds. Thread-safe.
class Histogram final : public Metric {
 public:
  static constexpr std::size_t kBuckets = 4 * 62;

  Histogram(std::string name, std::string help, std::string labels = {})
      : Metric(std::move(name), std::move(help), std::move(labels)) {}
  void record(uint64_t value) noexcept {
    buckets_[bucket_of(value)].fetch_add(1, std::memory_order_relaxed);
    sum_.fetch_add(value, std::memory_order_relaxed);
  }
  uint64_t count() const noexcept;
  uint64_t sum() const noexcept { return sum_.load(std::memory_order_relaxed); }
  /// Upper bound of the bucket that holds quantile q in [0, 1]; 0 when empty.
  uint64_t quantile(double q) const noexcept;
  uint64_t bucket_count(std::size_t bucket) const noexcept {
    return buckets_[bucket].load(std::memory_order_relaxed);
  }
  void accept(MetricVisitor& visitor) const override;

  static std::size_t bucket_of(uint64_t value) noexcept;
  /// Largest value that falls into the bucket.
  static uint64_t upper_bound(std::size_t bucket) noexcept;

 private:
  std::array<std::atomic<uint64_t>, kBuckets> buckets_{};
  std::atomic<uint64_t> sum_{0};
};

class MetricVisitor {
 public:
  virtual ~MetricVisitor() = default;
  virtual void visit(const Counter& counter) = 0;
  virtual void visit(const Histogram& histogram) = 0;
};

/// Shows every living metric to the visitor, in no order. No metric may be created or destroyed inside.
/// Thread-safe.
void visit_metrics(MetricVisitor& visitor);

}  // namespace degu
