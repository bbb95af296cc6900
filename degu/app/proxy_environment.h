// proxy_from_environment: the proxies that the process was told of.
#pragma once

#include <degu/http/proxy.h>

namespace degu::app {

/// http_proxy, https_proxy and no_proxy, or HTTPS_PROXY and NO_PROXY, as curl and Go read them. HTTP_PROXY in upper case is
/// not read: where the process is a CGI script that is a field of the request (CVE-2016-5385). For
/// ClientOptions::proxy, at the start of the program, before others change the environment.
http::ProxyOptions proxy_from_environment();

}  // namespace degu::app
