#include <degu/base/error.h>
#include <degu/rt/dump.h>
#include <degu/rt/internal/sched.h>
#include <degu/rt/run.h>
#include <degu/sim/internal/sim_network.h>
#include <degu/sim/internal/simulation.h>
#include <fmt/format.h>

#include <utility>

#ifdef DEGU_ASAN
#include <sanitizer/lsan_interface.h>
#endif

namespace degu::sim::internal {
namespace {

// 2000-01-01, as in Go's testing/synctest.
constexpr TimePoint kStart{std::chrono::seconds(946'684'800)};

constexpr uint64_t mix(uint64_t hash, uint64_t value) noexcept { return Random(hash ^ value).next(); }

// A stream of random numbers for one purpose.
Random stream(uint64_t seed, uint64_t purpose) noexcept { return Random(mix(seed, purpose)); }

bool fits(std::string_view pattern, std::string_view point) noexcept {
  if (pattern.ends_with('*')) return point.starts_with(pattern.substr(0, pattern.size() - 1));
  return pattern == point;
}

// Goroutines that are left when a run ends keep what they had for ever, as with degu::run (docs/decisions/0003): no leak
// to report of the run's own thread, which ends with it.
void allow_leaks() noexcept {
#ifdef DEGU_ASAN
  __lsan_disable();
#endif
}

std::string text_of(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& e) {
    return e.what();
  } catch (...) {
    return "an exception that is no std::exception";
  }
}

}  // namespace

Simulation::Simulation(const Options& options)
    : options_(options),
      chooser_(options),
      randoms_(stream(options.seed, 1)),
      faults_(stream(options.seed, 2)),
      timers_(stream(options.seed, 3)),
      delays_(stream(options.seed, 4)),
      now_(kStart),
      network_(std::make_unique<SimNetwork>(*this, options.network, stream(options.seed, 5))) {}

Simulation::~Simulation() = default;

void Simulation::started(rt::G& g, UniqueFunction<void()>& body) {
  if (last_id_ == 0) allow_leaks();
  g.id = ++last_id_;
  body = [this, host = host(), inner = std::move(body)]() mutable { run_body(host, inner); };
}

// noexcept: what leaves the body of a goroutine ends the run, not the process.
void Simulation::run_body(uint32_t on_host, UniqueFunction<void()>& body) noexcept {
  set_host(on_host);
  try {
    body();
  } catch (...) {
    fail(std::current_exception());
  }
  body.reset();
  hosts_.erase(rt::current());
  chooser_.ended(rt::current()->id);
}

void Simulation::point() noexcept {
  if (++steps_ > options_.max_steps) {
    fail(fmt::format("the run has not ended after {} steps: an endless loop, or too small a max_steps",
                     options_.max_steps));
    yield();  // the scheduler stops: does not come back
  }
  rt::sim_collect(*this);
  if (chooser_.interrupt()) yield();
}

bool Simulation::random(uint64_t& out) noexcept {
  out = randoms_.next();
  return true;
}

bool Simulation::fault(std::string_view point) noexcept {
  for (const Fault& plan : options_.faults) {
    if (!fits(plan.point, point)) continue;
    constexpr double kTwo32 = 4294967296.0;
    const bool fires = static_cast<double>(faults_.next() >> 32) < plan.probability * kTwo32;
    if (fires) log(Event::kFault, chooser_.running());
    return fires;
  }
  return false;
}

rt::G* Simulation::choose() noexcept {
  if (chooser_.empty()) return nullptr;
  rt::G* g = chooser_.take();
  log(Event::kRun, chooser_.running());
  return g;
}

void Simulation::advance(TimePoint when) noexcept {
  if (when > now_) now_ = when;
  log(Event::kTime, static_cast<uint64_t>((now_ - kStart).count()));
}

void Simulation::deadlock() noexcept {
  std::string text = "all goroutines are asleep - deadlock!\n\n";
  rt::dump_goroutines(text);
  fail(std::move(text));
}

void Simulation::blocking() noexcept {
  point();
  std::chrono::nanoseconds delay{0};
  if (const int64_t most = options_.blocking_delay.count(); most > 0)
    delay += std::chrono::nanoseconds(delays_.next() % static_cast<uint64_t>(most));
  if (fault("blocking.stall"))
    delay += std::chrono::seconds(1) + std::chrono::milliseconds(delays_.below(29'000));
  if (options_.blocking_delay.count() <= 0 && delay.count() == 0) return;
  rt::begin_wait(rt::Interrupt::kIgnore);
  rt::park(rt::WaitReason::kBlocking, nullptr, now_ + delay);
}

void Simulation::fail(std::exception_ptr error) noexcept {
  if (failed_) return;
  error_ = error;
  fail(text_of(error));
}

void Simulation::fail(std::string what) noexcept {
  if (!std::exchange(failed_, true)) failure_ = std::move(what);
  rt::stop_scheduler(*rt::this_m()->sched);
}

void Simulation::log(Event event, uint64_t a, uint64_t b) noexcept {
  hash_ = mix(hash_, static_cast<uint64_t>(event) + 1);
  hash_ = mix(hash_, a);
  hash_ = mix(hash_, b);
}

void Simulation::report(Result& result) const {
  result.seed = options_.seed;
  result.hash = hash_;
  result.steps = steps_;
  result.elapsed = now_ - kStart;
  result.failure = failure_;
  result.error = error_;
}

uint32_t Simulation::host() const noexcept {
  const rt::M* m = rt::this_m();
  const auto found = hosts_.find(m != nullptr ? m->g : nullptr);
  return found != hosts_.end() ? found->second : 0;
}

void Simulation::set_host(uint32_t host) noexcept { hosts_[rt::current()] = host; }

Simulation& current_run() {
  auto* sim = rt::current_simulation();
  if (sim == nullptr)
    throw Error(Code::kFailedPrecondition, "not in a simulation: call it inside sim::run or sim::search");
  return static_cast<Simulation&>(*sim);
}

}  // namespace degu::sim::internal
