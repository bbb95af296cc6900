// UniqueFunction: a move-only std::function with 48 bytes of storage in place.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace degu {

template <class Signature>
class UniqueFunction;

/// Owns any callable, move-only ones too. Callables up to 48 bytes that move without throwing live in place;
/// larger ones cost one allocation. Calling an empty one is undefined (asserted by the caller). Not
/// thread-safe.
template <class R, class... Args>
class UniqueFunction<R(Args...)> {
 public:
  UniqueFunction() noexcept = default;
  UniqueFunction(std::nullptr_t) noexcept {}

  template <class F>
  requires(!std::is_same_v<std::decay_t<F>, UniqueFunction> &&
           std::is_invocable_r_v<R, std::decay_t<F>&, Args...>)
      UniqueFunction(F&& callable) {  // implicit, as std::function's
    using Callable = std::decay_t<F>;
    if constexpr (kInPlace<Callable>) {
      ::new (static_cast<void*>(storage_)) Callable(std::forward<F>(callable));
      ops_ = &kOps<Callable>;
    } else {
      using Box = std::unique_ptr<Callable>;
      ::new (static_cast<void*>(storage_)) Box(std::make_unique<Callable>(std::forward<F>(callable)));
      ops_ = &kBoxedOps<Callable>;
    }
  }

  UniqueFunction(UniqueFunction&& other) noexcept { take(other); }
  UniqueFunction& operator=(UniqueFunction&& other) noexcept {
    if (this != &other) {
      reset();
      take(other);
    }
    return *this;
  }
  UniqueFunction(const UniqueFunction&) = delete;
  UniqueFunction& operator=(const UniqueFunction&) = delete;
  ~UniqueFunction() { reset(); }

  explicit operator bool() const noexcept { return ops_ != nullptr; }

  R operator()(Args... args) const { return ops_->call(storage_, std::forward<Args>(args)...); }

  /// Destroys the callable; the function is empty afterwards.
  void reset() noexcept {
    if (ops_ != nullptr) {
      const Ops* ops = std::exchange(ops_, nullptr);
      ops->destroy(storage_);
    }
  }

 private:
  static constexpr std::size_t kCapacity = 48;

  struct Ops {
    R (*call)(void* storage, Args&&... args);
    void (*move)(void* from, void* to) noexcept;  // constructs at `to`, destroys at `from`
    void (*destroy)(void* storage) noexcept;
  };

  template <class Callable>
  static constexpr bool kInPlace =
      sizeof(Callable) <= kCapacity &&
      alignof(Callable) <= alignof(std::max_align_t) && std::is_nothrow_move_constructible_v<Callable>;

  template <class Callable>
  static R invoke(Callable& callable, Args&&... args) {
    if constexpr (std::is_void_v<R>) {
      callable(std::forward<Args>(args)...);
    } else {
      return callable(std::forward<Args>(args)...);
    }
  }

  template <class Callable>
  static constexpr Ops kOps{
      [](void* storage, Args&&... args) -> R {
        return invoke(*static_cast<Callable*>(storage), std::forward<Args>(args)...);
      },
      [](void* from, void* to) noexcept {
        auto* source = static_cast<Callable*>(from);
        ::new (to) Callable(std::move(*source));
        source->~Callable();
      },
      [](void* storage) noexcept { static_cast<Callable*>(storage)->~Callable(); },
  };

  template <class Callable>
  static constexpr Ops kBoxedOps{
      [](void* storage, Args&&... args) -> R {
        return invoke(**static_cast<std::unique_ptr<Callable>*>(storage), std::forward<Args>(args)...);
      },
      [](void* from, void* to) noexcept {
        auto* source = static_cast<std::unique_ptr<Callable>*>(from);
        ::new (to) std::unique_ptr<Callable>(std::move(*source));
        std::destroy_at(source);
      },
      [](void* storage) noexcept { std::destroy_at(static_cast<std::unique_ptr<Callable>*>(storage)); },
  };

  void take(UniqueFunction& other) noexcept {
    if (other.ops_ != nullptr) {
      ops_ = std::exchange(other.ops_, nullptr);
      ops_->move(other.storage_, storage_);
    }
  }

  const Ops* ops_ = nullptr;
  alignas(std::max_align_t) mutable std::byte storage_[kCapacity];
};

}  // namespace degu
