#include <degu/base/hash.h>
#include <degu/base/random.h>

#include <bit>
#include <cstring>
#include <span>

namespace degu {
namespace {

struct Sip {
  uint64_t v0, v1, v2, v3;

  void round() noexcept {
    v0 += v1;
    v1 = std::rotl(v1, 13) ^ v0;
    v0 = std::rotl(v0, 32);
    v2 += v3;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1;
    v1 = std::rotl(v1, 17) ^ v2;
    v2 = std::rotl(v2, 32);
  }
};

// Little-endian, as both processors are; on others only the values would differ from the paper's.
uint64_t word_at(const char* bytes, std::size_t count) noexcept {
  uint64_t word = 0;
  std::memcpy(&word, bytes, count);
  return word;
}

template <int kRounds, int kFinalRounds>
uint64_t sip_hash(const HashKey& key, std::string_view bytes) noexcept {
  Sip s{key[0] ^ 0x736f6d6570736575ULL, key[1] ^ 0x646f72616e646f6dULL, key[0] ^ 0x6c7967656e657261ULL,
        key[1] ^ 0x7465646279746573ULL};
  const auto absorb = [&s](uint64_t word) {
    s.v3 ^= word;
    for (int i = 0; i < kRounds; ++i) s.round();
    s.v0 ^= word;
  };
  const char* at = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= 8; left -= 8, at += 8) absorb(word_at(at, 8));
  const uint64_t length = static_cast<uint64_t>(bytes.size()) << 56;
  absorb(left == 0 ? length : length | word_at(at, left));
  s.v2 ^= 0xff;
  for (int i = 0; i < kFinalRounds; ++i) s.round();
  return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

}  // namespace

uint64_t sip_hash_1_3(const HashKey& key, std::string_view bytes) noexcept {
  return sip_hash<1, 3>(key, bytes);
}
uint64_t sip_hash_2_4(const HashKey& key, std::string_view bytes) noexcept {
  return sip_hash<2, 4>(key, bytes);
}

const HashKey& process_hash_key() noexcept {
  static const HashKey key = [] {
    HashKey drawn{};
    secure_random(std::as_writable_bytes(std::span(drawn)));
    return drawn;
  }();
  return key;
}

}  // namespace degu
