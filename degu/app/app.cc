#include <degu/app/app.h>
#include <degu/app/inherited_listener.h>
#include <degu/app/internal/admin_port.h>
#include <degu/app/internal/cli.h>
#include <degu/app/internal/data_dir.h>
#include <degu/base/error.h>
#include <degu/context/cancel_scope.h>
#include <degu/http/middleware.h>
#include <degu/http/refusal.h>
#include <degu/http/server.h>
#include <degu/net/signal.h>
#include <degu/net/tcp.h>
#include <degu/net/tls.h>
#include <degu/obs/log.h>
#include <degu/rt/run.h>
#include <degu/sync/chan.h>
#include <degu/sync/wait_group.h>
#include <fmt/core.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <vector>

namespace degu {

struct App::Impl {
  struct Command {
    std::string name;
    UniqueFunction<int()> function;
    std::shared_ptr<app::Flags::Impl> cli;
    app::Flags flags;
  };

  explicit Impl(AppOptions given, app::Components& all);

  void check_flags() const;
  int serve();
  int run_command(const Command& command);
  http::ServerOptions server_options() const;
  net::TcpListener listen() const;
  void start();
  void announce();
  void wait_for_end(http::Server& server, net::TcpListener& listener);
  void drain(http::Server& server);

  AppOptions options;
  app::Components& components;
  std::string components_flag = "all";
  uint16_t default_admin_port;
  int procs = 0;
  CLI::App cli;
  app::Flags flags;
  std::vector<std::unique_ptr<Command>> commands;

  app::Health health;
  std::optional<http::Router> router;  // gone before the components stop: its handlers hold on to them
  std::vector<UniqueFunction<void()>> start_hooks;
  std::vector<UniqueFunction<void(const std::string&)>> ready_hooks;
  Chan<int> end = make_chan<int>(2);  // signals; 0 for shutdown()
  app::internal::DataDir data_dir;
  std::string url;
  bool running = false;
};

App::Impl::Impl(AppOptions given, app::Components& all)
    : options(std::move(given)),
      components(all),
      default_admin_port(options.admin_port),
      cli(options.about, options.name),
      flags(std::make_shared<app::Flags::Impl>(&cli)),
      router(std::in_place) {
  cli.require_subcommand(0, 1);
  cli.add_subcommand("serve", "serve requests (what happens without a command)")->fallthrough();
  flags.add("--host", options.host, "address to listen on; 0.0.0.0 for all")
      .add("--port", options.port, "port to listen on; 0 for any free one")
      .add("--listen", options.listen,
           "inherited or inherited:NAME: the socket that the starting process hands over, as systemd does")
      .add("--tls-cert", options.tls.certificate_file,
           "certificate with its chain, a PEM file: serve HTTPS; a changed file is noticed")
      .add("--tls-key", options.tls.key_file, "its private key, a PEM file")
      .add("--tls-client-ca", options.tls_client_ca,
           "PEM file: clients have to show a certificate of this authority")
      .add("--admin-port", options.admin_port,
           "port of 127.0.0.1 for /debug/ pages and profiles; 0 for none");
  if (!options.data_dir.empty()) flags.add("--data-dir", options.data_dir, "where state is kept");
  flags.add("--components", components_flag, "components to run in this process")
      .add("--drain", options.drain, "how long requests may finish after SIGTERM or Ctrl-C")
      .add("--access-log", options.access_log, "one log record on stderr for each request")
      .add("--procs", procs, "processors to schedule on; 0 for all that are granted");

  router->use([this, log = http::access_log()](http::Exchange& c) {
    // Probes come every few seconds and say nothing.
    const bool logged = options.access_log && !c.path().starts_with("/health");
    if (logged) {
      log(c);
    } else {
      c.next();
    }
  });
  router->use(http::request_id());
  router->use(http::recovery());
  health.mount(*router);
}

App::App(AppOptions options) : impl_(std::make_unique<Impl>(std::move(options), components_)) {}

App::~App() = default;

app::Flags& App::flags() { return impl_->flags; }

app::Flags& App::command(std::string_view name, std::string_view help, UniqueFunction<int()> function) {
  CLI::App* sub = impl_->cli.add_subcommand(std::string(name), std::string(help))->fallthrough();
  auto cli = std::make_shared<app::Flags::Impl>(sub);
  impl_->commands.push_back(std::make_unique<Impl::Command>(
      Impl::Command{std::string(name), std::move(function), cli, app::Flags(cli)}));
  return impl_->commands.back()->flags;
}

http::Router& App::router() { return *impl_->router; }

void App::add_health_check(std::string name, UniqueFunction<void()> check) {
  impl_->health.add_check(std::move(name), std::move(check));
}

void App::on_start(UniqueFunction<void()> hook) { impl_->start_hooks.push_back(std::move(hook)); }
void App::on_ready(UniqueFunction<void(const std::string& url)> hook) {
  impl_->ready_hooks.push_back(std::move(hook));
}

const std::string& App::data_dir() const noexcept { return impl_->options.data_dir; }
const std::string& App::url() const noexcept { return impl_->url; }

void App::shutdown() noexcept { static_cast<void>(impl_->end.try_send(0)); }

void App::check_running(std::string_view service) const {
  if (impl_->running) return;
  throw Error(
      Code::kFailedPrecondition,
      fmt::format("client<{}>() works only within run(): in a factory, in on_start() or later", service));
}

int App::run(int argc, const char* const* argv) {
  try {
    impl_->cli.parse(argc, argv);
  } catch (const CLI::ParseError& fault) {
    return impl_->cli.exit(fault);
  }
  RunOptions options;
  options.procs = impl_->procs;
  try {
    impl_->check_flags();
    return degu::run(options, [this] {
      for (const auto& command : impl_->commands) {
        if (command->cli->cli->parsed()) return impl_->run_command(*command);
      }
      return impl_->serve();
    });
  } catch (const Error& error) {
    fmt::print(stderr, "{}: {}\n", impl_->options.name, error.message());
    for (const ErrorDetail& detail : error.details())
      fmt::print(stderr, "  {}: {}\n", detail.field, detail.reason);
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}: {}\n", impl_->options.name, error.what());
  }
  return 1;
}

