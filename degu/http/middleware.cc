#include <degu/base/random.h>
#include <degu/base/time.h>
#include <degu/http/internal/dispatch.h>
#include <degu/http/internal/exchange_access.h>
#include <degu/http/internal/request_scope.h>
#include <degu/http/middleware.h>
#include <degu/http/real_ip.h>
#include <degu/obs/log.h>
#include <fmt/format.h>

#include <algorithm>

namespace degu::http {
namespace {

bool is_fit_request_id(std::string_view id) noexcept {
  return !id.empty() && id.size() <= 128 &&
         std::all_of(id.begin(), id.end(), [](char c) { return c > 0x20 && c < 0x7F; });
}

}  // namespace

Handler recovery() {
  // Answering the exception that is in flight needs what is behind the Exchange.
  return [](Exchange& c) {
    try {
      c.next();
    } catch (...) {
      internal::answer_exception(internal::ExchangeAccess::state(c));
    }
  };
}

Handler access_log() {
  return [](Exchange& c) {
    const TimePoint start = now();
    // Also when the chain throws: the answer is then made further out, and its status is not known here.
    struct Record {
      Exchange& c;
      TimePoint start;
      int exceptions = std::uncaught_exceptions();
      ~Record() {
        const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(now() - start).count();
        const bool threw = std::uncaught_exceptions() > exceptions;
        try {
          log(Level::kInfo, "request",
              {{"method", c.method()},
               {"path", c.path()},
               {"route", c.route()},
               {"status", threw ? 0 : c.status()},
               {"bytes", c.response_bytes()},
               {"duration_us", micros},
               {"request_id", c.request_id()},
               {"peer", c.peer()},
               {"client_ip", client_ip(c)}});
        } catch (...) {
          return;  // a record is not worth failing the request
        }
      }
    };
    const Record record{c, start};
    c.next();
  };
}

Handler request_id() {
  return [](Exchange& c) {
    const std::string_view given = c.header("x-request-id");
    c.set_request_id(is_fit_request_id(given) ? std::string(given)
                                              : fmt::format("{:016x}{:016x}", random_u64(), random_u64()));
    c.set_header("X-Request-Id", c.request_id());
    c.next();
  };
}

Handler timeout(std::chrono::nanoseconds limit) {
  // The client's own limit is in the request's context already; the earlier deadline wins.
  return [limit](Exchange& c) {
    const internal::Route* const route = internal::ExchangeAccess::state(c).route;
    if (route != nullptr && route->options.long_lived) return c.next();
    const internal::RequestScope scope(limit);
    c.next();
  };
}

}  // namespace degu::http
