// lock_os_thread, unlock_os_thread: a goroutine that keeps its thread. After Go's runtime.LockOSThread.
#pragma once

namespace degu {

/// The calling goroutine runs on its present thread only, and nothing else runs there, until unlock_os_thread() was
/// called as often. For what belongs to a thread: namespaces and capabilities of Linux, graphics, libraries that keep
/// state in thread-locals across calls. Each wait of such a goroutine costs two switches of threads, and the thread
/// counts towards RunOptions::max_threads while it waits. A goroutine that ends without unlocking ends its thread.
/// Does not wait. No effect on a foreign thread, nor in a simulation, which has but one thread.
void lock_os_thread() noexcept;

/// Takes back one lock_os_thread(); without one, does nothing.
void unlock_os_thread() noexcept;

/// Keeps the calling goroutine on its thread for as long as it exists. To be destroyed by the goroutine that made it.
class OsThreadLock {
 public:
  OsThreadLock() noexcept { lock_os_thread(); }
  ~OsThreadLock() { unlock_os_thread(); }
  OsThreadLock(const OsThreadLock&) = delete;
  OsThreadLock& operator=(const OsThreadLock&) = delete;
};

}  // namespace degu
