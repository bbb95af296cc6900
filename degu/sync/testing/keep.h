// keep: objects for goroutines that never end.
#pragma once

#include <memory>
#include <utility>
#include <vector>

namespace degu::testing {

/// An object that lives as long as the process, for goroutines that a test leaves behind: they refer to it when they
/// are abandoned, and its destructor (which may wait) never runs. Not thread-safe: called by one thread at a time.
template <class T, class... Args>
T& keep(Args&&... args) {
  static auto* all = new std::vector<T*>;
  all->push_back(new T(std::forward<Args>(args)...));
  return *all->back();
}

}  // namespace degu::testing
