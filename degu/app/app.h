// App: a program of components: flags, start in the order of need, HTTP, health, signals, drain.
#pragma once

#include <degu/app/components.h>
#include <degu/app/flags.h>
#include <degu/app/health.h>
#include <degu/base/function.h>
#include <degu/http/router.h>
#include <degu/net/tls_options.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace degu {

/// What a program is called and what its flags say when nobody sets them.
struct AppOptions {
  std::string name = "app";
  std::string about = "";
  std::string host = "127.0.0.1";
  uint16_t port = 8080;
  /// "inherited" or "inherited:NAME": instead of host and port, the socket that the starting process hands over, as systemd
  /// does (inherited_listener.h). It goes on listening when this program ends: the next one serves those who have come.
  std::string listen = "";
  /// Where the debug pages and profiles are (export/admin.h), on 127.0.0.1; 0: nowhere. Taken: the program runs
  /// without them, unless --admin-port asks for another one.
  uint16_t admin_port = 0;
  /// "" for programs that keep nothing: there is no --data-dir then.
  std::string data_dir = "./var";
  std::chrono::nanoseconds drain = std::chrono::seconds(10);
  bool access_log = true;
  net::TlsKeyPair tls = {};        ///< PEM files; without a certificate the program speaks plain HTTP
  std::string tls_client_ca = "";  ///< PEM; then clients need a certificate of it
};

/// A program whose services find each other by their generated classes:
///
///   int main(int argc, char** argv) {
///     degu::App app({.name = "shop"});
///     app.provide<InventoryService>([&] { return std::make_shared<Inventory>(app.data_dir()); });
///     app.provide<OrderService>([&] { return std::make_shared<Orders>(app.client<InventoryService>()); });
///     app.on_start([&] { mount(app.router(), app.client<OrderService>(), {.authenticator = ...}); });
///     return app.run(argc, argv);
///   }
///
/// run() in order: flags; data directory made, checked and locked against a second process; port bound; start
/// hooks; components not yet started; requests served, readiness up, "NAME listening on URL" on stdout;
/// SIGINT, SIGTERM or shutdown(); readiness down; the server drained (requests in flight and on their way finished, idle
/// connections closed, requests beyond --drain cancelled); components stopped in reverse; 0. A second signal ends the
/// process at once.
/// All hooks and factories run in goroutines. Set up by one goroutine; then client(), data_dir() and
/// shutdown() are thread-safe.
class App {
 public:
  explicit App(AppOptions options = {});
  ~App();
  App(const App&) = delete;
  App& operator=(const App&) = delete;

  /// More flags for the program. --host, --port, --listen, --tls-cert, --tls-key, --tls-client-ca, --data-dir, --components, --drain,
  /// --access-log and --procs are there.
  app::Flags& flags();
  /// Another command beside the default `serve`: its function runs as a goroutine instead of the server, with
  /// the data directory ready and components at hand, and its result is the exit code.
  app::Flags& command(std::string_view name, std::string_view help, UniqueFunction<int()> function);

  /// See Components. `factory` may take the App.
  template <class Service, class F>
  void provide(F factory) {
    if constexpr (std::is_invocable_v<F&, App&>) {
      components_.provide<Service>([this, make = std::move(factory)]() mutable { return make(*this); });
    } else {
      components_.provide<Service>(std::move(factory));
    }
  }
  /// A client of a provided service, only from within run(): starts the component when it is the first one.
  template <class Service>
  std::shared_ptr<Service> client() {
    check_running(Service::kName);
    return components_.client<Service>();
  }
  void intercept(std::shared_ptr<rpc::Interceptor> interceptor) {
    components_.intercept(std::move(interceptor));
  }

  /// The routes that will be served; access log, request ids and recovery surround them already.
  http::Router& router();
  void add_health_check(std::string name, UniqueFunction<void()> check);

  /// Before requests are served: mount services here.
  void on_start(UniqueFunction<void()> hook);
  /// After the line that says where the program listens; gets that URL.
  void on_ready(UniqueFunction<void(const std::string& url)> hook);
  /// At the stop of the component whose factory calls this; called elsewhere: after all components.
  void on_stop(UniqueFunction<void()> hook) { components_.on_stop(std::move(hook)); }

  /// Parses the flags and does it all. Blocks until the end. The exit code: 0 after an orderly end, 1 when
  /// the start failed (the reason is on stderr), CLI11's codes for bad flags. Not from within degu::run.
  /// Once.
  int run(int argc, const char* const* argv);

  /// Ends run() as a signal would.
  void shutdown() noexcept;

  /// Where components keep their files; exists and is writable within run(). "" without one.
  const std::string& data_dir() const noexcept;
  /// "http://127.0.0.1:8080", once bound.
  const std::string& url() const noexcept;

 private:
  struct Impl;
  void check_running(std::string_view service) const;

  app::Components components_;
  std::unique_ptr<Impl> impl_;
};

}  // namespace degu
