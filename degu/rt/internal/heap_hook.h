// Where degu::heap_profiler, linked into some programs only, is asked for its profile.
#pragma once

#include <degu/rt/profile.h>

namespace degu::rt {

void set_heap_source(Profile (*source)()) noexcept;

}  // namespace degu::rt
