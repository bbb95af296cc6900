// BodyReader: where a ResponseBody gets its pieces from.
#pragma once

#include <degu/http/content_coding.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace degu::http::internal {

using HeaderList = std::vector<std::pair<std::string, std::string>>;

class BodyReader {
 public:
  BodyReader() = default;
  BodyReader(const BodyReader&) = delete;
  BodyReader& operator=(const BodyReader&) = delete;
  virtual ~BodyReader() = default;
  /// Replaces `piece` by what comes next, at least one byte; false at the end. Throws as ResponseBody::next().
  virtual bool read(std::string& piece) = 0;
  /// Once read() has returned false.
  virtual HeaderList take_trailers() = 0;
};

/// Decodes what another one reads, a few KiB at a time however well it was compressed.
class DecodingReader final : public BodyReader {
 public:
  DecodingReader(std::unique_ptr<BodyReader> source, Coding coding, std::size_t max_bytes)
      : source_(std::move(source)), decoder_(coding, {.max_bytes = max_bytes, .max_ratio = 0}) {}

  bool read(std::string& piece) override;
  HeaderList take_trailers() override { return source_->take_trailers(); }

 private:
  std::unique_ptr<BodyReader> source_;
  ContentDecoder decoder_;
  std::string encoded_;
  std::string_view left_;  // of encoded_
  bool begun_ = false;
};

}  // namespace degu::http::internal
