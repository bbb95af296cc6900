// What tools/gdb/degu_gdb.py needs to find goroutines in a process or a core: programs are built with -g1, which tells a
// debugger of functions and lines but of no types. As a table, so that the script need not change with the records.
#include <degu/rt/internal/debug_layout.h>
#include <degu/rt/internal/sched.h>

#include <array>
#include <cstddef>
#include <string_view>

// offsetof of a class with private members is for GCC and Clang to define, and they do.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Winvalid-offsetof"

namespace {

using degu::rt::G;
using degu::rt::Stack;

constexpr std::size_t kReasons = static_cast<std::size_t>(degu::rt::WaitReason::kOther) + 1;

std::array<std::string_view, kReasons> reason_names() noexcept {
  std::array<std::string_view, kReasons> names;
  for (std::size_t i = 0; i < kReasons; ++i) names[i] = to_string(static_cast<degu::rt::WaitReason>(i));
  return names;
}

std::array<std::string_view, kReasons> names_of_reasons = reason_names();

}  // namespace

extern "C" {

DeguGoroutineChunks degu_rt_goroutine_chunks{};

// The script's FIELDS, in its order.
const uint64_t degu_rt_layout[] = {
    1,  // version
    sizeof(G),
    offsetof(G, id),
    offsetof(G, sp),
    offsetof(G, status),
    offsetof(G, reason),
    offsetof(G, wait_object),
    offsetof(G, name),
    offsetof(G, creator_id),
    offsetof(G, created_at),
    offsetof(G, is_thread),
    offsetof(G, stack) + offsetof(Stack, low),
    offsetof(G, stack) + offsetof(Stack, size),  // 32 bits
    degu::rt::kSwitchWords,
    degu::rt::kSavedFrameWord,
    degu::rt::kSavedReturnWord,
    reinterpret_cast<uint64_t>(&names_of_reasons),
    kReasons,
};
}

#pragma GCC diagnostic pop
