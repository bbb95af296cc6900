// Notifications: what customers are told about their orders.
#pragma once

#include <degu/store/database.h>
#include <shop/proto/notification.degu.h>

#include <chrono>
#include <memory>
#include <string>

namespace shop::notification {

struct NotificationDeps {
  std::string database_path;
  degu::store::Synchronous synchronous = degu::store::Synchronous::kFull;
};

/// The service and its life. Goroutine-safe.
class NotificationComponent : public v1::NotificationService {
 public:
  virtual void start() = 0;
  /// Closes the database; calls fail afterwards. Idempotent.
  virtual void stop(std::chrono::nanoseconds grace) = 0;
};

/// Opens the database, making or migrating it. Throws degu::Error.
std::shared_ptr<NotificationComponent> make_notification_service(NotificationDeps deps);

}  // namespace shop::notification
