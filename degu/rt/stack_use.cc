#include <degu/rt/internal/sched.h>
#include <degu/rt/stack_use.h>
#include <degu/rt/symbolize.h>
#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

namespace degu::rt {
namespace {

struct Sites {
  Lock lock;
  std::unordered_map<uintptr_t, StackUse> by_site;  // guarded by lock
};

Sites& sites() noexcept {
  static auto* all = new Sites;  // never destroyed: threads may outlive main
  return *all;
}

std::size_t suggested(std::size_t used) noexcept {
  for (const std::size_t bytes : kStackClasses) {
    if (2 * used <= bytes) return bytes;
  }
  return kStackClasses.back();
}

}  // namespace

void watch_stacks(uint32_t one_in) noexcept { stack_watch_one_in.store(one_in, std::memory_order_relaxed); }

bool begin_stack_watch(const G& g) noexcept {
  const uint32_t one_in = stack_watch_one_in.load(std::memory_order_relaxed);
  if (one_in == 0 || g.id % one_in != 0) return false;
  return stack_drop(g.stack);
}

void end_stack_watch(const G& g) noexcept {
  const std::size_t used = stack_touched(g.stack);
  const uintptr_t site = reinterpret_cast<uintptr_t>(g.created_at) - 1;
  Sites& all = sites();
  all.lock.lock();
  StackUse& use = all.by_site[site];
  use.site = site;
  ++use.goroutines;
  if (used >= use.max_bytes) {
    use.max_bytes = used;
    use.stack_bytes = kStackClasses[g.stack.size_class];
  }
  all.lock.unlock();
}

std::vector<StackUse> stack_uses() {
  std::vector<StackUse> uses;
  Sites& all = sites();
  all.lock.lock();
  for (const auto& [site, use] : all.by_site) uses.push_back(use);
  all.lock.unlock();
  for (StackUse& use : uses) use.suggested_bytes = suggested(use.max_bytes);
  std::sort(uses.begin(), uses.end(),
            [](const StackUse& a, const StackUse& b) { return a.max_bytes > b.max_bytes; });
  return uses;
}

std::string stack_report() {
  const std::vector<StackUse> uses = stack_uses();
  std::vector<uintptr_t> pcs;
  for (const StackUse& use : uses) pcs.push_back(use.site);
  const SymbolTable symbols = symbolize(pcs);
  std::string out =
      fmt::format("{:>10} {:>9} {:>9} {:>9}  started by\n", "goroutines", "max KiB", "of KiB", "enough");
  for (const StackUse& use : uses) {
    const SourceFrame& frame = symbols.at(use.site).back();  // the function that go() is inlined in
    fmt::format_to(std::back_inserter(out), "{:>10} {:>9} {:>9} {:>9}  {} {}:{}\n", use.goroutines,
                   use.max_bytes / 1024, use.stack_bytes / 1024, use.suggested_bytes / 1024, frame.function,
                   frame.file, frame.line);
  }
  return out;
}

}  // namespace degu::rt
