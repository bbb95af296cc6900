// Coro. A CoroState holds what belongs to the side that does not run: its stack pointer, its stack, context,
// exception state and the sanitizers' view. A switch exchanges these with the goroutine's, so that for the
// rest of the runtime the goroutine merely runs on another stack, as in call_on_stack(). Rejected: a goroutine
// for each body, which costs two trips through the scheduler a value.
#include <cxxabi.h>
#include <degu/base/assert.h>
#include <degu/rt/coro.h>
#include <degu/rt/internal/sched.h>

#include <algorithm>
#include <cstdint>
#include <exception>
#include <new>
#include <utility>

namespace degu::rt {

enum class CoroPhase : uint8_t { kNew, kRunning, kSuspended, kEnded };

struct CoroState {
  Coro::Body body = nullptr;
  void* arg = nullptr;
  CoroPhase phase = CoroPhase::kNew;
  void* sp = nullptr;
  Stack stack;
  const OuterStack* outer_stack = nullptr;
  SanitizerFiber fiber;
  EhGlobals eh;
  ContextBase* context = nullptr;  // owned
  int shield_depth = 0;
  std::exception_ptr error;
};

namespace {

constexpr std::size_t kStateBytes = (sizeof(CoroState) + 63) / 64 * 64;

CoroState* state_of(const Stack& stack) noexcept {
  return std::launder(reinterpret_cast<CoroState*>(stack.top() - kStateBytes));
}

// Not inline: another thread may run the caller after a switch.
[[gnu::noinline]] EhGlobals& exception_state() noexcept {
  M* m = this_m();
  return m != nullptr ? *m->eh : *reinterpret_cast<EhGlobals*>(abi::__cxa_get_globals());
}

[[gnu::noinline]] G& exchange_sides(CoroState& s) noexcept {
  G& g = *current();
#ifdef DEGU_TSAN
  if (g.is_thread) g.fiber.tsan = __tsan_get_current_fiber();
#endif
  std::swap(g.stack, s.stack);
  std::swap(g.outer_stack, s.outer_stack);
  std::swap(g.fiber, s.fiber);
  std::swap(g.context, s.context);
  std::swap(g.shield_depth, s.shield_depth);
  std::swap(exception_state(), s.eh);
  return g;
}

// Arrived on the stack that the goroutine's record describes by now.
DEGU_UNSANITIZED void arrive([[maybe_unused]] CoroState& s) noexcept {
#ifdef DEGU_ASAN
  __sanitizer_finish_switch_fiber(current()->fiber.fake_stack, &s.fiber.bottom, &s.fiber.size);
#endif
}

// To the side that does not run; returns when somebody comes back.
[[gnu::always_inline]] DEGU_UNSANITIZED inline void cross(CoroState& s,
                                                          [[maybe_unused]] bool dying) noexcept {
  [[maybe_unused]] G& g = exchange_sides(s);
#ifdef DEGU_ASAN
  __sanitizer_start_switch_fiber(dying ? nullptr : &s.fiber.fake_stack, g.fiber.bottom, g.fiber.size);
#endif
#ifdef DEGU_TSAN
  __tsan_switch_to_fiber(g.fiber.tsan, 0);
#endif
  switch_registers(&s.sp, s.sp);
  arrive(s);
}

void run_body(CoroState& s) noexcept {
  try {
    s.body(s.arg);
  } catch (...) {
    s.error = std::current_exception();
  }
  s.phase = CoroPhase::kEnded;
}

// The first frame. Uninstrumented for TSan, as it never returns.
DEGU_UNSANITIZED void coro_main() noexcept {
  CoroState& s = *state_of(current()->stack);
  arrive(s);
  run_body(s);
  cross(s, true);
  __builtin_unreachable();
}

}  // namespace

Coro::Coro(Body body, void* arg, std::size_t stack_bytes) {
  const Stack stack = stack_allocate(stack_bytes == 0 ? kDefaultStackClass : stack_class(stack_bytes));
  state_ = ::new (static_cast<void*>(stack.top() - kStateBytes)) CoroState;
  state_->body = body;
  state_->arg = arg;
  state_->stack = stack;
  state_->context = current()->context;
  if (state_->context != nullptr) state_->context->ref();
#if defined(__x86_64__)
  constexpr std::size_t kEntryBytes = 8;  // a return address of 0: as if it had been called
#else
  constexpr std::size_t kEntryBytes = 0;
#endif
  char* top = stack.top() - kStateBytes - 64 - kEntryBytes;
  auto* words = reinterpret_cast<uintptr_t*>(top) - kSwitchWords;
  std::fill(words, reinterpret_cast<uintptr_t*>(stack.top() - kStateBytes), uintptr_t{0});
  words[kSavedReturnWord] = reinterpret_cast<uintptr_t>(&coro_main);
  state_->sp = words;
#ifdef DEGU_ASAN
  state_->fiber = {nullptr, stack.low, stack.size};
#endif
#ifdef DEGU_TSAN
  if (state_->stack.tsan_fiber == nullptr) state_->stack.tsan_fiber = __tsan_create_fiber(0);
  state_->fiber.tsan = state_->stack.tsan_fiber;
#endif
}

Coro::~Coro() {
  DEGU_CHECK(!started() || ended(), "a Coro must not be destroyed before its body has ended");
  const Stack stack = state_->stack;
  if (state_->context != nullptr) state_->context->unref();
  state_->~CoroState();
#ifdef DEGU_ASAN
  __asan_unpoison_memory_region(stack.low, stack.size);
#endif
  stack_release(&stack, 1);
}

void Coro::resume() {
  CoroState& s = *state_;
  DEGU_CHECK(s.phase == CoroPhase::kNew || s.phase == CoroPhase::kSuspended,
             "resume() of a Coro that runs or has ended");
  s.phase = CoroPhase::kRunning;
  cross(s, false);
  if (s.error) std::rethrow_exception(std::exchange(s.error, nullptr));
}

void Coro::suspend() noexcept {
  state_->phase = CoroPhase::kSuspended;
  cross(*state_, false);
}

bool Coro::started() const noexcept { return state_->phase != CoroPhase::kNew; }
bool Coro::running() const noexcept { return state_->phase == CoroPhase::kRunning; }
bool Coro::ended() const noexcept { return state_->phase == CoroPhase::kEnded; }

}  // namespace degu::rt
