// Encoder, Decoder: what content_coding.cc needs of a compression library.
#pragma once

#include <degu/http/content_coding.h>

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace degu::http::internal {

/// Pieces in which libraries hand out their results.
inline constexpr std::size_t kCoderPiece = 16 * 1024;

enum class EncodeStep : uint8_t { kGoOn, kFlush, kFinish };

/// One that is done is kept for the next stream, unless more than these of its kind live: what a burst of streams has
/// needed must not stay for ever.
inline constexpr int kMaxPooledCoders = 32;

/// What encoders and decoders share: they are counted, by kind.
class Coder {
 public:
  explicit Coder(std::atomic<int>& living) noexcept : living_(living) {
    living_.fetch_add(1, std::memory_order_relaxed);
  }
  Coder(const Coder&) = delete;
  Coder& operator=(const Coder&) = delete;
  virtual ~Coder() { living_.fetch_sub(1, std::memory_order_relaxed); }
  /// Those of this kind.
  int living() const noexcept { return living_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int>& living_;
};

/// Makes one stream after another; keeps its memory between them.
class Encoder : public Coder {
 public:
  using Coder::Coder;
  /// Begins a stream. `one_piece`: all of it comes with the first call of encode(), so many bytes; 0: not known.
  virtual void start(const EncodeOptions& options, std::size_t one_piece) = 0;
  virtual void encode(std::string_view in, EncodeStep step, std::string& out) = 0;
  /// Gives up what belongs to the stream, finished or not.
  virtual void stop() noexcept = 0;
};

/// Reads one stream after another; keeps its memory between them.
class Decoder : public Coder {
 public:
  using Coder::Coder;

  enum class Outcome : uint8_t {
    kGoOn,      ///< more input, or more room, is needed
    kEnd,       ///< the stream is complete; what was not consumed does not belong to it
    kCorrupt,   ///< not a stream of this coding
    kTooLarge,  ///< wants more memory than it may have
  };
  struct Step {
    std::size_t consumed = 0;
    std::string_view output;  ///< valid until the next call
    Outcome outcome = Outcome::kGoOn;
  };
  /// Begins a stream of which no more than `max_output` bytes are wanted.
  virtual void start(std::size_t max_output) = 0;
  /// One piece of output, or all that `in` gives.
  virtual Step decode(std::string_view in) = 0;
  /// The stream consists of members, each of which ends with kEnd.
  virtual bool has_members() const noexcept = 0;
  virtual void stop() noexcept = 0;
};

std::unique_ptr<Encoder> make_gzip_encoder();
std::unique_ptr<Decoder> make_gzip_decoder();
std::unique_ptr<Encoder> make_brotli_encoder();
std::unique_ptr<Decoder> make_brotli_decoder();

}  // namespace degu::http::internal
