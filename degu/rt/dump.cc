// Snapshots without stopping anything. A goroutine's record is read between two looks at its id, status and
// wait word: records are reused but never freed, the wait word carries a number that grows with each wait, so
// equal looks mean that a goroutine which waits by it has not run in between, and that the walk of its stack saw
// one moment. A runnable goroutine may run and yield without a trace in the record: each stack is walked twice.
#include <degu/rt/dump.h>
#include <degu/rt/internal/frames.h>
#include <degu/rt/internal/parked.h>
#include <degu/rt/internal/reporter.h>
#include <degu/rt/internal/sched.h>
#include <degu/rt/internal/thread_sample.h>
#include <degu/rt/symbolize.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <optional>
#include <type_traits>

namespace degu::rt {
namespace {

constexpr int kReadAttempts = 4;

// A copy that the sanitizers do not see: the record belongs to others and is checked afterwards.
template <class T>
DEGU_UNSANITIZED T peek(const T& from) noexcept {
  static_assert(std::is_trivially_copyable_v<T>);
  T copy;
  const auto* in = reinterpret_cast<const volatile unsigned char*>(&from);
  auto* out = reinterpret_cast<volatile unsigned char*>(&copy);
  for (std::size_t i = 0; i < sizeof(T); ++i) out[i] = in[i];
  return copy;
}

struct Look {
  uint64_t id;
  Status status;
  uint64_t word;
  const void* sp;
  bool operator==(const Look&) const = default;
};

DEGU_UNSANITIZED Look look_at(const G& g) noexcept {
  Look look{};
  look.status = g.status.load(std::memory_order_acquire);
  look.word = g.wait_word.load(std::memory_order_acquire);
  look.id = __atomic_load_n(&g.id, __ATOMIC_ACQUIRE);
  look.sp = __atomic_load_n(&g.sp, __ATOMIC_ACQUIRE);
  return look;
}

struct Record {
  Look look;
  std::string_view name;
  WaitReason reason;
  const void* object;
  int64_t since_ns;
  uint64_t creator;
  const void* created_at;
  bool locked;
  Frames frames;
};

bool is_off_its_stack(const Look& look) noexcept {
  if (look.status == Status::kRunnable) return true;
  return look.status == Status::kWaiting && is_parked(look.word);
}

bool same(const Frames& a, const Frames& b) noexcept {
  return a.count == b.count && std::equal(a.pcs, a.pcs + a.count, b.pcs);
}

// False: no goroutine here, or it would not hold still.
DEGU_UNSANITIZED bool read_record(const G& g, Record& out) noexcept {
  for (int attempt = 0; attempt < kReadAttempts; ++attempt) {
    out.look = look_at(g);
    if (out.look.status == Status::kFree || peek(g.is_thread)) return false;
    out.name = peek(g.name);
    out.reason = g.reason.load(std::memory_order_relaxed);
    out.object = g.wait_object.load(std::memory_order_relaxed);
    out.since_ns = g.wait_since_ns.load(std::memory_order_relaxed);
    out.creator = peek(g.creator_id);
    out.created_at = peek(g.created_at);
    out.locked = peek(g.locked_m) != nullptr;
    out.frames.count = 0;
    if (is_off_its_stack(out.look)) {
      const auto low = reinterpret_cast<uintptr_t>(peek(g.stack.low));
      const uintptr_t high = low + peek(g.stack.size);
      walk_saved(out.look.sp, low, high, out.frames);
      Frames again;
      walk_saved(out.look.sp, low, high, again);
      if (!same(out.frames, again)) continue;
    }
    std::atomic_thread_fence(std::memory_order_acquire);
    if (look_at(g) == out.look) return true;
    out.frames.count = 0;
  }
  // Busy: its identity may still hold.
  const uint64_t id = out.look.id;
  return look_at(g).id == id && out.look.status != Status::kFree;
}

GoroutineInfo info_of(const Record& record) {
  GoroutineInfo info;
  info.id = record.look.id;
  info.name = record.name;
  info.creator = record.creator;
  info.locked = record.locked;
  if (record.created_at != nullptr) info.created_at = reinterpret_cast<uintptr_t>(record.created_at) - 1;
  switch (record.look.status) {
    case Status::kFree:
    case Status::kRunnable:
      info.state = GoroutineState::kRunnable;
      break;
    case Status::kRunning:
      info.state = GoroutineState::kRunning;
      break;
    case Status::kBlocking:
      info.state = GoroutineState::kBlocking;
      break;
    case Status::kWaiting:
      info.state = GoroutineState::kWaiting;
      info.reason = record.reason;
      info.object = record.object;
      if (record.since_ns != 0) {
        info.waited = std::chrono::nanoseconds(std::max<int64_t>(clock_ns() - record.since_ns, 0));
      }
      break;
  }
  info.stack.assign(record.frames.pcs, record.frames.pcs + record.frames.count);
  return info;
}

struct Collected {
  std::vector<GoroutineInfo> all;
  uint64_t only = 0;  // 0: everything
};

void collect(Collected& into) {
  visit_gs(
      [](G& g, void* arg) {
        auto& collected = *static_cast<Collected*>(arg);
        if (collected.only != 0 && peek(g.id) != collected.only) return;
        Record record;
        if (!read_record(g, record) || (collected.only != 0 && record.look.id != collected.only)) return;
        collected.all.push_back(info_of(record));
      },
      &into);
  std::sort(into.all.begin(), into.all.end(),
            [](const GoroutineInfo& a, const GoroutineInfo& b) { return a.id < b.id; });
}

GoroutineInfo* find(std::vector<GoroutineInfo>& all, uint64_t id) noexcept {
  const auto it = std::lower_bound(all.begin(), all.end(), id,
                                   [](const GoroutineInfo& info, uint64_t value) { return info.id < value; });
  return it != all.end() && it->id == id ? &*it : nullptr;
}

bool is_on_a_thread(const GoroutineInfo& info) noexcept {
  return info.stack.empty() && info.state != GoroutineState::kRunnable;
}

// The stacks of those that run. One that has started to run since then keeps what was read of it before.
void add_running_stacks(std::vector<GoroutineInfo>& all) {
  Scheduler* sched = default_scheduler();
  if (sched == nullptr || std::none_of(all.begin(), all.end(), is_on_a_thread)) return;
  const M* m = this_m();
  const uint64_t self = m != nullptr && m->g != nullptr ? m->g->id : 0;
  if (GoroutineInfo* own = find(all, self); own != nullptr) {
    Frames frames;
    walk_own(frames);
    own->stack.assign(frames.pcs, frames.pcs + frames.count);
    own->state = GoroutineState::kRunning;
    if (std::none_of(all.begin(), all.end(), is_on_a_thread)) return;
  }
  sample_threads(
      *sched,
      [](const ThreadSample& sample, void* arg) {
        GoroutineInfo* info = find(*static_cast<std::vector<GoroutineInfo>*>(arg), sample.goroutine);
        if (info == nullptr || !info->stack.empty()) return;
        if (info->state != GoroutineState::kBlocking) info->state = GoroutineState::kRunning;
        info->stack.assign(sample.frames.pcs, sample.frames.pcs + sample.frames.count);
      },
      &all);
}

// --- text

bool starts_with_any(std::string_view name, std::initializer_list<std::string_view> prefixes) noexcept {
  return std::any_of(prefixes.begin(), prefixes.end(), [&](auto prefix) { return name.starts_with(prefix); });
}

bool is_runtime_top(const std::string& name) noexcept {
  return starts_with_any(name, {"degu_rt_switch", "degu::rt::switch_", "degu::rt::park", "degu::rt::walk_own",
                                "degu::rt::(anonymous namespace)::add_running"});
}

bool is_runtime_base(const SourceFrame& frame) noexcept {
  return starts_with_any(frame.function, {"degu_rt_entry", "degu_rt_goroutine_main"}) ||
         frame.file.ends_with("degu/base/function.h");
}

// Names of inlined functions carry no namespace.
bool is_spawn(const SourceFrame& frame) noexcept {
  return starts_with_any(frame.function, {"go<", "spawn"}) ||
         frame.function.find("::go<") != std::string::npos || frame.file.ends_with("degu/base/function.h");
}

void append_frame(std::string& out, const SourceFrame& frame) {
  fmt::format_to(std::back_inserter(out), "{}\n", frame.function);
  if (frame.line != 0) fmt::format_to(std::back_inserter(out), "\t{}:{}\n", frame.file, frame.line);
}

std::vector<const SourceFrame*> frames_of(const std::vector<uintptr_t>& stack, const SymbolTable& symbols) {
  std::vector<const SourceFrame*> frames;
  for (const uintptr_t pc : stack) {
    for (const SourceFrame& frame : symbols.at(pc)) frames.push_back(&frame);
  }
  auto first = frames.begin();
  auto last = frames.end();
  while (first != last && is_runtime_top((*first)->function)) ++first;
  while (first != last && is_runtime_base(**(last - 1))) --last;
  return first != last ? std::vector<const SourceFrame*>(first, last) : frames;
}

std::string duration_text(std::chrono::nanoseconds waited) {
  const int64_t ms = std::chrono::duration_cast<std::chrono::milliseconds>(waited).count();
  if (ms < 10'000) return fmt::format("{} ms", ms);
  if (ms < 600'000) return fmt::format("{} s", ms / 1000);
  return fmt::format("{} minutes", ms / 60'000);
}

void append_header(std::string& out, const GoroutineInfo& info) {
  fmt::format_to(std::back_inserter(out), "goroutine {}{}{} [", info.id, info.name.empty() ? "" : " ",
                 info.name);
  if (info.state == GoroutineState::kWaiting) {
    out += to_string(info.reason);
    if (info.object != nullptr) fmt::format_to(std::back_inserter(out), " on {}", info.object);
    fmt::format_to(std::back_inserter(out), ", {}", duration_text(info.waited));
  } else {
    out += to_string(info.state);
  }
  out += info.locked ? ", locked to thread]:\n" : "]:\n";
}

void append_full(std::string& out, const GoroutineInfo& info, const SymbolTable& symbols) {
  append_header(out, info);
  for (const SourceFrame* frame : frames_of(info.stack, symbols)) append_frame(out, *frame);
  if (info.stack.empty() && info.state == GoroutineState::kRunnable)
    out += "(no stack: it has not run yet, or is running now)\n";
  if (info.stack.empty() && info.state != GoroutineState::kRunnable) out += "(its thread did not answer)\n";
  if (info.created_at == 0 || (info.creator == 0 && info.name == "main")) return;
  const std::vector<SourceFrame>& site = symbols.at(info.created_at);
  const auto user = std::find_if(site.begin(), site.end(), [](const SourceFrame& f) { return !is_spawn(f); });
  const SourceFrame& frame = user != site.end() ? *user : site.back();
  fmt::format_to(std::back_inserter(out), "created by {} in goroutine {}\n", frame.function, info.creator);
  if (frame.line != 0) fmt::format_to(std::back_inserter(out), "\t{}:{}\n", frame.file, frame.line);
}

void append_grouped(std::string& out, std::span<const GoroutineInfo> all, const SymbolTable& symbols) {
  std::map<std::vector<uintptr_t>, std::size_t> counts;
  for (const GoroutineInfo& info : all) ++counts[info.stack];
  std::vector<std::pair<std::size_t, const std::vector<uintptr_t>*>> groups;
  for (const auto& [stack, count] : counts) groups.emplace_back(count, &stack);
  std::stable_sort(groups.begin(), groups.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  fmt::format_to(std::back_inserter(out), "goroutine profile: total {}\n", all.size());
  for (const auto& [count, stack] : groups) {
    fmt::format_to(std::back_inserter(out), "{} @", count);
    for (const uintptr_t pc : *stack) fmt::format_to(std::back_inserter(out), " {:#x}", pc);
    out += '\n';
    for (const uintptr_t pc : *stack) {
      for (const SourceFrame& frame : symbols.at(pc)) {
        fmt::format_to(std::back_inserter(out), "#\t{:#x}\t{}", pc, frame.function);
        if (frame.start != 0) fmt::format_to(std::back_inserter(out), "+{:#x}", pc - frame.start);
        if (frame.line != 0) fmt::format_to(std::back_inserter(out), "\t{}:{}", frame.file, frame.line);
        out += '\n';
      }
    }
    out += '\n';
  }
}

}  // namespace

std::string_view to_string(GoroutineState state) noexcept {
  switch (state) {
    case GoroutineState::kRunnable:
      return "runnable";
    case GoroutineState::kRunning:
      return "running";
    case GoroutineState::kWaiting:
      return "waiting";
    case GoroutineState::kBlocking:
      return "blocking call";
  }
  return "";
}

std::vector<GoroutineInfo> goroutines() {
  Collected collected;
  collect(collected);
  add_running_stacks(collected.all);
  return std::move(collected.all);
}

GoroutineInfo goroutine(uint64_t id) {
  Collected collected;
  collected.only = id;
  if (id != 0) collect(collected);
  if (collected.all.empty()) return {};
  add_running_stacks(collected.all);
  return std::move(collected.all.front());
}

void append_goroutines(std::string& out, std::span<const GoroutineInfo> all, DumpStyle style) {
  std::vector<uintptr_t> pcs;
  for (const GoroutineInfo& info : all) {
    pcs.insert(pcs.end(), info.stack.begin(), info.stack.end());
    if (info.created_at != 0) pcs.push_back(info.created_at);
  }
  std::sort(pcs.begin(), pcs.end());
  pcs.erase(std::unique(pcs.begin(), pcs.end()), pcs.end());
  const SymbolTable symbols = symbolize(pcs);
  if (style == DumpStyle::kGrouped) {
    append_grouped(out, all, symbols);
    return;
  }
  for (const GoroutineInfo& info : all) {
    append_full(out, info, symbols);
    out += '\n';
  }
}

void dump_goroutines(std::string& out, DumpStyle style) { append_goroutines(out, goroutines(), style); }

void append_goroutine(std::string& out, const G& g) {
  Record record;
  if (!read_record(g, record)) return;
  const GoroutineInfo info = info_of(record);
  append_goroutines(out, {&info, 1});
}

void visit_goroutines(void (*visit)(const SeenGoroutine& seen, void* arg), void* arg) {
  struct Call {
    decltype(visit) fn;
    void* arg;
  } call{visit, arg};
  visit_gs(
      [](G& g, void* raw) DEGU_UNSANITIZED {
        const Look look = look_at(g);
        const std::string_view name = peek(g.name);
        const uint64_t creator = peek(g.creator_id);
        const auto reason = static_cast<uint8_t>(g.reason.load(std::memory_order_relaxed));
        if (look.status == Status::kFree || peek(g.is_thread) || look_at(g).id != look.id) return;
        const auto& to = *static_cast<const Call*>(raw);
        to.fn({look.id, name, creator, reason}, to.arg);
      },
      &call);
}

void report_deadlock() noexcept {
  std::string text = "degu: fatal: all goroutines are asleep - deadlock!\n\n";
  dump_goroutines(text);
  write_stderr(text);
  write_failure_trace("deadlock");
  std::_Exit(2);
}

}  // namespace degu::rt
