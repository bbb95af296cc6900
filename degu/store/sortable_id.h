// sortable_id: names for rows, unique everywhere, in the order in which they were made here.
#pragma once

#include <string>

namespace degu::store {

/// 28 lower-case hexadecimal digits: 48 bits of wall-clock milliseconds, 16 bits that count within one (it
/// borrows from the next when they run out), 48 random bits. Later calls in this process sort after earlier
/// ones, also when the clock is set back. Not a secret. Thread-safe.
std::string sortable_id();

}  // namespace degu::store
