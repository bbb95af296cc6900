// Health: what the health endpoints answer.
#pragma once

#include <degu/base/function.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace degu::http {
class RouterGroup;
}

namespace degu::app {

enum class Phase : uint8_t { kStarting, kRunning, kDraining };

/// Routes that say how the process is, for people and orchestrators:
/// - /health/live: 200 as long as the process answers;
/// - /health/startup: 503 until it has started;
/// - /health/ready: 200 while it wants requests: started, not draining, and every check passes; else 503 with
/// the reason;
/// - /health: all of it with components and checks; the status of /health/ready.
/// Thread-safe, except that checks are added before the start.
class Health {
 public:
  /// A check that says why not by throwing; it runs at each request for readiness, so it should be quick.
  void add_check(std::string name, UniqueFunction<void()> check);

  void set_phase(Phase phase) noexcept { phase_.store(phase, std::memory_order_release); }
  Phase phase() const noexcept { return phase_.load(std::memory_order_acquire); }
  void set_components(std::vector<std::string> names) { components_ = std::move(names); }

  /// Adds the routes. The Health has to outlive the router.
  void mount(http::RouterGroup& routes);

 private:
  struct Check {
    std::string name;
    UniqueFunction<void()> run;
  };
  struct Result {
    std::string name;
    std::string fault;  // "" when it passes
  };
  struct Report {
    bool ready = true;
    std::string reason;
    std::vector<Result> checks;
  };

  Report report() const;

  std::atomic<Phase> phase_{Phase::kStarting};
  std::vector<std::string> components_;
  std::vector<Check> checks_;
};

}  // namespace degu::app
