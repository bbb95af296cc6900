// br by Google's library. Its states cannot be reset, so each stream has a new one; the memory below it is recycled.
#include <brotli/decode.h>
#include <brotli/encode.h>
#include <degu/base/assert.h>
#include <degu/http/internal/coder.h>
#include <degu/http/internal/recycled_memory.h>

#include <algorithm>
#include <bit>
#include <new>

namespace degu::http::internal {
namespace {

// Windows of 64 to 256 KiB: larger ones cost memory for every response, and find little more in one.
constexpr int kMinWindowBits = 16;
constexpr int kMaxWindowBits = 18;

uint8_t* bytes_of(std::string_view text) noexcept {
  return reinterpret_cast<uint8_t*>(const_cast<char*>(text.data()));
}

std::atomic<int> encoders{0};
std::atomic<int> decoders{0};

class BrotliEncoder final : public Encoder {
 public:
  BrotliEncoder() : Encoder(encoders) {}
  ~BrotliEncoder() override { stop(); }

  void start(const EncodeOptions& options, std::size_t one_piece) override {
    stop();
    state_ = BrotliEncoderCreateInstance(RecycledMemory::allocate_from, RecycledMemory::free_to, &memory_);
    if (state_ == nullptr) throw std::bad_alloc();
    const int window = one_piece == 0 ? kMaxWindowBits
                                      : std::clamp(static_cast<int>(std::bit_width(one_piece)),
                                                   kMinWindowBits, kMaxWindowBits);
    set(BROTLI_PARAM_QUALITY, static_cast<uint32_t>(std::clamp(options.brotli_level, 0, 9)));
    set(BROTLI_PARAM_LGWIN, static_cast<uint32_t>(window));
    set(BROTLI_PARAM_SIZE_HINT, static_cast<uint32_t>(std::min<std::size_t>(one_piece, 1U << 30)));
  }

  void encode(std::string_view in, EncodeStep step, std::string& out) override {
    const BrotliEncoderOperation operation = step == EncodeStep::kGoOn    ? BROTLI_OPERATION_PROCESS
                                             : step == EncodeStep::kFlush ? BROTLI_OPERATION_FLUSH
                                                                          : BROTLI_OPERATION_FINISH;
    const uint8_t* next = bytes_of(in);
    std::size_t left = in.size();
    do {
      std::size_t room = 0;
      if (!BrotliEncoderCompressStream(state_, operation, &left, &next, &room, nullptr, nullptr)) {
        throw std::bad_alloc();  // nothing else fails
      }
      while (BrotliEncoderHasMoreOutput(state_)) {
        std::size_t size = 0;
        const uint8_t* output = BrotliEncoderTakeOutput(state_, &size);
        out.append(reinterpret_cast<const char*>(output), size);
      }
    } while (left > 0 || (step == EncodeStep::kFinish && !BrotliEncoderIsFinished(state_)));
  }

  void stop() noexcept override {
    if (state_ != nullptr) BrotliEncoderDestroyInstance(state_);
    state_ = nullptr;
  }

 private:
  void set(BrotliEncoderParameter parameter, uint32_t value) noexcept {
    const bool known = BrotliEncoderSetParameter(state_, parameter, value) != BROTLI_FALSE;
    DEGU_CHECK(known, "brotli refused parameter {} = {}", static_cast<int>(parameter), value);
  }

  RecycledMemory memory_;
  BrotliEncoderState* state_ = nullptr;
};

class BrotliDecoder final : public Decoder {
 public:
  BrotliDecoder() : Decoder(decoders) {}
  ~BrotliDecoder() override { stop(); }

  void start(std::size_t max_output) override {
    stop();
    // The ring buffer is a power of two above the announced output, and grows by copying; the rest is for the tables
    // of prefix codes.
    constexpr std::size_t kTables = 4 * 1024 * 1024;
    constexpr std::size_t kRings = 4;
    memory_.set_limit(max_output > (static_cast<std::size_t>(-1) - kTables) / kRings
                          ? static_cast<std::size_t>(-1)
                          : max_output * kRings + kTables);
    state_ = BrotliDecoderCreateInstance(RecycledMemory::allocate_from, RecycledMemory::free_to, &memory_);
    if (state_ == nullptr) throw std::bad_alloc();
  }

  Step decode(std::string_view in) override {
    const uint8_t* next = bytes_of(in);
    std::size_t left = in.size();
    std::size_t room = 0;
    const BrotliDecoderResult result =
        BrotliDecoderDecompressStream(state_, &left, &next, &room, nullptr, nullptr);
    Step step;
    step.consumed = in.size() - left;
    if (result == BROTLI_DECODER_RESULT_ERROR) {
      step.outcome = failure();
      return step;
    }
    // No more than this: the library may have a whole ring buffer of output at hand.
    std::size_t size = kCoderPiece;
    const uint8_t* output = BrotliDecoderTakeOutput(state_, &size);
    step.output = {reinterpret_cast<const char*>(output), size};
    if (BrotliDecoderIsFinished(state_)) step.outcome = Outcome::kEnd;
    return step;
  }

  bool has_members() const noexcept override { return false; }

  void stop() noexcept override {
    if (state_ != nullptr) BrotliDecoderDestroyInstance(state_);
    state_ = nullptr;
  }

 private:
  Outcome failure() const {
    const int code = static_cast<int>(BrotliDecoderGetErrorCode(state_));
    // Between these the library names its failed allocations.
    const bool no_memory = code <= BROTLI_DECODER_ERROR_ALLOC_CONTEXT_MODES &&
                           code >= BROTLI_DECODER_ERROR_ALLOC_BLOCK_TYPE_TREES;
    if (!no_memory) return Outcome::kCorrupt;
    if (!memory_.refused()) throw std::bad_alloc();
    return Outcome::kTooLarge;
  }

  RecycledMemory memory_;
  BrotliDecoderState* state_ = nullptr;
};

}  // namespace

std::unique_ptr<Encoder> make_brotli_encoder() { return std::make_unique<BrotliEncoder>(); }
std::unique_ptr<Decoder> make_brotli_decoder() { return std::make_unique<BrotliDecoder>(); }

}  // namespace degu::http::internal
