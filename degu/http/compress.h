// compress: responses in gzip or br, for clients that accept them.
#pragma once

#include <degu/http/content_coding.h>
#include <degu/http/exchange.h>

#include <cstddef>
#include <string>
#include <vector>

namespace degu::http {

struct CompressOptions {
  /// Codings offered; the first among those that the client likes best.
  std::vector<Coding> preference = {Coding::kBrotli, Coding::kGzip};
  std::size_t min_bytes = 1024;              ///< smaller bodies go out as they are; streams have no size
  std::size_t max_bytes = 16 * 1024 * 1024;  ///< larger ones do too, but not streams
  /// Types that are worth it: "image/svg+xml", "text/*", "*+json". Empty: text/*, JSON, XML, SVG, JavaScript,
  /// WebAssembly.
  std::vector<std::string> types = {};
  bool event_streams = false;  ///< text/event-stream, too
  EncodeOptions levels = {};
};

/// Middleware that compresses what the rest of the chain answers, by the client's Accept-Encoding (RFC 9110 section
/// 12.5.3). A streamed response is compressed piece by piece, and each piece can be decoded when it arrives; a whole one
/// that does not shrink stays as it is. HEAD gets the fields that GET would.
///
/// Sets Content-Encoding, adds Accept-Encoding to Vary (also where this client gets the body as it is, and with 304),
/// makes a strong ETag weak, since the bytes differ. Leaves alone: 206 and Content-Range, what has a Content-Encoding,
/// a digest or `Cache-Control: no-transform`, and types that do not shrink.
///
/// Costs a copy of the body and an encoder's memory while it works (content_coding.h). Lengths of compressed bodies tell
/// about their content (BREACH): do not use it for routes that answer with a secret and with text of the request.
Handler compress(CompressOptions options = {});

}  // namespace degu::http
