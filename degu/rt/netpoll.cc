// The poller. Each direction of a descriptor is one word: nil, ready, or the goroutine or call that waits. The number of
// a goroutine's wait lies beside it, and its lower half in the word: a poller that took the word and then reads the
// number of a later wait, perhaps another goroutine's, sees that they do not belong together. After Go's
// runtime/netpoll.go.
#include <degu/base/assert.h>
#include <degu/rt/internal/sched.h>
#include <degu/rt/netpoll.h>
#include <degu/rt/race_point.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

namespace degu::rt {

struct PollSide {
  std::atomic<uintptr_t> state{0};
  std::atomic<uint32_t> seq{0};
};

struct PollDesc {
  int fd = -1;
  std::atomic<bool> closing{false};
  std::atomic<bool> hangup{false};
  std::array<PollSide, 2> sides;
  Scheduler* sched = nullptr;
  PollDesc* next_free = nullptr;
  bool in_use = false;
};

namespace {

constexpr uintptr_t kNil = 0;
constexpr uintptr_t kReadyMark = 1;
constexpr uintptr_t kCallMark = 2;     // of a PollCall's address
constexpr unsigned kNumberShift = 48;  // above the address of the G that waits

uintptr_t waiting_word(Ticket ticket) noexcept {
  static_assert(alignof(G) > (kReadyMark | kCallMark) && sizeof(uintptr_t) == 8);
  return reinterpret_cast<uintptr_t>(ticket.g) | uintptr_t{ticket.seq} << kNumberShift;
}

// Records are type-stable: an event that was fetched before poll_close() may still name one.
struct Registry {
  Lock lock;
  PollDesc* free = nullptr;
  std::vector<PollDesc*> all;
};

Registry& registry() noexcept {
  static auto* r = new Registry;
  return *r;
}

PollDesc* take_desc() noexcept {
  Registry& r = registry();
  r.lock.lock();
  if (r.free == nullptr) {
    constexpr std::size_t kChunk = 64;
    auto* chunk = new PollDesc[kChunk];
    for (std::size_t i = 0; i < kChunk; ++i) {
      chunk[i].next_free = r.free;
      r.free = &chunk[i];
      r.all.push_back(&chunk[i]);
    }
  }
  PollDesc* desc = r.free;
  r.free = desc->next_free;
  desc->in_use = true;
  r.lock.unlock();
  return desc;
}

void give_desc(PollDesc* desc) noexcept {
  Registry& r = registry();
  r.lock.lock();
  desc->in_use = false;
  desc->sched = nullptr;
  desc->next_free = r.free;
  r.free = desc;
  r.lock.unlock();
}

void mark_ready(PollSide& side) noexcept {
  const uintptr_t old = side.state.exchange(kReadyMark, std::memory_order_seq_cst);
  if (old == kNil || old == kReadyMark) return;
  DEGU_RACE_POINT();
  if ((old & kCallMark) != 0) {
    // Uses up the edge: what is called reads on until there is no more.
    uintptr_t expected = kReadyMark;
    side.state.compare_exchange_strong(expected, kNil, std::memory_order_seq_cst);
    auto* call = reinterpret_cast<PollCall*>(old & ~kCallMark);
    return call->fn(call);
  }
  auto* g = reinterpret_cast<G*>(old & ((uintptr_t{1} << kNumberShift) - 1));
  const Ticket ticket{g, side.seq.load(std::memory_order_acquire)};
  if (waiting_word(ticket) == old && claim(ticket, 0)) wake(g);
}

int wait_events(int epoll_fd, epoll_event* events, int capacity, int64_t until_ns) noexcept {
  if (until_ns == 0) return ::epoll_wait(epoll_fd, events, capacity, 0);
  if (until_ns == kNoTimer) return ::epoll_wait(epoll_fd, events, capacity, -1);
  const int64_t left = std::max<int64_t>(0, until_ns - clock_ns());
#ifdef SYS_epoll_pwait2
  static std::atomic<bool> has_pwait2{true};
  if (has_pwait2.load(std::memory_order_relaxed)) {
    const timespec timeout{left / 1'000'000'000, left % 1'000'000'000};
    const long n = ::syscall(SYS_epoll_pwait2, epoll_fd, events, capacity, &timeout, nullptr, 0);
    if (n >= 0 || errno != ENOSYS) return static_cast<int>(n);
    has_pwait2.store(false, std::memory_order_relaxed);
  }
#endif
  return ::epoll_wait(epoll_fd, events, capacity,
                      static_cast<int>(std::min<int64_t>(left / 1'000'000 + 1, 1 << 30)));
}

}  // namespace

void netpoll_init(Scheduler& sched) noexcept {
  sched.epoll_fd = ::epoll_create1(EPOLL_CLOEXEC);
  DEGU_CHECK(sched.epoll_fd >= 0, "epoll_create1 failed (errno {}); raise the limit of open files", errno);
  sched.event_fd = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  DEGU_CHECK(sched.event_fd >= 0, "eventfd failed (errno {}); raise the limit of open files", errno);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = nullptr;
  DEGU_CHECK(::epoll_ctl(sched.epoll_fd, EPOLL_CTL_ADD, sched.event_fd, &event) == 0, "epoll_ctl (errno {})",
             errno);
}

void netpoll_close(Scheduler& sched) noexcept {
  // Sockets may outlive the scheduler; they are closed without it.
  Registry& r = registry();
  r.lock.lock();
  for (PollDesc* desc : r.all) {
    if (desc->sched == &sched) desc->sched = nullptr;
  }
  r.lock.unlock();
  ::close(sched.event_fd);
  ::close(sched.epoll_fd);
}

void netpoll_break(Scheduler& sched) noexcept {
  if (sched.poll_break_pending.exchange(true, std::memory_order_acq_rel)) return;
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t n = ::write(sched.event_fd, &one, sizeof one);
}

void netpoll(M& m, int64_t until_ns, GList& out) noexcept {
  constexpr int kBatch = 128;
  epoll_event events[kBatch];
  const int count = wait_events(m.sched->epoll_fd, events, kBatch, until_ns);
  // Pairs with poll_open(): the records that the events name are there to be seen, which only the kernel knows otherwise.
  static_cast<void>(m.sched->open_descs.load(std::memory_order_acquire));
  m.batch = &out;
  for (int i = 0; i < count; ++i) {
    auto* desc = static_cast<PollDesc*>(events[i].data.ptr);
    if (desc == nullptr) {
      if (until_ns == 0) continue;  // meant for the thread that sleeps here
      uint64_t drained = 0;
      [[maybe_unused]] const ssize_t n = ::read(m.sched->event_fd, &drained, sizeof drained);
      m.sched->poll_break_pending.exchange(false,
                                           std::memory_order_acq_rel);  // sees what the breaker published
      continue;
    }
    const uint32_t mask = events[i].events;
    if ((mask & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) desc->hangup.store(true, std::memory_order_release);
    if ((mask & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) mark_ready(desc->sides[0]);
    if ((mask & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0) mark_ready(desc->sides[1]);
  }
  m.batch = nullptr;
}

bool netpoll_has_waiter(Scheduler& sched) noexcept {
  Registry& r = registry();
  r.lock.lock();
  bool found = false;
  for (const PollDesc* desc : r.all) {
    if (!desc->in_use || desc->sched != &sched) continue;
    for (const PollSide& side : desc->sides)
      found = found || side.state.load(std::memory_order_relaxed) > kReadyMark;
  }
  r.lock.unlock();
  return found;
}

PollDesc* poll_open(int fd, int* error) noexcept {
  M* m = this_m();
  Scheduler* sched = m != nullptr ? m->sched : default_scheduler();
  DEGU_CHECK(sched != nullptr, "network and file waits need a running scheduler: call them inside degu::run");
  if (sched->options.sim != nullptr) {
    *error = EOPNOTSUPP;
    return nullptr;
  }
  PollDesc* desc = take_desc();
  desc->fd = fd;
  desc->sched = sched;
  desc->closing.store(false, std::memory_order_relaxed);
  desc->hangup.store(false, std::memory_order_relaxed);
  for (PollSide& side : desc->sides) side.state.store(kNil, std::memory_order_relaxed);
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.ptr = desc;
  sched->open_descs.fetch_add(1, std::memory_order_seq_cst);  // publishes the record: see netpoll()
  if (::epoll_ctl(sched->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
    *error = errno;
    sched->open_descs.fetch_sub(1, std::memory_order_seq_cst);
    give_desc(desc);
    return nullptr;
  }
  return desc;
}

bool poll_hangup(const PollDesc* desc) noexcept { return desc->hangup.load(std::memory_order_acquire); }

void poll_shutdown(PollDesc* desc) noexcept {
  desc->closing.store(true, std::memory_order_seq_cst);
  for (PollSide& side : desc->sides) mark_ready(side);
}

void poll_nudge(PollDesc* desc, Direction direction) noexcept {
  mark_ready(desc->sides[static_cast<std::size_t>(direction)]);
}

void poll_close(PollDesc* desc) noexcept {
  if (Scheduler* sched = desc->sched; sched != nullptr) {
    poll_shutdown(desc);
    epoll_event event{};
    ::epoll_ctl(sched->epoll_fd, EPOLL_CTL_DEL, desc->fd, &event);
    sched->open_descs.fetch_sub(1, std::memory_order_seq_cst);
  }
  give_desc(desc);
}

PollResult poll_wait(PollDesc* desc, Direction direction, TimePoint deadline) noexcept {
  PollSide& side = desc->sides[static_cast<std::size_t>(direction)];
  const auto settled = [&] {
    return desc->closing.load(std::memory_order_seq_cst) ? PollResult::kClosed : PollResult::kReady;
  };
  if (desc->closing.load(std::memory_order_seq_cst)) return PollResult::kClosed;
  uintptr_t expected = kReadyMark;
  if (side.state.compare_exchange_strong(expected, kNil, std::memory_order_seq_cst)) return settled();

  const Ticket ticket = begin_wait(Interrupt::kObserve);
  side.seq.store(ticket.seq, std::memory_order_release);
  DEGU_RACE_POINT();
  expected = kNil;
  const uintptr_t self = waiting_word(ticket);
  if (!side.state.compare_exchange_strong(expected, self, std::memory_order_seq_cst)) {
    DEGU_CHECK(expected == kReadyMark, "two wait for the same direction of one descriptor");
    if (!disarm()) {
      // Its context has ended, or a poller that was on its way to end a former wait of ours, 65,536 waits ago, has ended
      // this one. The readiness mark stays for the next wait.
      return park(WaitReason::kIoRead, desc) == kTagCancelled ? PollResult::kCancelled : settled();
    }
    side.state.compare_exchange_strong(expected, kNil, std::memory_order_seq_cst);
    return settled();
  }
  const uint16_t tag =
      park(direction == Direction::kRead ? WaitReason::kIoRead : WaitReason::kIoWrite, desc, deadline);
  if (tag == 0) {
    expected = kReadyMark;
    // Ended by a poller that was late, as above, the word still says that we wait.
    if (!side.state.compare_exchange_strong(expected, kNil, std::memory_order_seq_cst) && expected == self)
      side.state.compare_exchange_strong(expected, kNil, std::memory_order_seq_cst);
    return settled();
  }
  expected = self;
  side.state.compare_exchange_strong(expected, kNil, std::memory_order_seq_cst);
  if (desc->closing.load(std::memory_order_seq_cst)) return PollResult::kClosed;
  return tag == kTagTimeout ? PollResult::kTimeout : PollResult::kCancelled;
}

bool poll_call(PollDesc* desc, Direction direction, PollCall& call) noexcept {
  static_assert(alignof(PollCall) > (kReadyMark | kCallMark));
  if (current()->world != nullptr || desc->closing.load(std::memory_order_seq_cst)) return false;
  PollSide& side = desc->sides[static_cast<std::size_t>(direction)];
  uintptr_t expected = kReadyMark;
  if (side.state.compare_exchange_strong(expected, kNil, std::memory_order_seq_cst)) return false;
  DEGU_RACE_POINT();
  expected = kNil;
  const uintptr_t marked = reinterpret_cast<uintptr_t>(&call) | kCallMark;
  if (side.state.compare_exchange_strong(expected, marked, std::memory_order_seq_cst)) return true;
  DEGU_CHECK(expected == kReadyMark, "two wait for the same direction of one descriptor");
  side.state.compare_exchange_strong(expected, kNil, std::memory_order_seq_cst);
  return false;
}

}  // namespace degu::rt
