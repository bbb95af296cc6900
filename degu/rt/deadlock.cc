// The search works on goroutines that run on while it looks. What it reads of one is true if the goroutine's wait
// word, which has a number of its own for each wait, is the same after all reads as before, and says that it is
// parked and not claimed: then it was parked on that object all the time, and so the object was alive. If that
// holds for every member of a cycle, all of them waited at the same time. Objects of goroutines that went on may
// be gone, so owners are read by the kernel (write(2) fails where a load would fault), and past the sanitizers.
//
// An owner is stale between the instruction that takes a mutex and the one that writes its owner: a cycle is
// reported when it was found twice. A hand-over by unlock() clears the owner until the new one runs.
#include <degu/rt/deadlock.h>
#include <degu/rt/internal/parked.h>
#include <degu/rt/internal/reporter.h>
#include <degu/rt/internal/sched.h>
#include <degu/rt/owner.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

namespace degu::rt {
namespace {

constexpr std::size_t kReasons = static_cast<std::size_t>(WaitReason::kOther) + 1;
constexpr unsigned kPageShift = 12;  // as owner_mark()

// Offset of the owner plus one, by reason; 0: waits for this reason have no owner.
std::array<std::atomic<std::size_t>, kReasons> owner_offsets{};

std::atomic<StuckHook> stuck_hook{nullptr};
std::atomic<int64_t> stuck_after_ns{10'000'000'000};

// Copies four bytes from memory that may be gone.
class SafeReader {
 public:
  SafeReader() noexcept {
    if (::pipe2(ends_.data(), O_CLOEXEC | O_NONBLOCK) != 0) ends_ = {-1, -1};
  }
  ~SafeReader() {
    for (const int end : ends_) {
      if (end >= 0) ::close(end);
    }
  }
  SafeReader(const SafeReader&) = delete;
  SafeReader& operator=(const SafeReader&) = delete;

  uint32_t read(uintptr_t address) const noexcept {
    uint32_t value = 0;
    // By syscall(), as the sanitizers check what write() is given.
    if (::syscall(SYS_write, ends_[1], address, sizeof value) != sizeof value) return 0;
    return ::read(ends_[0], &value, sizeof value) == sizeof value ? value : 0;
  }

 private:
  std::array<int, 2> ends_{-1, -1};
};

// A wait that only other goroutines can end.
struct Node {
  G* g = nullptr;
  uint64_t id = 0;
  uint64_t word = 0;
  int64_t since_ns = 0;
  WaitReason reason = WaitReason::kNone;
  const void* object = nullptr;
  const void* joins = nullptr;
  std::string_view name;
  uint32_t stack_page = 0;
  uint32_t stack_pages = 0;
  std::vector<uint32_t> waits_for;  // indices of nodes
};

// No context can end it.
bool stuck(uint64_t word) noexcept { return is_parked(word) && (word & kWaitInterruptible) == 0; }

bool unchanged(const Node& node) noexcept {
  std::atomic_thread_fence(std::memory_order_acquire);
  return node.g->status.load(std::memory_order_relaxed) == Status::kWaiting &&
         node.g->wait_since_ns.load(std::memory_order_relaxed) == node.since_ns &&
         node.g->wait_word.load(std::memory_order_relaxed) == node.word;
}

// The plain fields are another thread's: see the top of the file.
[[gnu::noinline]] DEGU_UNSANITIZED void copy_fields(const G& g, Node& node) noexcept {
  node.id = g.id;
  node.joins = g.joins;
  node.name = g.name;
  node.stack_page = static_cast<uint32_t>(reinterpret_cast<uintptr_t>(g.stack.low) >> kPageShift);
  node.stack_pages = static_cast<uint32_t>(g.stack.size >> kPageShift);
}

struct Collector {
  std::vector<Node> nodes;
  int64_t parked_before_ns;
};

void collect(G& g, void* arg) {
  auto& into = *static_cast<Collector*>(arg);
  Node node;
  node.word = g.wait_word.load(std::memory_order_acquire);
  if (!stuck(node.word) || g.status.load(std::memory_order_relaxed) != Status::kWaiting) return;
  node.since_ns = g.wait_since_ns.load(std::memory_order_relaxed);
  if (node.since_ns > into.parked_before_ns) return;
  node.g = &g;
  node.reason = g.reason.load(std::memory_order_relaxed);
  node.object = g.wait_object.load(std::memory_order_relaxed);
  const bool has_owner =
      owner_offsets[static_cast<std::size_t>(node.reason)].load(std::memory_order_relaxed) != 0;
  if (!has_owner && node.reason != WaitReason::kWaitGroup && node.reason != WaitReason::kTaskGroup) return;
  if (g.has_deadline.load(std::memory_order_relaxed)) return;
  copy_fields(g, node);
  if (unchanged(node)) into.nodes.push_back(std::move(node));
}

// The nodes are sorted by the first page of their stack.
int owner_of(const std::vector<Node>& nodes, uint32_t mark) noexcept {
  if (mark == 0) return -1;
  auto after = std::upper_bound(nodes.begin(), nodes.end(), mark,
                                [](uint32_t page, const Node& node) { return page < node.stack_page; });
  if (after == nodes.begin()) return -1;
  --after;
  return mark - after->stack_page < after->stack_pages ? static_cast<int>(after - nodes.begin()) : -1;
}

void link(std::vector<Node>& nodes) {
  const SafeReader reader;
  std::vector<std::pair<const void*, uint32_t>> tasks;
  for (uint32_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i].joins != nullptr) tasks.emplace_back(nodes[i].joins, i);
  }
  std::sort(tasks.begin(), tasks.end());
  for (Node& node : nodes) {
    const std::size_t offset =
        owner_offsets[static_cast<std::size_t>(node.reason)].load(std::memory_order_relaxed);
    if (offset != 0) {
      const uint32_t mark = reader.read(reinterpret_cast<uintptr_t>(node.object) + offset - 1);
      if (const int owner = owner_of(nodes, mark); owner >= 0)
        node.waits_for.push_back(static_cast<uint32_t>(owner));
      continue;
    }
    auto task =
        std::lower_bound(tasks.begin(), tasks.end(), std::pair<const void*, uint32_t>(node.object, 0));
    for (; task != tasks.end() && task->first == node.object; ++task) node.waits_for.push_back(task->second);
  }
}

// Depth first, without recursion: runtime threads have small stacks. Every wait needs all that it waits for, so each
// cycle is a deadlock; one is reported a component, as it is left when its first cycle is found.
class CycleSearch {
 public:
  explicit CycleSearch(const std::vector<Node>& nodes) : nodes_(nodes), state_(nodes.size(), State::kNew) {}

