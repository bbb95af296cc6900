// Generator<T>: values made one by one by a function that runs only when the next one is asked for. Go's
// iter.Pull.
//
//   degu::Generator<int> squares([](auto& yield) {
//     for (int i = 0; yield(i * i); ++i) {}
//   });
//   squares.next();                                    // 0
//   for (int square : squares) if (square > 100) break;
//   squares.stop();                                    // the end of `squares` does it too
#pragma once

#include <degu/base/error.h>
#include <degu/base/function.h>
#include <degu/rt/coro.h>

#include <concepts>
#include <cstddef>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace degu {

/// The producer runs on a stack of its own, as part of the goroutine (or foreign thread) that calls next():
/// what it waits for, next() waits for. Its context is the one that was current where the generator was made.
/// Of one goroutine at a time; several may take turns. Costs an allocation and a pooled stack. Only moves.
template <class T>
class Generator {
  static_assert(std::is_object_v<T> && !std::is_const_v<T>, "Generator<T>: T must be a plain object type");
  class State;

 public:
  /// What the producer gets.
  class Yield {
   public:
    /// Hands a value over and returns when the next one is asked for. False: no more are wanted: return.
    /// Called again after that it throws Error(kFailedPrecondition).
    [[nodiscard]] bool operator()(T&& value) { return state_.yield(std::addressof(value)); }
    [[nodiscard]] bool operator()(const T& value) requires std::is_copy_constructible_v<T> {
      T copy(value);
      return state_.yield(std::addressof(copy));
    }

   private:
    friend class Generator;
    explicit Yield(State& state) noexcept : state_(state) {}
    State& state_;
  };

  /// `producer` is called with a Yield&, at the first next(). `stack_bytes` as in GoOptions.
  template <std::invocable<Yield&> F>
  explicit Generator(F&& producer, std::size_t stack_bytes = 0)
      : state_(std::make_unique<State>(std::forward<F>(producer), stack_bytes)) {}
  Generator(Generator&&) noexcept = default;
  Generator& operator=(Generator&& other) noexcept {
    if (this != &other) {
      drop();
      state_ = std::move(other.state_);
    }
    return *this;
  }
  /// stop(); an exception that leaves the producer meanwhile is lost.
  ~Generator() { drop(); }

  /// The next value; nullopt when the producer has returned or stop() was called. Rethrows what the producer
  /// throws: that ends it. Throws Error(kFailedPrecondition) when the producer itself calls it.
  std::optional<T> next() { return state_->next(); }

  /// Lets the yield() in which the producer is return false, and waits until the producer has returned, so
  /// that what it holds is released; rethrows what it throws. A producer that has not begun never does.
  void stop() { state_->stop(); }

  /// `for (T& value : generator)`: what is left. A loop that is left early may be followed by another.
  class Iterator {
   public:
    explicit Iterator(Generator& generator) : generator_(generator), value_(generator.next()) {}
    T& operator*() noexcept { return *value_; }
    Iterator& operator++() {
      value_.reset();
      if (std::optional<T> next = generator_.next()) value_.emplace(std::move(*next));
      return *this;
    }
    bool operator==(std::nullptr_t) const noexcept { return !value_.has_value(); }

   private:
    Generator& generator_;
    std::optional<T> value_;
  };
  Iterator begin() { return Iterator(*this); }
  std::nullptr_t end() const noexcept { return nullptr; }

 private:
  class State {
   public:
    template <class F>
    State(F&& producer, std::size_t stack_bytes)
        : producer_(std::forward<F>(producer)),
          coro_([](void* self) { static_cast<State*>(self)->run(); }, this, stack_bytes) {}

    std::optional<T> next() {
      check_outside();
      if (stopped_ || coro_.ended()) return std::nullopt;
      value_ = nullptr;
      coro_.resume();
      if (value_ == nullptr) return std::nullopt;
      return std::optional<T>(std::move(*value_));
    }

    void stop() {
      check_outside();
      if (std::exchange(stopped_, true) || coro_.ended()) return;
      if (coro_.started()) {
        coro_.resume();
      } else {
        producer_.reset();
      }
    }

    bool yield(T* value) {
      if (stopped_) {
        throw Error(Code::kFailedPrecondition, "Generator: yield() after it returned false; return instead");
      }
      value_ = value;
      coro_.suspend();
      return !stopped_;
    }

   private:
    void run() {
      Yield yield(*this);
      const UniqueFunction<void(Yield&)> producer = std::move(producer_);  // destroyed on its own stack
      producer(yield);
    }
    void check_outside() const {
      if (coro_.running()) {
        throw Error(Code::kFailedPrecondition, "Generator: next() or stop() called by its own producer");
      }
    }

    UniqueFunction<void(Yield&)> producer_;
    T* value_ = nullptr;  // on the producer's stack
    bool stopped_ = false;
    rt::Coro coro_;
  };

  void drop() noexcept {
    if (!state_) return;
    try {
      state_->stop();
    } catch (...) {
    }
    state_.reset();
  }

  std::unique_ptr<State> state_;
};

}  // namespace degu
