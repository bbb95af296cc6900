// follow_redirect: where an answer sends the client (RFC 9110 section 15.4).
#pragma once

#include <degu/http/internal/client_request.h>
#include <degu/http/internal/response_parser.h>

namespace degu::http::internal {

enum class Downgrade : bool { kRefused, kAllowed };

/// Turns `request` into the next one if `head` answers it by a redirect that can be followed: 301, 302, 303, 307 or 308 with
/// a Location. As browsers do (Fetch section 4.4): after 303, and after 301 and 302 for POST, it is a GET without body;
/// to another origin it goes without Authorization, Cookie and Proxy-Authorization. Not followed where the body would
/// have to be made a second time. Throws Error: kInternal for a Location that is no URL, or several; kFailedPrecondition
/// from https to http unless that is allowed.
bool follow_redirect(ClientRequest& request, const ResponseHead& head, Downgrade downgrade);

}  // namespace degu::http::internal
