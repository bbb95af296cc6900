// select. After Go's runtime/select.go, with one pass more.
//
// Pass 1 looks at all channels without their locks and takes one of the cases that seem ready: legal, as it is
// ready at the instant at which it is taken, and it avoids the locks of the others. Only "nothing is ready" needs
// all channels at one instant, or a select with a default could miss a case that was ready throughout
// (TestNonblockSelectRace2): pass 2 looks again with all locks held, in address order. Pass 3 enqueues a
// waiter in each channel before the locks go; at most one waker wins the ticket. Go shuffles the cases first; to
// choose among the ready ones costs a random number only where there is a choice.
//
// After the wake the waiters are unlinked one channel at a time. Until then others may find them and lose the
// claim.
#include <degu/base/random.h>
#include <degu/rt/race_point.h>
#include <degu/sync/internal/select_core.h>

#include <new>
#include <type_traits>

namespace degu::sync_internal {
namespace {

using Kind = SelectCase::Kind;

struct DoneWaiter : rt::CancelWaiter {
  rt::Ticket ticket;
  uint16_t tag;
};

static_assert(sizeof(ChanWaiter) <= sizeof(SelectScratch) && sizeof(DoneWaiter) <= sizeof(SelectScratch));
static_assert(alignof(ChanWaiter) <= alignof(SelectScratch) && alignof(DoneWaiter) <= alignof(SelectScratch));
static_assert(std::is_trivially_destructible_v<ChanWaiter> && std::is_trivially_destructible_v<DoneWaiter>);

void end_done_wait(rt::CancelWaiter* waiter) {
  auto* self = static_cast<DoneWaiter*>(waiter);
  rt::G* g = self->ticket.g;
  if (rt::claim(self->ticket, self->tag)) rt::wake(g);
}

class Select {
 public:
  Select(SelectCase* cases, uint16_t count, SelectOrder order, uint16_t* orders,
         SelectScratch* scratch) noexcept
      : cases_(cases),
        ready_(orders),
        lock_order_(orders + count),
        scratch_(scratch),
        count_(count),
        order_(order) {}

  int run() {
    rt::sim_point();
    survey();
    while (ready_count_ > 0) {
      const uint16_t i = pick();
      if (attempt(i)) return i;
    }
    // One channel that was not ready is an instant at which nothing was.
    if (default_ >= 0 && waitable_ <= 1) return default_;
    sort_locks();
    lock_all();
    look_again();
    Peer peer;
    int taken = -1;
    while (taken < 0 && ready_count_ > 0) {
      const uint16_t i = pick();
      if (cases_[i].kind == Kind::kDone || step(cases_[i], peer) != Outcome::kBlocked) taken = i;
    }
    if (taken < 0) {
      const int fallback = without_waiting();
      if (fallback < 0) return wait();
      unlock_all();
      return fallback;
    }
    unlock_all();
    if (failed_send(taken)) throw_send_on_closed();
    if (cases_[taken].chan != nullptr) peer.finish(cases_[taken].chan->ops);
    return taken;
  }

 private:
  // What the cases are, and ready_.
  [[gnu::always_inline]] void survey() {
    for (uint16_t i = 0; i < count_; ++i) {
      const SelectCase& c = cases_[i];
      if (c.chan != nullptr) {
        rt::sim_also(c.chan->home);
        note_if(hint(c), i);
        ++waitable_;
      } else if (c.kind == Kind::kDone) {
        note_if(c.node->cancelled(), i);
        ++waitable_;
      } else if (c.kind == Kind::kDefault) {
        default_ = i;
      } else if (c.kind == Kind::kAfter && (timer_ < 0 || c.deadline < cases_[timer_].deadline)) {
        timer_ = i;
      }
    }
  }

