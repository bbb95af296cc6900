// openapi_document, serve_openapi: the OpenAPI 3.1 description of a router, and a page to read and try it.
#pragma once

#include <degu/http/operation.h>
#include <degu/http/router.h>

#include <string>
#include <vector>

namespace degu::http {

struct OpenApiInfo {
  std::string title = "API";
  std::string version = "1.0.0";
  std::string description{};           ///< Markdown
  std::vector<std::string> servers{};  ///< base URLs; none: where the document is
};

/// The OpenAPI 3.1.0 document, JSON, of all routes that have an `operation` and a method that OpenAPI knows; the order
/// is by path, so it is the same for the same routes. Schemas are JSON Schema 2020-12, structs once each under
/// #/components/schemas. A member of In is a path parameter when the path has its name; a header or cookie by its type
/// (from.h); otherwise, for GET, HEAD, DELETE, OPTIONS and TRACE, a query parameter, and for the other methods a part
/// of the body: JSON, and a form as well when a form could hold all of it, or multipart/form-data when there are files.
/// Throws Error(kAlreadyExists) when two operations have the same id, or two described routes differ in OpenAPI's eyes
/// by the names of parameters only ("/a/:x" and "/a/*y").
std::string openapi_document(const Router& router, const OpenApiInfo& info);

struct OpenApiOptions {
  OpenApiInfo info{};
  std::string document = "/openapi.json";
  std::string page = "/docs/";  ///< ends with '/'; "" for none
};

/// Registers the document and a page that lists the operations by tag with their schemas and can send requests, from
/// the browser it is read in. The page is part of the library, loads nothing from elsewhere, and works without
/// network. The document is made here: call this when all other routes are registered. Both are open to everybody who
/// can reach the router; leave them out, or register them on the admin port's router, where an API is not for all eyes.
/// Throws as openapi_document() and Router::get.
void serve_openapi(const Router& router, OpenApiOptions options = {});

}  // namespace degu::http
