#include <degu/base/error.h>
#include <degu/obs/log.h>
#include <degu/rpc/interceptor.h>

#include <exception>
#include <string>

namespace degu::rpc {
namespace {

[[noreturn]] void throw_unknown(const CallInfo& call, const char* what) {
  log(Level::kError, "a call failed with an exception that is no degu::Error",
      {{"service", call.service}, {"method", call.method}, {"what", what}});
  std::string message(call.service);
  message += '/';
  message += call.method;
  message += " failed";
  throw Error(Code::kUnknown, std::move(message)).with_cause(std::current_exception());
}

// What a caller far away would see: an Error, whatever was thrown.
void run_as_call(const CallInfo& call, internal::BodyRef body) {
  try {
    body();
  } catch (const Error&) {
    throw;
  } catch (const std::exception& e) {
    throw_unknown(call, e.what());
  } catch (...) {
    throw_unknown(call, "(not a std::exception)");
  }
}

}  // namespace

void Next::operator()() const {
  if (index_ == interceptors_.size()) return run_as_call(call_, body_);
  run_as_call(call_, [this] {
    interceptors_[index_]->intercept(call_, Next(call_, interceptors_, index_ + 1, body_));
  });
}

void internal::run_intercepted(const CallInfo& call, const Interceptors& interceptors, BodyRef body) {
  Next(call, interceptors, 0, body)();
}

}  // namespace degu::rpc
