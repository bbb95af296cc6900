// What spawn() asks for a descriptor of its child, to be replaced in tests.
#pragma once

namespace degu::net::internal {

/// A pidfd, or -1 where the kernel has none.
using OpenPidfd = int (*)(int pid) noexcept;

/// Null: pidfd_open(2) again.
void set_pidfd_open_for_test(OpenPidfd fn) noexcept;

}  // namespace degu::net::internal
