// serve_content: bytes with validators as a response, whole, in part, or not at all.
#pragma once

#include <degu/http/exchange.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace degu::http {

/// A representation (RFC 9110 section 3.2): bytes, and what tells this version of them from others.
struct ContentView {
  std::string_view bytes = {};  ///< copied when they are sent; ignored if `shared` is set
  std::shared_ptr<const std::string> shared = nullptr;  ///< sent without copying
  std::string_view content_type = "application/octet-stream";
  std::string_view etag = {};  ///< with its quotes: "\"v7\"" or, weak, "W/\"v7\""; "": none
  std::optional<std::chrono::system_clock::time_point> last_modified = {};  ///< to the second
  std::string_view cache_control = {};  ///< of 200, 206 and 304; "": not said
  std::string_view content_encoding =
      {};                         ///< what `bytes` are in, "gzip" for example; its etag must be its own
  bool varies_by_coding = false;  ///< adds Accept-Encoding to Vary: there are others for other clients
};

/// Answers GET and HEAD with `content` as the conditions (section 13: If-Match, If-None-Match, If-Modified-Since,
/// If-Unmodified-Since, If-Range) and the ranges (section 14) of the request want it: 200; 206 with one range, or with
/// several as multipart/byteranges; 304; 416. Throws HttpError(412) when a precondition fails, Error(kInternal) when
/// `etag` is none. For another method it only checks the conditions, and answers 200.
///
/// At most 16 ranges are looked at; more, and what is malformed, get the whole. Ranges that overlap or nearly touch are
/// sent as one, in ascending order, so an answer is never much longer than the content. Several ranges go out as a
/// stream.
void serve_content(Exchange& c, const ContentView& content);

}  // namespace degu::http
