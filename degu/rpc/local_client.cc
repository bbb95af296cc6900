#include <degu/base/error.h>
#include <degu/rpc/local_client.h>
#include <degu/rt/park.h>

#include <string>

namespace degu::rpc::internal {

void check_context() {
  if (rt::interrupted()) rt::throw_interrupted();
}

void throw_no_answer(const CallInfo& call) {
  throw Error(Code::kInternal, "an interceptor of " + std::string(call.service) + "/" +
                                   std::string(call.method) + " neither called on nor failed");
}

}  // namespace degu::rpc::internal