void App::Impl::check_flags() const {
  if (components_flag == "all") return;
  throw Error(
      Code::kUnimplemented,
      fmt::format(
          "--components={} cannot be served yet: components only call each other inside one process so "
          "far, so all have to run in it (--components=all)",
          components_flag));
}

http::ServerOptions App::Impl::server_options() const {
  http::ServerOptions result;
  if (options.access_log) result.on_refusal = http::refusal_log();
  if (options.tls.certificate_file.empty() != options.tls.key_file.empty())
    throw Error(Code::kInvalidArgument, "--tls-cert and --tls-key go together");
  if (options.tls.certificate_file.empty()) {
    if (options.tls_client_ca.empty()) return result;
    throw Error(Code::kInvalidArgument, "--tls-client-ca needs --tls-cert and --tls-key");
  }
  net::TlsServerOptions tls;
  tls.certificates = {options.tls};
  tls.alpn = {"h2", "http/1.1"};
  tls.client_ca_file = options.tls_client_ca;
  if (!tls.client_ca_file.empty()) tls.client_certificates = net::ClientCertificates::kRequired;
  result.tls = std::make_shared<net::TlsServer>(std::move(tls));
  return result;
}

net::TcpListener App::Impl::listen() const {
  constexpr std::string_view kInherited = "inherited";
  if (options.listen == kInherited) return app::inherited_listener("");
  if (options.listen.starts_with("inherited:"))
    return app::inherited_listener(std::string_view(options.listen).substr(kInherited.size() + 1));
  if (!options.listen.empty()) {
    throw Error(
        Code::kInvalidArgument,
        fmt::format("--listen={} is not known: it is inherited or inherited:NAME; an address is given by "
                    "--host and --port",
                    options.listen));
  }
  const bool v6 = options.host.find(':') != std::string::npos && !options.host.starts_with('[');
  const std::string address =
      fmt::format("{}{}{}:{}", v6 ? "[" : "", options.host, v6 ? "]" : "", options.port);
  try {
    return net::TcpListener::listen(address);
  } catch (const Error& error) {
    if (error.code() == Code::kAlreadyExists) {
      throw Error(Code::kAlreadyExists,
                  fmt::format("port {} is taken: stop the program that listens on it, or choose "
                              "another port with --port",
                              options.port));
    }
    if (error.code() == Code::kPermissionDenied) {
      throw Error(Code::kPermissionDenied,
                  fmt::format("port {} needs privileges that this process does not have: "
                              "choose one above 1023 with --port",
                              options.port));
    }
    throw Error(error.code(),
                fmt::format("cannot listen on {}: {}; check --host and --port", address, error.message()))
        .with_cause(std::current_exception());
  }
}

