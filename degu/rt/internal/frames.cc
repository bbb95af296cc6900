// Nothing here is instrumented: the stacks belong to others, and a word that changes while it is read makes a
// wrong frame at worst, since every address is checked before it is read.
#include <degu/rt/internal/frames.h>
#include <degu/rt/internal/sched.h>
#include <ucontext.h>

namespace degu::rt {
namespace {

DEGU_UNSANITIZED uintptr_t read_word(uintptr_t address) noexcept {
  return __atomic_load_n(reinterpret_cast<const uintptr_t*>(address), __ATOMIC_RELAXED);
}

DEGU_UNSANITIZED bool holds_frame(uintptr_t fp, uintptr_t low, uintptr_t high) noexcept {
  return fp % sizeof(uintptr_t) == 0 && fp >= low && fp <= high && high - fp >= 2 * sizeof(uintptr_t);
}

// with_stack() links the frames of one stack to those of another: bounds of the stack that holds `fp`.
DEGU_UNSANITIZED bool find_bounds(uintptr_t fp, uintptr_t& low, uintptr_t& high) noexcept {
  Stack stack;
  if (stack_guard_hit(reinterpret_cast<const void*>(fp), &stack) || stack.low == nullptr) return false;
  low = reinterpret_cast<uintptr_t>(stack.low);
  high = reinterpret_cast<uintptr_t>(stack.top());
  return holds_frame(fp, low, high);
}

}  // namespace

// Frame: [fp] is the caller's fp, [fp + 8] the return address, on both processors.
DEGU_UNSANITIZED void walk_frames(uintptr_t fp, uintptr_t low, uintptr_t high, Frames& out) noexcept {
  constexpr int kMaxStacks = 4;
  int stacks = 1;
  while (out.count < kMaxFrames && fp != 0) {
    if (!holds_frame(fp, low, high) && (++stacks > kMaxStacks || !find_bounds(fp, low, high))) return;
    const uintptr_t pc = read_word(fp + sizeof(uintptr_t));
    if (pc < 4096) return;
    out.push(pc - 1);
    const uintptr_t next = read_word(fp);
    if (next <= fp && next >= low) return;  // not a chain towards the base
    fp = next;
  }
}

DEGU_UNSANITIZED void walk_saved(const void* sp, uintptr_t low, uintptr_t high, Frames& out) noexcept {
  const auto words = reinterpret_cast<uintptr_t>(sp);
  constexpr std::size_t kSaved = kSwitchWords * sizeof(uintptr_t);
  if (words % sizeof(uintptr_t) != 0 || words < low || words > high || high - words < kSaved) return;
  const uintptr_t pc = read_word(words + kSavedReturnWord * sizeof(uintptr_t));
  if (pc == reinterpret_cast<uintptr_t>(&degu_rt_entry)) return;  // has not run yet
  out.push(pc - 1);
  walk_frames(read_word(words + kSavedFrameWord * sizeof(uintptr_t)), low, high, out);
}

DEGU_UNSANITIZED void walk_interrupted(const void* ucontext, const G* g, Frames& out) noexcept {
  const auto& machine = static_cast<const ucontext_t*>(ucontext)->uc_mcontext;
#if defined(__x86_64__)
  const auto pc = static_cast<uintptr_t>(machine.gregs[REG_RIP]);
  const auto sp = static_cast<uintptr_t>(machine.gregs[REG_RSP]);
  const auto fp = static_cast<uintptr_t>(machine.gregs[REG_RBP]);
#else
  const auto pc = static_cast<uintptr_t>(machine.pc);
  const auto sp = static_cast<uintptr_t>(machine.sp);
  const auto fp = static_cast<uintptr_t>(machine.regs[29]);
#endif
  out.push(pc);
  if (g == nullptr) return;
  const auto low = reinterpret_cast<uintptr_t>(g->stack.low);
  const auto high = reinterpret_cast<uintptr_t>(g->stack.top());
  // Not on the goroutine's stack: the thread is between two goroutines. Below it: the stack has overflowed.
  if (sp > high || (sp < low && fp < low)) return;
  walk_frames(fp, low, high, out);
}

[[gnu::noinline]] DEGU_UNSANITIZED void walk_own(Frames& out) noexcept {
  const M* m = this_m();
  if (m == nullptr || m->g == nullptr) return;
  walk_frames(reinterpret_cast<uintptr_t>(__builtin_frame_address(0)),
              reinterpret_cast<uintptr_t>(m->g->stack.low), reinterpret_cast<uintptr_t>(m->g->stack.top()),
              out);
}

}  // namespace degu::rt
