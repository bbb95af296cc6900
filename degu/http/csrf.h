// csrf: refuses what a page of another origin makes a browser send.
#pragma once

#include <degu/http/exchange.h>

#include <string>
#include <vector>

namespace degu::http {

struct CsrfOptions {
  /// Origins whose pages may send anything: "https://admin.shop.example", compared exactly with Origin.
  std::vector<std::string> trusted_origins = {};
  /// Routes that are not protected, by the pattern they were registered with: "/webhooks/:name", or for one method
  /// "POST /webhooks/:name". For requests that browsers do not send, authenticated by other means than cookies.
  std::vector<std::string> bypass = {};
};

/// Protection against cross-site request forgery without tokens, by the rules of Go 1.25's http.CrossOriginProtection:
///
/// * GET, HEAD and OPTIONS pass: they must not change anything.
/// * With Sec-Fetch-Site, which every browser of today sends, "same-origin" and "none" (typed by the user) pass.
/// * Without it, Origin has to name the host that was asked, ignoring case; the scheme is not known here.
/// * Without both it is no browser, or one older than 2020 on its own origin: it passes.
/// * The rest passes only from a trusted origin or to a bypass route, or is refused with 403.
///
/// A field that comes twice is believed by nobody: refused, or bypassed. Throws Error(kInvalidArgument) for a trusted
/// origin that is none and a bypass that is no pattern.
Handler csrf(CsrfOptions options = {});

}  // namespace degu::http
