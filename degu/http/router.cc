#include <degu/base/error.h>
#include <degu/http/internal/route_table.h>
#include <degu/http/router.h>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace degu::http {

RouterGroup::RouterGroup(std::shared_ptr<internal::RouteTable> table, std::string prefix,
                         std::vector<const Handler*> chain)
    : table_(std::move(table)), prefix_(std::move(prefix)), chain_(std::move(chain)) {}

RouterGroup RouterGroup::group(std::string_view prefix) const {
  if (!prefix.empty() && (prefix.front() != '/' || prefix.back() == '/')) {
    throw Error(Code::kInvalidArgument,
                fmt::format("group prefix \"{}\" must start and not end with '/'", prefix));
  }
  return RouterGroup(table_, prefix_ + std::string(prefix), chain_);
}

void RouterGroup::use(Handler middleware) {
  chain_.push_back(table_->keep(std::move(middleware)));
  if (root_) table_->root_chain() = chain_;
}

void RouterGroup::handle(std::string_view method, std::string_view path, Handler handler,
                         RouteOptions options) const {
  const std::string pattern = prefix_ + std::string(path);
  table_->add(method, pattern, chain_, table_->keep(std::move(handler)), options);
}

void RouterGroup::get(std::string_view path, Handler handler, RouteOptions options) const {
  handle("GET", path, std::move(handler), options);
}
void RouterGroup::post(std::string_view path, Handler handler, RouteOptions options) const {
  handle("POST", path, std::move(handler), options);
}
void RouterGroup::put(std::string_view path, Handler handler, RouteOptions options) const {
  handle("PUT", path, std::move(handler), options);
}
void RouterGroup::patch(std::string_view path, Handler handler, RouteOptions options) const {
  handle("PATCH", path, std::move(handler), options);
}
void RouterGroup::del(std::string_view path, Handler handler, RouteOptions options) const {
  handle("DELETE", path, std::move(handler), options);
}

Router::Router() : RouterGroup(std::make_shared<internal::RouteTable>(), "", {}) { root_ = true; }

std::vector<std::string> Router::routes() const {
  std::vector<std::string> names;
  for (const auto& route : table_->routes())
    names.push_back(fmt::format("{} {}", route->method, route->pattern));
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace degu::http
