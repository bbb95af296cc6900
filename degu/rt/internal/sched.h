// G, M, P and the Scheduler: the records of the runtime. The code is cut by question: sched_loop.cc (what
// runs next), idle.cc (sleep and wake threads), park.cc, g_pool.cc (goroutine records), timer.cc, netpoll.cc,
// blocking.cc, dump.cc, run.cc.
//
// Lock order: CancelNode::lock_ -> Scheduler::lock; P::timer_lock and the depot, G pool and poll registry
// locks are leaves.
#pragma once

#include <degu/base/function.h>
#include <degu/base/random.h>
#include <degu/base/ref.h>
#include <degu/base/time.h>
#include <degu/rt/cancel.h>
#include <degu/rt/internal/run_queue.h>
#include <degu/rt/internal/stack.h>
#include <degu/rt/internal/switch.h>
#include <degu/rt/lock.h>
#include <degu/rt/park.h>
#include <degu/rt/run.h>
#include <degu/rt/timer.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
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
inline constexpr unsigned kWaitTagShift = 16;
inline constexpr unsigned kWaitSeqShift = 32;

struct alignas(64) G {
  // What a switch and a wake-up touch.
  void* sp = nullptr;  // saved stack pointer while it does not run; null before the first run
  std::atomic<uint64_t> wait_word{0};
  G* next = nullptr;  // in the global queue, a batch or a free list
  EhGlobals eh;
  ContextBase* context = nullptr;  // owned
  int shield_depth = 0;
  std::atomic<Status> status{Status::kFree};
  std::atomic<WaitReason> reason{WaitReason::kNone};
  std::atomic<const void*> wait_object{nullptr};
  std::atomic<int64_t> wait_since_ns{0};

  UniqueFunction<void()> body;
  Stack stack;
  Scheduler* sched = nullptr;
  SanitizerFiber fiber;

  // The node whose end interrupts this goroutine's waits; kept from wait to wait.
  CancelNode* registered = nullptr;  // owned reference
  CancelWaiter cancel_waiter;
  Timer timer;  // park() with a deadline

  uint64_t id = 0;
  uint64_t creator_id = 0;
  const void* created_at = nullptr;  // return address of the spawn
  std::string_view name;
  uint8_t stack_class = kDefaultStackClass;

  // A foreign thread's stand-in parks on this word instead of switching.
  bool is_thread = false;
  std::atomic<uint32_t> thread_signal{0};
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

struct TimerEntry {
  int64_t when_ns;
  Timer* timer;
};

struct StackCache {
  static constexpr std::size_t kCapacity = 32;
  std::array<Stack, kCapacity> stacks;
  std::size_t count = 0;
};

/// A scheduling slot. Its fields belong to the M that holds it, but for those marked otherwise.
struct alignas(64) P {
  Scheduler* sched = nullptr;
  uint32_t id = 0;
  uint32_t tick = 0;
  uint32_t next_streak = 0;  // goroutines taken from runnext in a row
  Random random{1};
  P* idle_next = nullptr;  // guarded by Scheduler::lock
  bool is_idle = false;    // guarded by Scheduler::lock
  uint64_t next_id = 0;    // goroutine numbers set aside for this P: [next_id, last_id)
  uint64_t last_id = 0;
  G* free_gs = nullptr;
  uint32_t free_g_count = 0;
  StackCache stacks;  // of the default class

  alignas(64) std::atomic<G*> runnext{nullptr};  // any thief may take it by CAS
  RunQueue queue;

  alignas(64) Lock timer_lock;
  std::vector<TimerEntry> timers;             // 4-ary heap; guarded by timer_lock
  std::atomic<int64_t> next_timer{kNoTimer};  // heap top, for lock-free looks; written under timer_lock
};

enum class AfterSwitch : uint8_t { kNone, kPark, kYield, kExit, kUnblocked };

/// An OS thread of the scheduler.
struct M {
  Scheduler* sched = nullptr;
  P* p = nullptr;
  G* g = nullptr;  // what it runs; null on its own stack
  void* sched_sp = nullptr;
  EhGlobals* eh = nullptr;  // this thread's
  AfterSwitch after = AfterSwitch::kNone;
  bool spinning = false;
  GList* batch = nullptr;  // not null: ready() collects here (netpoll)
  SanitizerFiber fiber;
  uint32_t id = 0;

