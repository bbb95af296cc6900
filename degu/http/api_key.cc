#include <degu/base/error.h>
#include <degu/http/api_key.h>
#include <degu/http/internal/digest.h>
#include <degu/http/internal/exchange_access.h>
#include <degu/http/internal/fields.h>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace degu::http {
namespace {

constexpr std::size_t kMaxKeyBytes = 512;

[[noreturn]] void throw_invalid(std::string message) {
  throw Error(Code::kInvalidArgument, std::move(message));
}

struct Entry {
  std::string owner;
  internal::Digest digest;
};

std::vector<Entry> entries_of(const std::vector<ApiKey>& keys) {
  std::vector<Entry> entries;
  for (const ApiKey& key : keys) {
    const auto digest = internal::digest_from_hex(key.digest);
    if (!digest)
      throw_invalid(fmt::format("api_key: the digest of {}'s key is not 64 hexadecimal digits", key.owner));
    const auto same = [&](const Entry& entry) { return entry.digest == *digest; };
    if (std::any_of(entries.begin(), entries.end(), same)) {
      throw_invalid(fmt::format("api_key: {}'s key is given twice", key.owner));
    }
    entries.push_back({key.owner, *digest});
  }
  return entries;
}

class KeyCheck {
 public:
  KeyCheck(ApiKeyOptions options, std::vector<Entry> entries)
      : options_(std::move(options)), entries_(std::move(entries)) {}

  void operator()(Exchange& c) const {
    const auto key = key_of(c);
    std::optional<std::string> owner =
        key && !key->empty() && key->size() <= kMaxKeyBytes ? owner_of(*key) : std::nullopt;
    if (!owner) {
      c.set_header("WWW-Authenticate", "ApiKey");
      throw Error(Code::kUnauthenticated, key ? "the API key is not known" : "an API key is needed");
    }
    c.set(ApiKeyOwner{*std::move(owner)});
    c.next();
  }

 private:
  std::optional<std::string_view> key_of(const Exchange& c) const {
    std::optional<std::string_view> key;
    std::size_t count = 0;
    if (!options_.header.empty()) {
      const internal::CountedField field = internal::counted_field(c, options_.header);
      count = field.count;
      if (count != 0) key = field.value;
    }
    if (!options_.query.empty()) {
      for (const Param& param : c.query_params()) {
        if (param.name != options_.query) continue;
        ++count;
        key = param.value;
      }
    }
    if (count > 1) throw_invalid("the request has two API keys");
    return key;
  }

  std::optional<std::string> owner_of(std::string_view key) const {
    if (options_.find_owner) return options_.find_owner(key);
    const internal::Digest digest = internal::sha256(key);
    const Entry* found = nullptr;
    for (const Entry& entry : entries_) {
      if (internal::equal(entry.digest, digest)) found = &entry;
    }
    return found == nullptr ? std::nullopt : std::optional(found->owner);
  }

  ApiKeyOptions options_;
  std::vector<Entry> entries_;
};

}  // namespace

std::string api_key_digest(std::string_view key) { return internal::to_hex(internal::sha256(key)); }

Handler api_key(ApiKeyOptions options) {
  if (options.keys.empty() == !options.find_owner) throw_invalid("api_key: give either keys or find_owner");
  if (options.header.empty() && options.query.empty())
    throw_invalid("api_key: neither a header nor a query parameter");
  if (!options.header.empty() && !internal::is_token(options.header)) {
    throw_invalid(fmt::format("api_key: \"{}\" is not a header name", options.header));
  }
  std::vector<Entry> entries = entries_of(options.keys);
  return KeyCheck(std::move(options), std::move(entries));
}

}  // namespace degu::http
