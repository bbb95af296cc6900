#include <degu/http/internal/embedded_file.h>
#include <degu/http/internal/route_table.h>
#include <degu/http/internal/status.h>
#include <degu/http/openapi.h>
#include <degu/http/static_files.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

namespace degu::http {

using internal::InputMember;
using Place = InputMember::Place;

namespace {

constexpr std::string_view kSchemas = "#/components/schemas/";

constexpr std::string_view kProblemSchema =
    R"({"type":"object","description":"RFC 9457","properties":{"type":{"type":"string"},"title":{"type":"string"},)"
    R"("status":{"type":"integer"},"detail":{"type":"string"},"code":{"type":"string"},"errors":{"type":"array",)"
    R"("items":{"type":"object","properties":{"field":{"type":"string"},"reason":{"type":"string"}},)"
    R"("required":["field","reason"]}},"requestId":{"type":"string"}},)"
    R"("required":["type","title","status","detail","code"]})";

std::optional<std::string> openapi_method(std::string_view method) {
  for (const std::string_view known : {"GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE"}) {
    if (method != known) continue;
    std::string lower(method);
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](char c) { return static_cast<char>(c - 'A' + 'a'); });
    return lower;
  }
  return std::nullopt;
}

bool has_body(std::string_view method) noexcept {
  return method == "POST" || method == "PUT" || method == "PATCH";
}

// A pattern as OpenAPI writes it; `names` of the parameters may be another route's.
std::string path_template(std::string_view pattern, const std::vector<std::string>& names) {
  std::string path;
  std::size_t next = 0;
  while (!pattern.empty()) {
    const std::size_t end = pattern.find('/', 1);
    std::string_view segment = pattern.substr(0, end);
    pattern.remove_prefix(segment.size());
    if (segment.starts_with("/:") || segment.starts_with("/*")) {
      const std::size_t verb = segment.find(':', 2);
      path += "/{" + names[next++] + "}";
      if (verb != std::string_view::npos) path += segment.substr(verb);
    } else {
      path += segment;
    }
  }
  return path;
}

// "get_users_id": letters and digits only, so that it can become a function's name.
std::string derived_id(std::string_view method, std::string_view pattern) {
  std::string id(method);
  bool gap = true;
  for (const char c : pattern) {
    const bool fit = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (fit && gap) id += '_';
    if (fit) id += c;
    gap = !fit;
  }
  return id;
}

bool takes_body(const std::vector<InputMember>& input) noexcept {
  return std::any_of(input.begin(), input.end(),
                     [](const InputMember& member) { return member.place == Place::kBody; });
}

void write_text(json::Writer& writer, std::string_view key, std::string_view text) {
  writer.key(key);
  writer.value(text);
}

}  // namespace

Operation operation(std::string summary, const OperationSchemas& schemas) {
  Operation result;
  result.summary_ = std::move(summary);
  for (const OperationSchemas::Parameter& parameter : schemas.parameters) {
    const Place place = parameter.place == OperationSchemas::Place::kPath    ? Place::kPath
                        : parameter.place == OperationSchemas::Place::kQuery ? Place::kQuery
                                                                             : Place::kHeader;
    result.input_.push_back({parameter.name, place, parameter.required, false, parameter.schema});
  }
  result.only_body_ = true;
  result.body_required_ = schemas.body_required;
  result.input_schema_ = schemas.body;
  result.output_schema_ = schemas.response;
  return result;
}

// Writes the whole document twice: names of components depend on all that is seen (SchemaSet::settle).
class OpenApiWriter {
 public:
  explicit OpenApiWriter(const internal::RouteTable& table);

  std::string write(const OpenApiInfo& info);

 private:
  struct Item {
    const internal::Route* route;
    const Operation* operation;
    std::string method;
    std::string id;
    std::vector<std::string> names;  // of the path's parameters, as the document spells them
  };

