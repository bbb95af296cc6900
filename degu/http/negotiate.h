// negotiate: which of several representations a client wants (RFC 9110 section 12.5.1).
#pragma once

#include <initializer_list>
#include <optional>
#include <string_view>

namespace degu::http {

class Exchange;

/// The offer that the client prefers by its Accept fields; of equal ones the first, which is also the answer when it says
/// nothing. Offers are media types, whose parameters may be asked for: "text/html; charset=utf-8". Adds `Vary: Accept`,
/// since caches must know. Throws HttpError(406) when the client accepts none of them.
///
///   if (negotiate(c, {"application/json", "text/html"}) == "text/html") return c.html(200, page(order));
///   c.json(200, order);
std::string_view negotiate(Exchange& c, std::initializer_list<std::string_view> offers);

/// The same for the text of an Accept field; nothing when none is acceptable. For an offer the most specific range counts,
/// with its q-value. Ranges that are malformed, and those behind the 64th, are passed over; if that leaves none the
/// client has said nothing.
std::optional<std::string_view> preferred_type(std::string_view accept,
                                               std::initializer_list<std::string_view> offers);

}  // namespace degu::http
