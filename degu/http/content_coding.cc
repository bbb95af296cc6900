// Encoders and decoders lie in pools between streams. The pools live as long as the process: kMaxPooledCoders bounds
// how many they hold, and each holds what the libraries need for one stream.
#include <degu/base/error.h>
#include <degu/http/content_coding.h>
#include <degu/http/internal/coder.h>
#include <degu/http/internal/fields.h>
#include <degu/sync/pool.h>
#include <fmt/format.h>

#include <utility>

namespace degu::http {
namespace {

using internal::Decoder;
using internal::Encoder;
using internal::EncodeStep;

Pool<Encoder>& encoders(Coding coding) {
  static Pool<Encoder> gzip(internal::make_gzip_encoder);
  static Pool<Encoder> brotli(internal::make_brotli_encoder);
  return coding == Coding::kGzip ? gzip : brotli;
}

Pool<Decoder>& decoders(Coding coding) {
  static Pool<Decoder> gzip(internal::make_gzip_decoder);
  static Pool<Decoder> brotli(internal::make_brotli_decoder);
  return coding == Coding::kGzip ? gzip : brotli;
}

std::unique_ptr<Encoder, internal::ReturnEncoder> start_encoder(Coding coding, const EncodeOptions& options,
                                                                std::size_t one_piece) {
  if (coding == Coding::kIdentity) return nullptr;
  std::unique_ptr<Encoder, internal::ReturnEncoder> encoder(encoders(coding).get().release(), {coding});
  encoder->start(options, one_piece);
  return encoder;
}

Error corrupt(std::string_view why) {
  return {Code::kInvalidArgument, fmt::format("the encoded content is damaged: {}", why)};
}

}  // namespace

namespace internal {

void ReturnEncoder::operator()(Encoder* encoder) const noexcept {
  std::unique_ptr<Encoder> owned(encoder);
  encoder->stop();
  if (encoder->living() <= kMaxPooledCoders) encoders(coding).put(std::move(owned));
}

void ReturnDecoder::operator()(Decoder* decoder) const noexcept {
  std::unique_ptr<Decoder> owned(decoder);
  decoder->stop();
  if (decoder->living() <= kMaxPooledCoders) decoders(coding).put(std::move(owned));
}

}  // namespace internal

std::string_view to_string(Coding coding) noexcept {
  switch (coding) {
    case Coding::kGzip:
      return "gzip";
    case Coding::kBrotli:
      return "br";
    case Coding::kIdentity:
      break;
  }
  return "identity";
}

std::optional<Coding> coding_of(std::string_view name) noexcept {
  if (internal::equals_ignoring_case(name, "gzip") || internal::equals_ignoring_case(name, "x-gzip"))
    return Coding::kGzip;
  if (internal::equals_ignoring_case(name, "br")) return Coding::kBrotli;
  if (internal::equals_ignoring_case(name, "identity")) return Coding::kIdentity;
  return std::nullopt;
}

std::string encode(Coding coding, std::string_view bytes, const EncodeOptions& options) {
  std::string out;
  if (const auto encoder = start_encoder(coding, options, bytes.size())) {
    encoder->encode(bytes, EncodeStep::kFinish, out);
  } else {
    out = bytes;
  }
  return out;
}

std::string decode(Coding coding, std::string_view bytes, const DecodeLimits& limits) {
  std::string out;
  ContentDecoder decoder(coding, limits);
  decoder.write(bytes, out);
  decoder.finish();
  return out;
}

ContentEncoder::ContentEncoder(Coding coding, const EncodeOptions& options)
    : encoder_(start_encoder(coding, options, 0)) {}

void ContentEncoder::write(std::string_view piece, std::string& out) {
  if (encoder_ == nullptr) {
    out.append(piece);
  } else {
    encoder_->encode(piece, EncodeStep::kGoOn, out);
  }
}

void ContentEncoder::write_and_flush(std::string_view piece, std::string& out) {
  if (encoder_ == nullptr) {
    out.append(piece);
  } else {
    encoder_->encode(piece, EncodeStep::kFlush, out);
  }
}

void ContentEncoder::finish(std::string& out) {
  if (encoder_ != nullptr) encoder_->encode({}, EncodeStep::kFinish, out);
}

ContentDecoder::ContentDecoder(Coding coding, const DecodeLimits& limits) : limits_(limits) {
  if (coding == Coding::kIdentity) return;
  decoder_ = {decoders(coding).get().release(), {coding}};
  decoder_->start(limits_.max_bytes);
}

void ContentDecoder::check_limits() const {
  if (produced_ > limits_.max_bytes) {
    throw Error(Code::kOutOfRange,
                fmt::format("the content has more than {} bytes when decoded", limits_.max_bytes));
  }
  if (limits_.max_ratio != 0 && produced_ > limits_.ratio_free_bytes &&
      produced_ / limits_.max_ratio > consumed_) {
    throw Error(
        Code::kOutOfRange,
        fmt::format("the content grows to more than {} times its size when decoded", limits_.max_ratio));
  }
}

// RFC 1952 section 2.2: a gzip file is a series of members.
void ContentDecoder::restart() {
  if (!decoder_->has_members()) throw corrupt("there is more behind its end");
  decoder_->start(limits_.max_bytes);
  ended_ = false;
}

void ContentDecoder::write(std::string_view piece, std::string& out) {
  while (write_some(piece, out)) {
  }
}

bool ContentDecoder::write_some(std::string_view& piece, std::string& out) {
  if (decoder_ == nullptr) {
    consumed_ += piece.size();
    produced_ += piece.size();
    check_limits();
    out.append(std::exchange(piece, {}));
    return false;
  }
  if (ended_) {
    if (piece.empty()) return false;
    restart();
  }
  const Decoder::Step step = decoder_->decode(piece);
  piece.remove_prefix(step.consumed);
  consumed_ += step.consumed;
  produced_ += step.output.size();
  check_limits();
  out.append(step.output);
  switch (step.outcome) {
    case Decoder::Outcome::kCorrupt:
      throw corrupt("it is not of the coding that it says it is");
    case Decoder::Outcome::kTooLarge:
      throw Error(Code::kOutOfRange, "the content needs too much memory to be decoded");
    case Decoder::Outcome::kEnd:
      ended_ = true;
      break;
    case Decoder::Outcome::kGoOn:
      if (step.consumed != 0 || !step.output.empty()) break;
      if (!piece.empty()) throw corrupt("it does not go on");
      return false;
  }
  return true;
}

void ContentDecoder::finish() const {
  if (decoder_ != nullptr && !ended_) throw corrupt("it breaks off");
}

}  // namespace degu::http
