// Accounts and sessions.
#pragma once

#include <degu/store/database.h>
#include <shop/proto/user.degu.h>
#include <shop/user/password.h>
#include <shop/user/token.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace shop::user {

struct UserDeps {
  std::string database_path;
  std::string secret_path;  // the key that signs tokens; made at the first start
  degu::store::Synchronous synchronous = degu::store::Synchronous::kFull;
  PasswordCost password_cost;
  int parallel_hashes = 0;  // how many passwords are hashed at once; 0: as many as there are CPUs
  TokenOptions tokens;
};

/// The service and its life. Goroutine-safe. Lists and single users come from memory, read once from the
/// database. A password costs CPU and memory on purpose: such calls wait for one of `parallel_hashes` places,
/// and the end of their context ends that wait.
class UserComponent : public v1::UserService {
 public:
  virtual void start() = 0;
  /// Closes the database. Idempotent.
  virtual void stop(std::chrono::nanoseconds grace) = 0;

  /// Opens the account unless the address has one. Returns whether it is new.
  virtual bool ensure_user(const std::string& name, const std::string& email,
                           const std::string& password) = 0;
};

/// Opens the database, making or migrating it, and loads or makes the key. Throws degu::Error.
std::shared_ptr<UserComponent> make_user_service(UserDeps deps);

struct NewUser {
  std::string name;
  std::string email;
  std::string password_hash;
};

/// Adds users in one transaction; addresses that have an account are left alone. Returns how many were new. A
/// running service does not see them until it is started again.
int64_t add_users(const std::string& database_path, const std::vector<NewUser>& users);

}  // namespace shop::user
