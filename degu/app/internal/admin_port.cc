#include <degu/app/internal/admin_port.h>
#include <degu/base/error.h>
#include <degu/context/cancel_scope.h>
#include <degu/export/admin.h>
#include <degu/http/router.h>
#include <degu/http/server.h>
#include <degu/net/tcp.h>
#include <degu/obs/log.h>
#include <degu/sync/wait_group.h>
#include <fmt/format.h>

#include <string>

namespace degu::app::internal {
namespace {

http::Router debug_routes() {
  http::Router router;
  exporter::mount_debug(router);
  return router;
}

}  // namespace

struct AdminPort::Serving {
  explicit Serving(net::TcpListener bound) : listener(std::move(bound)), server(debug_routes()) {}

  net::TcpListener listener;
  http::Server server;
  WaitGroup tasks;
};

AdminPort::AdminPort(uint16_t port, bool required) {
  if (port == 0) return;
  const std::string address = fmt::format("127.0.0.1:{}", port);
  try {
    serving_ = std::make_unique<Serving>(net::TcpListener::listen(address));
  } catch (const Error& error) {
    const std::string why = error.code() == Code::kAlreadyExists ? "it is taken" : error.message();
    if (required) {
      throw Error(
          error.code(),
          fmt::format("admin port {}: {}; choose another one with --admin-port, or 0 for none", port, why));
    }
    log(Level::kInfo, "no admin port; choose another one with --admin-port",
        {{"address", address}, {"reason", why}});
    return;
  }
  log(Level::kInfo, "admin port", {{"url", fmt::format("http://{}/debug/pprof/", address)}});
  serving_->tasks.go([serving = serving_.get()] {
    try {
      serving->server.serve(serving->listener);
    } catch (const Error& error) {
      log(Level::kWarn, "the admin port has failed", {{"reason", error.message()}});
    }
  });
}

AdminPort::~AdminPort() {
  if (serving_ == nullptr) return;
  const Shield shield;
  serving_->server.shutdown(std::chrono::nanoseconds(0));
  serving_->tasks.wait();
}

}  // namespace degu::app::internal
