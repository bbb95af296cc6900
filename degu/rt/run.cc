// run, spawn, yield, sleep, blocking, with_stack, and the thread's own state.
#include <cxxabi.h>
#include <degu/base/assert.h>
#include <degu/base/cpu.h>
#include <degu/base/error.h>
#include <degu/rt/internal/futex.h>
#include <degu/rt/internal/reporter.h>
#include <degu/rt/internal/sched.h>
#include <degu/rt/run.h>
#include <degu/rt/sim_point.h>
#include <fmt/format.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <memory>
#include <utility>

// A plain name, for the assembler in this_m().
extern "C" {
[[gnu::visibility("hidden"), gnu::tls_model("initial-exec")]] thread_local degu::rt::M* degu_rt_this_m =
    nullptr;
}

namespace degu::rt {
namespace {

// The stand-in of a foreign thread; goes back to the pool when the thread ends.
struct ThreadG {
  G* g = nullptr;
  void release() noexcept {
    if (g == nullptr) return;
    leave_context(*g);
    g->is_thread = false;
    g->own_thread = false;
    free_g(nullptr, std::exchange(g, nullptr));
  }
  ~ThreadG() { release(); }
};
thread_local ThreadG tls_thread_g;

std::atomic<Scheduler*> the_scheduler{nullptr};

uint32_t wanted_procs(int asked) {
  if (asked > 0) return std::min(static_cast<uint32_t>(asked), kMaxProcs);
  const uint32_t available = std::min(static_cast<uint32_t>(available_cpus()), kMaxProcs);
  const char* variable = std::getenv("DEGU_MAXPROCS");
  const std::string_view text = variable != nullptr ? variable : "";
  if (text.empty()) return available;
  uint32_t wanted = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), wanted);
  if (error == std::errc{} && end == text.data() + text.size() && wanted >= 1 && wanted <= kMaxProcs)
    return wanted;
  write_stderr(fmt::format(
      "degu: DEGU_MAXPROCS is \"{}\": a number from 1 to {} is accepted; going on with {}, as without it\n",
      text, kMaxProcs, available));
  return available;
}

void prepare_thread(M& m) noexcept {
  m.tid.store(static_cast<int>(::syscall(SYS_gettid)), std::memory_order_release);
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

// Waits for main and then for the threads, of which the one that ran main ends last but by chance; false if some do
// not come back from a call that blocks them or from a goroutine that computes.
bool threads_ended(Scheduler& sched) noexcept {
  TimePoint deadline = kNever;
  while (true) {
    const uint32_t alive = sched.m_alive.load(std::memory_order_acquire);
    if (alive == 0) return true;
    if (deadline == kNever && sched.stopping.load(std::memory_order_acquire))
      deadline = real_now() + std::chrono::seconds(2);
    if (!futex_wait(sched.m_alive, alive, deadline) && real_now() >= deadline) return false;
  }
}

}  // namespace

#if !defined(__x86_64__) || defined(DEGU_TSAN)
// Not inline, so that no caller can keep the address of the thread-local across a suspension.
[[gnu::noinline]] M* this_m() noexcept {
  M* m = degu_rt_this_m;
  asm volatile("" : "+r"(m));
  return m;
}
#endif

[[gnu::noinline]] void set_this_m(M* m) noexcept {
  degu_rt_this_m = m;
  if (m == nullptr) return;
  tls_thread_g.release();  // it is no foreign thread any more
  prepare_thread(*m);
}