  // ready_ with the locks held: exact, but for waiters that have been interrupted.
  [[gnu::always_inline]] void look_again() noexcept {
    ready_count_ = 0;
    for (uint16_t i = 0; i < count_; ++i) {
      const SelectCase& c = cases_[i];
      if (c.chan != nullptr) {
        note_if(hint(c), i);
      } else if (c.kind == Kind::kDone) {
        note_if(c.node->cancelled(), i);
      }
    }
  }

  void note_if(bool ready, uint16_t i) noexcept {
    ready_[ready_count_] = i;
    ready_count_ = static_cast<uint16_t>(ready_count_ + (ready ? 1 : 0));
  }

  // 16 random bits: a bias of 2^-16 for each case at most.
  static uint16_t random_below(uint16_t n) noexcept {
    return static_cast<uint16_t>(((random_u64() & 0xffff) * n) >> 16);
  }

  // Takes one out of ready_.
  uint16_t pick() noexcept {
    const uint16_t place =
        order_ == SelectOrder::kRandom && ready_count_ > 1 ? random_below(ready_count_) : uint16_t{0};
    const uint16_t i = ready_[place];
    --ready_count_;
    for (uint16_t k = place; k < ready_count_; ++k) ready_[k] = ready_[k + 1];
    return i;
  }

  static bool hint(const SelectCase& c) noexcept {
    return c.kind == Kind::kSend ? c.chan->send_hint() : c.chan->recv_hint();
  }

  static Outcome step(SelectCase& c, Peer& peer) noexcept {
    const Outcome outcome = c.kind == Kind::kSend ? chan_send_locked(*c.chan, c.slot, peer)
                                                  : chan_recv_locked(*c.chan, c.slot, peer);
    c.ok = outcome == Outcome::kDone;
    return outcome;
  }

  bool failed_send(int taken) const noexcept {
    return cases_[taken].kind == Kind::kSend && !cases_[taken].ok;
  }

  // False: it is not ready any more.
  bool attempt(uint16_t i) {
    SelectCase& c = cases_[i];
    if (c.kind == Kind::kDone) return true;
    DEGU_RACE_POINT();
    Peer peer;
    c.chan->lock.lock();
    const Outcome outcome = step(c, peer);
    c.chan->lock.unlock();
    if (outcome == Outcome::kBlocked) return false;
    if (failed_send(i)) throw_send_on_closed();
    peer.finish(c.chan->ops);
    return true;
  }

  // The channels' cases by address; a channel that is there twice is locked once. Its cases wait in random order:
  // else the first would be taken by whoever comes.
  void sort_locks() noexcept {
    for (uint16_t i = 0; i < count_; ++i) {
      ChanCore* chan = cases_[i].chan;
      if (chan == nullptr) continue;
      uint16_t place = locks_++;
      for (; place > 0 && cases_[lock_order_[place - 1]].chan > chan; --place)
        lock_order_[place] = lock_order_[place - 1];
      uint16_t equal = 0;
      while (equal < place && cases_[lock_order_[place - equal - 1]].chan == chan) ++equal;
      if (equal > 0 && order_ == SelectOrder::kRandom) {
        for (uint16_t back = random_below(static_cast<uint16_t>(equal + 1)); back > 0; --back, --place)
          lock_order_[place] = lock_order_[place - 1];
      }
      lock_order_[place] = i;
    }
  }
  bool repeated(uint16_t k) const noexcept {
    return k > 0 && cases_[lock_order_[k]].chan == cases_[lock_order_[k - 1]].chan;
  }
  void lock_all() noexcept {
    for (uint16_t k = 0; k < locks_; ++k) {
      if (!repeated(k)) cases_[lock_order_[k]].chan->lock.lock();
    }
  }
  void unlock_all() noexcept {
    for (uint16_t k = locks_; k > 0; --k) {
      const auto last = static_cast<uint16_t>(k - 1);
      if (!repeated(last)) cases_[lock_order_[last]].chan->lock.unlock();
    }
  }

