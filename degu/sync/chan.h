// Chan<T>: Go's channel. Its rules are those of the Go specification ("Channel types", "Send statements",
// "Receive operator", "Close"), with exceptions where Go panics.
//
//   auto lines = degu::make_chan<std::string>(3);
//   degu::go([lines] { lines.send("hello"); lines.close(); });
//   for (auto& line : lines) use(line);            // until closed and drained
#pragma once

#include <degu/sync/internal/chan_core.h>

#include <cstddef>
#include <memory>
#include <new>
#include <optional>
#include <type_traits>
#include <utility>

namespace degu {

template <class T, bool kSend, bool kRecv>
class BasicChan;

/// A handle on a channel of T: cheap to copy, copies share one channel, the last one frees it and the
/// elements left in it. One handle may not be assigned and used at once, the channel behind it may be used by
/// everybody, foreign threads too. A default-constructed handle is nil: sending and receiving wait for ever
/// (until the context ends), closing throws.
///
/// T may be move-only and over-aligned. Elements of types whose move constructor may throw are boxed (one
/// allocation an element); the others are moved while the channel is locked, so a move constructor must not
/// use the channel nor block.
template <class T>
using Chan = BasicChan<T, true, true>;

/// The end of a channel that only sends (chan<- T), and the one that only receives (<-chan T). A Chan
/// converts to both.
template <class T>
using SendChan = BasicChan<T, true, false>;
template <class T>
using RecvChan = BasicChan<T, false, true>;

/// Makes a channel that buffers `capacity` elements. 0: unbuffered, a send waits for its receiver. Allocates
/// once; memory for the buffer is reserved at once. Throws Error(kInvalidArgument) if the capacity cannot be
/// had.
template <class T>
Chan<T> make_chan(std::size_t capacity = 0);

namespace sync_internal {

/// Owns one element on the heap, for types that cannot be moved safely under a lock.
template <class T>
class Box {
 public:
  explicit Box(T* value) noexcept : value_(value) {}
  Box(Box&& other) noexcept : value_(std::exchange(other.value_, nullptr)) {}
  Box& operator=(Box&&) = delete;
  ~Box() { delete value_; }
  T& operator*() const noexcept { return *value_; }

 private:
  T* value_;
};

template <class T>
inline constexpr bool kBoxed = !std::is_nothrow_move_constructible_v<T>;

/// What the channel stores for a T.
template <class T>
using Stored = std::conditional_t<kBoxed<T>, Box<T>, T>;

/// Room for an element that is received.
template <class T>
class Slot {
 public:
  void* address() noexcept { return bytes_; }

  /// The element, after the slot was filled; leaves the slot raw.
  std::optional<T> take() {
    struct Destroy {
      Stored<T>* stored;
      ~Destroy() { stored->~Stored<T>(); }
    };
    auto* stored = std::launder(reinterpret_cast<Stored<T>*>(bytes_));
    const Destroy destroy{stored};
    if constexpr (kBoxed<T>) {
      return std::optional<T>(std::in_place, std::move(**stored));
    } else {
      return std::optional<T>(std::in_place, std::move(*stored));
    }
  }

 private:
  alignas(Stored<T>) std::byte bytes_[sizeof(Stored<T>)];
};

/// What all channel handles share, whatever their type.
class ChanHandle {
 public:
  ChanHandle() noexcept = default;
  ChanHandle(const ChanHandle& other) noexcept : core_(other.core_) { chan_ref(core_); }
  ChanHandle(ChanHandle&& other) noexcept : core_(std::exchange(other.core_, nullptr)) {}
  ChanHandle& operator=(ChanHandle other) noexcept {
    std::swap(core_, other.core_);
    return *this;
  }
  ~ChanHandle() { chan_unref(core_); }

  /// Not nil.
  explicit operator bool() const noexcept { return core_ != nullptr; }
  /// Elements buffered now, and the most there can be; 0 for nil.
  std::size_t len() const noexcept {
    return core_ == nullptr ? 0 : core_->count.load(std::memory_order_acquire);
  }
  std::size_t cap() const noexcept { return core_ == nullptr ? 0 : core_->capacity; }

  ChanCore* core() const noexcept { return core_; }  // for select

 protected:
  explicit ChanHandle(ChanCore* adopted) noexcept : core_(adopted) {}

