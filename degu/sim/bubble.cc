// A bubble counts its goroutines that are not durably blocked. The count is lowered by whoever takes a goroutine off
// its stack, once it is parked, and raised by its waker before it is queued; so it may be too high for a moment,
// never too low. Whoever brings it to zero wakes the keeper: the goroutine that called bubble(), which is counted
// like the others. It fires the timers, on its own stack, so that what they start belongs to the bubble.
#include <degu/base/error.h>
#include <degu/base/random.h>
#include <degu/rt/dump.h>
#include <degu/rt/internal/sched.h>
#include <degu/rt/run.h>
#include <degu/sim/bubble.h>
#include <fmt/format.h>

#include <atomic>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace degu::sim {
namespace {

constexpr int64_t kStartNs = 946'684'800'000'000'000;  // 2000-01-01

class Bubble final : public rt::World {
 public:
  Bubble() noexcept { timers_.exact_timers = true; }
  void run(UniqueFunction<void()> body);
  void wait();

  TimePoint now() noexcept override {
    return TimePoint(std::chrono::nanoseconds(now_ns_.load(std::memory_order_acquire)));
  }
  void started(rt::G& g, UniqueFunction<void()>& body) override;
  void blocked() noexcept override { leave(); }
  void unblocked() noexcept override { active_.fetch_add(1, std::memory_order_acq_rel); }
  bool durable(rt::G& g, rt::WaitReason reason) noexcept override;
  rt::P* timers() noexcept override { return &timers_; }

  bool empty() const noexcept { return living_.load(std::memory_order_acquire) == 0; }

 private:
  void leave() noexcept;
  void ended() noexcept;
  void wait_until_idle() noexcept;
  bool wake_waiter() noexcept;
  void fire_timers();
  [[noreturn]] void throw_deadlock() const;

