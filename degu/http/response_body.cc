#include <degu/base/error.h>
#include <degu/http/internal/body_reader.h>
#include <degu/http/response_body.h>

namespace degu::http {

ResponseBody::ResponseBody() noexcept = default;
ResponseBody::ResponseBody(std::unique_ptr<internal::BodyReader> reader) noexcept
    : reader_(std::move(reader)) {}
ResponseBody::~ResponseBody() = default;
ResponseBody::ResponseBody(ResponseBody&&) noexcept = default;
ResponseBody& ResponseBody::operator=(ResponseBody&&) noexcept = default;

std::string_view ResponseBody::next() {
  piece_.clear();
  if (reader_ == nullptr) return {};
  try {
    if (reader_->read(piece_)) return piece_;
    trailers_ = reader_->take_trailers();
  } catch (...) {
    close();
    throw;
  }
  close();
  return {};
}

std::string ResponseBody::read_all(std::size_t max_bytes) {
  std::string all;
  for (std::string_view piece = next(); !piece.empty(); piece = next()) {
    if (piece.size() > max_bytes - all.size()) {
      close();
      throw Error(Code::kResourceExhausted, "the response's body is too large");
    }
    all.append(piece);
  }
  return all;
}

const std::vector<std::pair<std::string, std::string>>& ResponseBody::trailers() const noexcept {
  return trailers_;
}

void ResponseBody::close() noexcept { reader_.reset(); }

}  // namespace degu::http
