// ContentAnswer: from conditions and ranges to what is sent of a representation.
#pragma once

#include <degu/http/exchange.h>
#include <degu/http/internal/conditions.h>
#include <degu/http/internal/ranges.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace degu::http::internal {

struct Representation {
  uint64_t size = 0;
  std::string_view content_type;
  Validators validators;
  std::string_view cache_control = {};     ///< "": not said
  std::string_view content_encoding = {};  ///< "": none
  bool varies_by_coding = false;           ///< there are others for other values of Accept-Encoding
};

struct ContentAnswer {
  struct Part {
    std::string before;  ///< head of a part of multipart/byteranges, or nothing
    ByteRange range;
  };
  int status = 0;  ///< 200 or 206; 0: the exchange has been answered
  std::string content_type;
  std::vector<Part> parts;  ///< none for an empty representation
  std::string after;        ///< ends multipart/byteranges
  uint64_t length = 0;      ///< of all parts with what stands between them
};

/// Decides by method, conditions (RFC 9110 section 13) and ranges (section 14) and sets the fields that describe what is
/// sent; none of them when an error is. 304 and 416 are answered here. Throws HttpError(412) for a failed precondition.
ContentAnswer answer_content(Exchange& c, const Representation& representation);

}  // namespace degu::http::internal