  M* idle_next = nullptr;  // guarded by Scheduler::lock
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
  uint32_t procs = 1;
  std::unique_ptr<P[]> ps;

  Lock lock;
  GList global;                          // guarded by lock
  std::atomic<uint32_t> global_size{0};  // written under lock
  P* idle_ps = nullptr;                  // guarded by lock
  std::atomic<uint32_t> idle_p_count{0};
  M* idle_ms = nullptr;                // guarded by lock
  uint32_t idle_m_count = 0;           // guarded by lock
  std::vector<std::unique_ptr<M>> ms;  // guarded by lock
  std::atomic<uint32_t> m_alive{0};    // but for the main thread; futex of the end
  std::atomic<uint32_t> spinning{0};
  std::atomic<uint32_t> blocking{0};
  std::atomic<bool> stopping{false};

  int epoll_fd = -1;
  int event_fd = -1;
  std::atomic<bool> polling{false};    // an M is, or is about to be, in epoll_wait
  std::atomic<int64_t> poll_until{0};  // when it will return by itself; meaningful while polling
  std::atomic<bool> poll_break_pending{false};
  std::atomic<uint32_t> open_descs{0};

  M main_m;
  std::exception_ptr main_error;
  int main_result = 0;
};

// --- thread state; not inline, see docs/internals/thread-local.md
M* this_m() noexcept;
G* this_thread_g() noexcept;  // the stand-in of a foreign thread, made on first use
void set_this_m(M* m) noexcept;
Scheduler* default_scheduler() noexcept;
void set_default_scheduler(Scheduler* sched) noexcept;

// --- sched_loop.cc
void run_m(M& m) noexcept;  // until the scheduler stops
void ready(G* g) noexcept;  // makes a goroutine runnable
void push_local(P& p, G* g, bool next) noexcept;
void push_global(Scheduler& sched, G* g) noexcept;
void switch_to_scheduler(M& m, G& g, AfterSwitch after) noexcept;

// --- idle.cc
void wake_idle(Scheduler& sched) noexcept;  // an idle P exists and nobody spins: start a spinning M
void start_m(Scheduler& sched, P* p, bool spinning) noexcept;
P* take_idle_p(Scheduler& sched) noexcept;         // caller holds lock
void put_idle_p(Scheduler& sched, P* p) noexcept;  // caller holds lock
void sleep_m(M& m) noexcept;                       // until it has a P or the scheduler stops
void hand_off(Scheduler& sched, P* p) noexcept;
void stop_scheduler(Scheduler& sched) noexcept;
void report_if_deadlocked(Scheduler& sched) noexcept;

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
int64_t clock_ns() noexcept;
int64_t coarse_clock_ns() noexcept;  // the same clock as of the last kernel tick, a quarter of the price
void drop_timers(P& p) noexcept;

// --- netpoll.cc
void netpoll_init(Scheduler& sched) noexcept;
void netpoll_close(Scheduler& sched) noexcept;
/// Waits until `until_ns` (0: does not wait) and appends what became runnable to `out`.
void netpoll(M& m, int64_t until_ns, GList& out) noexcept;
void netpoll_break(Scheduler& sched) noexcept;
bool netpoll_has_waiter(Scheduler& sched) noexcept;

// --- failure.cc
void install_failure_reports() noexcept;
void enter_signal_stack() noexcept;
void leave_signal_stack() noexcept;

// --- dump.cc
void append_own_stack(std::string& out);                    // of the calling goroutine
void append_fault_stack(std::string& out, void* ucontext);  // of the goroutine a signal interrupted

}  // namespace degu::rt
