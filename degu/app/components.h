// Components: which service of a process is provided by whom, started in the order of need.
#pragma once

#include <degu/base/function.h>
#include <degu/rpc/interceptor.h>
#include <degu/rpc/local_client.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace degu::app {

/// The registry behind App. provide() belongs before the start. Components start one at a time; once they
/// have, client() is safe to call from any goroutine.
class Components {
 public:
  /// Names the component that makes `Service`, a generated class. `factory` gives a std::shared_ptr to an
  /// implementation and runs when somebody first asks for the service. Throws Error(kAlreadyExists) for the
  /// second one of a service.
  template <class Service, class F>
  void provide(F factory) {
    add(Service::kName, [this, make = std::move(factory)]() mutable -> std::shared_ptr<void> {
      std::shared_ptr<Service> service = make();
      if (service == nullptr) throw_null(Service::kName);
      return rpc::local_client<Service>(std::move(service), rpc::LocalOptions{interceptors_});
    });
  }

  /// A client of the service; starts the component if nobody has yet, and with it what its factory asks for.
  /// Throws Error(kFailedPrecondition) when nobody provides it, or when components need each other in a
  /// circle (all named); what the factory throws passes through.
  template <class Service>
  std::shared_ptr<Service> client() {
    return std::static_pointer_cast<Service>(start(Service::kName));
  }

  /// Around every call between components. Before the start.
  void intercept(std::shared_ptr<rpc::Interceptor> interceptor) {
    interceptors_.push_back(std::move(interceptor));
  }

  /// Runs `hook` when the component that is being started now stops; outside of a factory: after all
  /// components.
  void on_stop(UniqueFunction<void()> hook);

  void start_all();
  /// Stops what has been started, the last one first: its hooks, the last one first, then its object is let
  /// go. An exception of a hook is logged; the others run.
  void stop_all() noexcept;

  /// Names of the running components in the order of their start.
  const std::vector<std::string>& started() const noexcept { return started_; }
  std::vector<std::string> provided() const;

 private:
  struct Component {
    UniqueFunction<std::shared_ptr<void>()> make;
    std::shared_ptr<void> client = nullptr;
    std::vector<UniqueFunction<void()>> hooks = {};
  };

  void add(std::string_view name, UniqueFunction<std::shared_ptr<void>()> make);
  std::shared_ptr<void> start(std::string_view name);
  [[noreturn]] static void throw_null(std::string_view name);
  [[noreturn]] void throw_missing(std::string_view name) const;
  [[noreturn]] void throw_cycle(std::string_view name) const;

  std::map<std::string, Component, std::less<>> components_;
  std::vector<std::string> starting_;  // the innermost last
  std::vector<std::string> started_;
  std::vector<UniqueFunction<void()>> hooks_;
  rpc::Interceptors interceptors_;
};

}  // namespace degu::app
