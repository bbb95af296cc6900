#include "rest.h"

#include <set>
#include <vector>

#include "messages.h"
#include "names.h"
#include "operation.h"
#include "options.h"

namespace gen {
namespace {

struct ServedRoute {
  const pb::MethodDescriptor* method;
  Route route;
  int number;  // among the method's
};

std::vector<ServedRoute> routes_of_service(const pb::ServiceDescriptor* service) {
  std::vector<ServedRoute> out;
  for (int i = 0; i < service->method_count(); ++i) {
    std::vector<Route> routes;
    std::string error;
    routes_of(service->method(i), &routes, &error);
    int number = 0;
    for (Route& route : routes) out.push_back({service->method(i), std::move(route), number++});
  }
  return out;
}

bool is_text(const pb::FieldDescriptor* field) {
  return !field->is_repeated() &&
         (field->message_type() == nullptr || well_known(field->message_type()) == WellKnown::kTimestamp ||
          well_known(field->message_type()) == WellKnown::kDuration);
}

// {"kOrderServiceParams0", "{...}"}: the tables a route refers to.
void write_tables(const pb::ServiceDescriptor* service, const std::vector<ServedRoute>& routes, Text& out) {
  for (size_t i = 0; i < routes.size(); ++i) {
    const std::string suffix = service->name() + std::to_string(i);
    std::string params;
    for (const Route::Binding& binding : routes[i].route.bindings) {
      params +=
          (params.empty() ? "" : ", ") + ("{" + quoted(binding.param)) + ", " + quoted(binding.field) + "}";
    }
    if (!params.empty())
      out.line("constexpr ::degu::rpc::RestBinding kParams", suffix, "[] = {", params, "};");
    const pb::Descriptor* input = routes[i].method->input_type();
    std::string headers;
    for (int j = 0; j < input->field_count(); ++j) {
      const std::string header = rules_of(input->field(j)).header;
      if (header.empty()) continue;
      headers += (headers.empty() ? "" : ", ") + ("{" + quoted(header)) + ", " +
                 quoted(input->field(j)->name()) + "}";
    }
    if (!headers.empty())
      out.line("constexpr ::degu::rpc::RestBinding kHeaders", suffix, "[] = {", headers, "};");
    const Route& route = routes[i].route;
    out.line("constexpr ::degu::rpc::RestRoute kRoute", suffix, "{");
    out.line(".call = {", service->name(), "::kName, ", quoted(routes[i].method->name()), "},");
    out.line(".params = ", params.empty() ? "{}" : "kParams" + suffix, ",");
    out.line(".headers = ", headers.empty() ? "{}" : "kHeaders" + suffix, ",");
    out.line(".query = ", route.body == "*" ? "false" : "true", ",");
    out.line(".auth = ", route.auth ? "true" : "false", ",");
    out.line(".status = ", std::to_string(route.status), ",");
    out.line("};");
  }
  out.line();
}

void write_body(const ServedRoute& served, Text& out) {
  const std::string& body = served.route.body;
  if (body == "*") {
    out.line("if (const auto body = call.body()) read_json(*body, request, call.errors());");
  } else if (!body.empty()) {
    const pb::FieldDescriptor* field = served.method->input_type()->FindFieldByName(body);
    const bool bytes = field->type() == pb::FieldDescriptor::TYPE_BYTES;
    out.line("if (const auto body = call.body()) codec::read_member", bytes ? "<codec::Form::kBytes>" : "",
             "(*body, ", quoted(field->json_name()), ", request.", member_name(field), ", call.errors());");
  }
}

void write_reply(const ServedRoute& served, Text& out) {
  const std::string call = "service->" + method_name(served.method) + "(request)";
  if (served.route.response_body.empty()) {
    out.line("call.run([&] { call.reply(", call, "); });");
    return;
  }
  const pb::FieldDescriptor* field =
      served.method->output_type()->FindFieldByName(served.route.response_body);
  const bool bytes = field->type() == pb::FieldDescriptor::TYPE_BYTES;
  out.line("call.run([&] { call.reply_part", bytes ? "<codec::Form::kBytes>" : "", "(", call, ".",
           member_name(field), "); });");
}

void write_mount(const pb::ServiceDescriptor* service, Text& out) {
  const std::vector<ServedRoute> routes = routes_of_service(service);
  const std::string& name = service->name();
  if (!routes.empty()) {
    out.line("namespace {");
    out.line();
    write_tables(service, routes, out);
    for (size_t i = 0; i < routes.size(); ++i) {
      write_operation(routes[i].method, routes[i].route, routes[i].number,
                      "operation" + name + std::to_string(i), out);
    }
    out.line("}  // namespace");
    out.line();
  }
  if (routes.empty()) {
    out.line("void mount(::degu::http::RouterGroup&, std::shared_ptr<", name,
             ">, ::degu::rpc::RestOptions) {}");
  } else {
    out.line("void mount(::degu::http::RouterGroup& routes, std::shared_ptr<", name,
             "> service, ::degu::rpc::RestOptions options) {");
    bool auth = false;
    for (const ServedRoute& served : routes) auth = auth || served.route.auth;
    if (auth) out.line("::degu::rpc::check_rest_options(", name, "::kName, options);");
    out.line("const auto shared = std::make_shared<const ::degu::rpc::RestOptions>(std::move(options));");
    for (size_t i = 0; i < routes.size(); ++i) {
      const Route& route = routes[i].route;
      out.line("routes.handle(", quoted(route.verb), ", ", quoted(route.path),
               ", [service, shared](::degu::http::Exchange& exchange) {");
      out.line("::degu::rpc::RestCall call(exchange, kRoute", name, std::to_string(i), ", *shared);");
      out.line(full_name(routes[i].method->input_type()), " request;");
      write_body(routes[i], out);
      out.line("call.bind(request);");
      write_reply(routes[i], out);
      out.line("}, ::degu::rpc::described(*shared, operation", name, std::to_string(i), "(), ",
               route.auth ? "true" : "false", "));");
    }
    out.line("}");
  }
  out.line();
  out.line("void mount(::degu::http::RouterGroup& routes, std::shared_ptr<", name, "> service) {");
  out.line("mount(routes, std::move(service), ::degu::rpc::RestOptions{});");
  out.line("}");
  out.line();
  for (const bool with_options : {true, false}) {
    out.line("void mount(::degu::http::RouterGroup& routes, ", name, "& service",
             with_options ? ", ::degu::rpc::RestOptions options" : "", ") {");
    out.line("mount(routes, std::shared_ptr<", name, ">(std::shared_ptr<void>(), &service)",
             with_options ? ", std::move(options)" : "", ");");
    out.line("}");
    out.line();
  }
}

}  // namespace

void write_rest_declarations(const pb::FileDescriptor* file, Text& out) {
  for (int i = 0; i < file->service_count(); ++i) {
    const std::string& name = file->service(i)->name();
    out.line("/// Adds the REST routes of ", name,
             ". A service given by reference has to outlive the router.");
    for (const std::string& service : {"std::shared_ptr<" + name + "> service", name + "& service"}) {
      out.line("void mount(::degu::http::RouterGroup& routes, ", service, ");");
      out.line("void mount(::degu::http::RouterGroup& routes, ", service,
               ", ::degu::rpc::RestOptions options);");
    }
    out.line();
  }
}

void write_rest_definitions(const pb::FileDescriptor* file, Text& out) {
  for (int i = 0; i < file->service_count(); ++i) write_mount(file->service(i), out);
}

std::string route_fault(const pb::MethodDescriptor* method) {
  std::vector<Route> routes;
  std::string error;
  if (!routes_of(method, &routes, &error)) return error;
  for (const Route& route : routes) {
    std::set<std::string> params;
    for (const Route::Binding& binding : route.bindings) {
      const pb::FieldDescriptor* field = find_field(method->input_type(), binding.field);
      if (field == nullptr) return "the path binds {" + binding.field + "}, which the request does not have";
      if (!is_text(field)) return "the path binds {" + binding.field + "}, which cannot be read from text";
      if (!params.insert(binding.param).second) return "the path binds {" + binding.field + "} twice";
    }
    if (!route.body.empty() && route.body != "*" &&
        method->input_type()->FindFieldByName(route.body) == nullptr) {
      return "body \"" + route.body + "\" is no field of the request";
    }
    if (!route.response_body.empty() &&
        method->output_type()->FindFieldByName(route.response_body) == nullptr) {
      return "response_body \"" + route.response_body + "\" is no field of the response";
    }
    if (route.status < 200 || route.status > 299) return "(degu.success_status) has to be 200 to 299";
  }
  return "";
}

}  // namespace gen
