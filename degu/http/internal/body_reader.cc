#include <degu/base/error.h>
#include <degu/http/internal/body_reader.h>
#include <fmt/format.h>

namespace degu::http::internal {

bool DecodingReader::read(std::string& piece) {
  piece.clear();
  try {
    for (;;) {
      // Also without input: the decoder may hold more than it has given.
      while (begun_ && decoder_.write_some(left_, piece)) {
        if (!piece.empty()) return true;
      }
      if (!source_->read(encoded_)) break;
      left_ = encoded_;
      begun_ = true;
    }
    if (begun_) decoder_.finish();
    return false;
  } catch (const Error& error) {
    if (error.code() == Code::kOutOfRange)
      throw Error(Code::kResourceExhausted, "the response's body is too large when decoded");
    if (error.code() == Code::kInvalidArgument)
      throw Error(Code::kInternal, fmt::format("malformed response: {}", error.message()));
    throw;
  }
}

}  // namespace degu::http::internal
