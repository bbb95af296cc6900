// Everything of degu/http that a service needs.
#pragma once

#include <degu/http/api_key.h>
#include <degu/http/basic_auth.h>
#include <degu/http/client.h>
#include <degu/http/compress.h>
#include <degu/http/content_coding.h>
#include <degu/http/cookie.h>
#include <degu/http/cors.h>
#include <degu/http/csrf.h>
#include <degu/http/decompress.h>
#include <degu/http/exchange.h>
#include <degu/http/html_template.h>
#include <degu/http/json_codec.h>
#include <degu/http/jwt.h>
#include <degu/http/middleware.h>
#include <degu/http/negotiate.h>
#include <degu/http/openapi.h>
#include <degu/http/rate_limit.h>
#include <degu/http/real_ip.h>
#include <degu/http/router.h>
#include <degu/http/secure_headers.h>
#include <degu/http/serve_content.h>
#include <degu/http/server.h>
#include <degu/http/static_files.h>
#include <degu/http/trace_context.h>