  void add(const internal::Route& route);
  void name_operations();
  std::string document(const OpenApiInfo& info);
  void write_info(json::Writer& writer, const OpenApiInfo& info);
  void write_operation(json::Writer& writer, const Item& item);
  void write_parameters(json::Writer& writer, const Item& item);
  void write_parameter(json::Writer& writer, std::string_view name, std::string_view in,
                       const InputMember* member);
  void write_body(json::Writer& writer, const Item& item);
  void write_body_schema(json::Writer& writer, const std::vector<const InputMember*>& members);
  void write_whole_body(json::Writer& writer, bool required, SchemaFunction schema,
                        internal::MediaTypes types);
  void write_content(json::Writer& writer, SchemaFunction schema, internal::MediaTypes types);
  void write_security_schemes(json::Writer& writer);
  void write_responses(json::Writer& writer, const Item& item);
  void write_problem(json::Writer& writer, std::string_view description);
  static std::size_t path_index(const Item& item, const InputMember& member);

  json::SchemaSet schemas_{std::string(kSchemas), {"Problem"}};
  std::map<std::string, std::vector<Item>> paths_;  // by the path's shape: "/users/{}"
};

OpenApiWriter::OpenApiWriter(const internal::RouteTable& table) {
  std::vector<const internal::Route*> routes;
  for (const auto& route : table.routes()) {
    if (route->options.operation != nullptr) routes.push_back(route.get());
  }
  std::sort(routes.begin(), routes.end(), [](const internal::Route* a, const internal::Route* b) {
    return std::tie(a->pattern, a->method) < std::tie(b->pattern, b->method);
  });
  for (const internal::Route* route : routes) add(*route);
  name_operations();
}

void OpenApiWriter::add(const internal::Route& route) {
  const auto method = openapi_method(route.method);
  if (!method) return;
  const std::vector<std::string> blanks(route.param_names.size());
  std::vector<Item>& items = paths_[path_template(route.pattern, blanks)];
  for (const Item& other : items) {
    if (other.method != *method) continue;
    throw Error(Code::kAlreadyExists, fmt::format("routes {} {} and {} are one path in OpenAPI", route.method,
                                                  other.route->pattern, route.pattern));
  }
  // Templates that differ by names only are the same one; the first spells them.
  items.push_back({&route, route.options.operation.get(), *method, "",
                   items.empty() ? route.param_names : items.front().names});
}

void OpenApiWriter::name_operations() {
  std::set<std::string> taken;
  for (auto& [shape, items] : paths_) {
    for (Item& item : items) {
      item.id = item.operation->id_;
      if (item.id.empty() || taken.insert(item.id).second) continue;
      throw Error(Code::kAlreadyExists, fmt::format("two operations have the id \"{}\"", item.id));
    }
  }
  for (auto& [shape, items] : paths_) {
    for (Item& item : items) {
      if (!item.id.empty()) continue;
      const std::string wanted = derived_id(item.method, item.route->pattern);
      item.id = wanted;
      for (int number = 2; !taken.insert(item.id).second; ++number)
        item.id = fmt::format("{}_{}", wanted, number);
    }
  }
}

std::string OpenApiWriter::write(const OpenApiInfo& info) {
  document(info);
  schemas_.settle();
  return document(info);
}

std::string OpenApiWriter::document(const OpenApiInfo& info) {
  std::string out;
  json::Writer writer(out);
  writer.begin_object();
  write_text(writer, "openapi", "3.1.0");
  write_info(writer, info);
  writer.key("paths");
  writer.begin_object();
  for (const auto& [shape, items] : paths_) {
    writer.key(path_template(items.front().route->pattern, items.front().names));
    writer.begin_object();
    for (const Item& item : items) write_operation(writer, item);
    writer.end_object();
  }
  writer.end_object();
  writer.key("components");
  writer.begin_object();
  writer.key("schemas");
  writer.begin_object();
  std::map<std::string, std::string> components = schemas_.components();
  components.emplace("Problem", kProblemSchema);
  for (const auto& [name, text] : components) {
    writer.key(name);
    writer.raw(text);
  }
  writer.end_object();
  writer.key("responses");
  writer.begin_object();
  writer.key("Problem");
  write_problem(writer, "Any failure");
  writer.end_object();
  write_security_schemes(writer);
  writer.end_object();
  writer.end_object();
  return out;
}

