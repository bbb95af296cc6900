#include <degu/base/error.h>
#include <degu/rpc/call.h>
#include <degu/store/sortable_id.h>
#include <degu/store/wall_clock.h>
#include <fmt/core.h>
#include <shop/notification/service.h>

#include <algorithm>
#include <utility>

namespace shop::notification {
namespace {

using degu::Code;
using degu::Error;
using degu::store::Database;
using degu::store::Row;
using degu::store::Snapshot;
using degu::store::Transaction;

constexpr const char* kSchema =
    "CREATE TABLE notifications("
    "id TEXT PRIMARY KEY, order_id TEXT NOT NULL, user_id TEXT NOT NULL, kind TEXT NOT NULL, message TEXT "
    "NOT NULL,"
    "idempotency_key TEXT NOT NULL UNIQUE, created_at_ms INTEGER NOT NULL, UNIQUE(order_id, kind)) STRICT;"
    "CREATE INDEX notifications_by_user ON notifications(user_id, id);";

constexpr int kDefaultPage = 20;
constexpr int kLargestPage = 100;

v1::Notification read_row(const Row& row) {
  v1::Notification notification;
  notification.id = row.get<std::string>(0);
  notification.order_id = row.get<std::string>(1);
  notification.kind = row.get<std::string>(2);
  notification.message = row.get<std::string>(3);
  notification.created_at = degu::rpc::Timestamp(std::chrono::milliseconds(row.get<int64_t>(4)));
  return notification;
}

class Notifications final : public NotificationComponent {
 public:
  explicit Notifications(const NotificationDeps& deps)
      : database_(Database::open(deps.database_path, {.migrations = {{1, "notifications", kSchema}},
                                                      .synchronous = deps.synchronous})) {}
  ~Notifications() override { stop({}); }

  v1::Notification notify(const v1::NotifyRequest& request) override {
    return database_->write([&](Transaction& tx) {
      tx.exec(
          "INSERT INTO notifications(id, order_id, user_id, kind, message, idempotency_key, created_at_ms)"
          " VALUES(?,?,?,?,?,?,?) ON CONFLICT DO NOTHING",
          degu::store::sortable_id(), request.order_id, request.user_id, request.kind, request.message,
          request.idempotency_key, degu::store::wall_ms());
      auto rows = tx.query(
          "SELECT id, order_id, kind, message, created_at_ms FROM notifications"
          " WHERE order_id=? AND kind=? AND user_id=? AND message=?",
          request.order_id, request.kind, request.user_id, request.message);
      const auto row = rows.next();
      if (!row) {
        throw Error(
            Code::kAlreadyExists,
            fmt::format("the key or the order {} has another notification of this kind", request.order_id));
      }
      return read_row(*row);
    });
  }

  v1::ListNotificationsResponse list_notifications(const v1::ListNotificationsRequest& request) override {
    const std::string user(degu::rpc::metadata().get("x-user-id"));
    if (user.empty()) throw Error(Code::kUnauthenticated, "log in to see your notifications");
    const int size = request.page_size <= 0 ? kDefaultPage : std::min(request.page_size, kLargestPage);
    return database_->read([&](Snapshot& snapshot) {
      // The token is the id of the last one shown; '~' sorts after every id.
      auto rows = snapshot.query(
          "SELECT id, order_id, kind, message, created_at_ms FROM notifications"
          " WHERE user_id=? AND id < ? ORDER BY id DESC LIMIT ?",
          user, request.page_token.empty() ? "~" : request.page_token, size + 1);
      v1::ListNotificationsResponse response;
      while (auto row = rows.next()) {
        if (std::ssize(response.notifications) == size) {
          response.next_page_token = response.notifications.back().id;
          break;
        }
        response.notifications.push_back(read_row(*row));
      }
      return response;
    });
  }

  void start() override {}
  void stop(std::chrono::nanoseconds) override { database_->close(); }

 private:
  std::unique_ptr<Database> database_;
};

}  // namespace

std::shared_ptr<NotificationComponent> make_notification_service(NotificationDeps deps) {
  return std::make_shared<Notifications>(deps);
}

}  // namespace shop::notification
