#include <degu/base/error.h>
#include <degu/base/random.h>
#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <shop/user/base64url.h>
#include <shop/user/password.h>

#include <array>
#include <charconv>
#include <cstddef>
#include <optional>
#include <span>

namespace shop::user {
namespace {

constexpr std::size_t kSaltBytes = 16;
constexpr std::size_t kHashBytes = 32;
constexpr uint64_t kMaxMemory = 256ULL * 1024 * 1024;
constexpr std::string_view kPrefix = "$scrypt$ln=";

uint64_t memory_of(const PasswordCost& cost) {
  return (uint64_t{1} << cost.log_n) * cost.block * 128 + uint64_t{cost.parallel} * cost.block * 128;
}

bool is_fit(const PasswordCost& cost) {
  return cost.log_n >= 1 && cost.log_n <= 24 && cost.block >= 1 && cost.block <= 64 && cost.parallel >= 1 &&
         cost.parallel <= 16 && memory_of(cost) <= kMaxMemory;
}

std::string derive(std::string_view password, std::string_view salt, const PasswordCost& cost) {
  std::string out(kHashBytes, '\0');
  // OpenSSL's own limit counts a little more than the two tables.
  const int done =
      EVP_PBE_scrypt(password.data(), password.size(), reinterpret_cast<const unsigned char*>(salt.data()),
                     salt.size(), uint64_t{1} << cost.log_n, cost.block, cost.parallel,
                     memory_of(cost) + 1024 * 1024, reinterpret_cast<unsigned char*>(out.data()), out.size());
  if (done != 1) throw degu::Error(degu::Code::kInternal, "scrypt refuses its parameters");
  return out;
}

// Reads a number and the text after it.
bool take(std::string_view& text, uint32_t& number, std::string_view after) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (!text.starts_with(after)) return false;
  text.remove_prefix(after.size());
  return true;
}

}  // namespace

std::string hash_password(std::string_view password, PasswordCost cost) {
  if (!is_fit(cost)) throw degu::Error(degu::Code::kInvalidArgument, "this password cost is out of range");
  std::array<char, kSaltBytes> salt{};
  degu::secure_random(std::as_writable_bytes(std::span(salt)));
  const std::string_view salted(salt.data(), salt.size());
  return fmt::format("{}{},r={},p={}${}${}", kPrefix, cost.log_n, cost.block, cost.parallel,
                     to_base64url(salted), to_base64url(derive(password, salted, cost)));
}

bool check_password(std::string_view password, std::string_view hash) {
  if (!hash.starts_with(kPrefix)) return false;
  std::string_view rest = hash.substr(kPrefix.size());
  PasswordCost cost;
  if (!take(rest, cost.log_n, ",r=") || !take(rest, cost.block, ",p=") || !take(rest, cost.parallel, "$"))
    return false;
  if (!is_fit(cost)) return false;
  const std::size_t dollar = rest.find('$');
  if (dollar == std::string_view::npos) return false;
  const std::optional<std::string> salt = from_base64url(rest.substr(0, dollar));
  const std::optional<std::string> expected = from_base64url(rest.substr(dollar + 1));
  if (!salt || !expected || expected->size() != kHashBytes) return false;
  const std::string derived = derive(password, *salt, cost);
  return CRYPTO_memcmp(derived.data(), expected->data(), kHashBytes) == 0;
}

}  // namespace shop::user