void OpenApiWriter::write_security_schemes(json::Writer& writer) {
  std::set<std::string> schemes;
  for (const auto& [shape, items] : paths_) {
    for (const Item& item : items) {
      if (!item.operation->scheme_.empty()) schemes.insert(item.operation->scheme_);
    }
  }
  if (schemes.empty()) return;
  writer.key("securitySchemes");
  writer.begin_object();
  for (const std::string& scheme : schemes) {
    writer.key(scheme);
    writer.begin_object();
    write_text(writer, "type", "http");
    write_text(writer, "scheme", scheme);
    writer.end_object();
  }
  writer.end_object();
}

void OpenApiWriter::write_info(json::Writer& writer, const OpenApiInfo& info) {
  writer.key("info");
  writer.begin_object();
  write_text(writer, "title", info.title);
  write_text(writer, "version", info.version);
  if (!info.description.empty()) write_text(writer, "description", info.description);
  writer.end_object();
  if (!info.servers.empty()) {
    writer.key("servers");
    writer.begin_array();
    for (const std::string& url : info.servers) {
      writer.begin_object();
      write_text(writer, "url", url);
      writer.end_object();
    }
    writer.end_array();
  }
  std::set<std::string> tags;
  for (const auto& [shape, items] : paths_) {
    for (const Item& item : items) tags.insert(item.operation->tags_.begin(), item.operation->tags_.end());
  }
  writer.key("tags");
  writer.begin_array();
  for (const std::string& tag : tags) {
    writer.begin_object();
    write_text(writer, "name", tag);
    writer.end_object();
  }
  writer.end_array();
}

void OpenApiWriter::write_operation(json::Writer& writer, const Item& item) {
  const Operation& operation = *item.operation;
  writer.key(item.method);
  writer.begin_object();
  write_text(writer, "operationId", item.id);
  write_text(writer, "summary", operation.summary_);
  if (!operation.description_.empty()) write_text(writer, "description", operation.description_);
  if (!operation.tags_.empty()) {
    writer.key("tags");
    json::write(writer, operation.tags_);
  }
  if (operation.deprecated_) {
    writer.key("deprecated");
    writer.value(true);
  }
  if (!operation.scheme_.empty()) {
    writer.key("security");
    writer.begin_array();
    writer.begin_object();
    writer.key(operation.scheme_);
    writer.raw("[]");
    writer.end_object();
    writer.end_array();
  }
  write_parameters(writer, item);
  write_body(writer, item);
  write_responses(writer, item);
  writer.end_object();
}

// Which of the path's parameters the member is; beyond them when it is none.
std::size_t OpenApiWriter::path_index(const Item& item, const InputMember& member) {
  const std::vector<std::string>& names = item.route->param_names;
  if (member.place != Place::kText && member.place != Place::kPath) return names.size();
  return static_cast<std::size_t>(std::find(names.begin(), names.end(), member.name) - names.begin());
}

void OpenApiWriter::write_parameters(json::Writer& writer, const Item& item) {
  writer.key("parameters");
  writer.begin_array();
  const std::vector<InputMember>& input = item.operation->input_;
  // Every parameter of the path has to be declared, whether or not the handler binds it.
  for (std::size_t i = 0; i < item.names.size(); ++i) {
    const auto member = std::find_if(input.begin(), input.end(),
                                     [&](const InputMember& m) { return path_index(item, m) == i; });
    write_parameter(writer, item.names[i], "path", member == input.end() ? nullptr : &*member);
  }
  for (const InputMember& member : input) {
    if (member.place == Place::kHeader) write_parameter(writer, member.name, "header", &member);
    if (member.place == Place::kCookie) write_parameter(writer, member.name, "cookie", &member);
    if (member.place == Place::kQuery) write_parameter(writer, member.name, "query", &member);
    if (member.place != Place::kText || (has_body(item.route->method) && !takes_body(input))) continue;
    if (path_index(item, member) == item.names.size()) write_parameter(writer, member.name, "query", &member);
  }
  writer.end_array();
}

void OpenApiWriter::write_parameter(json::Writer& writer, std::string_view name, std::string_view in,
                                    const InputMember* member) {
  writer.begin_object();
  write_text(writer, "name", name);
  write_text(writer, "in", in);
  if (in == "path" || (member != nullptr && member->required)) {
    writer.key("required");
    writer.value(true);
  }
  writer.key("schema");
  if (member == nullptr) {
    json::internal::write_type(writer, "string");
  } else {
    member->schema(schemas_, writer);
  }
  writer.end_object();
}

