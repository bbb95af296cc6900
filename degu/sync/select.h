// select: waits for several channel operations at once and performs one of them.
//
//   degu::select(recv(jobs, [&](std::optional<Job> job) { ... }),      // nullopt: closed
//                send(results, result, [&] { ... }),
//                done(context, [&] { ... }),                           // see also: the current context,
//                below degu::after(1s, [&] { ... }));
#pragma once

#include <degu/base/time.h>
#include <degu/sync/chan.h>
#include <degu/sync/internal/select_core.h>

#include <chrono>
#include <memory>
#include <new>
#include <optional>
#include <type_traits>
#include <utility>

namespace degu {
namespace sync_internal {

struct NoHandler {
  template <class... Args>
  void operator()(Args&&...) const noexcept {}
};

struct CaseBase {
  CaseBase() noexcept = default;
  CaseBase(const CaseBase&) = delete;
  CaseBase& operator=(const CaseBase&) = delete;
};

template <class T, class F>
class RecvCase : public CaseBase {
  static constexpr bool kTakesOptional = std::is_invocable_v<F&, std::optional<T>>;
  static constexpr bool kTakesValue = std::is_invocable_v<F&, T>;
  static_assert(kTakesOptional || kTakesValue || std::is_invocable_v<F&>,
                "recv(chan, f): f takes std::optional<T>, T, or nothing");

 public:
  RecvCase(ChanCore* chan, F f) : chan_(chan), handler_(std::move(f)) {}

  static constexpr bool kIsChan = true;
  static constexpr bool kIsDefault = false;
  void fill(SelectCase& c) noexcept {
    if (chan_ == nullptr) return;
    c.kind = SelectCase::Kind::kRecv;
    c.chan = chan_;
    c.slot = slot_.address();
  }
  /// Performs the case if it is ready now.
  bool try_now(SelectCase& c) {
    if (chan_ == nullptr || !chan_->recv_hint()) return false;
    const Outcome outcome = chan_try_recv(chan_, slot_.address());
    c.ok = outcome == Outcome::kDone;
    return outcome != Outcome::kBlocked;
  }
  void run(const SelectCase& c) {
    std::optional<T> value = c.ok ? slot_.take() : std::nullopt;
    if constexpr (kTakesOptional) {
      handler_(std::move(value));
    } else if constexpr (kTakesValue) {
      if (value) handler_(*std::move(value));
    } else {
      handler_();
    }
  }
  void restore() noexcept {}

 private:
  ChanCore* chan_;
  F handler_;
  Slot<T> slot_;
};

// A value given as an rvalue of T stays where it is until the case is taken.
template <class T, class U, class F>
class SendCase : public CaseBase {
  static constexpr bool kInPlace = std::is_same_v<U, T> && !kBoxed<T>;
  static constexpr bool kMovesBack = std::is_same_v<U, T> && kBoxed<T> && !std::is_copy_constructible_v<T>;

 public:
  SendCase(ChanCore* chan, U&& value, F f)
      : chan_(chan), handler_(std::move(f)), value_(value), element_(make(std::forward<U>(value))) {}

  static constexpr bool kIsChan = true;
  static constexpr bool kIsDefault = false;
  void fill(SelectCase& c) noexcept {
    if (chan_ == nullptr) return;
    c.kind = SelectCase::Kind::kSend;
    c.chan = chan_;
    c.slot = slot();
  }
  bool try_now(SelectCase& c) {
    if (chan_ == nullptr || !chan_->send_hint()) return false;
    return c.ok = chan_try_send(chan_, slot());
  }
  void run(const SelectCase&) { handler_(); }
  /// Not taken: gives the value back.
  void restore() {
    if constexpr (kMovesBack) value_ = std::move(*element_);
  }

 private:
  using Element = std::conditional_t<kInPlace, T*, Stored<T>>;

  static Element make(U&& value) {
    if constexpr (kInPlace) {
      return std::addressof(value);
    } else if constexpr (kBoxed<T> && std::is_same_v<U, T>) {
      return Box<T>(new T(std::move_if_noexcept(value)));
    } else if constexpr (kBoxed<T>) {
      return Box<T>(new T(std::forward<U>(value)));
    } else {
      return T(std::forward<U>(value));
    }
  }
  void* slot() noexcept {
    if constexpr (kInPlace) {
      return element_;
    } else {
      return std::addressof(element_);
    }
  }

  ChanCore* chan_;
  F handler_;
  std::remove_reference_t<U>& value_;
  Element element_;
};

template <class F>
class DoneCase : public CaseBase {
 public:
  DoneCase(rt::CancelNode* node, F f) : node_(node), handler_(std::move(f)) {}
  static constexpr bool kIsChan = false;
  static constexpr bool kIsDefault = false;
  void fill(SelectCase& c) noexcept {
    if (node_ == nullptr) return;
    c.kind = SelectCase::Kind::kDone;
    c.node = node_;
  }
  void run(const SelectCase&) { handler_(); }
  void restore() noexcept {}

 private:
  rt::CancelNode* node_;
  F handler_;
};

/// A channel that gets the time once, at `when` (timer.cc).
RecvChan<TimePoint> chan_at(TimePoint when);

template <class F>
class AfterCase : public CaseBase {
 public:
  AfterCase(TimePoint deadline, F f) : deadline_(deadline), handler_(std::move(f)) {}
  static constexpr bool kIsChan = false;
  static constexpr bool kIsDefault = false;
  void fill(SelectCase& c) noexcept {
    c.kind = SelectCase::Kind::kAfter;
    c.deadline = deadline_;
  }
  void run(const SelectCase&) { handler_(); }
  void restore() noexcept {}
  operator RecvChan<TimePoint>() const requires std::is_same_v<F, NoHandler> { return chan_at(deadline_); }

