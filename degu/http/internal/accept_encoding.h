// AcceptEncoding: which content codings a client takes, and which of ours it gets.
#pragma once

#include <degu/http/content_coding.h>

#include <array>
#include <optional>
#include <span>
#include <string_view>

namespace degu::http::internal {

/// The field Accept-Encoding (RFC 9110 section 12.5.3). Elements that are malformed are passed over; of an element that
/// comes twice the first counts. An empty field, and none, mean identity only: what a client does not ask for it may
/// not understand.
class AcceptEncoding {
 public:
  explicit AcceptEncoding(std::string_view field) noexcept;

  /// In thousandths; 0: not acceptable. Identity that nothing excludes has at least 1.
  int weight(Coding coding) const noexcept;

  /// The acceptable coding with the highest weight; the first in `preference` among equals; kIdentity when the client
  /// likes that better, or when nothing is acceptable (section 12.5.3 would rather have an answer than none).
  Coding choose(std::span<const Coding> preference) const noexcept;

 private:
  std::array<std::optional<int>, 3> weights_;  // by Coding
  std::optional<int> any_;
};

/// The weight of "gzip;q=0.5" without its name: ";q=0.5". 1000 for "", nothing when it is malformed (section 12.4.2).
std::optional<int> parse_weight(std::string_view parameters) noexcept;

}  // namespace degu::http::internal
