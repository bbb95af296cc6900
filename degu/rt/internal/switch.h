// The context switch and what must know of it: sanitizers and the C++ exception state. See
// docs/internals/context-switch.md.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__SANITIZE_ADDRESS__)
#define DEGU_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define DEGU_ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define DEGU_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define DEGU_TSAN 1
#endif
#endif

// Code on the edge between two stacks: not instrumented. GCC and Clang share only this spelling.
#define DEGU_UNSANITIZED __attribute__((no_sanitize("address"), no_sanitize("thread")))

#ifdef DEGU_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef DEGU_TSAN
#include <sanitizer/tsan_interface.h>
#endif

extern "C" {
#if !defined(__x86_64__)
void degu_rt_switch(void** save_sp, void* load_sp);
#endif
void degu_rt_entry();
void degu_rt_call_on(void* stack_top, void (*fn)(void*), void* arg);
[[noreturn]] void degu_rt_goroutine_main() noexcept;
}

namespace degu::rt {

/// What __cxa_get_globals() points to (Itanium C++ ABI, section 2.2.2): the exceptions being handled by this
/// "thread". Swapped with the goroutine, so that a goroutine may suspend inside `catch`.
struct EhGlobals {
  void* caught_exceptions = nullptr;
  unsigned int uncaught_exceptions = 0;
};

/// Number of words that a switch keeps on the stack it leaves, and where the frame pointer and the address to go on
/// at are.
#if defined(__x86_64__)
inline constexpr std::size_t kSwitchWords = 2;
inline constexpr std::size_t kSavedFrameWord = 0;
inline constexpr std::size_t kSavedReturnWord = 1;
#elif defined(__aarch64__)
inline constexpr std::size_t kSwitchWords = 20;
inline constexpr std::size_t kSavedFrameWord = 0;
inline constexpr std::size_t kSavedReturnWord = 1;
#else
#error "degu/rt needs a context switch for this processor"
#endif

/// The sanitizers' view of one stack.
struct SanitizerFiber {
#ifdef DEGU_ASAN
  void* fake_stack = nullptr;
  const void* bottom = nullptr;
  std::size_t size = 0;
#endif
#ifdef DEGU_TSAN
  void* tsan = nullptr;
#endif
};

/// Saves where the caller is and goes on where load_sp was saved. Inline where registers can be declared lost: the
/// compiler saves those that live, and no call is open that returns on another stack, which the processor's return
/// predictor would get wrong from there up. MXCSR and the x87 control word stay the thread's.
[[gnu::always_inline]] inline void switch_registers(void** save_sp, void* load_sp) noexcept {
#if defined(__x86_64__)
  asm volatile(
      "leaq -128(%%rsp), %%rsp\n\t"  // the red zone
      "leaq 1f(%%rip), %%rax\n\t"
      "pushq %%rax\n\t"
      "pushq %%rbp\n\t"
      "movq %%rsp, (%%rdi)\n\t"
      "movq %%rsi, %%rsp\n\t"
      "popq %%rbp\n\t"
      "popq %%rax\n\t"
      "jmpq *%%rax\n"
      "1:\tleaq 128(%%rsp), %%rsp"
      : "+D"(save_sp), "+S"(load_sp)
      :
      : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "xmm0", "xmm1",
        "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13",
        "xmm14", "xmm15",
#ifdef __AVX512F__
        "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25", "xmm26",
        "xmm27", "xmm28", "xmm29", "xmm30", "xmm31", "k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7",
#endif
        "cc", "memory");
#else
  degu_rt_switch(save_sp, load_sp);
#endif
}

/// Leaves `from` (saving its stack pointer) for `to`. `dying`: `from` never runs again.
[[gnu::always_inline]] DEGU_UNSANITIZED inline void switch_stack(void** save_sp,
                                                                 [[maybe_unused]] SanitizerFiber& from,
                                                                 void* load_sp,
                                                                 [[maybe_unused]] SanitizerFiber& to,
                                                                 [[maybe_unused]] bool dying = false) {
#ifdef DEGU_ASAN
  __sanitizer_start_switch_fiber(dying ? nullptr : &from.fake_stack, to.bottom, to.size);
#endif
#ifdef DEGU_TSAN
  __tsan_switch_to_fiber(to.tsan, 0);
#endif
  switch_registers(save_sp, load_sp);
#ifdef DEGU_ASAN
  __sanitizer_finish_switch_fiber(from.fake_stack, nullptr, nullptr);
#endif
}

}  // namespace degu::rt
