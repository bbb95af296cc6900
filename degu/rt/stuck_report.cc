// "goroutine 41 has held its P for 130 ms", with the stack. A thread that computes is asked for its stack by a signal.
// One that sits in a system call is not: the signal could end the call with EINTR. Its frame pointer is not to be had
// then, but /proc says where its stack pointer is, and the chain of frames is looked for from there: it is the one
// that ends at the base of the goroutine's stack. Functions of the C library in between may be named or not.
#include <degu/rt/dump.h>
#include <degu/rt/internal/frames.h>
#include <degu/rt/internal/sched.h>
#include <degu/rt/internal/thread_sample.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <string>
#include <vector>

namespace degu::rt {
namespace {

constexpr std::size_t kMaxSites = 256;

struct KernelCall {
  bool inside = false;
  uintptr_t sp = 0;
  uintptr_t pc = 0;
};

// proc(5), /proc/PID/syscall: "running", or the number, six arguments, the stack pointer and the program counter.
KernelCall kernel_call(int tid) noexcept {
  std::array<char, 64> path{};
  *fmt::format_to_n(path.begin(), path.size() - 1, "/proc/self/task/{}/syscall", tid).out = '\0';
  const int fd = ::open(path.data(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {};
  std::array<char, 256> text{};
  const ssize_t size = ::read(fd, text.data(), text.size() - 1);
  ::close(fd);
  KernelCall call;
  long number = 0;
  unsigned long sp = 0;
  unsigned long pc = 0;
  call.inside =
      size > 0 && std::sscanf(text.data(), "%ld %*s %*s %*s %*s %*s %*s %lx %lx", &number, &sp, &pc) == 3;
  call.sp = sp;
  call.pc = pc;
  return call;
}

// Is that where a call returns to?
DEGU_UNSANITIZED bool is_return_address(uintptr_t pc) noexcept {
  Dl_info info{};
  if (::dladdr(reinterpret_cast<const void*>(pc), &info) == 0) return false;
#if defined(__x86_64__)
  const auto* after = reinterpret_cast<const uint8_t*>(pc);
  constexpr uint8_t kCallRelative = 0xe8;
  constexpr uint8_t kCallIndirect = 0xff;  // 2 to 7 bytes
  if (after[-5] == kCallRelative) return true;
  for (int length = 2; length <= 7; ++length) {
    if (after[-length] == kCallIndirect) return true;
  }
  return false;
#else
  return true;
#endif
}

// Do frames lead from `fp` to the base of the stack?
DEGU_UNSANITIZED bool is_chain(uintptr_t fp, uintptr_t high) noexcept {
  const auto entry = reinterpret_cast<uintptr_t>(&degu_rt_entry);
  constexpr uintptr_t kEntryBytes = 64;
  while (fp % sizeof(uintptr_t) == 0 && fp <= high - 2 * sizeof(uintptr_t)) {
    const auto* frame = reinterpret_cast<const uintptr_t*>(fp);
    if (frame[0] == 0) return frame[1] - entry < kEntryBytes;
    if (frame[0] <= fp || !is_return_address(frame[1])) return false;
    fp = frame[0];
  }
  return false;
}

// Where the function starts whose frame is at `fp`, as its caller's call instruction says; 0: it does not.
DEGU_UNSANITIZED uintptr_t start_of(uintptr_t fp) noexcept {
#if defined(__x86_64__)
  constexpr uint8_t kCallRelative = 0xe8;
  const uintptr_t back = reinterpret_cast<const uintptr_t*>(fp)[1];
  const auto* call = reinterpret_cast<const uint8_t*>(back) - 5;
  if (*call != kCallRelative) return 0;
  int32_t distance = 0;
  for (int i = 0; i < 4; ++i) reinterpret_cast<uint8_t*>(&distance)[i] = call[1 + i];
  return back + static_cast<uintptr_t>(static_cast<intptr_t>(distance));
#else
  static_cast<void>(fp);
  return 0;
#endif
}

bool is_in(uintptr_t pc, uintptr_t start) noexcept {
  constexpr uintptr_t kLargestFunction = 64 * 1024;
  return pc > start && pc - start < kLargestFunction;
}

// The function whose frame is at `fp` called one without a frame: where that returns to lies somewhere in [low, fp).
DEGU_UNSANITIZED void push_hidden_call(uintptr_t fp, uintptr_t low, Frames& out) noexcept {
  const uintptr_t start = start_of(fp);
  if (start == 0) return;
  for (uintptr_t at = fp - sizeof(uintptr_t); at >= low; at -= sizeof(uintptr_t)) {
    const uintptr_t word = *reinterpret_cast<const uintptr_t*>(at);
    if (!is_in(word, start)) continue;
    out.push(word - 1);
    return;
  }
  out.push(start);
}

// The C library's functions have no frames, but may have saved the frame pointer, which looks like one.
DEGU_UNSANITIZED void walk_kernel_call(const KernelCall& call, const Stack& stack, Frames& out) noexcept {
  constexpr std::size_t kFarthest = 4096;
  out.push(call.pc);
  const auto low = reinterpret_cast<uintptr_t>(stack.low);
  const auto high = reinterpret_cast<uintptr_t>(stack.top());
  if (!stack.contains(reinterpret_cast<const void*>(call.sp))) return;
  uintptr_t at = call.sp & ~uintptr_t{7};
  while (at < high && at < call.sp + kFarthest && !is_chain(at, high)) at += sizeof(uintptr_t);
  if (at >= high || at >= call.sp + kFarthest) return;
  push_hidden_call(at, call.sp, out);
  const auto* frame = reinterpret_cast<const uintptr_t*>(at);
  out.push(frame[1] - 1);
  if (frame[0] == 0) return;
  if (!is_in(frame[1], start_of(frame[0]))) push_hidden_call(frame[0], at + 2 * sizeof(uintptr_t), out);
  walk_frames(frame[0], low, high, out);
}

// Other threads' plain fields: at worst the report names what runs there now.
[[gnu::noinline]] DEGU_UNSANITIZED bool look_at(const M& m, GoroutineInfo& info, Stack& stack) {
  const G* g = m.g;
  if (g == nullptr) return false;
  stack = g->stack;
  info.id = g->id;
  const std::string_view name = g->name;
  info.name = name;
  info.creator = g->creator_id;
  if (g->created_at != nullptr) info.created_at = reinterpret_cast<uintptr_t>(g->created_at) - 1;
  info.state = GoroutineState::kRunning;
  return true;
}

// The innermost frame moves while a loop runs; its caller does not.
uint64_t place_of(const GoroutineInfo& info) noexcept {
  if (info.stack.size() < 2) return info.created_at;
  uint64_t hash = 0;
  for (std::size_t i = 1; i < info.stack.size(); ++i) hash = (hash ^ info.stack[i]) * 0x9e3779b97f4a7c15U;
  return hash;
}

bool first_time(uint64_t place) {
  static auto* places = new std::vector<uint64_t>;  // only sysmon's thread comes here
  for (const uint64_t known : *places) {
    if (known == place) return false;
  }
  if (places->size() == kMaxSites) return false;
  places->push_back(place);
  return true;
}

}  // namespace

bool report_stuck(const M& m, int64_t ns) noexcept {
  GoroutineInfo info;
  Stack stack;
  if (!look_at(m, info, stack)) return false;
  ThreadSample sample;
  const KernelCall call = kernel_call(m.tid.load(std::memory_order_relaxed));
  if (call.inside) {
    walk_kernel_call(call, stack, sample.frames);
  } else if (!sample_thread(m, sample) || sample.goroutine != info.id) {
    return false;
  }
  info.stack.assign(sample.frames.pcs, sample.frames.pcs + sample.frames.count);
  if (!first_time(place_of(info))) return true;
  std::string text = fmt::format(
      "degu: goroutine {}{}{} has held its P for {} ms {}; others run on another thread meanwhile.\n"
      "  Put calls that block the thread into degu::blocking(), and degu::yield() into long computations.\n",
      info.id, info.name.empty() ? "" : " ", info.name, ns / 1'000'000,
      call.inside ? "in a system call" : "computing");
  append_goroutines(text, {&info, 1});
  tell_stuck(text);
  return true;
}

}  // namespace degu::rt