  std::vector<std::vector<uint32_t>> all() {
    std::vector<std::vector<uint32_t>> cycles;
    for (uint32_t i = 0; i < nodes_.size(); ++i) {
      if (state_[i] != State::kNew) continue;
      if (std::vector<uint32_t> cycle = from(i); !cycle.empty()) cycles.push_back(std::move(cycle));
    }
    return cycles;
  }

 private:
  enum class State : uint8_t { kNew, kOnPath, kDone };
  struct Step {
    uint32_t node;
    std::size_t next = 0;
  };

  std::vector<uint32_t> from(uint32_t start) {
    std::vector<Step> path{{start}};
    std::vector<uint32_t> cycle;
    state_[start] = State::kOnPath;
    while (!path.empty() && cycle.empty()) {
      Step& step = path.back();
      if (step.next == nodes_[step.node].waits_for.size()) {
        state_[step.node] = State::kDone;
        path.pop_back();
        continue;
      }
      const uint32_t to = nodes_[step.node].waits_for[step.next++];
      if (state_[to] == State::kOnPath) {
        auto first = std::find_if(path.begin(), path.end(), [&](const Step& s) { return s.node == to; });
        for (; first != path.end(); ++first) cycle.push_back(first->node);
      } else if (state_[to] == State::kNew) {
        state_[to] = State::kOnPath;
        path.push_back({to});
      }
    }
    for (const Step& step : path) state_[step.node] = State::kDone;
    return cycle;
  }

