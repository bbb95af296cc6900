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
void degu_rt_switch(void** save_sp, void* load_sp);
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

/// Number of words degu_rt_switch keeps on the stack it leaves, and where the frame pointer and the return
/// address are.
#if defined(__x86_64__)
inline constexpr std::size_t kSwitchWords = 7;
inline constexpr std::size_t kSavedFrameWord = 5;
inline constexpr std::size_t kSavedReturnWord = 6;
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
  degu_rt_switch(save_sp, load_sp);
#ifdef DEGU_ASAN
  __sanitizer_finish_switch_fiber(from.fake_stack, nullptr, nullptr);
#endif
}

}  // namespace degu::rt
