// gzip by zlib. A z_stream allocates at its first start and is reset from then on: deflate 260 KiB, inflate 44 KiB,
// whatever the other side sends.
#include <degu/base/assert.h>
#include <degu/http/internal/coder.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <new>

namespace degu::http::internal {
namespace {

// A window of 32 KiB; gzip framing and nothing else.
constexpr int kGzip = 15 + 16;
constexpr int kMemoryLevel = 8;
// zlib counts in 32 bits; larger pieces are cut.
constexpr std::size_t kMaxPiece = std::size_t{1} << 30;

// zlib does not write to its input; its C interface cannot say so before 1.2.14's ZLIB_CONST.
Bytef* as_input(std::string_view in) noexcept {
  return reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
}

std::atomic<int> encoders{0};
std::atomic<int> decoders{0};

class GzipEncoder final : public Encoder {
 public:
  GzipEncoder() : Encoder(encoders) {}
  ~GzipEncoder() override {
    if (ready_) deflateEnd(&stream_);
  }

  void start(const EncodeOptions& options, std::size_t) override {
    const int level = std::clamp(options.gzip_level, 1, 9);
    if (!ready_) {
      if (deflateInit2(&stream_, level, Z_DEFLATED, kGzip, kMemoryLevel, Z_DEFAULT_STRATEGY) != Z_OK) {
        throw std::bad_alloc();
      }
      ready_ = true;
    } else {
      deflateReset(&stream_);
      // Before the first byte this changes the level only.
      deflateParams(&stream_, level, Z_DEFAULT_STRATEGY);
    }
  }

  void encode(std::string_view in, EncodeStep step, std::string& out) override {
    do {
      const std::string_view piece = in.substr(0, kMaxPiece);
      in.remove_prefix(piece.size());
      encode_piece(piece, in.empty() ? step : EncodeStep::kGoOn, out);
    } while (!in.empty());
  }

  void stop() noexcept override {}

 private:
  void encode_piece(std::string_view in, EncodeStep step, std::string& out) {
    stream_.next_in = as_input(in);
    stream_.avail_in = static_cast<uInt>(in.size());
    const int flush = step == EncodeStep::kGoOn    ? Z_NO_FLUSH
                      : step == EncodeStep::kFlush ? Z_SYNC_FLUSH
                                                   : Z_FINISH;
    do {
      stream_.next_out = reinterpret_cast<Bytef*>(piece_.data());
      stream_.avail_out = static_cast<uInt>(piece_.size());
      const int result = deflate(&stream_, flush);
      // Z_BUF_ERROR: there was nothing left to do.
      DEGU_CHECK(result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR, "deflate: {}", result);
      out.append(piece_.data(), piece_.size() - stream_.avail_out);
    } while (stream_.avail_out == 0);
  }

  z_stream stream_{};
  bool ready_ = false;
  std::array<char, kCoderPiece> piece_;
};

class GzipDecoder final : public Decoder {
 public:
  GzipDecoder() : Decoder(decoders) {}
  ~GzipDecoder() override {
    if (ready_) inflateEnd(&stream_);
  }

  void start(std::size_t) override {
    if (!ready_) {
      if (inflateInit2(&stream_, kGzip) != Z_OK) throw std::bad_alloc();
      ready_ = true;
    } else {
      inflateReset(&stream_);
    }
  }

  Step decode(std::string_view in) override {
    in = in.substr(0, kMaxPiece);
    stream_.next_in = as_input(in);
    stream_.avail_in = static_cast<uInt>(in.size());
    stream_.next_out = reinterpret_cast<Bytef*>(piece_.data());
    stream_.avail_out = static_cast<uInt>(piece_.size());
    const int result = inflate(&stream_, Z_NO_FLUSH);
    if (result == Z_MEM_ERROR) throw std::bad_alloc();
    Step step;
    step.consumed = in.size() - stream_.avail_in;
    step.output = {piece_.data(), piece_.size() - stream_.avail_out};
    if (result == Z_STREAM_END) {
      step.outcome = Outcome::kEnd;
    } else if (result != Z_OK && result != Z_BUF_ERROR) {
      step.outcome = Outcome::kCorrupt;
    }
    return step;
  }

  bool has_members() const noexcept override { return true; }
  void stop() noexcept override {}

 private:
  z_stream stream_{};
  bool ready_ = false;
  std::array<char, kCoderPiece> piece_;
};

}  // namespace

std::unique_ptr<Encoder> make_gzip_encoder() { return std::make_unique<GzipEncoder>(); }
std::unique_ptr<Decoder> make_gzip_decoder() { return std::make_unique<GzipDecoder>(); }

}  // namespace degu::http::internal