void OpenApiWriter::write_body(json::Writer& writer, const Item& item) {
  const Operation& operation = *item.operation;
  if (operation.input_schema_ == nullptr || !has_body(item.route->method)) return;
  if (operation.only_body_)
    return write_whole_body(writer, operation.body_required_, operation.input_schema_,
                            operation.input_types_);
  for (const InputMember& member : operation.input_) {
    if (member.place == Place::kBody)
      return write_whole_body(writer, member.required, member.schema, member.media_types);
  }
  std::vector<const InputMember*> members;
  bool in_path = false;
  bool files = false;
  bool only_json = false;
  bool required = false;
  for (const InputMember& member : operation.input_) {
    if (member.place == Place::kHeader || member.place == Place::kCookie) continue;
    if (path_index(item, member) < item.names.size()) {
      in_path = true;
      continue;
    }
    members.push_back(&member);
    files = files || member.place == Place::kFile;
    only_json = only_json || member.place == Place::kJson;
    required = required || member.required;
  }
  if (members.empty() && !operation.input_.empty()) return;
  if (members.empty()) return write_whole_body(writer, true, operation.input_schema_, operation.input_types_);
  const auto content = [&](std::string_view type) {
    writer.key(type);
    writer.begin_object();
    writer.key("schema");
    if (!in_path && !files) {
      operation.input_schema_(schemas_, writer);
    } else {
      write_body_schema(writer, members);
    }
    writer.end_object();
  };
  writer.key("requestBody");
  writer.begin_object();
  if (required) {
    writer.key("required");
    writer.value(true);
  }
  writer.key("content");
  writer.begin_object();
  if (files) {
    content("multipart/form-data");
  } else {
    content("application/json");
    if (!only_json) content("application/x-www-form-urlencoded");
  }
  writer.end_object();
  writer.end_object();
}

void OpenApiWriter::write_whole_body(json::Writer& writer, bool required, SchemaFunction schema,
                                     internal::MediaTypes types) {
  writer.key("requestBody");
  writer.begin_object();
  if (required) {
    writer.key("required");
    writer.value(true);
  }
  write_content(writer, schema, types);
  writer.end_object();
}

// Without a schema only the types are known.
void OpenApiWriter::write_content(json::Writer& writer, SchemaFunction schema, internal::MediaTypes types) {
  writer.key("content");
  writer.begin_object();
  for (const std::string_view type : types) {
    writer.key(type);
    writer.begin_object();
    if (schema != nullptr) {
      writer.key("schema");
      schema(schemas_, writer);
    }
    writer.end_object();
  }
  writer.end_object();
}

// What is left of a struct when other places give the rest.
void OpenApiWriter::write_body_schema(json::Writer& writer, const std::vector<const InputMember*>& members) {
  constexpr std::string_view kFile = R"({"type":"string","contentMediaType":"application/octet-stream"})";
  std::vector<std::string_view> required;
  writer.begin_object();
  write_text(writer, "type", "object");
  writer.key("properties");
  writer.begin_object();
  for (const InputMember* member : members) {
    writer.key(member->name);
    if (member->required) required.push_back(member->name);
    if (member->place != Place::kFile) {
      member->schema(schemas_, writer);
    } else {
      writer.raw(member->many ? fmt::format(R"({{"type":"array","items":{}}})", kFile) : std::string(kFile));
    }
  }
  writer.end_object();
  if (!required.empty()) {
    writer.key("required");
    json::write(writer, required);
  }
  writer.key("additionalProperties");
  writer.value(false);
  writer.end_object();
}

