#include <degu/sim/internal/schedule.h>

#include <algorithm>

namespace degu::sim::internal {
namespace {

constexpr uint64_t kUpperHalf = uint64_t{1} << 63;

Schedule mixed(Random& random) noexcept {
  switch (random.below(4)) {
    case 0:
      return Schedule::kPriorities;
    case 1:
      return Schedule::kPartialOrder;
    default:
      return Schedule::kRandomWalk;
  }
}

}  // namespace

Chooser::Chooser(const Options& options)
    : random_(options.seed * 0x9e3779b97f4a7c15ULL), schedule_(options.schedule) {
  if (schedule_ == Schedule::kMixed) schedule_ = mixed(random_);
  interrupt_one_in_ = uint32_t{2} << (2 * random_.below(3));  // 2, 8 or 32
  // How long the run will be is not known: 16 to 4096 steps, each magnitude alike.
  const uint32_t length = uint32_t{16} << random_.below(9);
  for (int i = 0; i < options.change_points; ++i) change_at_.push_back(1 + random_.below(length));
  std::sort(change_at_.rbegin(), change_at_.rend());
}

void Chooser::add(rt::G* g, uint64_t id) {
  const auto place = std::lower_bound(runnable_.begin(), runnable_.end(), id,
                                      [](const Entry& entry, uint64_t wanted) { return entry.id < wanted; });
  runnable_.insert(place, {id, g});
}

uint64_t& Chooser::priority(uint64_t id) {
  const auto [place, made] = priorities_.try_emplace(id, 0);
  if (made) place->second = random_.next() | kUpperHalf;
  return place->second;
}

void Chooser::lower(uint64_t id) { priority(id) = --lowest_; }

std::size_t Chooser::highest() {
  std::size_t best = 0;
  for (std::size_t i = 1; i < runnable_.size(); ++i) {
    if (priority(runnable_[i].id) > priority(runnable_[best].id)) best = i;
  }
  return best;
}

bool Chooser::above_running() { return priority(runnable_[highest()].id) > priority(running_); }

bool Chooser::interrupt() {
  ++step_;
  if (schedule_ == Schedule::kPriorities) {
    while (!change_at_.empty() && change_at_.back() <= step_) {
      change_at_.pop_back();
      lower(running_);
    }
  } else if (schedule_ == Schedule::kPartialOrder) {
    priority(running_) = random_.next();
  }
  if (runnable_.empty()) return false;
  interrupted_ = schedule_ == Schedule::kRandomWalk ? random_.below(interrupt_one_in_) == 0 : above_running();
  return interrupted_;
}

rt::G* Chooser::take() {
  const bool yielded =
      !interrupted_ && std::any_of(runnable_.begin(), runnable_.end(),
                                   [this](const Entry& entry) { return entry.id == running_; });
  interrupted_ = false;
  std::size_t chosen = 0;
  if (schedule_ == Schedule::kRandomWalk) {
    chosen = random_.below(static_cast<uint32_t>(runnable_.size()));
  } else {
    if (yielded) lower(running_);  // who waits in a loop must not keep the others from running
    chosen = highest();
  }
  rt::G* g = runnable_[chosen].g;
  running_ = runnable_[chosen].id;
  runnable_.erase(runnable_.begin() + static_cast<std::ptrdiff_t>(chosen));
  return g;
}

void Chooser::ended(uint64_t id) { priorities_.erase(id); }

}  // namespace degu::sim::internal
