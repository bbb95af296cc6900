// Content codings: gzip and br, in one call or piece by piece.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace degu::http {

namespace internal {
class Decoder;
class Encoder;
}  // namespace internal

/// A content coding (RFC 9110 section 8.4.1) that this layer encodes and decodes.
enum class Coding : uint8_t {
  kIdentity,  ///< the bytes as they are
  kGzip,      ///< RFC 1952
  kBrotli,    ///< RFC 7932
};

/// As Content-Encoding has it: "identity", "gzip", "br".
std::string_view to_string(Coding coding) noexcept;

/// The coding of that name in any case; "x-gzip" is gzip (RFC 9110 section 8.4.1.3). Nothing for others.
std::optional<Coding> coding_of(std::string_view name) noexcept;

/// How hard to try. Values outside of the range are moved into it.
struct EncodeOptions {
  int gzip_level = 5;    ///< 1 (fast) .. 9 (small)
  int brotli_level = 4;  ///< 0 (fast) .. 9 (small); from 7 on the encoder may want 40 MiB
};

/// What a decoder stops at, so that a few bytes cannot become many.
struct DecodeLimits {
  std::size_t max_bytes = 1024 * 1024;       ///< of what is decoded
  std::size_t max_ratio = 100;               ///< decoded bytes to encoded ones; 0: any
  std::size_t ratio_free_bytes = 64 * 1024;  ///< decoded bytes from which on the ratio counts
};

/// All of it in one call. kIdentity copies.
std::string encode(Coding coding, std::string_view bytes, const EncodeOptions& options = {});

/// Throws Error: kInvalidArgument when `bytes` is not one whole stream of that coding (gzip: one or more members) and
/// nothing else, kOutOfRange beyond the limits: no more than limits.max_bytes and one piece of 16 KiB is decoded, and
/// the decoder itself holds at most four times max_bytes and 4 MiB.
std::string decode(Coding coding, std::string_view bytes, const DecodeLimits& limits = {});

namespace internal {
struct ReturnEncoder {
  Coding coding = Coding::kIdentity;
  void operator()(Encoder* encoder) const noexcept;
};
struct ReturnDecoder {
  Coding coding = Coding::kIdentity;
  void operator()(Decoder* decoder) const noexcept;
};
}  // namespace internal

/// One encoded stream, written piece by piece. Its working memory comes from a pool and goes back with it: 260 KiB for
/// gzip; for br half a MiB with small pieces, 2 MiB with pieces of 64 KiB, 6 MiB at most. Computes, never waits; one
/// goroutine at a time.
class ContentEncoder {
 public:
  explicit ContentEncoder(Coding coding, const EncodeOptions& options = {});

  /// Appends to `out` what of the stream is ready, which may be nothing.
  void write(std::string_view piece, std::string& out);
  /// As write(), and a reader of `out` can decode all that was written so far. Costs a few bytes.
  void write_and_flush(std::string_view piece, std::string& out);
  /// Ends the stream. Nothing may be written afterwards.
  void finish(std::string& out);

 private:
  std::unique_ptr<internal::Encoder, internal::ReturnEncoder> encoder_;
};

/// Decodes one stream, piece by piece, within limits. Memory as ContentEncoder and decode(); one goroutine at a time.
class ContentDecoder {
 public:
  explicit ContentDecoder(Coding coding, const DecodeLimits& limits = {});

  /// Appends to `out` what `piece` adds. Throws as decode(); the decoder is then good for nothing more, and `out` may
  /// hold a part.
  void write(std::string_view piece, std::string& out);
  /// A part of write(), to hold little at once: appends at most 16 KiB, and takes what it used from the front of `piece`
  /// (all of kIdentity at once). False: nothing more comes of it.
  bool write_some(std::string_view& piece, std::string& out);
  /// Throws Error(kInvalidArgument) when the stream has not come to its end.
  void finish() const;

 private:
  void restart();
  void check_limits() const;

  DecodeLimits limits_;
  std::unique_ptr<internal::Decoder, internal::ReturnDecoder> decoder_;
  uint64_t consumed_ = 0;
  uint64_t produced_ = 0;
  bool ended_ = false;  // at the end of the stream, or of a member of it
};

}  // namespace degu::http