  rt::P timers_;  // only its heap is used
  Random random_{random_u64()};
  std::atomic<int64_t> now_ns_{kStartNs};
  std::atomic<int64_t> active_{1};  // not durably blocked; the keeper is one of them
  std::atomic<int64_t> living_{0};  // but for the keeper
  rt::G* keeper_ = nullptr;
  rt::Ticket keeper_wait_;
  std::atomic<bool> waited_for_{false};  // by wait(), in waiter_
  rt::Ticket waiter_;
  std::atomic<bool> main_ended_{false};
  std::exception_ptr error_;
};

void Bubble::started(rt::G&, UniqueFunction<void()>& body) {
  living_.fetch_add(1, std::memory_order_relaxed);
  active_.fetch_add(1, std::memory_order_relaxed);
  body = [this, inner = std::move(body)]() mutable {
    inner();
    inner.reset();
    ended();
  };
}

void Bubble::ended() noexcept {
  rt::set_current_world(nullptr);  // may be gone before the goroutine is
  living_.fetch_sub(1, std::memory_order_acq_rel);
  leave();
}

void Bubble::leave() noexcept {
  if (active_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  if (rt::claim(keeper_wait_, 0)) rt::wake(keeper_wait_.g);
}

bool Bubble::durable(rt::G& g, rt::WaitReason reason) noexcept {
  switch (reason) {
    case rt::WaitReason::kChanSend:
    case rt::WaitReason::kChanRecv:
    case rt::WaitReason::kSelect:
      return !g.outside;
    case rt::WaitReason::kSleep:
    case rt::WaitReason::kCond:
    case rt::WaitReason::kSemaphore:
    case rt::WaitReason::kWaitGroup:
    case rt::WaitReason::kTaskGroup:
    case rt::WaitReason::kSingleFlight:
    case rt::WaitReason::kContext:
    case rt::WaitReason::kOther:
      return true;
    default:
      return false;
  }
}

void Bubble::wait_until_idle() noexcept {
  keeper_wait_ = rt::begin_wait(rt::Interrupt::kIgnore);
  rt::park(rt::WaitReason::kOther, this);
}

bool Bubble::wake_waiter() noexcept {
  if (!waited_for_.load(std::memory_order_acquire)) return false;
  const rt::Ticket ticket = waiter_;
  waited_for_.store(false, std::memory_order_release);
  if (rt::claim(ticket, 0)) rt::wake(ticket.g);
  return true;
}

void Bubble::wait() {
  if (waited_for_.load(std::memory_order_acquire)) {
    throw Error(Code::kFailedPrecondition, "sim::wait() while another goroutine of the bubble is in it");
  }
  waiter_ = rt::begin_wait(rt::Interrupt::kIgnore);
  waited_for_.store(true, std::memory_order_release);
  rt::park(rt::WaitReason::kOther, this);
}

void Bubble::fire_timers() {
  const int64_t when = timers_.next_timer.load(std::memory_order_acquire);
  if (when > now_ns_.load(std::memory_order_relaxed)) now_ns_.store(when, std::memory_order_release);
  rt::shuffle_first_timers(timers_, random_);
  rt::run_timers(timers_, now_ns_.load(std::memory_order_relaxed));
}

void Bubble::throw_deadlock() const {
  std::string text = main_ended_.load(std::memory_order_acquire)
                         ? "the body of the bubble has returned, but goroutines of it are blocked for ever"
                         : "all goroutines of the bubble are blocked for ever";
  text += "\n\n";
  rt::dump_goroutines(text);
  throw Error(Code::kAborted, std::move(text));
}

void Bubble::run(UniqueFunction<void()> body) {
  struct Inside {
    explicit Inside(Bubble& bubble) : former(rt::exchange_context({})) {
      rt::add_world();
      rt::set_current_world(&bubble);
    }
    ~Inside() {
      rt::set_current_world(nullptr);
      rt::remove_world();
      rt::exchange_context(std::move(former));
    }
    Inside(const Inside&) = delete;
    Inside& operator=(const Inside&) = delete;
    Ref<rt::ContextBase> former;
  };
  const Inside inside(*this);
  keeper_ = rt::current();
  go({.name = "bubble"}, [this, &body] {
    try {
      body();
    } catch (...) {
      error_ = std::current_exception();
    }
    main_ended_.store(true, std::memory_order_release);
  });
  for (;;) {
    wait_until_idle();
    const int64_t next = timers_.next_timer.load(std::memory_order_acquire);
    const bool due = next <= now_ns_.load(std::memory_order_relaxed);
    if (!due) {
      if (wake_waiter()) continue;
      if (empty()) break;
      if (main_ended_.load(std::memory_order_acquire) || next == rt::kNoTimer) {
        if (error_ != nullptr) break;
        throw_deadlock();
      }
    }
    fire_timers();
  }
  if (error_ != nullptr) std::rethrow_exception(error_);
}

// Goroutines that are left when a bubble ends still know it.
void keep(std::unique_ptr<Bubble> bubble) {
  struct Kept {
    rt::Lock lock;
    std::vector<std::unique_ptr<Bubble>> bubbles;
  };
  static auto* kept = new Kept;
  const std::lock_guard guard(kept->lock);
  kept->bubbles.push_back(std::move(bubble));
}

}  // namespace

void bubble(UniqueFunction<void()> body) {
  if (rt::this_m() == nullptr) {
    degu::run([&body] { bubble(std::move(body)); });
    return;
  }
  if (rt::current_world() != nullptr) {
    throw Error(Code::kFailedPrecondition, "sim::bubble inside a bubble or a simulation");
  }
  auto bubble = std::make_unique<Bubble>();
  struct Keep {
    std::unique_ptr<Bubble>& bubble;
    ~Keep() {
      rt::drop_timers(*bubble->timers());
      if (!bubble->empty()) keep(std::move(bubble));
    }
  } const at_end{bubble};
  bubble->run(std::move(body));
}

void wait() {
  auto* bubble = dynamic_cast<Bubble*>(rt::current_world());
  if (bubble == nullptr) throw Error(Code::kFailedPrecondition, "sim::wait() outside of a bubble");
  bubble->wait();
}

}  // namespace degu::sim