void App::Impl::start() {
  running = true;
  for (const auto& hook : start_hooks) hook();
  components.start_all();
  health.set_components(components.started());
}

void App::Impl::announce() {
  fmt::print("{} listening on {}\n", options.name, url);
  for (const auto& hook : ready_hooks) hook(url);
  std::fflush(stdout);
}

int App::Impl::run_command(const Command& command) {
  if (!options.data_dir.empty())
    data_dir = blocking([this] { return app::internal::DataDir(options.data_dir); });
  running = true;
  struct Stop {
    app::Components& all;
    ~Stop() { all.stop_all(); }
  };
  const Stop stop{components};
  return command.function();
}

int App::Impl::serve() {
  if (!options.data_dir.empty())
    data_dir = blocking([this] { return app::internal::DataDir(options.data_dir); });
  http::ServerOptions http_options = server_options();
  net::TcpListener listener = listen();
  url = fmt::format("{}://{}", http_options.tls != nullptr ? "https" : "http", listener.address());
  struct Stop {  // also when the start fails half-way: what has started stops
    Impl& impl;
    ~Stop() {
      impl.router.reset();
      impl.components.stop_all();
    }
  };
  const Stop stop{*this};
  const app::internal::AdminPort admin(options.admin_port, options.admin_port != default_admin_port);
  start();
  http::Server server(*router, std::move(http_options));
  wait_for_end(server, listener);
  return 0;
}

void App::Impl::wait_for_end(http::Server& server, net::TcpListener& listener) {
  net::SignalSet signals{SIGINT, SIGTERM};
  std::exception_ptr failed;
  WaitGroup tasks;
  const auto [watching, stop_watching] = with_cancel(current_context());
  tasks.go([&, context = watching] {
    const ContextScope scope(context);
    try {
      while (true) {
        const int signal = signals.wait();
        if (health.phase() == app::Phase::kDraining)
          std::_Exit(128 + signal);  // somebody does not want to wait
        static_cast<void>(end.try_send(signal));
      }
    } catch (const Error&) {  // the end of the watch
    }
  });
  tasks.go([&] {
    try {
      server.serve(listener);
    } catch (...) {
      failed = std::current_exception();
    }
    static_cast<void>(end.try_send(0));
  });
  health.set_phase(app::Phase::kRunning);
  announce();
  const int signal = end.recv().value_or(0);
  log(Level::kInfo, "draining", {{"signal", signal}, {"connections", server.connections()}});
  drain(server);
  stop_watching();
  const Shield shield;
  tasks.wait();
  if (failed) std::rethrow_exception(failed);
}

void App::Impl::drain(http::Server& server) {
  health.set_phase(app::Phase::kDraining);
  const TimePoint begin = now();
  server.shutdown(options.drain);
  const std::chrono::nanoseconds took = now() - begin;
  const int64_t ms = std::chrono::duration_cast<std::chrono::milliseconds>(took).count();
  if (took >= options.drain) {
    log(Level::kWarn, "requests still running at the end of the drain time were cancelled", {{"ms", ms}});
  } else {
    log(Level::kInfo, "drained", {{"ms", ms}});
  }
}

}  // namespace degu
