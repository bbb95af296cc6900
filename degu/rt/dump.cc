// Stacks by frame pointers: everything is compiled with -fno-omit-frame-pointer, so a parked goroutine's
// stack can be walked from its saved stack pointer without any cost beforehand. Frames outside the
// goroutine's stack end the walk.
#include <cxxabi.h>
#include <degu/rt/dump.h>
#include <degu/rt/internal/sched.h>
#include <dlfcn.h>
#include <fmt/format.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

namespace degu::rt {
namespace {

constexpr std::size_t kMaxFrames = 64;

void append_frame(std::string& out, uintptr_t pc) {
  Dl_info info{};
  if (::dladdr(reinterpret_cast<void*>(pc), &info) == 0) {
    fmt::format_to(std::back_inserter(out), "    {:#x}\n", pc);
    return;
  }
  const auto offset = pc - reinterpret_cast<uintptr_t>(info.dli_fbase);
  if (info.dli_sname == nullptr) {
    fmt::format_to(std::back_inserter(out), "    {}+{:#x}\n", info.dli_fname, offset);
    return;
  }
  int status = 0;
  char* name = abi::__cxa_demangle(info.dli_sname, nullptr, nullptr, &status);
  fmt::format_to(std::back_inserter(out), "    {}  {}+{:#x}\n", status == 0 ? name : info.dli_sname,
                 info.dli_fname, offset);
  std::free(name);
}

// Frame: [fp] is the caller's fp, [fp + 8] the return address, on both processors.
DEGU_UNSANITIZED std::size_t walk(uintptr_t fp, uintptr_t low, uintptr_t high, uintptr_t* pcs) {
  std::size_t count = 0;
  while (count < kMaxFrames && fp >= low && fp + 16 <= high && fp % sizeof(uintptr_t) == 0) {
    const auto* frame = reinterpret_cast<const uintptr_t*>(fp);
    if (frame[1] == 0) break;
    pcs[count++] = frame[1] - 1;
    if (frame[0] <= fp) break;
    fp = frame[0];
  }
  return count;
}

void append_walk(std::string& out, uintptr_t pc, uintptr_t fp, uintptr_t low, uintptr_t high) {
  uintptr_t pcs[kMaxFrames];
  if (pc != 0) append_frame(out, pc);
  const std::size_t count = walk(fp, low, high, pcs);
  for (std::size_t i = 0; i < count; ++i) append_frame(out, pcs[i]);
}

std::string_view to_string(Status status) noexcept {
  switch (status) {
    case Status::kFree:
      return "free";
    case Status::kRunnable:
      return "runnable";
    case Status::kRunning:
      return "running";
    case Status::kWaiting:
      return "waiting";
    case Status::kBlocking:
      return "blocking call";
  }
  return "";
}

DEGU_UNSANITIZED void append_parked_stack(std::string& out, const G& g) {
  const auto* sp = static_cast<const uintptr_t*>(g.sp);
  if (sp == nullptr || !g.stack.contains(sp) || !g.stack.contains(sp + kSwitchWords - 1)) return;
  append_walk(out, sp[kSavedReturnWord] - 1, sp[kSavedFrameWord], reinterpret_cast<uintptr_t>(g.stack.low),
              reinterpret_cast<uintptr_t>(g.stack.top()));
}

void append_header(std::string& out, const G& g) {
  const Status status = g.status.load(std::memory_order_relaxed);
  fmt::format_to(
      std::back_inserter(out), "goroutine {}{}{} [{}", g.id, g.name.empty() ? "" : " ", g.name,
      status == Status::kWaiting ? to_string(g.reason.load(std::memory_order_relaxed)) : to_string(status));
  if (status == Status::kWaiting) {
    const int64_t since = g.wait_since_ns.load(std::memory_order_relaxed);
    if (const void* object = g.wait_object.load(std::memory_order_relaxed); object != nullptr) {
      fmt::format_to(std::back_inserter(out), " on {}", object);
    }
    if (since != 0) fmt::format_to(std::back_inserter(out), ", {} ms", (clock_ns() - since) / 1'000'000);
  }
  out += "]:\n";
}

void append_goroutine(std::string& out, const G& g) {
  append_header(out, g);
  if (g.status.load(std::memory_order_relaxed) != Status::kRunning) append_parked_stack(out, g);
  if (g.created_at != nullptr) {
    fmt::format_to(std::back_inserter(out), "  started by goroutine {} at\n", g.creator_id);
    append_frame(out, reinterpret_cast<uintptr_t>(g.created_at) - 1);
  }
  out += '\n';
}

}  // namespace

[[gnu::noinline]] void append_own_stack(std::string& out) {
  const M* m = this_m();
  if (m == nullptr || m->g == nullptr) return;
  append_header(out, *m->g);
  append_walk(out, 0, reinterpret_cast<uintptr_t>(__builtin_frame_address(0)),
              reinterpret_cast<uintptr_t>(m->g->stack.low), reinterpret_cast<uintptr_t>(m->g->stack.top()));
}

void append_fault_stack(std::string& out, void* context) {
  const M* m = this_m();
  if (m == nullptr || m->g == nullptr) return;
  append_header(out, *m->g);
  const auto& machine = static_cast<ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
  const auto pc = static_cast<uintptr_t>(machine.gregs[REG_RIP]);
  const auto fp = static_cast<uintptr_t>(machine.gregs[REG_RBP]);
#else
  const auto pc = static_cast<uintptr_t>(machine.pc);
  const auto fp = static_cast<uintptr_t>(machine.regs[29]);
#endif
  append_walk(out, pc, fp, reinterpret_cast<uintptr_t>(m->g->stack.low),
              reinterpret_cast<uintptr_t>(m->g->stack.top()));
}

void dump_goroutines(std::string& out) {
  std::vector<const G*> all;
  visit_gs(
      [](G& g, void* arg) {
        if (g.status.load(std::memory_order_relaxed) == Status::kFree || g.is_thread) return;
        static_cast<std::vector<const G*>*>(arg)->push_back(&g);
      },
      &all);
  std::sort(all.begin(), all.end(), [](const G* a, const G* b) { return a->id < b->id; });
  for (const G* g : all) append_goroutine(out, *g);
}

void report_deadlock() noexcept {
  std::string text = "degu: fatal: all goroutines are asleep - deadlock!\n\n";
  dump_goroutines(text);
  std::string_view rest = text;
  while (!rest.empty()) {
    const ssize_t n = ::write(STDERR_FILENO, rest.data(), rest.size());
    if (n <= 0) break;
    rest.remove_prefix(static_cast<std::size_t>(n));
  }
  std::_Exit(2);
}

}  // namespace degu::rt