void OpenApiWriter::write_responses(json::Writer& writer, const Item& item) {
  const Operation& operation = *item.operation;
  const bool has_content = operation.output_schema_ != nullptr || !operation.produces_.empty();
  const int success = operation.status_ != 0 ? operation.status_ : has_content ? 200 : 204;
  std::map<int, std::string> errors(operation.errors_.begin(), operation.errors_.end());
  if (operation.input_schema_ != nullptr || !operation.input_.empty()) {
    errors.emplace(400, "The request is faulty");
  }
  if (!operation.scheme_.empty()) errors.emplace(401, "No valid credentials");
  if (operation.input_schema_ != nullptr && has_body(item.route->method)) {
    errors.emplace(413, "The body is too large");
    errors.emplace(415, "The body is of another type");
  }
  writer.key("responses");
  writer.begin_object();
  writer.key(std::to_string(success));
  writer.begin_object();
  write_text(writer, "description", internal::reason_phrase(success));
  if (has_content) {
    const std::string_view other = operation.produces_;
    write_content(writer, operation.output_schema_,
                  other.empty() ? operation.output_types_ : internal::MediaTypes(&other, 1));
  }
  writer.end_object();
  for (const auto& [status, when] : errors) {
    if (status == success) continue;
    writer.key(std::to_string(status));
    write_problem(writer, when.empty() ? internal::reason_phrase(status) : std::string_view(when));
  }
  writer.key("default");
  writer.begin_object();
  write_text(writer, "$ref", "#/components/responses/Problem");
  writer.end_object();
  writer.end_object();
}

void OpenApiWriter::write_problem(json::Writer& writer, std::string_view description) {
  writer.begin_object();
  write_text(writer, "description", description);
  writer.key("content");
  writer.raw(R"({"application/problem+json":{"schema":{"$ref":"#/components/schemas/Problem"}}})");
  writer.end_object();
}

namespace {

std::string escape_attribute(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '&') {
      out += "&amp;";
    } else if (c == '"') {
      out += "&quot;";
    } else {
      out += c;
    }
  }
  return out;
}

// Relative, so that it also holds behind a proxy that serves all of this below a prefix.
std::string relative_to(std::string_view page, std::string_view target) {
  std::string up;
  for (std::size_t i = 1; i < page.size(); ++i) {
    if (page[i] == '/') up += "../";
  }
  return (up.empty() ? "./" : up) + std::string(target.substr(1));
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

// The page may talk to its own origin and to the servers that the document names.
std::string content_policy(const OpenApiInfo& info) {
  std::string connect = "connect-src 'self'";
  for (const std::string& server : info.servers) {
    const std::size_t host = server.find("://");
    if (host == std::string::npos) continue;
    const std::string origin = server.substr(0, server.find('/', host + 3));
    const bool fit = std::all_of(origin.begin(), origin.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= ':') || c == '.' ||
             c == '-' || c == '/';
    });
    if (fit) connect += " " + origin;
  }
  return "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; base-uri 'none'; "
         "form-action 'none'; frame-ancestors 'none'; " +
         connect;
}

Handler serve_page(const OpenApiOptions& options) {
  std::vector<StaticFile> files;
  for (const internal::EmbeddedFile& file : internal::viewer_files()) {
    std::string content(file.content);
    if (file.path == "index.html") {
      replace_all(content, "ROOT", relative_to(options.page, "/"));
      replace_all(content, "DOCUMENT", escape_attribute(relative_to(options.page, options.document)));
    }
    files.push_back({std::string(file.path), std::move(content)});
  }
  return [serve = static_files(std::move(files)), policy = content_policy(options.info)](Exchange& c) {
    c.set_header("Content-Security-Policy", policy);
    c.set_header("Referrer-Policy", "no-referrer");
    serve(c);
  };
}

}  // namespace

std::string openapi_document(const Router& router, const OpenApiInfo& info) {
  return OpenApiWriter(*router.table()).write(info);
}

void serve_openapi(const Router& router, OpenApiOptions options) {
  if (!options.page.empty() && (options.page.front() != '/' || options.page.back() != '/')) {
    throw Error(Code::kInvalidArgument, "the page of an OpenAPI document must start and end with '/'");
  }
  auto text = std::make_shared<const std::string>(openapi_document(router, options.info));
  router.get(options.document, [text](Exchange& c) {
    c.set_header("Cache-Control", "no-cache");
    c.set_header("X-Content-Type-Options", "nosniff");
    c.raw(200, "application/json", text);
  });
  if (options.page.empty()) return;
  router.get(options.page + "*path", serve_page(options));
  if (options.page == "/") return;
  // "/docs" is what people type.
  const std::string bare = options.page.substr(0, options.page.size() - 1);
  router.get(bare, [to = bare.substr(bare.rfind('/') + 1) + "/"](Exchange& c) { c.redirect(308, to); });
}

}  // namespace degu::http
