// Contexts are a chain of immutable ContextNodes for the values, and a tree of rt::CancelNodes for the end; a
// link that adds only a value shares the CancelNode of its parent.
#include <degu/context/context.h>
#include <degu/rt/sim_point.h>
#include <degu/sync/select.h>

namespace degu {
namespace {

using sync_internal::ContextNode;

struct Cancellable {
  Context context;
  Ref<rt::CancelNode> node;
};

Cancellable make_child(const Context& parent, TimePoint deadline) {
  Ref<ContextNode> link = sync_internal::make_cancellable(parent.context_node().get(), deadline);
  Ref<rt::CancelNode> node(link->node());
  return {Context(std::move(link)), std::move(node)};
}

}  // namespace

std::shared_ptr<const Error> Context::cause() const {
  if (node() == nullptr) return nullptr;
  const Code code = node()->code();
  if (code == Code::kOk) return nullptr;
  if (std::shared_ptr<const Error> cause = node()->cause()) return cause;
  if (code == Code::kDeadlineExceeded) return std::make_shared<const DeadlineExceeded>();
  return std::make_shared<const Cancelled>();
}

void Context::check() const {
  const Code code = err();
  if (code == Code::kOk) return;
  const std::shared_ptr<const Error> why = cause();
  if (code == Code::kDeadlineExceeded) throw DeadlineExceeded(why->message());
  throw Cancelled(why->message());
}

void Context::wait() const { select(degu::done(*this)); }

std::optional<TimePoint> Context::deadline() const noexcept {
  if (node() == nullptr || node()->deadline() == kNever) return std::nullopt;
  return node()->deadline();
}

std::chrono::nanoseconds Context::time_left() const noexcept {
  const std::optional<TimePoint> end = deadline();
  if (!end) return std::chrono::nanoseconds::max();
  const std::chrono::nanoseconds left = *end - now();
  return left > left.zero() ? left : left.zero();
}

const void* Context::find(const void* key) const noexcept {
  for (const ContextNode* link = link_.get(); link != nullptr; link = link->parent()) {
    if (const void* value = link->value_here(key)) return value;
  }
  return nullptr;
}

Context current_context() noexcept { return Context(Ref<ContextNode>(ContextNode::current())); }

void CancelCauseFunc::operator()(Error cause) const {
  if (node_) node_->cancel(Code::kCancelled, std::make_shared<const Error>(std::move(cause)));
}

ContextAnd<CancelFunc> with_cancel(const Context& parent) { return with_deadline(parent, kNever); }

ContextAnd<CancelCauseFunc> with_cancel_cause(const Context& parent) {
  auto [context, node] = make_child(parent, kNever);
  return {std::move(context), CancelCauseFunc(std::move(node))};
}

ContextAnd<CancelFunc> with_deadline(const Context& parent, TimePoint deadline) {
  auto [context, node] = make_child(parent, deadline);
  return {std::move(context), CancelFunc(std::move(node))};
}

ContextAnd<CancelFunc> with_timeout(const Context& parent, std::chrono::nanoseconds timeout) {
  return with_deadline(parent, after_delay(rt::sim_point_now(), timeout));
}

ContextAnd<CancelFunc> with_deadline_cause(const Context& parent, TimePoint deadline, Error cause) {
  auto [context, node] = make_child(parent, deadline);
  node->set_deadline_cause(std::make_shared<const Error>(std::move(cause)));
  return {std::move(context), CancelFunc(std::move(node))};
}

ContextAnd<CancelFunc> with_timeout_cause(const Context& parent, std::chrono::nanoseconds timeout,
                                          Error cause) {
  return with_deadline_cause(parent, after_delay(rt::sim_point_now(), timeout), std::move(cause));
}

Context without_cancel(const Context& parent) {
  return Context(make_ref<ContextNode>(parent.context_node(), nullptr));
}

}  // namespace degu