  // The default, or a timer that is due; -1: must wait.
  int without_waiting() const noexcept {
    if (default_ >= 0) return default_;
    if (timer_ >= 0 && cases_[timer_].deadline <= now()) return timer_;
    return -1;
  }

  ChanWaiter* chan_waiter(uint16_t i) noexcept { return reinterpret_cast<ChanWaiter*>(scratch_[i].bytes); }
  DoneWaiter* done_waiter(uint16_t i) noexcept { return reinterpret_cast<DoneWaiter*>(scratch_[i].bytes); }
  static WaitQueue& queue_of(const SelectCase& c) noexcept {
    return c.kind == Kind::kSend ? c.chan->senders : c.chan->receivers;
  }

  // Called with all locks held; releases them.
  void enqueue(rt::Ticket ticket) noexcept {
    for (uint16_t k = 0; k < locks_; ++k) {
      const uint16_t i = lock_order_[k];
      auto* waiter = ::new (static_cast<void*>(scratch_[i].bytes)) ChanWaiter;
      waiter->ticket = ticket;
      waiter->tag = i;
      waiter->slot = cases_[i].slot;
      waiter->ok = false;
      queue_of(cases_[i]).push_back(waiter);
    }
    unlock_all();
    DEGU_RACE_POINT();
    for (uint16_t i = 0; i < count_; ++i) {
      if (cases_[i].kind != Kind::kDone) continue;
      auto* waiter = ::new (static_cast<void*>(scratch_[i].bytes)) DoneWaiter;
      waiter->on_cancel = end_done_wait;
      waiter->ticket = ticket;
      waiter->tag = i;
      cases_[i].node->add(waiter);
    }
  }

  void dequeue(uint16_t winner) noexcept {
    for (uint16_t i = 0; i < count_; ++i) {
      SelectCase& c = cases_[i];
      if (c.kind == Kind::kDone) {
        c.node->remove(done_waiter(i));  // the winner's too: its on_cancel may still be running
      } else if (c.chan != nullptr && i != winner) {
        const LockGuard guard(c.chan->lock);
        queue_of(c).remove(chan_waiter(i));
      }
    }
  }

  int wait() {
    enqueue(rt::begin_wait(rt::Interrupt::kObserve));
    DEGU_RACE_POINT();
    const TimePoint deadline = timer_ >= 0 ? cases_[timer_].deadline : kNever;
    const uint16_t tag =
        rt::park(rt::WaitReason::kSelect, locks_ > 0 ? cases_[lock_order_[0]].chan : nullptr, deadline);
    DEGU_RACE_POINT();
    dequeue(tag);
    if (tag == rt::kTagTimeout) return timer_;
    if (tag == rt::kTagCancelled) return ended_context();
    SelectCase& c = cases_[tag];
    if (c.chan != nullptr) {
      c.ok = chan_waiter(tag)->ok;
      if (failed_send(tag)) throw_send_on_closed();
    }
    return tag;
  }

  // The current context has ended. A case that asked for just that goes before the exception.
  int ended_context() const {
    for (uint16_t i = 0; i < count_; ++i) {
      const SelectCase& c = cases_[i];
      if (c.kind == Kind::kDone && c.node->cancelled()) return i;
    }
    rt::throw_interrupted();
  }

  SelectCase* const cases_;
  uint16_t* const ready_;       // cases that seem ready and were not tried, in order
  uint16_t* const lock_order_;  // cases with a channel
  SelectScratch* const scratch_;
  const uint16_t count_;
  const SelectOrder order_;
  uint16_t waitable_ = 0;  // cases that can become ready, but for timers
  uint16_t ready_count_ = 0;
  uint16_t locks_ = 0;
  int default_ = -1;
  int timer_ = -1;
};

}  // namespace

int select_any(SelectCase* cases, uint16_t count, SelectOrder order, uint16_t* orders,
               SelectScratch* scratch) {
  return Select(cases, count, order, orders, scratch).run();
}

}  // namespace degu::sync_internal