 private:
  ChanCore* core_ = nullptr;
};

struct RangeEnd {};

}  // namespace sync_internal

/// See Chan, SendChan and RecvChan. Handles compare equal when they share a channel.
///
/// Waiting: send() and recv() park the goroutine. The end of its current context ends the wait: they throw
/// Cancelled or DeadlineExceeded and have had no effect. An operation that need not wait does not look at the
/// context. Waiting senders, and waiting receivers, are served in the order in which they came.
template <class T, bool kSend, bool kRecv>
class BasicChan : public sync_internal::ChanHandle {
  static_assert(std::is_object_v<T> && !std::is_const_v<T> && !std::is_array_v<T>,
                "Chan<T>: T must be a plain object type");
  static_assert(std::is_move_constructible_v<T>, "Chan<T>: T must be movable");

 public:
  using value_type = T;

  BasicChan() noexcept = default;
  /// A direction of a channel that has both.
  template <class Both>
  requires(std::is_same_v<Both, BasicChan<T, true, true>> && !(kSend && kRecv)) BasicChan(const Both& both)
  noexcept : ChanHandle(both) {}

  /// Hands the value to a receiver or to the buffer; waits for room. Throws Error(kFailedPrecondition) when
  /// the channel is closed, before or during the wait.
  void send(T value) const requires kSend {
    if constexpr (sync_internal::kBoxed<T>) {
      sync_internal::Box<T> box(new T(std::move(value)));
      sync_internal::chan_send(core(), &box);
    } else {
      sync_internal::chan_send(core(), std::addressof(value));
    }
  }

  /// Sends if that needs no wait. False: it would have to wait (nil: always), and `value` is untouched.
  /// Throws as send().
  [[nodiscard]] bool try_send(T&& value) const requires kSend {
    if constexpr (sync_internal::kBoxed<T>) {
      return try_send_boxed(value);
    } else {
      return sync_internal::chan_try_send(core(), std::addressof(value));
    }
  }
  [[nodiscard]] bool try_send(const T& value) const requires(kSend&& std::is_copy_constructible_v<T>) {
    T copy(value);
    return try_send(std::move(copy));
  }

  /// Closes: no more sends; receivers get what is buffered, then nullopt. Wakes everybody who waits. Throws
  /// Error(kFailedPrecondition) if the channel is nil or closed already.
  void close() const requires kSend { sync_internal::chan_close(core()); }

  /// The next element; waits for one. nullopt: closed and drained.
  std::optional<T> recv() const requires kRecv {
    sync_internal::Slot<T> slot;
    if (!sync_internal::chan_recv(core(), slot.address())) return std::nullopt;
    return slot.take();
  }

  /// An element that is there now. nullopt: none is, or closed and drained, or nil; a select with otherwise()
  /// tells them apart.
  std::optional<T> try_recv() const requires kRecv {
    sync_internal::Slot<T> slot;
    if (sync_internal::chan_try_recv(core(), slot.address()) != sync_internal::Outcome::kDone)
      return std::nullopt;
    return slot.take();
  }

  /// `for (T& value : chan)` receives until closed and drained.
  class Iterator {
   public:
    explicit Iterator(const BasicChan& chan) : chan_(chan), value_(chan.recv()) {}
    T& operator*() noexcept { return *value_; }
    Iterator& operator++() {
      value_.reset();
      if (std::optional<T> next = chan_.recv()) value_.emplace(std::move(*next));
      return *this;
    }
    bool operator==(sync_internal::RangeEnd) const noexcept { return !value_.has_value(); }

   private:
    const BasicChan& chan_;
    std::optional<T> value_;
  };
  Iterator begin() const requires kRecv { return Iterator(*this); }
  sync_internal::RangeEnd end() const noexcept requires kRecv { return {}; }

  friend bool operator==(const BasicChan& a, const BasicChan& b) noexcept { return a.core() == b.core(); }

 private:
  template <class U>
  friend Chan<U> make_chan(std::size_t capacity);

  explicit BasicChan(sync_internal::ChanCore* adopted) noexcept : ChanHandle(adopted) {}

  // Copies into the box if moving might leave a torn value behind; else moves, and moves back if nobody takes
  // it.
  bool try_send_boxed(T& value) const {
    if (core() == nullptr || !core()->send_hint()) return false;
    sync_internal::Box<T> box(new T(std::move_if_noexcept(value)));
    if (sync_internal::chan_try_send(core(), &box)) return true;
    if constexpr (!std::is_copy_constructible_v<T>) value = std::move(*box);
    return false;
  }
};

template <class T>
Chan<T> make_chan(std::size_t capacity) {
  return Chan<T>(sync_internal::chan_make(sync_internal::kElementOps<sync_internal::Stored<T>>, capacity));
}

}  // namespace degu