[[gnu::noinline]] G* this_thread_g() noexcept {
  if (tls_thread_g.g == nullptr) {
    G* g = allocate_g(nullptr);
    g->is_thread = true;
    g->own_thread = true;
    g->world = nullptr;
    g->durable = false;
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
  return sched != nullptr ? sched->procs.load(std::memory_order_relaxed) : 1;
}

int threads() noexcept {
  const M* m = this_m();
  const Scheduler* sched = m != nullptr ? m->sched : default_scheduler();
  return sched != nullptr ? static_cast<int>(sched->m_alive.load(std::memory_order_relaxed)) : 0;
}

Scheduler::Scheduler(const RunOptions& run_options)
    : options(run_options),
      procs(wanted_procs(run_options.procs)),
      max_threads(static_cast<uint32_t>(std::max(run_options.max_threads, 1))) {
  for (uint32_t i = 0; i < procs; ++i) new_p(*this);
  active_ps = procs;
  ps_in_use = active_ps;
  for (uint32_t i = active_ps; i-- > 1;) put_idle_p(*this, ps[i]);
  netpoll_init(*this);
}

Scheduler::~Scheduler() {
  netpoll_close(*this);
  for (uint32_t i = 0; i < p_count; ++i) delete ps[i].load();
}

namespace {

[[gnu::always_inline]] inline G* make_goroutine(Scheduler& sched, M* m, UniqueFunction<void()>&& body,
                                                const GoOptions& options, void* created_at) noexcept {
  G* g = allocate_g(m != nullptr ? m->p : nullptr);
  g->body = std::move(body);
  g->sched.store(&sched, std::memory_order_relaxed);
  g->name = options.name;
  g->created_at = created_at;
  g->joins = nullptr;
  g->stack_class = options.stack_bytes == 0 ? kDefaultStackClass : stack_class(options.stack_bytes);
  const G* parent = m != nullptr ? m->g : this_thread_g();
  g->creator_id = parent != nullptr ? parent->id : 0;
  if (parent != nullptr && parent->context != nullptr) {
    parent->context->ref();
    g->context = parent->context;
  }
  g->world = parent != nullptr ? parent->world : nullptr;
  return g;
}

Scheduler& spawning_scheduler(const M* m) noexcept {
  Scheduler* sched = m != nullptr ? m->sched : default_scheduler();
  DEGU_CHECK(sched != nullptr, "degu::go without a scheduler: call it inside degu::run");
  return *sched;
}

bool is_in_world(const Scheduler& sched, const G& g) noexcept {
  return g.world != nullptr || sched.options.sim != nullptr;
}

void spawn_in_world(Scheduler& sched, M* m, G* g) {
  if (g->world == nullptr) {
    DEGU_CHECK(this_m() != nullptr,
               "degu::go on a thread from outside of a simulation: the run could not be repeated");
    g->world = sched.options.sim;
  }
  g->world->started(*g, g->body);
  ready_fresh(sched, m, g);
  sim_point();  // it may run before its starter goes on
}

}  // namespace

void spawn(UniqueFunction<void()>&& body, const GoOptions& options) {
  M* m = this_m();
  Scheduler& sched = spawning_scheduler(m);
  G* g = make_goroutine(sched, m, std::move(body), options, __builtin_return_address(0));
  if (is_in_world(sched, *g)) [[unlikely]]
    return spawn_in_world(sched, m, g);
  ready_spawned(sched, m, g);
}

void spawn_from_callback(UniqueFunction<void()>&& body, const GoOptions& options) {
  M* m = this_m();
  Scheduler& sched = spawning_scheduler(m);
  G* g = make_goroutine(sched, m, std::move(body), options, __builtin_return_address(0));
  if (m != nullptr && m->batch != nullptr) {
    g->status.store(Status::kRunnable, std::memory_order_relaxed);
    m->batch->push(g);
    return;
  }
  if (is_in_world(sched, *g)) [[unlikely]]
    return spawn_in_world(sched, m, g);
  ready_fresh(sched, m, g);
}

int run_main(const RunOptions& options, UniqueFunction<int()> main) {
  DEGU_CHECK(this_m() == nullptr, "degu::run inside a goroutine");
  auto sched = std::make_unique<Scheduler>(options);
  DEGU_CHECK(default_scheduler() == nullptr, "a second degu::run while one is running");
  install_failure_reports();
  set_failure_trace(options.trace_on_failure);
  start_reporter(options.dump_on_quit);
  sched->main = [&main, s = sched.get()] {
    try {
      s->main_result = main();
    } catch (...) {
      s->main_error = std::current_exception();
    }
    main.reset();
    stop_scheduler(*s);
  };
  set_default_scheduler(sched.get());
  if (options.sim == nullptr) start_sysmon(*sched);
  DEGU_CHECK(start_m(*sched, sched->ps[0], false), "degu::run cannot start a thread");
  const bool ended = threads_ended(*sched);
  if (options.sim == nullptr) stop_sysmon(*sched);
  stop_reporter();
  set_default_scheduler(nullptr);
  std::exception_ptr error = sched->main_error;
  const int result = sched->main_result;
  if (ended) {
    for (auto& m : sched->ms) {
      if (m->thread.joinable()) m->thread.join();
    }
    abandon_goroutines(*sched);
  } else {
    // Whoever comes back late will look at the scheduler: it has to stay.
    for (auto& m : sched->ms) {
      if (m->thread.joinable()) m->thread.detach();
    }
    static_cast<void>(sched.release());
  }
  if (error) std::rethrow_exception(error);
  return result;
}

void enter_blocking() noexcept {
  M* m = this_m();
  if (m == nullptr || m->g == nullptr) return;
  if (sim_enter_blocking(*m->g) || m->g->blocking_depth++ != 0) return;
  flight_record(*m->p, FlightEvent::kBlock, m->g->id);
  m->g->status.store(Status::kBlocking, std::memory_order_relaxed);
  m->p->in_blocking.store(true, std::memory_order_relaxed);
  m->p->blocking_since_ns = clock_ns();
  Scheduler& sched = *m->sched;
  if (sched.idle_p_count.load(std::memory_order_relaxed) == 0) {
    // Calls that follow each other are alike: after a long one the next gets its stand-in at once.
    if (!m->p->blocks_long || m->p->queue.empty() || !stand_in(sched, *m->p)) alert_sysmon(sched);
  } else if (!m->p->queue.empty() || !sched.polling.load(std::memory_order_relaxed)) {
    wake_idle(sched);  // who sleeps otherwise would not hear of the network and of timers either
  }
}

void exit_blocking() noexcept {
  M* m = this_m();
  if (m == nullptr || m->g == nullptr || m->sched->options.sim != nullptr) return;
  if (--m->g->blocking_depth != 0) return;
  constexpr int64_t kLongNs = 20'000;
  m->p->in_blocking.store(false, std::memory_order_relaxed);
  m->p->blocks_long = clock_ns() - m->p->blocking_since_ns >= kLongNs;
  flight_record(*m->p, FlightEvent::kBack, m->g->id);
  m->g->status.store(Status::kRunning, std::memory_order_relaxed);
  // Another P has stood in meanwhile: go on if there is a place, else queue for one. For ever, if main has returned.
  const bool stopping = m->sched->stopping.load(std::memory_order_relaxed);
  if (stopping || (m->p->stuck.load(std::memory_order_relaxed) && !find_place(*m)))
    leave(*m, *m->g, AfterSwitch::kUnblocked);
}

void call_on_stack(std::size_t bytes, void (*fn)(void*), void* arg) {
  M* m = this_m();
  if (m == nullptr || m->g == nullptr) {
    fn(arg);
    return;
  }
  G& g = *m->g;
  const OuterStack outer{g.stack, g.outer_stack};
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
  g.outer_stack = &outer;
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
  __sanitizer_start_switch_fiber(nullptr, outer.stack.low, outer.stack.size);
  __sanitizer_finish_switch_fiber(fake, nullptr, nullptr);
  g.fiber = outer_fiber;
  __asan_unpoison_memory_region(inner.low, inner.size);
#endif
  g.stack = outer.stack;
  g.outer_stack = outer.outer;
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
  finish_switch(*this_m());
  G* g = this_m()->g;
  while (true) {
    g->body();
    g->body.reset();
    leave_context(*g);
    g = exit_or_adopt(*this_m(), *g);
  }
}

namespace degu {

void yield() noexcept {
  rt::M* m = rt::this_m();
  if (m == nullptr || m->g == nullptr || m->p == nullptr) return;
  rt::leave(*m, *m->g, rt::AfterSwitch::kYield);
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
