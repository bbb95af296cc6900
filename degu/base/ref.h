// Ref and RefCounted: intrusive shared ownership in one word.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

namespace degu {

/// Base of objects owned by `Ref<T>`: `class Node : public RefCounted<Node>`. The count starts at zero; the
/// first Ref makes it one. Thread-safe. T needs an accessible destructor (virtual when T is a base).
template <class T>
class RefCounted {
 public:
  RefCounted() noexcept = default;
  RefCounted(const RefCounted&) = delete;
  RefCounted& operator=(const RefCounted&) = delete;

  void ref() const noexcept { count_.fetch_add(1, std::memory_order_relaxed); }
  /// As ref(), while only the caller knows the object: no atomic exchange.
  void ref_unshared() const noexcept {
    count_.store(count_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  void unref() const noexcept {
    // acquire: the last owner sees every write the others made before they let go. Whose count is the only one needs no
    // exchange: nobody is left who could add one.
    if (count_.load(std::memory_order_acquire) == 1 || count_.fetch_sub(1, std::memory_order_acq_rel) == 1)
      delete static_cast<const T*>(this);
  }
  /// For diagnostics and tests only: stale as soon as it is read.
  uint32_t ref_count() const noexcept { return count_.load(std::memory_order_relaxed); }

 protected:
  ~RefCounted() = default;

 private:
  mutable std::atomic<uint32_t> count_{0};
};

/// A counted pointer to a RefCounted object; null by default. One Ref is not thread-safe, the count is.
template <class T>
class Ref {
 public:
  Ref() noexcept = default;
  Ref(std::nullptr_t) noexcept {}
  explicit Ref(T* object) noexcept : object_(object) {
    if (object_ != nullptr) object_->ref();
  }
  Ref(const Ref& other) noexcept : Ref(other.object_) {}
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  template <class U>
  requires(!std::is_same_v<U, T> && std::is_convertible_v<U*, T*>) Ref(Ref<U> other)
  noexcept : object_(other.release()) {}
  Ref& operator=(Ref other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Ref() {
    if (object_ != nullptr) object_->unref();
  }

  T* get() const noexcept { return object_; }
  T* operator->() const noexcept { return object_; }
  T& operator*() const noexcept { return *object_; }
  explicit operator bool() const noexcept { return object_ != nullptr; }
  friend bool operator==(const Ref& a, const Ref& b) noexcept { return a.object_ == b.object_; }

  /// Gives the pointer and its count away.
  T* release() noexcept { return std::exchange(object_, nullptr); }
  /// Takes over a pointer whose count the caller gives away.
  static Ref adopt(T* object) noexcept {
    Ref r;
    r.object_ = object;
    return r;
  }

 private:
  T* object_ = nullptr;
};

template <class T, class... Args>
Ref<T> make_ref(Args&&... args) {
  T* object = new T(std::forward<Args>(args)...);
  object->ref_unshared();
  return Ref<T>::adopt(object);
}

}  // namespace degu
