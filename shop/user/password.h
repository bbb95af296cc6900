// Passwords: hashed by scrypt (RFC 7914), which costs memory as well as time.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace shop::user {

/// log_n is the cost: memory is 2^log_n * block * 128 bytes. The defaults take 32 MiB and some 80 ms.
struct PasswordCost {
  uint32_t log_n = 15;
  uint32_t block = 8;
  uint32_t parallel = 1;
};

/// "$scrypt$ln=15,r=8,p=1$<salt>$<hash>" with a fresh salt. Computes on the calling thread for as long as the
/// cost says: call it inside degu::blocking, a few at a time.
std::string hash_password(std::string_view password, PasswordCost cost = {});

/// Does the hash belong to the password? Costs what the hash says, compares in constant time. False for a
/// text that is no such hash, or whose cost is beyond 256 MiB.
bool check_password(std::string_view password, std::string_view hash);

}  // namespace shop::user
