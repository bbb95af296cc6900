#include <degu/app/health.h>
#include <degu/base/error.h>
#include <degu/http/exchange.h>
#include <degu/http/router.h>

#include <exception>

namespace degu::app {
namespace {

void answer(http::Exchange& c, bool up, std::string_view reason) {
  json::Writer writer(c.begin_body(up ? 200 : 503, "application/json"));
  writer.begin_object();
  writer.key("status");
  writer.value(up ? "UP" : "DOWN");
  if (!reason.empty()) {
    writer.key("reason");
    writer.value(reason);
  }
  writer.end_object();
  c.set_header("cache-control", "no-store");
}

}  // namespace

void Health::add_check(std::string name, UniqueFunction<void()> check) {
  checks_.push_back({std::move(name), std::move(check)});
}

Health::Report Health::report() const {
  Report report;
  for (const Check& check : checks_) {
    std::string fault;
    try {
      check.run();
    } catch (const Error& error) {
      fault = error.what();
    } catch (...) {
      fault = "failed";  // what others say is not for strangers
    }
    if (!fault.empty()) {
      report.ready = false;
      report.reason = check.name + ": " + fault;
    }
    report.checks.push_back({check.name, std::move(fault)});
  }
  if (phase() != Phase::kRunning) {
    report.ready = false;
    report.reason = phase() == Phase::kStarting ? "starting" : "draining";
  }
  return report;
}

void Health::mount(http::RouterGroup& routes) {
  routes.get("/health/live", [](http::Exchange& c) { answer(c, true, {}); });
  routes.get("/health/startup", [this](http::Exchange& c) {
    const bool started = phase() != Phase::kStarting;
    answer(c, started, started ? "" : "starting");
  });
  routes.get("/health/ready", [this](http::Exchange& c) {
    const Report now = report();
    answer(c, now.ready, now.reason);
  });
  routes.get("/health", [this](http::Exchange& c) {
    const Report now = report();
    json::Writer writer(c.begin_body(now.ready ? 200 : 503, "application/json"));
    writer.begin_object();
    writer.key("status");
    writer.value(now.ready ? "UP" : "DOWN");
    writer.key("phase");
    const Phase current = phase();
    writer.value(current == Phase::kStarting  ? "starting"
                 : current == Phase::kRunning ? "running"
                                              : "draining");
    writer.key("components");
    writer.begin_array();
    for (const std::string& name : components_) writer.value(name);
    writer.end_array();
    writer.key("checks");
    writer.begin_object();
    for (const Result& check : now.checks) {
      writer.key(check.name);
      writer.value(check.fault.empty() ? std::string_view("UP") : std::string_view(check.fault));
    }
    writer.end_object();
    writer.end_object();
    c.set_header("cache-control", "no-store");
  });
}

}  // namespace degu::app
