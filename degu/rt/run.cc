// run, spawn, yield, sleep, blocking, with_stack, and the thread's own state.
#include <cxxabi.h>
#include <degu/base/assert.h>
#include <degu/base/cpu.h>
#include <degu/base/error.h>
#include <degu/rt/internal/futex.h>
#include <degu/rt/internal/sched.h>
#include <degu/rt/run.h>
#include <pthread.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <utility>

namespace degu::rt {
namespace {

constexpr uint32_t kMaxProcs = 256;

thread_local M* tls_m = nullptr;

// The stand-in of a foreign thread; goes back to the pool when the thread ends.
struct ThreadG {
  G* g = nullptr;
  ~ThreadG() {
    if (g == nullptr) return;
    leave_context(*g);
    g->is_thread = false;
    free_g(nullptr, g);
  }
};
thread_local ThreadG tls_thread_g;

std::atomic<Scheduler*> the_scheduler{nullptr};

uint32_t wanted_procs(int asked) noexcept {
  if (asked <= 0) {
    if (const char* text = std::getenv("DEGU_MAXPROCS"); text != nullptr) asked = std::atoi(text);
  }
  if (asked <= 0) asked = available_cpus();
  return std::min(static_cast<uint32_t>(asked), kMaxProcs);
}

void prepare_thread(M& m) noexcept {
  m.eh = reinterpret_cast<EhGlobals*>(abi::__cxa_get_globals());
#ifdef DEGU_TSAN
  m.fiber.tsan = __tsan_get_current_fiber();
#endif
#ifdef DEGU_ASAN
  pthread_attr_t attributes;
  void* low = nullptr;
  std::size_t size = 0;
  if (::pthread_getattr_np(::pthread_self(), &attributes) == 0) {
    ::pthread_attr_getstack(&attributes, &low, &size);
    ::pthread_attr_destroy(&attributes);
  }
  m.fiber.bottom = low;
  m.fiber.size = size;
#endif
}

void enqueue_new(Scheduler& sched, M* m, G* g) noexcept {
  g->status.store(Status::kRunnable, std::memory_order_relaxed);
  if (m != nullptr && m->p != nullptr) {
    push_local(*m->p, g, true);
  } else {
    push_global(sched, g);
  }
  wake_idle(sched);
}

// Waits for the other threads; false if some are stuck in a call that blocks them.
bool threads_ended(Scheduler& sched) noexcept {
  const TimePoint deadline = now() + std::chrono::seconds(2);
  while (true) {
    const uint32_t alive = sched.m_alive.load(std::memory_order_acquire);
    if (alive == 0) return true;
    if (!futex_wait(sched.m_alive, alive, deadline) && now() >= deadline) return false;
  }
}

}  // namespace

// Not inline, so that no caller can keep the address of the thread-local across a suspension.
[[gnu::noinline]] M* this_m() noexcept {
  M* m = tls_m;
  asm volatile("" : "+r"(m));
  return m;
}

[[gnu::noinline]] void set_this_m(M* m) noexcept {
  tls_m = m;
  if (m != nullptr) prepare_thread(*m);
}

[[gnu::noinline]] G* this_thread_g() noexcept {
  if (tls_thread_g.g == nullptr) {
    G* g = allocate_g(nullptr);
    g->is_thread = true;
    g->status.store(Status::kRunning, std::memory_order_relaxed);
    tls_thread_g.g = g;
  }
  return tls_thread_g.g;
}

Scheduler* default_scheduler() noexcept { return the_scheduler.load(std::memory_order_acquire); }
void set_default_scheduler(Scheduler* sched) noexcept {
  the_scheduler.store(sched, std::memory_order_release);
}

G* current() noexcept {
  const M* m = this_m();
  if (m != nullptr && m->g != nullptr) return m->g;
  return this_thread_g();
}

uint32_t current_proc() noexcept {
  const M* m = this_m();
  return m != nullptr && m->p != nullptr ? m->p->id : 0;
}

uint32_t procs() noexcept {
  const M* m = this_m();
  const Scheduler* sched = m != nullptr ? m->sched : default_scheduler();
  return sched != nullptr ? sched->procs : 1;
}

Scheduler::Scheduler(const RunOptions& run_options)
    : options(run_options), procs(wanted_procs(run_options.procs)) {
  ps = std::make_unique<P[]>(procs);
  for (uint32_t i = 0; i < procs; ++i) {
    ps[i].sched = this;
    ps[i].id = i;
    ps[i].random = Random(options.shuffle_seed != 0 ? options.shuffle_seed + i : random_u64());
  }
  for (uint32_t i = procs; i-- > 1;) put_idle_p(*this, &ps[i]);
  netpoll_init(*this);
}

Scheduler::~Scheduler() { netpoll_close(*this); }

void spawn(UniqueFunction<void()>&& body, const GoOptions& options) {
  M* m = this_m();
  Scheduler* sched = m != nullptr ? m->sched : default_scheduler();
  DEGU_CHECK(sched != nullptr, "degu::go without a scheduler: call it inside degu::run");
  G* g = allocate_g(m != nullptr ? m->p : nullptr);
  g->body = std::move(body);
  g->sched = sched;
  g->name = options.name;
  g->created_at = __builtin_return_address(0);
  g->stack_class = options.stack_bytes == 0 ? kDefaultStackClass : stack_class(options.stack_bytes);
  const G* parent = m != nullptr ? m->g : this_thread_g();
  g->creator_id = parent != nullptr ? parent->id : 0;
  if (parent != nullptr && parent->context != nullptr) {
    parent->context->ref();
    g->context = parent->context;
  }
  enqueue_new(*sched, m, g);
}

int run_main(const RunOptions& options, UniqueFunction<int()> main) {
  DEGU_CHECK(this_m() == nullptr, "degu::run inside a goroutine");
  auto sched = std::make_unique<Scheduler>(options);
  DEGU_CHECK(default_scheduler() == nullptr, "a second degu::run while one is running");
  install_failure_reports();
  enter_signal_stack();
  M& m = sched->main_m;
  m.sched = sched.get();
  m.p = &sched->ps[0];
  set_this_m(&m);
  set_default_scheduler(sched.get());
  spawn(
      [&main, s = sched.get()] {
        try {
          s->main_result = main();
        } catch (...) {
          s->main_error = std::current_exception();
        }
        main.reset();
        stop_scheduler(*s);
      },
      {.name = "main"});
  run_m(m);
  const bool ended = threads_ended(*sched);
  set_default_scheduler(nullptr);
  set_this_m(nullptr);
  leave_signal_stack();
  std::exception_ptr error = sched->main_error;
  const int result = sched->main_result;
  if (ended) {
    for (auto& other : sched->ms) other->thread.join();
    abandon_goroutines(*sched);
  } else {
    // A thread is stuck in a blocking call and will look at the scheduler when that returns: it has to stay.
    for (auto& other : sched->ms) other->thread.detach();
    static_cast<void>(sched.release());
  }
  if (error) std::rethrow_exception(error);
  return result;
}

// The P goes to another thread at once; this one comes back through exit_blocking().
void enter_blocking() noexcept {
  M* m = this_m();
  if (m == nullptr || m->g == nullptr || m->p == nullptr) return;
  m->g->status.store(Status::kBlocking, std::memory_order_relaxed);
  Scheduler& sched = *m->sched;
  sched.blocking.fetch_add(1, std::memory_order_seq_cst);
  hand_off(sched, std::exchange(m->p, nullptr));
}

void exit_blocking() noexcept {
  M* m = this_m();
  if (m == nullptr || m->g == nullptr || m->p != nullptr) return;
  Scheduler& sched = *m->sched;
  sched.lock.lock();
  P* p = sched.stopping.load(std::memory_order_relaxed) ? nullptr : take_idle_p(sched);
  sched.lock.unlock();
  if (p != nullptr) {
    m->p = p;
    m->g->status.store(Status::kRunning, std::memory_order_relaxed);
    sched.blocking.fetch_sub(1, std::memory_order_seq_cst);
    return;
  }
  switch_to_scheduler(*m, *m->g, AfterSwitch::kUnblocked);
}

void call_on_stack(std::size_t bytes, void (*fn)(void*), void* arg) {
  M* m = this_m();
  if (m == nullptr || m->g == nullptr) {
    fn(arg);
    return;
  }
  G& g = *m->g;
  const Stack outer = g.stack;
  const Stack inner = stack_allocate(stack_class(bytes));
  struct Call {
    G& g;
    const Stack& inner;
    void (*fn)(void*);
    void* arg;
  } call{g, inner, fn, arg};
#ifdef DEGU_ASAN
  void* fake = nullptr;
  const SanitizerFiber outer_fiber = g.fiber;
  __sanitizer_start_switch_fiber(&fake, inner.low, inner.size);
#endif
  g.stack = inner;
  degu_rt_call_on(
      inner.top() - 64,
      [](void* raw) {
        auto& c = *static_cast<Call*>(raw);
#ifdef DEGU_ASAN
        __sanitizer_finish_switch_fiber(nullptr, nullptr, nullptr);
        c.g.fiber.bottom = c.inner.low;
        c.g.fiber.size = c.inner.size;
        c.g.fiber.fake_stack = nullptr;
#endif
        c.fn(c.arg);
      },
      &call);
#ifdef DEGU_ASAN
  __sanitizer_start_switch_fiber(nullptr, outer.low, outer.size);
  __sanitizer_finish_switch_fiber(fake, nullptr, nullptr);
  g.fiber = outer_fiber;
  __asan_unpoison_memory_region(inner.low, inner.size);
#endif
  g.stack = outer;
  stack_release(&inner, 1);
}

}  // namespace degu::rt