 private:
  TimePoint deadline_;
  F handler_;
};

template <class F>
class DefaultCase : public CaseBase {
 public:
  explicit DefaultCase(F f) : handler_(std::move(f)) {}
  static constexpr bool kIsChan = false;
  static constexpr bool kIsDefault = true;
  void fill(SelectCase& c) noexcept { c.kind = SelectCase::Kind::kDefault; }
  bool try_now(SelectCase&) noexcept { return true; }
  void run(const SelectCase&) { handler_(); }
  void restore() noexcept {}

 private:
  F handler_;
};

template <class C>
concept IsCase = std::is_base_of_v<CaseBase, C>;

// One channel and otherwise(): a try operation, without a table of cases.
template <class First, class Second>
int select_try(First& first, Second& second) {
  SelectCase result;
  if constexpr (First::kIsDefault) {
    return 1 - select_try(second, first);
  } else {
    const bool taken = first.try_now(result);
    if (taken) {
      first.run(result);
      return 0;
    }
    first.restore();
    second.run(result);
    return 1;
  }
}

template <class... Cases>
int select_cases(SelectOrder order, Cases&... cases) {
  constexpr std::size_t kCount = sizeof...(Cases);
  static_assert((static_cast<int>(Cases::kIsDefault) + ... + 0) <= 1, "select: more than one otherwise()");
  static_assert(kCount < 1024, "select: too many cases");
  constexpr bool kIsTry =
      kCount == 2 && ((Cases::kIsDefault || Cases::kIsChan) && ...) && (Cases::kIsDefault || ...);
  if constexpr (kIsTry) {
    return select_try(cases...);
  } else {
    SelectCase table[kCount + 1];
    uint16_t orders[2 * kCount + 1];
    SelectScratch scratch[kCount + 1];
    [[maybe_unused]] std::size_t next = 0;
    (cases.fill(table[next++]), ...);
    const int taken = select_any(table, static_cast<uint16_t>(kCount), order, orders, scratch);
    // The values that were not sent are back before the handler runs.
    [[maybe_unused]] int index = 0;
    ((index++ == taken ? void() : cases.restore()), ...);
    index = 0;
    ((index++ == taken ? cases.run(table[taken]) : void()), ...);
    return taken;
  }
}

}  // namespace sync_internal

/// A case of select: ready when `chan` has an element, or is closed. The handler f takes
///  - std::optional<T>: nullopt says closed and drained, as v, ok := <-chan does; or
///  - T: called for elements only. The closed channel takes the case too, without a call; or
///  - nothing, or is left out: the element is dropped.
/// Cases are made in the call of select and live until it returns. A nil channel is never ready.
template <class T, bool kSend, class F = sync_internal::NoHandler>
[[nodiscard]] sync_internal::RecvCase<T, std::decay_t<F>> recv(const BasicChan<T, kSend, true>& chan,
                                                               F&& f = F{}) {
  return {chan.core(), std::forward<F>(f)};
}

/// A case of select: ready when `chan` takes an element, or is closed: then select throws, as send() does. An
/// rvalue is moved from only if the case is taken; an lvalue is copied beforehand.
template <class T, bool kRecv, class U, class F = sync_internal::NoHandler>
requires std::is_convertible_v<U&&, T>
[[nodiscard]] sync_internal::SendCase<T, U, std::decay_t<F>> send(const BasicChan<T, true, kRecv>& chan,
                                                                  U&& value, F&& f = F{}) {
  return {chan.core(), std::forward<U>(value), std::forward<F>(f)};
}

/// A case of select: ready when `context` (a Context, or anything with node()) has ended.
template <class C, class F = sync_internal::NoHandler>
requires requires(const C& c) { static_cast<rt::CancelNode*>(c.node()); }
[[nodiscard]] sync_internal::DoneCase<std::decay_t<F>> done(const C& context, F&& f = F{}) {
  return {context.node(), std::forward<F>(f)};
}

/// A case of select: ready `delay` from now. Channels that are ready go before a timer that is due. Without a
/// handler it also converts to a channel, RecvChan<TimePoint>, that gets the time once (timer.h).
template <class F = sync_internal::NoHandler>
[[nodiscard]] sync_internal::AfterCase<std::decay_t<F>> after(std::chrono::nanoseconds delay, F&& f = F{}) {
  return {after_delay(now(), delay), std::forward<F>(f)};
}

/// A case of select: taken when no other is ready, so that select does not wait. Go's default.
template <class F = sync_internal::NoHandler>
[[nodiscard]] sync_internal::DefaultCase<std::decay_t<F>> otherwise(F&& f = F{}) {
  return sync_internal::DefaultCase<std::decay_t<F>>(std::forward<F>(f));
}

/// Waits until one of the cases is ready, performs it, runs its handler and returns its index. Of several
/// that are ready each is taken with the same probability. Without cases, or with nil channels only, waits
/// for ever. The end of the current context ends the wait: if a done() case stands for it that one is taken,
/// else Cancelled or DeadlineExceeded is thrown and no case has had an effect. A select that need not wait
/// does not look at the current context. The handler runs in the caller, without locks; its exceptions pass
/// through. Throws Error(kFailedPrecondition) when the case taken sends on a closed channel. Allocates
/// nothing. A channel may be in several cases; a select never meets itself.
template <sync_internal::IsCase... Cases>
int select(Cases&&... cases) {
  return sync_internal::select_cases(sync_internal::SelectOrder::kRandom, cases...);
}

/// As select(), but of several cases that are ready the first is taken.
template <sync_internal::IsCase... Cases>
int select_ordered(Cases&&... cases) {
  return sync_internal::select_cases(sync_internal::SelectOrder::kFirst, cases...);
}

}  // namespace degu
