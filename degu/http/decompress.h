// decompress: request bodies in gzip or br, decoded before handlers see them.
#pragma once

#include <degu/http/exchange.h>

#include <cstddef>

namespace degu::http {

struct DecompressOptions {
  std::size_t max_ratio = 100;               ///< decoded bytes to received ones; 0: any
  std::size_t ratio_free_bytes = 64 * 1024;  ///< decoded bytes from which on the ratio counts
};

/// Middleware for requests with a Content-Encoding (RFC 9110 section 8.4): body(), json_body() and bind() of what comes
/// after it are of the decoded bytes; header() still tells what the client sent. Use it before anything that reads the
/// body.
///
/// The limit of the route's body, else of the server's, holds for the decoded bytes too. Throws HttpError: 415 for a
/// coding that is neither gzip, br nor identity, and for several on top of each other, with Accept-Encoding in the answer;
/// 413 beyond the limits, after which at most a piece of 16 KiB more is decoded. Throws Error(kInvalidArgument), so 400,
/// for damaged content. Without it, handlers see bodies as they were sent.
Handler decompress(DecompressOptions options = {});

}  // namespace degu::http