  const std::vector<Node>& nodes_;
  std::vector<State> state_;
};

std::string name_of(const Node& node) {
  return fmt::format("goroutine {}{}{}", node.id, node.name.empty() ? "" : " ", node.name);
}

StuckCycle describe(const std::vector<Node>& nodes, std::vector<uint32_t>& cycle) {
  // Starts with the oldest goroutine, so that the same cycle reads the same each time.
  std::rotate(cycle.begin(),
              std::min_element(cycle.begin(), cycle.end(),
                               [&](uint32_t a, uint32_t b) { return nodes[a].id < nodes[b].id; }),
              cycle.end());
  StuckCycle found{14695981039346656037ULL, {}};  // FNV-1a of who waits and which wait of theirs it is
  std::string& out = found.report;
  fmt::format_to(std::back_inserter(out),
                 "degu: deadlock: {} goroutine{} will wait for ever; the others go on\n", cycle.size(),
                 cycle.size() == 1 ? " waits for itself and" : "s wait for each other and");
  for (std::size_t i = 0; i < cycle.size(); ++i) {
    const Node& node = nodes[cycle[i]];
    const Node& other = nodes[cycle[(i + 1) % cycle.size()]];
    const bool group = node.reason == WaitReason::kWaitGroup || node.reason == WaitReason::kTaskGroup;
    fmt::format_to(std::back_inserter(out), "  {} waits for {} {}, {} {}\n", name_of(node),
                   to_string(node.reason), node.object, group ? "of which a task is" : "held by",
                   name_of(other));
    for (const uint64_t part : {node.id, node.word >> kWaitSeqShift})
      found.key = (found.key ^ part) * 1099511628211ULL;
  }
  out += '\n';
  for (const uint32_t i : cycle) append_goroutine(out, *nodes[i].g);
  return found;
}

bool contains(const std::vector<uint64_t>& keys, uint64_t key) {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

}  // namespace

void set_owner_offset(WaitReason reason, std::size_t offset) noexcept {
  owner_offsets[static_cast<std::size_t>(reason)].store(offset + 1, std::memory_order_relaxed);
}

void set_joins(const void* group) noexcept { current()->joins = group; }

void set_stuck_after(std::chrono::nanoseconds min_wait) noexcept {
  stuck_after_ns.store(min_wait.count(), std::memory_order_relaxed);
}
std::chrono::nanoseconds stuck_after() noexcept {
  return std::chrono::nanoseconds(stuck_after_ns.load(std::memory_order_relaxed));
}

void tell_stuck(std::string_view text) noexcept {
  if (const StuckHook hook = stuck_hook.load(std::memory_order_acquire); hook != nullptr) {
    hook(text);
  } else {
    write_stderr(text);
  }
}

void set_stuck_hook(StuckHook hook) noexcept { stuck_hook.store(hook, std::memory_order_release); }

std::vector<StuckCycle> find_stuck_cycles(std::chrono::nanoseconds min_wait) {
  Collector found{{}, clock_ns() - min_wait.count()};
  visit_gs(&collect, &found);
  std::vector<Node>& nodes = found.nodes;
  std::sort(nodes.begin(), nodes.end(),
            [](const Node& a, const Node& b) { return a.stack_page < b.stack_page; });
  link(nodes);
  std::vector<StuckCycle> cycles;
  for (std::vector<uint32_t>& cycle : CycleSearch(nodes).all()) {
    const auto holds = [&] {
      return std::all_of(cycle.begin(), cycle.end(), [&](uint32_t i) { return unchanged(nodes[i]); });
    };
    if (!holds()) continue;
    StuckCycle described = describe(nodes, cycle);
    if (holds()) cycles.push_back(std::move(described));  // so the stacks in it are those of these waits
  }
  return cycles;
}

void report_stuck_cycles(std::chrono::nanoseconds min_wait) noexcept {
  static auto* suspects = new std::vector<uint64_t>;  // never destroyed: threads may outlive main
  static auto* reported = new std::vector<uint64_t>;
  std::vector<uint64_t> seen;
  for (const StuckCycle& cycle : find_stuck_cycles(min_wait)) {
    if (contains(*suspects, cycle.key) && !contains(*reported, cycle.key)) {
      reported->push_back(cycle.key);
      tell_stuck(cycle.report);
    }
    seen.push_back(cycle.key);
  }
  *suspects = std::move(seen);
  std::erase_if(*reported, [](uint64_t key) { return !contains(*suspects, key); });
}

}  // namespace degu::rt
