// G, M, P and the Scheduler: the records of the runtime. The code is cut by question: sched_loop.cc (what
// runs next), idle.cc (sleep and wake threads), sysmon.cc (who is stuck), park.cc, g_pool.cc (goroutine
// records), timer.cc, netpoll.cc, dump.cc, run.cc.
//
// Lock order: CancelNode::lock_ -> Scheduler::lock; P::timer_lock and the depot, G pool and poll registry
// locks are leaves.
#pragma once

#include <degu/base/function.h>
#include <degu/base/random.h>
#include <degu/base/ref.h>
#include <degu/base/time.h>
#include <degu/rt/cancel.h>
#include <degu/rt/internal/contention.h>
#include <degu/rt/internal/flight.h>
#include <degu/rt/internal/global_queue.h>
#include <degu/rt/internal/local_queue.h>
#include <degu/rt/internal/stack.h>
#include <degu/rt/internal/switch.h>
#include <degu/rt/internal/world.h>
#include <degu/rt/lock.h>
#include <degu/rt/park.h>
#include <degu/rt/run.h>
#include <degu/rt/timer.h>

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace degu::rt {

struct Scheduler;
struct M;
struct P;

enum class Status : uint8_t { kFree, kRunnable, kRunning, kWaiting, kBlocking };

// Layout of G::wait_word: sequence number | tag | flags.
inline constexpr uint64_t kWaitClaimed = 1;  // someone won the wait
inline constexpr uint64_t kWaitDone = 2;     // ... and has published: the goroutine may go on
inline constexpr uint64_t kWaitParked = 4;   // the goroutine is off its stack: wake() must make it runnable
inline constexpr uint64_t kWaitInterruptible = 8;  // the end of its context may claim
inline constexpr uint64_t kWaitSole = 16;          // by park_unlocking(): over when the status changes
inline constexpr unsigned kWaitTagShift = 16;
inline constexpr unsigned kWaitSeqShift = 32;
inline constexpr uint64_t kWaitSeqMask = 0x7fffffff;  // never kSoleSeq

/// A stack below the one that a goroutine is on; the record lies on it.
struct OuterStack {
  Stack stack;
  const OuterStack* outer;
};

/// What a goroutine touches that is started, runs once and ends comes first. With the page of its stack it is to take
/// less than 4,400 bytes.
struct alignas(32) G {
  // What a switch and a wake-up touch.
  void* sp = nullptr;  // saved stack pointer while it does not run; null before the first run
  std::atomic<uint64_t> wait_word{0};
  G* next = nullptr;  // in a list or a free list
  EhGlobals eh;
  ContextBase* context = nullptr;  // owned
  int shield_depth = 0;
  int blocking_depth = 0;

  // One word, the next event of its switches: see flight_word().
  uint32_t short_id = 0;
  std::atomic<Status> status{Status::kFree};
  std::atomic<WaitReason> reason{WaitReason::kNone};
  uint16_t woken_at = 0;

  bool durable = false;      // only its world can end the present wait; see world.h
  bool outside = false;      // the primitive that it is in uses something from outside of its world
  bool own_thread = false;   // only one thread can run it: is_thread, or locked_m
  bool is_thread = false;    // a foreign thread's stand-in
  bool watch_stack = false;  // see stack_use.h
  uint8_t stack_class = kDefaultStackClass;
  std::atomic<const void*> wait_object{nullptr};
  std::atomic<int64_t> wait_since_ns{0};
  World* world = nullptr;                  // see world.h
  std::atomic<Scheduler*> sched{nullptr};  // null: a free record, or abandoned
  uint64_t id = 0;
  uint64_t creator_id = 0;
  const void* created_at = nullptr;  // return address of the spawn

  UniqueFunction<void()> body;
  const void* joins = nullptr;  // the group whose waiters wait for this goroutine: see owner.h
  Stack stack;
  std::string_view name;
  CancelNode* registered =
      nullptr;  // owned; the node whose end interrupts this one's waits, kept from wait to wait

  CancelWaiter cancel_waiter;               // at `registered`
  const OuterStack* outer_stack = nullptr;  // in with_stack()
  M* locked_m = nullptr;                    // see os_thread.cc
  uint16_t thread_locks = 0;
  std::atomic<bool> has_deadline{false};   // the present wait
  std::atomic<uint32_t> thread_signal{0};  // what a foreign thread's stand-in parks on
  [[no_unique_address]] SanitizerFiber fiber;
};
#if !defined(DEGU_ASAN) && !defined(DEGU_TSAN)
static_assert(sizeof(G) <= 288);
#endif

/// What the flight recorder stores of a switch to g: flight_switch() of its fields.
inline uint64_t flight_word(const G& g) noexcept {
  static_assert(std::endian::native == std::endian::little && offsetof(G, short_id) % 8 == 0);
  static_assert(offsetof(G, status) == offsetof(G, short_id) + 4);
  static_assert(offsetof(G, reason) == offsetof(G, short_id) + kFlightWhatShift / 8);
  static_assert(offsetof(G, woken_at) == offsetof(G, short_id) + kFlightWokenShift / 8);
  using Word [[gnu::may_alias]] = const uint64_t;
  const char* const at = reinterpret_cast<const char*>(&g) + offsetof(G, short_id);
  return __atomic_load_n(reinterpret_cast<Word*>(at), __ATOMIC_RELAXED);
}
/// A new goroutine, status kFree: nobody has woken it.
inline void start_flight(G& g) noexcept {
  static_assert(static_cast<int>(Status::kFree) == 0 && static_cast<int>(WaitReason::kNone) == 0);
  using Word [[gnu::may_alias]] = uint64_t;
  char* const at = reinterpret_cast<char*>(&g) + offsetof(G, short_id);
  if constexpr (kFlightRecorded)
    __atomic_store_n(reinterpret_cast<Word*>(at), static_cast<uint32_t>(g.id), __ATOMIC_RELAXED);
}
/// The waker's P is at that place; 0: not known, or another P than the one that g is queued on.
inline void mark_woken(G& g, uint32_t at) noexcept {
  if constexpr (kFlightRecorded) g.woken_at = static_cast<uint16_t>(at);
}
/// It has yielded and is runnable: both by one store.
inline void set_yielded(G& g) noexcept {
  static_assert(offsetof(G, reason) == offsetof(G, status) + 1 && offsetof(G, status) % 2 == 0);
  using Word [[gnu::may_alias]] = uint16_t;
  constexpr auto kBoth = static_cast<uint16_t>(static_cast<unsigned>(Status::kRunnable) |
                                               static_cast<unsigned>(FlightStop::kYield) << 8);
  char* const at = reinterpret_cast<char*>(&g) + offsetof(G, status);
  __atomic_store_n(reinterpret_cast<Word*>(at), kBoth, __ATOMIC_RELAXED);
}

/// Free goroutine records, linked through G::next; a full one is a bundle, which goes from owner to owner as a whole.
struct GStack {
  static constexpr uint32_t kBundle = 64;
  G* top = nullptr;
  uint32_t size = 0;

  void push(G* g) noexcept {
    g->next = top;
    top = g;
    ++size;
  }
  G* pop() noexcept {
    G* g = top;
    top = g->next;
    --size;
    return g;
  }
};

/// Singly linked FIFO of runnable goroutines through G::next.
struct GList {
  G* head = nullptr;
  G* tail = nullptr;
  uint32_t size = 0;

  void push(G* g) noexcept {
    g->next = nullptr;
    (tail != nullptr ? tail->next : head) = g;
    tail = g;
    ++size;
  }
  G* pop() noexcept {
    G* g = head;
    if (g != nullptr) {
      head = g->next;
      if (head == nullptr) tail = nullptr;
      --size;
    }
    return g;
  }
};

inline constexpr int64_t kNoTimer = INT64_MAX;
inline constexpr uint32_t kMaxProcs = 256;
inline constexpr uint32_t kMaxPs = 4096;

struct TimerEntry {
  int64_t when_ns;
  Timer* timer;
};

struct StackCache {
  static constexpr std::size_t kCapacity = 32;
  std::array<Stack, kCapacity> stacks;
  std::size_t count = 0;
};

/// Since when something waits in a P's queue. Anybody may look and note; a torn note only misjudges an age.
struct QueueAge {
  std::atomic<int64_t> noted_ns{0};
  std::atomic<uint32_t> next{0};
  std::atomic<uint32_t> ready{0};
  std::atomic<uint32_t> yielded{0};
  std::atomic<uint32_t> fresh{0};
};

/// A scheduling slot. Its fields belong to the M that holds it, but for those marked otherwise.
struct alignas(64) P {
  Scheduler* sched = nullptr;
  uint32_t id = 0;
  Random random{1};
  P* idle_next = nullptr;  // guarded by Scheduler::lock
  bool is_idle = false;    // guarded by Scheduler::lock
  bool is_spare = false;   // guarded by Scheduler::lock
  uint64_t next_id = 0;    // goroutine numbers set aside for this P: [next_id, last_id)
  uint64_t last_id = 0;
  GStack free_gs;     // less than a bundle
  GStack spare_gs;    // a bundle, or nothing
  StackCache stacks;  // of the default class

  // The holder counts, sysmon compares: no change for long is a goroutine that does not come back.
  // In steps of kTick: see FlightRing.
  alignas(64) std::atomic<uint32_t> tick{0};
  std::atomic<bool> attention{false};    // the next switch goes through the scheduler's loop
  uint32_t look_at = 0;                  // from this tick on it is time to look beyond the own queue
  bool blocks_long = false;              // its last call in blocking() took as long as a wake-up
  int64_t blocking_since_ns = 0;         // when the present one began
  std::atomic<bool> in_blocking{false};  // its goroutine is inside blocking()
  std::atomic<bool> stuck{false};        // another P runs in its place; written under Scheduler::lock
  std::atomic<M*> holder{nullptr};

  // When to wake a thread for what is queued here: see offer() in sched_loop.cc.
  std::atomic<int32_t> offer_countdown{0};
  std::atomic<int32_t> credit{1};
  QueueAge age;
  int64_t oldest_taken_ns = 0;  // when the oldest fresh goroutine had its turn
  LocalQueue queue;

  alignas(64) Lock timer_lock;
  uint32_t recent_timer_count = 0;  // guarded by timer_lock
  std::vector<TimerEntry> timers;   // 4-ary heap; guarded by timer_lock
  // For looks without the lock: none is earlier, and kNoTimer if there is none. Written under timer_lock.
  std::atomic<int64_t> next_timer{kNoTimer};
  bool exact_timers = false;                 // next_timer is the earliest, as virtual time jumps there
  std::array<TimerEntry, 16> recent_timers;  // not in the heap yet, in no order; guarded by timer_lock

  FlightRing flight;          // its place is `tick`
  uint32_t flight_timed = 0;  // the place of its last look at the clock
};

inline constexpr uint32_t kTick = FlightRing::kStep;

/// The next event of the P that the caller holds.
inline void flight_put(P& p, uint64_t word) noexcept {
  const uint32_t at = p.tick.load(std::memory_order_relaxed) + kTick;
  p.tick.store(at, std::memory_order_relaxed);
  if constexpr (kFlightRecorded) p.flight.put(at, word);
}
inline void flight_record(P& p, FlightEvent event, uint64_t value) noexcept {
  if constexpr (kFlightRecorded) flight_put(p, flight_event(event, value));
}
void flight_time(P& p, int64_t now_ns) noexcept;

/// What is to be done about a goroutine once it is off its stack.
enum class AfterSwitch : uint8_t { kNone, kPark, kUnlock, kYield, kExit, kUnblocked };

/// An OS thread of the scheduler.
struct M {
  Scheduler* sched = nullptr;
  P* p = nullptr;
  G* g = nullptr;  // what it runs; null on its own stack
  void* sched_sp = nullptr;
  EhGlobals* eh = nullptr;  // this thread's
  AfterSwitch after = AfterSwitch::kNone;
  G* left = nullptr;       // the goroutine that `after` is about
  Lock* unlock = nullptr;  // kUnlock (park_unlocking()): its wait is published when this opens
  bool spinning = false;
  bool ends = false;       // its locked goroutine has ended without unlocking: see os_thread.cc
  G* locked_g = nullptr;   // written by its thread under Scheduler::lock
  G* picked = nullptr;     // who left has chosen it, but it wants a new stack first
  GList* batch = nullptr;  // not null: ready() collects here (netpoll)
  SanitizerFiber fiber;
  uint32_t id = 0;
  std::atomic<int> tid{0};  // the kernel's number of the thread; 0: not started

  M* idle_next = nullptr;  // in idle_ms or ended_ms; guarded by Scheduler::lock
  P* next_p = nullptr;     // set by the waker before the signal
  bool next_spinning = false;
  std::atomic<uint32_t> signal{0};
  std::thread thread;
};

struct Scheduler {
  explicit Scheduler(const RunOptions& run_options);
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  RunOptions options;
  std::atomic<uint32_t> procs{1};  // how many Ps are to run goroutines
  // The Ps made so far; those that stand in for stuck ones included. Never removed.
  std::array<std::atomic<P*>, kMaxPs> ps{};
  std::atomic<uint32_t> p_count{0};

  Lock lock;
  GlobalQueue global;                    // guarded by lock
  GList global_bound;                    // those that only one thread can run; guarded by lock
  bool global_turn = false;              // of those two; guarded by lock
  std::atomic<uint32_t> global_size{0};  // of both; written under lock
  P* idle_ps = nullptr;                  // guarded by lock
  std::atomic<uint32_t> idle_p_count{0};
  P* spare_ps = nullptr;  // beyond procs, not in use; guarded by lock
  uint32_t active_ps =
      0;  // idle, or in use and not stuck; a stand-in counts for the stuck one. Guarded by lock
  std::atomic<uint32_t> ps_in_use{0};  // held by an M; written under lock
  M* idle_ms = nullptr;                // guarded by lock
  uint32_t idle_m_count = 0;           // those that wait for their locked goroutine included; guarded by lock
  M* ended_ms = nullptr;               // records without a thread; guarded by lock
  std::vector<std::unique_ptr<M>> ms;  // guarded by lock
  uint32_t max_threads = 0;
  std::atomic<uint32_t> m_alive{0};  // futex of the end
  std::atomic<uint32_t> spinning{0};
  std::atomic<bool> stopping{false};
  std::atomic<int64_t> coarse_ns{0};  // the clock as of the last look of sysmon or of a thread that woke up

  std::thread sysmon;
  std::atomic<uint32_t> sysmon_signal{0};
  std::atomic<bool> sysmon_asleep{false};
  std::atomic<bool> sysmon_alert{false};  // it looks often: some P was seen stuck of late

  int epoll_fd = -1;
  int event_fd = -1;
  std::atomic<bool> polling{false};    // an M is, or is about to be, in epoll_wait
  std::atomic<int64_t> poll_until{0};  // when it will return by itself; meaningful while polling
  std::atomic<bool> poll_break_pending{false};
  std::atomic<uint32_t> open_descs{0};

  UniqueFunction<void()> main;  // set before there are threads, started by the first to come
  std::atomic<bool> main_started{false};
  std::exception_ptr main_error;
  int main_result = 0;
};

// --- thread state; see docs/internals/thread-local.md
#if defined(__x86_64__) && !defined(DEGU_TSAN)
// The assembler reads the word anew each time and knows no address of it that could outlive a suspension.
inline M* this_m() noexcept {
  M* m;
  asm volatile("movq degu_rt_this_m@gottpoff(%%rip), %0\n\tmovq %%fs:(%0), %0" : "=r"(m));
  return m;
}
#else
M* this_m() noexcept;  // not inline
#endif
G* this_thread_g() noexcept;  // the stand-in of a foreign thread, made on first use
void set_this_m(M* m) noexcept;
Scheduler* default_scheduler() noexcept;
void set_default_scheduler(Scheduler* sched) noexcept;

// --- sched_loop.cc
void run_m(M& m) noexcept;                                // until the scheduler stops
void ready(G* g) noexcept;                                // makes a goroutine runnable
void ready_fresh(Scheduler& sched, M* m, G* g) noexcept;  // one that has not run yet
/// The same, by degu::go: if m's goroutine is far ahead of those who run what it starts, it lets them.
void ready_spawned(Scheduler& sched, M* m, G* g) noexcept;
G* take_any(P& p) noexcept;  // of p's queue or the global one, for a simulation
void push_global(Scheduler& sched, G* g) noexcept;
/// Leaves the running goroutine g for another one, or for the scheduler's loop. Returns when g runs again.
void leave(M& m, G& g, AfterSwitch after) noexcept;
/// What `after` asks for, on the stack that was switched to.
void finish_switch(M& m) noexcept;
/// Ends the running goroutine. If the next one is a fresh one that can use the same stack, returns it; else
/// does not return.
G* exit_or_adopt(M& m, G& g) noexcept;

// --- idle.cc
void wake_idle(Scheduler& sched) noexcept;  // an idle P exists and nobody spins: start a spinning M
bool start_m(Scheduler& sched, P* p, bool spinning) noexcept;  // false: no thread can be had
P* take_idle_p(Scheduler& sched) noexcept;                     // caller holds lock
void put_idle_p(Scheduler& sched, P* p) noexcept;              // caller holds lock
void sleep_m(M& m) noexcept;                                   // until it has a P or the scheduler stops
P* new_p(Scheduler& sched) noexcept;                           // caller holds lock; null at the limit
/// Moves what is queued on p to the global queue. Not for its holder.
void give_away(P& p) noexcept;
/// Starts a thread on another P in place of one that is stuck. False: it is not, or no thread can be had.
bool stand_in(Scheduler& sched, P& stuck) noexcept;
/// The goroutine of m's P, which may be a stuck one, is back: true if the P may be among the running ones again.
bool find_place(M& m) noexcept;
/// The same for the thread: false if it had to give the P up.
bool come_back(M& m) noexcept;
/// A goroutine is inside blocking().
bool is_anyone_blocking(const Scheduler& sched) noexcept;
void set_procs(Scheduler& sched, uint32_t procs) noexcept;
void stop_scheduler(Scheduler& sched) noexcept;
int64_t report_if_deadlocked(Scheduler& sched) noexcept;

// --- os_thread.cc
/// Is m bound to one goroutine? Then g is that one, which may run now, or null if the thread has to end. Waits.
bool find_locked(M& m, G*& g) noexcept;
/// Gives m's P to the thread that g is locked to.
void hand_over(M& m, G& g) noexcept;
/// The running goroutine g, which is locked to m, ends.
void end_locked(M& m, G& g) noexcept;

// --- g_pool.cc
/// A record with an id, status kFree; p may be null (foreign thread).
G* allocate_g(P* p) noexcept;
void free_g(P* p, G* g) noexcept;
void attach_stack(P& p, G& g) noexcept;
void detach_stack(P& p, G& g) noexcept;
void abandon_goroutines(Scheduler& sched) noexcept;
/// Calls visit(g, arg) for every record ever made, in no order.
void visit_gs(void (*visit)(G& g, void* arg), void* arg) noexcept;

// --- park.cc
void arm_thread_signal(G& g) noexcept;
void leave_context(G& g) noexcept;  // at the goroutine's end

// --- timer.cc
int64_t run_timers(P& p, int64_t now_ns) noexcept;  // fires what is due; returns the next time or kNoTimer
int64_t earliest_timer(Scheduler& sched) noexcept;
void settle_timers(P& p) noexcept;  // all into the heap; timer_lock is held
void move_timers(P& from, P& to) noexcept;
int64_t clock_ns() noexcept;
void drop_timers(P& p) noexcept;

/// For dumps and profiles: g, of that scheduler (null: a thread from outside), is about to wait.
inline void note_wait(G& g, const Scheduler* sched, WaitReason reason, const void* object) noexcept {
  g.reason.store(reason, std::memory_order_relaxed);
  g.wait_object.store(object, std::memory_order_relaxed);
  g.durable = false;
  if (g.world != nullptr) [[unlikely]]
    g.durable = g.world->durable(g, reason);
  if (sched == nullptr) return;
  const int64_t since = contention_profiled() ? clock_ns() : sched->coarse_ns.load(std::memory_order_relaxed);
  g.wait_since_ns.store(since, std::memory_order_relaxed);
}

// --- netpoll.cc
void netpoll_init(Scheduler& sched) noexcept;
void netpoll_close(Scheduler& sched) noexcept;
/// Waits until `until_ns` (0: does not wait) and appends what became runnable to `out`.
void netpoll(M& m, int64_t until_ns, GList& out) noexcept;
void netpoll_break(Scheduler& sched) noexcept;
bool netpoll_has_waiter(Scheduler& sched) noexcept;

// --- deadlock.cc
void tell_stuck(std::string_view text) noexcept;  // to the hook or stderr

// --- stuck_report.cc
/// Somebody has kept its P for `ns`: says so on stderr, with the stack, once for each place in the program. False: its
/// thread did not answer, as on a machine that is loaded; ask again.
bool report_stuck(const M& m, int64_t ns) noexcept;

// --- sysmon.cc
void start_sysmon(Scheduler& sched) noexcept;
void stop_sysmon(Scheduler& sched) noexcept;
/// A P is in use again: sysmon must not sleep.
void rouse_sysmon(Scheduler& sched) noexcept;
/// Somebody is about to block its thread, and no P is idle: look soon.
void alert_sysmon(Scheduler& sched) noexcept;

// --- failure.cc
void install_failure_reports() noexcept;
void set_failure_trace(std::string_view path);  // "": DEGU_TRACE_ON_FAILURE, if set
/// Writes the flight record to that file, if there is one, with `note` at its end. Once a process. Not
/// async-signal-safe: see report_elsewhere().
void write_failure_trace(std::string_view note) noexcept;
void enter_signal_stack() noexcept;
void leave_signal_stack() noexcept;
void print_goroutine_failure() noexcept;  // the calling goroutine's stack on stderr

// --- dump.cc
void append_goroutine(std::string& out, const G& g);  // as in a dump; of one that does not run
struct SeenGoroutine {
  uint64_t id;
  std::string_view name;
  uint64_t creator;
  uint8_t reason;  // WaitReason or FlightStop of its present or last stop
};
/// All goroutines that are alive, without a look at their stacks.
void visit_goroutines(void (*visit)(const SeenGoroutine& seen, void* arg), void* arg);

}  // namespace degu::rt
