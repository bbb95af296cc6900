// AdminPort: the debug pages (export/admin.h) on a port of their own.
#pragma once

#include <cstdint>
#include <memory>

namespace degu::app::internal {

/// Serves from construction to destruction, on 127.0.0.1 only; requests still running at the end are cancelled.
/// In a goroutine.
class AdminPort {
 public:
  /// Port 0: none. When the port is taken: throws Error(kAlreadyExists) if it is `required`; otherwise says so in
  /// the log and goes without, since several programs with the same default may run.
  AdminPort(uint16_t port, bool required);
  AdminPort(const AdminPort&) = delete;
  AdminPort& operator=(const AdminPort&) = delete;
  ~AdminPort();

 private:
  struct Serving;
  std::unique_ptr<Serving> serving_;
};

}  // namespace degu::app::internal
