#include "service.h"

#include <string>

#include "messages.h"
#include "names.h"

namespace gen {
namespace {

void write_class(const pb::ServiceDescriptor* service, Text& out) {
  const std::string& name = service->name();
  write_comment(service, out);
  out.line("class ", name, " {");
  out.line("public:");
  out.line("static constexpr std::string_view kName = ", quoted(service->full_name()), ";");
  out.line();
  out.line("virtual ~", name, "() = default;");
  for (int i = 0; i < service->method_count(); ++i) {
    const pb::MethodDescriptor* method = service->method(i);
    out.line();
    write_comment(method, out);
    out.line("virtual ", full_name(method->output_type()), " ", method_name(method), "(const ",
             full_name(method->input_type()), "& request) = 0;");
  }
  out.line("};");
  out.line();
  out.line(
      "/// `service` behind the checks, interceptors and status codes of a call; use "
      "degu::rpc::local_client.");
  out.line("std::shared_ptr<", name, "> make_local_client(std::shared_ptr<", name,
           "> service, ::degu::rpc::LocalOptions options);");
  out.line();
}

void write_local_client(const pb::ServiceDescriptor* service, Text& out) {
  const std::string& name = service->name();
  out.line("namespace {");
  out.line();
  out.line("class ", name, "LocalClient final : public ", name, " {");
  out.line("public:");
  out.line(name, "LocalClient(std::shared_ptr<", name, "> service, ::degu::rpc::LocalOptions options)");
  out.line("    : service_(std::move(service)), options_(std::move(options)) {}");
  for (int i = 0; i < service->method_count(); ++i) {
    const pb::MethodDescriptor* method = service->method(i);
    const std::string call = method_name(method);
    const std::string response = full_name(method->output_type());
    out.line();
    out.line(response, " ", call, "(const ", full_name(method->input_type()), "& request) override {");
    out.line("static constexpr ::degu::rpc::CallInfo kCall{", name, "::kName, ", quoted(method->name()),
             "};");
    out.line("return ::degu::rpc::local_call<", response,
             ">(kCall, options_, request, [&] { return service_->", call, "(request); });");
    out.line("}");
  }
  out.line();
  out.line("private:");
  out.line("std::shared_ptr<", name, "> service_;");
  out.line("::degu::rpc::LocalOptions options_;");
  out.line("};");
  out.line();
  out.line("}  // namespace");
  out.line();
  out.line("std::shared_ptr<", name, "> make_local_client(std::shared_ptr<", name,
           "> service, ::degu::rpc::LocalOptions options) {");
  out.line("return std::make_shared<", name, "LocalClient>(std::move(service), std::move(options));");
  out.line("}");
  out.line();
}

}  // namespace

void write_service_declarations(const pb::FileDescriptor* file, Text& out) {
  for (int i = 0; i < file->service_count(); ++i) write_class(file->service(i), out);
}

void write_service_definitions(const pb::FileDescriptor* file, Text& out) {
  for (int i = 0; i < file->service_count(); ++i) write_local_client(file->service(i), out);
}

}  // namespace gen
