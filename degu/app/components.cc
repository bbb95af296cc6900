#include <degu/app/components.h>
#include <degu/base/error.h>
#include <degu/obs/log.h>

#include <algorithm>
#include <exception>

namespace degu::app {
namespace {

void run_hooks(std::vector<UniqueFunction<void()>>& hooks, std::string_view of) noexcept {
  while (!hooks.empty()) {
    const UniqueFunction<void()> hook = std::move(hooks.back());
    hooks.pop_back();
    try {
      hook();
    } catch (const std::exception& e) {
      log(Level::kError, "stopping a component failed", {{"component", of}, {"error", e.what()}});
    } catch (...) {
      log(Level::kError, "stopping a component failed", {{"component", of}});
    }
  }
}

std::string joined(const std::vector<std::string>& names, std::string_view separator) {
  std::string out;
  for (const std::string& name : names) {
    if (!out.empty()) out += separator;
    out += name;
  }
  return out;
}

}  // namespace

void Components::add(std::string_view name, UniqueFunction<std::shared_ptr<void>()> make) {
  const auto [entry, added] = components_.try_emplace(std::string(name), Component{std::move(make)});
  if (!added) throw Error(Code::kAlreadyExists, "two components provide " + entry->first);
}

std::shared_ptr<void> Components::start(std::string_view name) {
  const auto found = components_.find(name);
  if (found == components_.end()) throw_missing(name);
  Component& component = found->second;
  if (component.client != nullptr) return component.client;
  if (std::find(starting_.begin(), starting_.end(), name) != starting_.end()) throw_cycle(name);
  starting_.push_back(found->first);
  try {
    component.client = component.make();
  } catch (...) {
    starting_.pop_back();
    run_hooks(component.hooks, found->first);  // what the factory had set up before it failed
    throw;
  }
  starting_.pop_back();
  started_.push_back(found->first);
  return component.client;
}

void Components::on_stop(UniqueFunction<void()> hook) {
  auto& hooks = starting_.empty() ? hooks_ : components_.find(starting_.back())->second.hooks;
  hooks.push_back(std::move(hook));
}

void Components::start_all() {
  for (const auto& [name, component] : components_) start(name);
}

void Components::stop_all() noexcept {
  while (!started_.empty()) {
    Component& component = components_.find(started_.back())->second;
    run_hooks(component.hooks, started_.back());
    component.client.reset();
    started_.pop_back();
  }
  run_hooks(hooks_, "app");
}

std::vector<std::string> Components::provided() const {
  std::vector<std::string> names;
  for (const auto& [name, component] : components_) names.push_back(name);
  return names;
}

void Components::throw_null(std::string_view name) {
  throw Error(Code::kInternal, "the factory of " + std::string(name) + " returned null");
}

void Components::throw_missing(std::string_view name) const {
  std::string message = "no component provides " + std::string(name);
  if (!starting_.empty()) message += ", which " + starting_.back() + " needs";
  const std::string known = joined(provided(), ", ");
  message += known.empty() ? "; none is provided" : "; provided are " + known;
  throw Error(Code::kFailedPrecondition, std::move(message));
}

void Components::throw_cycle(std::string_view name) const {
  const auto first = std::find(starting_.begin(), starting_.end(), name);
  std::vector<std::string> circle(first, starting_.end());
  circle.emplace_back(name);
  throw Error(Code::kFailedPrecondition,
              "components need each other to start: " + joined(circle, " -> ") +
                  "; ask for one of these clients when it is first called instead");
}

}  // namespace degu::app
