// What nearly every HTTP service needs. The rest of the layer comes by its own headers (README.md).
#pragma once

#include <degu/http/client.h>
#include <degu/http/cookie.h>
#include <degu/http/exchange.h>
#include <degu/http/json_codec.h>
#include <degu/http/middleware.h>
#include <degu/http/refusal.h>
#include <degu/http/router.h>
#include <degu/http/server.h>
#include <degu/http/static_files.h>
