#include <degu/base/error.h>
#include <degu/base/time.h>
#include <degu/net/internal/ticket_keys.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <utility>

namespace degu::net::internal {
namespace {

constexpr std::string_view kPurpose = "degu session tickets";

int64_t period_now() noexcept {
  return std::chrono::duration_cast<std::chrono::hours>(wall_now().time_since_epoch()) / TicketKeys::kPeriod;
}

OSSL_PARAM octets(const char* name, std::string_view bytes) noexcept {
  return OSSL_PARAM_construct_octet_string(name, const_cast<char*>(bytes.data()), bytes.size());
}

}  // namespace

TicketKeys::TicketKeys(std::string secret) : secret_(std::move(secret)) {
  if (secret_.size() < kMinSecretBytes)
    throw Error(Code::kInvalidArgument, "TLS: the secret for tickets needs 32 bytes");
}

bool TicketKeys::derive(int64_t period, Key& into) const noexcept {
  std::array<char, kPurpose.size() + 8> info;
  const auto end = std::copy(kPurpose.begin(), kPurpose.end(), info.begin());
  for (int i = 0; i < 8; ++i) end[i] = static_cast<char>(static_cast<uint64_t>(period) >> (56 - 8 * i));
  const std::unique_ptr<EVP_KDF, decltype(&EVP_KDF_free)> kdf(EVP_KDF_fetch(nullptr, "HKDF", nullptr),
                                                              &EVP_KDF_free);
  const std::unique_ptr<EVP_KDF_CTX, decltype(&EVP_KDF_CTX_free)> context(EVP_KDF_CTX_new(kdf.get()),
                                                                          &EVP_KDF_CTX_free);
  char digest[] = "SHA256";
  const std::array<OSSL_PARAM, 4> params{
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, static_cast<char*>(digest), 0),
      octets(OSSL_KDF_PARAM_KEY, secret_), octets(OSSL_KDF_PARAM_INFO, {info.data(), info.size()}),
      OSSL_PARAM_construct_end()};
  std::array<unsigned char, 80> out;
  const bool made =
      context != nullptr && EVP_KDF_derive(context.get(), out.data(), out.size(), params.data()) == 1;
  auto take = [at = out.begin()](auto& key) mutable {
    std::copy_n(at, key.size(), key.begin());
    at += static_cast<std::ptrdiff_t>(key.size());
  };
  take(into.name);
  take(into.cipher);
  take(into.mac);
  OPENSSL_cleanse(out.data(), out.size());
  return made;
}

std::optional<TicketKeys::Keys> TicketKeys::keys() noexcept {
  Keys fresh;
  fresh.period = period_now();
  {
    const std::lock_guard guard(lock_);
    if (kept_.period == fresh.period) return kept_;
  }
  for (std::size_t i = 0; i < fresh.keys.size(); ++i) {
    if (!derive(fresh.period - 1 + static_cast<int64_t>(i), fresh.keys[i])) return std::nullopt;
  }
  const std::lock_guard guard(lock_);
  kept_ = fresh;
  return fresh;
}

std::optional<TicketKeys::Key> TicketKeys::current() noexcept {
  const std::optional<Keys> all = keys();
  return all ? std::optional(all->keys[1]) : std::nullopt;
}

std::optional<TicketKeys::Found> TicketKeys::find(std::span<const unsigned char, 16> name) noexcept {
  const std::optional<Keys> all = keys();
  if (!all) return std::nullopt;
  for (std::size_t i = 0; i < all->keys.size(); ++i) {
    const Key& key = all->keys[i];
    if (std::equal(name.begin(), name.end(), key.name.begin())) return Found{key, i == 1};
  }
  return std::nullopt;
}

}  // namespace degu::net::internal
