// What the Boost.Fiber twins share. One thread: with its work stealing over two, the second did next to nothing when this
// was tried, and only unpooled stacks are safe there. So read these figures against Go with one P.
#pragma once

#include <boost/fiber/all.hpp>
#include <cstddef>
#include <utility>

#include "../degu/report.h"

namespace bench {

inline constexpr std::size_t kStackBytes = 8 * 1024;

/// A fiber with a pooled stack that is queued, not entered at once.
template <class F>
boost::fibers::fiber spawn(F&& body) {
  static boost::fibers::pooled_fixedsize_stack stacks(kStackBytes);
  return boost::fibers::fiber(boost::fibers::launch::post, std::allocator_arg, stacks, std::forward<F>(body));
}

}  // namespace bench
