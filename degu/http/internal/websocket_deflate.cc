// Raw deflate streams with a sync flush at the end of each message, whose last four bytes are not sent (section 7.2).
#include <degu/base/assert.h>
#include <degu/base/error.h>
#include <degu/http/internal/fields.h>
#include <degu/http/internal/websocket_deflate.h>
#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <new>
#include <utility>

namespace degu::http::internal {
namespace {

constexpr std::string_view kName = "permessage-deflate";
constexpr std::string_view kServerNoTakeover = "server_no_context_takeover";
constexpr std::string_view kClientNoTakeover = "client_no_context_takeover";
constexpr std::string_view kServerBits = "server_max_window_bits";
constexpr std::string_view kClientBits = "client_max_window_bits";
constexpr std::string_view kFlushTail("\x00\x00\xFF\xFF", 4);
constexpr int kMaxBits = 15;
constexpr int kLeastZlibBits = 9;  // a raw stream with a window of 256 bytes is beyond zlib
constexpr int kMemoryLevel = 8;
constexpr int kAtBlockEnd = 128;  // of z_stream::data_type
constexpr std::size_t kPieceBytes = 16 * 1024;

// Cuts off what stands before the first `separator` that is not in quotes.
std::string_view take_until(std::string_view& text, char separator) noexcept {
  bool quoted = false;
  std::size_t end = 0;
  for (; end < text.size() && (quoted || text[end] != separator); ++end) {
    if (text[end] == '"') quoted = !quoted;
    if (text[end] == '\\' && quoted && end + 1 < text.size()) ++end;
  }
  const std::string_view part = trim(text.substr(0, end));
  text.remove_prefix(std::min(end + 1, text.size()));
  return part;
}

// The parameters of one offer, or of an answer.
struct Parameters {
  bool server_no_takeover = false;
  bool client_no_takeover = false;
  bool client_bits_named = false;
  std::optional<int> server_bits;
  std::optional<int> client_bits;
};

std::optional<int> window_bits(std::string_view text) noexcept {
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') text = text.substr(1, text.size() - 2);
  const auto bits = parse_digits(text);
  if (!bits || *bits < 8 || *bits > kMaxBits || text.front() == '0') return std::nullopt;
  return static_cast<int>(*bits);
}

// False: unknown, twice, or with a value that it cannot have.
bool read_parameter(std::string_view text, Parameters& into) noexcept {
  const std::size_t equals = text.find('=');
  const bool has_value = equals != std::string_view::npos;
  const std::string_view name = trim(text.substr(0, equals));
  const std::string_view value = has_value ? trim(text.substr(equals + 1)) : std::string_view();
  if (name == kServerNoTakeover) return !has_value && !std::exchange(into.server_no_takeover, true);
  if (name == kClientNoTakeover) return !has_value && !std::exchange(into.client_no_takeover, true);
  if (name == kServerBits) {
    if (into.server_bits) return false;
    into.server_bits = window_bits(value);
    return into.server_bits.has_value();
  }
  if (name != kClientBits || std::exchange(into.client_bits_named, true)) return false;
  into.client_bits = window_bits(value);
  return into.client_bits.has_value() || !has_value;
}

std::optional<Parameters> read_extension(std::string_view extension) noexcept {
  if (take_until(extension, ';') != kName) return std::nullopt;
  Parameters parameters;
  while (!extension.empty()) {
    if (!read_parameter(take_until(extension, ';'), parameters)) return std::nullopt;
  }
  return parameters;
}

int own_bits(const WebSocketCompression& compression) noexcept {
  return std::clamp(compression.window_bits, kLeastZlibBits, kMaxBits);
}

Bytef* as_input(std::string_view in) noexcept {
  return reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
}

}  // namespace

std::string deflate_offer(const WebSocketCompression& compression) {
  std::string offer = fmt::format("{}; {}", kName, kClientBits);
  if (!compression.context_takeover)
    offer.append("; ").append(kServerNoTakeover).append("; ").append(kClientNoTakeover);
  return offer;
}

std::optional<DeflateAgreement> accept_deflate(std::string_view extensions,
                                               const WebSocketCompression& compression) {
  while (!extensions.empty()) {
    const auto offer = read_extension(take_until(extensions, ','));
    if (!offer || offer->server_bits.value_or(kMaxBits) < kLeastZlibBits) continue;
    DeflateAgreement agreement;
    agreement.server.bits = std::min(own_bits(compression), offer->server_bits.value_or(kMaxBits));
    agreement.server.takeover = compression.context_takeover && !offer->server_no_takeover;
    agreement.client.takeover = compression.context_takeover && !offer->client_no_takeover;
    return agreement;
  }
  return std::nullopt;
}

std::string deflate_answer(const DeflateAgreement& agreement) {
  std::string answer(kName);
  if (!agreement.server.takeover) answer.append("; ").append(kServerNoTakeover);
  if (!agreement.client.takeover) answer.append("; ").append(kClientNoTakeover);
  if (agreement.server.bits != kMaxBits) answer += fmt::format("; {}={}", kServerBits, agreement.server.bits);
  return answer;
}

std::optional<DeflateAgreement> read_deflate_answer(std::string_view extensions,
                                                    const WebSocketCompression& compression) {
  if (trim(extensions).empty()) return std::nullopt;
  const auto answer = read_extension(take_until(extensions, ','));
  const bool fine = answer && extensions.empty() && compression.enabled &&
                    (answer->server_no_takeover || compression.context_takeover) &&
                    (!answer->client_bits_named || answer->client_bits);
  if (!fine) throw Error(Code::kInternal, "the server chose extensions that were not offered");
  DeflateAgreement agreement;
  agreement.server.takeover = !answer->server_no_takeover;
  agreement.client.takeover = compression.context_takeover && !answer->client_no_takeover;
  agreement.client.bits = std::min(own_bits(compression), answer->client_bits.value_or(kMaxBits));
  return agreement;
}

// --- Messages

struct MessageDeflater::Stream {
  z_stream z{};
  std::array<char, kPieceBytes> piece;
};

MessageDeflater::MessageDeflater(const DeflateWindow& window, int level)
    : window_(window), level_(std::clamp(level, 1, 9)) {}

MessageDeflater::~MessageDeflater() {
  if (stream_) deflateEnd(&stream_->z);
}

void MessageDeflater::deflate(std::string_view message, std::string& out) {
  if (!stream_) {
    auto stream = std::make_unique<Stream>();
    if (deflateInit2(&stream->z, level_, Z_DEFLATED, -window_.bits, kMemoryLevel, Z_DEFAULT_STRATEGY) != Z_OK)
      throw std::bad_alloc();
    stream_ = std::move(stream);
  }
  z_stream& z = stream_->z;
  const std::size_t before = out.size();
  // zlib counts in 32 bits.
  constexpr std::size_t kMaxStep = std::size_t{1} << 30;
  do {
    const std::string_view step = message.substr(0, kMaxStep);
    message.remove_prefix(step.size());
    z.next_in = as_input(step);
    z.avail_in = static_cast<uInt>(step.size());
    do {
      z.next_out = reinterpret_cast<Bytef*>(stream_->piece.data());
      z.avail_out = static_cast<uInt>(kPieceBytes);
      const int result = ::deflate(&z, message.empty() ? Z_SYNC_FLUSH : Z_NO_FLUSH);
      DEGU_CHECK(result == Z_OK || result == Z_BUF_ERROR, "deflate: {}", result);
      out.append(stream_->piece.data(), kPieceBytes - z.avail_out);
    } while (z.avail_out == 0);
  } while (!message.empty());
  DEGU_CHECK(std::string_view(out).substr(before).ends_with(kFlushTail), "deflate did not flush");
  out.resize(out.size() - kFlushTail.size());
  if (!window_.takeover) deflateReset(&z);
}

struct MessageInflater::Stream {
  z_stream z{};
  std::array<char, kPieceBytes> piece;
};

MessageInflater::MessageInflater(bool takeover) : takeover_(takeover) {}

MessageInflater::~MessageInflater() {
  if (stream_) inflateEnd(&stream_->z);
}

// Section 7.2.3.4: a sender may end with a last block; what comes behind may refer to what came before all the same.
void MessageInflater::go_on_after_last_block() {
  // Not on the stack: that is a goroutine's.
  const auto window = std::make_unique_for_overwrite<Bytef[]>(std::size_t{1} << kMaxBits);
  uInt size = 0;
  inflateGetDictionary(&stream_->z, window.get(), &size);
  inflateReset(&stream_->z);
  inflateSetDictionary(&stream_->z, window.get(), size);
}

MessageInflater::Result MessageInflater::run(std::string_view piece, std::string& out,
                                             std::size_t max_bytes) {
  z_stream& z = stream_->z;
  z.next_in = as_input(piece);
  z.avail_in = static_cast<uInt>(piece.size());
  for (;;) {
    z.next_out = reinterpret_cast<Bytef*>(stream_->piece.data());
    z.avail_out = static_cast<uInt>(kPieceBytes);
    const int result = ::inflate(&z, Z_SYNC_FLUSH);
    if (result == Z_MEM_ERROR) throw std::bad_alloc();
    if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) return Result::kCorrupt;
    const std::size_t made = kPieceBytes - z.avail_out;
    if (made > max_bytes - out.size()) return Result::kTooLarge;
    out.append(stream_->piece.data(), made);
    if (out.size() > kRatioFreeBytes && out.size() / kMaxRatio > came_) return Result::kTooLarge;
    if (result == Z_STREAM_END) go_on_after_last_block();
    if (result == Z_BUF_ERROR || (z.avail_in == 0 && z.avail_out != 0)) return Result::kFine;
  }
}

MessageInflater::Result MessageInflater::inflate(std::string_view piece, bool last, std::string& out,
                                                 std::size_t max_bytes) {
  if (!stream_) {
    auto stream = std::make_unique<Stream>();
    if (inflateInit2(&stream->z, -kMaxBits) != Z_OK) throw std::bad_alloc();
    stream_ = std::move(stream);
  }
  came_ += piece.size();
  Result result = piece.empty() ? Result::kFine : run(piece, out, max_bytes);
  if (!last || result != Result::kFine) return result;
  result = run(kFlushTail, out, max_bytes);
  if (result == Result::kFine && (stream_->z.data_type & kAtBlockEnd) == 0) result = Result::kCorrupt;
  came_ = 0;
  if (!takeover_) inflateReset(&stream_->z);
  return result;
}

}  // namespace degu::http::internal
