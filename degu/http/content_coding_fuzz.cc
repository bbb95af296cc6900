// Properties: decoding any bytes ends, within its limits, with a text or with kInvalidArgument or kOutOfRange; however
// they are cut the outcome is the same; what is encoded decodes to itself.
#include <degu/base/assert.h>
#include <degu/base/error.h>
#include <degu/http/content_coding.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

namespace {

using degu::http::Coding;
using degu::http::ContentDecoder;
using degu::http::DecodeLimits;

constexpr DecodeLimits kLimits = {.max_bytes = 100'000, .max_ratio = 0, .ratio_free_bytes = 0};

std::optional<std::string> decode_cut(Coding coding, std::string_view bytes, std::size_t step) {
  try {
    ContentDecoder decoder(coding, kLimits);
    std::string out;
    for (std::size_t at = 0; at < bytes.size(); at += step) decoder.write(bytes.substr(at, step), out);
    decoder.finish();
    DEGU_CHECK(out.size() <= kLimits.max_bytes, "{} bytes", out.size());
    return out;
  } catch (const degu::Error& error) {
    const bool expected =
        error.code() == degu::Code::kInvalidArgument || error.code() == degu::Code::kOutOfRange;
    DEGU_CHECK(expected, "{}", error.what());
    return std::nullopt;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t step = std::size_t{1} + (data[0] >> 1);
  const Coding coding = (data[0] & 1) == 0 ? Coding::kGzip : Coding::kBrotli;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto whole = decode_cut(coding, text, std::max<std::size_t>(text.size(), 1));
  const auto pieces = decode_cut(coding, text, step);
  DEGU_CHECK(whole == pieces, "cut into pieces of {}", step);
  const std::string packed = degu::http::encode(coding, text);
  DEGU_CHECK(degu::http::decode(coding, packed, {.max_bytes = size, .max_ratio = 0}) == text, "{} bytes",
             size);
  return 0;
}
