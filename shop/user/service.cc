#include <degu/base/cpu.h>
#include <degu/base/error.h>
#include <degu/rpc/call.h>
#include <degu/rt/run.h>
#include <degu/store/wall_clock.h>
#include <degu/sync/semaphore.h>
#include <fmt/format.h>
#include <shop/user/service.h>
#include <shop/user/user_cache.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

namespace shop::user {
namespace {

using degu::Code;
using degu::Error;
using degu::store::Database;
using degu::store::Snapshot;
using degu::store::Transaction;

constexpr std::size_t kDefaultPage = 10;

const std::vector<degu::store::Migration>& migrations() {
  static const std::vector<degu::store::Migration> list = {{1, "users", R"sql(
CREATE TABLE users(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL,
  email TEXT NOT NULL UNIQUE COLLATE NOCASE,
  password_hash TEXT NOT NULL,
  created_ms INTEGER NOT NULL
) STRICT;
)sql"}};
  return list;
}

std::unique_ptr<Database> open(const std::string& path, degu::store::Synchronous synchronous) {
  return Database::open(path, {.migrations = migrations(), .synchronous = synchronous});
}

// The new user's number, or nothing when the address is taken.
std::optional<int64_t> insert(Transaction& tx, const NewUser& user, int64_t created_ms) {
  const int64_t rows = tx.exec(
      "INSERT INTO users(name, email, password_hash, created_ms) VALUES(?, ?, ?, ?) ON CONFLICT(email) DO "
      "NOTHING",
      user.name, user.email, user.password_hash, created_ms);
  if (rows == 0) return std::nullopt;
  return tx.last_insert_id();
}

std::optional<int64_t> number_of(std::string_view text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 1) return std::nullopt;
  return number;
}

struct Account {
  int64_t id = 0;
  std::string hash;
};

class Users final : public UserComponent {
 public:
  explicit Users(UserDeps deps)
      : deps_(std::move(deps)),
        database_(open(deps_.database_path, deps_.synchronous)),
        tokens_(degu::blocking([&] { return load_or_make_secret(deps_.secret_path); }), deps_.tokens),
        hashing_(deps_.parallel_hashes > 0 ? deps_.parallel_hashes : std::max(1, degu::available_cpus())) {
    database_->read([&](Snapshot& snapshot) {
      auto rows = snapshot.query("SELECT id, name, email, created_ms FROM users ORDER BY id");
      while (const auto row = rows.next()) {
        cache_.add(UserCache::make_entry(row->get<int64_t>(0), row->get<std::string>(1),
                                         row->get<std::string>(2), row->get<int64_t>(3)));
      }
    });
  }

  void start() override {}
  void stop(std::chrono::nanoseconds) override { database_->close(); }

  v1::User create_user(const v1::CreateUserRequest& request) override {
    auto user = account_of(request.email) ? std::nullopt
                                          : open_account(request.name, request.email, request.password);
    if (!user) throw Error(Code::kAlreadyExists, "this e-mail address has an account already");
    return *std::move(user);
  }

  bool ensure_user(const std::string& name, const std::string& email, const std::string& password) override {
    if (account_of(email)) return false;
    return open_account(name, email, password).has_value();
  }

  v1::ListUsersResponse list_users(const v1::ListUsersRequest& request) override {
    int64_t after = 0;
    if (!request.page_token.empty()) {
      const auto number = number_of(request.page_token);
      if (!number) {
        throw Error(Code::kInvalidArgument, "the request has invalid fields",
                    {{"pageToken", "is not a token that a list has given out"}});
      }
      after = *number;
    }
    return cache_.page(after,
                       request.page_size > 0 ? static_cast<std::size_t>(request.page_size) : kDefaultPage);
  }

  v1::User get_user(const v1::GetUserRequest& request) override {
    const bool self = degu::rpc::metadata().get("x-user-id") == request.id;
    const auto number = number_of(request.id);
    auto user = number ? cache_.find(*number, self) : std::nullopt;
    if (!user) throw Error(Code::kNotFound, fmt::format("no user {}", request.id));
    return *std::move(user);
  }

  v1::Session create_session(const v1::CreateSessionRequest& request) override {
    const std::optional<Account> account = account_of(request.email);
    // An unknown address costs as much time as a wrong password, so that the time does not tell which it was.
    const bool fits = hashing([&] {
      if (!account) hash_password(request.password, deps_.password_cost);
      return account && check_password(request.password, account->hash);
    });
    auto user = fits ? cache_.find(account->id, true) : std::nullopt;
    if (!user) throw Error(Code::kUnauthenticated, "the e-mail address or the password is wrong");
    Token token = tokens_.issue(user->id, degu::store::wall_ms() / 1000);
    v1::Session session;
    session.token = std::move(token.text);
    session.expires_at = degu::rpc::Timestamp(std::chrono::seconds(token.expires_at));
    session.user = std::move(user);
    return session;
  }

  v1::VerifyTokenResponse verify_token(const v1::VerifyTokenRequest& request) override {
    Claims claims = tokens_.verify(request.token, degu::store::wall_ms() / 1000);
    v1::VerifyTokenResponse response;
    response.user_id = std::move(claims.subject);
    response.expires_at = degu::rpc::Timestamp(std::chrono::seconds(claims.expires_at));
    return response;
  }

 private:
  // Runs `body`, which hashes a password, when there is a place for it.
  template <class F>
  auto hashing(F body) -> decltype(body()) {
    const auto permit = hashing_.hold();
    return degu::blocking(body);
  }

  std::optional<Account> account_of(const std::string& email) {
    return database_->read([&](Snapshot& snapshot) -> std::optional<Account> {
      auto rows = snapshot.query("SELECT id, password_hash FROM users WHERE email = ?", email);
      const auto row = rows.next();
      if (!row) return std::nullopt;
      return Account{row->get<int64_t>(0), row->get<std::string>(1)};
    });
  }

  std::optional<v1::User> open_account(const std::string& name, const std::string& email,
                                       const std::string& password) {
    NewUser user{name, email, {}};
    user.password_hash = hashing([&] { return hash_password(password, deps_.password_cost); });
    const int64_t now = degu::store::wall_ms();
    const auto id = database_->write([&](Transaction& tx) { return insert(tx, user, now); });
    if (!id) return std::nullopt;
    cache_.add(UserCache::make_entry(*id, name, email, now));
    return cache_.find(*id, true);
  }

  const UserDeps deps_;
  const std::unique_ptr<Database> database_;
  const TokenAuthority tokens_;
  degu::Semaphore hashing_;
  UserCache cache_;
};

}  // namespace

std::shared_ptr<UserComponent> make_user_service(UserDeps deps) {
  return std::make_shared<Users>(std::move(deps));
}

int64_t add_users(const std::string& database_path, const std::vector<NewUser>& users) {
  const auto database = open(database_path, degu::store::Synchronous::kNormal);
  const int64_t now = degu::store::wall_ms();
  return database->write([&](Transaction& tx) {
    int64_t added = 0;
    for (const NewUser& user : users) added += insert(tx, user, now) ? 1 : 0;
    return added;
  });
}

}  // namespace shop::user