// noexcept: an exception that would leave the goroutine finds std::terminate while its stack is still there
// to be shown. Uninstrumented for TSan, as it never returns: its entry would stay on the fiber's shadow
// stack.
extern "C" DEGU_UNSANITIZED void degu_rt_goroutine_main() noexcept {
  using namespace degu::rt;
#ifdef DEGU_ASAN
  __sanitizer_finish_switch_fiber(nullptr, nullptr, nullptr);
#endif
  G* g = this_m()->g;
  g->body();
  g->body.reset();
  leave_context(*g);
  switch_to_scheduler(*this_m(), *g, AfterSwitch::kExit);
  __builtin_unreachable();
}

namespace degu {

void yield() noexcept {
  rt::M* m = rt::this_m();
  if (m == nullptr || m->g == nullptr || m->p == nullptr) return;
  rt::switch_to_scheduler(*m, *m->g, rt::AfterSwitch::kYield);
}

void sleep(std::chrono::nanoseconds duration) {
  rt::begin_wait(rt::Interrupt::kObserve);
  const TimePoint until = after_delay(now(), duration);
  if (rt::park(rt::WaitReason::kSleep, nullptr, until) == rt::kTagCancelled) rt::throw_interrupted();
}

uint64_t goroutine_id() noexcept {
  const rt::M* m = rt::this_m();
  return m != nullptr && m->g != nullptr ? m->g->id : 0;
}

}  // namespace degu
