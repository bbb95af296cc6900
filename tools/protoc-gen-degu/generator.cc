#include "generator.h"

#include <google/protobuf/io/printer.h>
#include <google/protobuf/io/zero_copy_stream.h>

#include <memory>

#include "check.h"
#include "json.h"
#include "messages.h"
#include "names.h"
#include "rest.h"
#include "rules.h"
#include "schema.h"
#include "service.h"
#include "text.h"

namespace gen {
namespace {

// Imports that only bring options or well-known types have no header of their own.
bool has_header(const pb::FileDescriptor* file) {
  return !file->package().starts_with("google.") && file->package() != "google" &&
         file->package() != "degu" && (file->message_type_count() > 0 || file->enum_type_count() > 0);
}

void open_namespace(const pb::FileDescriptor* file, Text& out) {
  const std::string name = namespace_of(file);
  if (!name.empty()) out.line("namespace ", name, " {");
  if (!name.empty()) out.line();
}

void close_namespace(const pb::FileDescriptor* file, Text& out) {
  const std::string name = namespace_of(file);
  if (!name.empty()) out.line("}  // namespace ", name);
}

std::string header_text(const pb::FileDescriptor* file) {
  Text out;
  out.line("// Generated from ", file->name(), " by protoc-gen-degu. Do not edit.");
  out.line("#pragma once");
  out.line();
  for (const char* header : {"cstdint", "map", "memory", "optional", "string", "string_view", "vector"}) {
    out.line("#include <", header, ">");
  }
  out.line();
  out.line("#include <degu/rpc/message.h>");
  for (int i = 0; i < file->dependency_count(); ++i) {
    if (has_header(file->dependency(i))) out.line("#include <", base_path(file->dependency(i)), ".h>");
  }
  out.line();
  open_namespace(file, out);
  write_message_declarations(file, out);
  write_json_declarations(file, out);
  write_rule_declarations(file, out);
  write_schema_declarations(file, out);
  write_service_declarations(file, out);
  write_rest_declarations(file, out);
  close_namespace(file, out);
  return out.str();
}

std::string source_text(const pb::FileDescriptor* file) {
  Text out;
  out.line("// Generated from ", file->name(), " by protoc-gen-degu. Do not edit.");
  out.line("#include <", base_path(file), ".h>");
  out.line();
  out.line("#include <degu/rpc/codec.h>");
  out.line("#include <degu/rpc/field_schema.h>");
  out.line("#include <degu/rpc/validation.h>");
  if (file->service_count() > 0) {
    out.line("#include <degu/http/operation.h>");
    out.line("#include <degu/http/router.h>");
    out.line("#include <degu/rpc/local_client.h>");
    out.line("#include <degu/rpc/rest.h>");
  }
  out.line();
  out.line("#include <utility>");
  out.line();
  open_namespace(file, out);
  out.line("namespace json = ::degu::json;");
  out.line("namespace codec = ::degu::rpc::codec;");
  out.line("namespace validation = ::degu::rpc::validation;");
  out.line();
  write_message_definitions(file, out);
  write_json_definitions(file, out);
  write_rule_definitions(file, out);
  write_schema_definitions(file, out);
  write_service_definitions(file, out);
  write_rest_definitions(file, out);
  close_namespace(file, out);
  return out.str();
}

void write_file(pb::compiler::GeneratorContext* context, const std::string& path, const std::string& text) {
  const std::unique_ptr<pb::io::ZeroCopyOutputStream> stream(context->Open(path));
  pb::io::Printer printer(stream.get(), '$');
  printer.WriteRaw(text.data(), static_cast<int>(text.size()));
}

}  // namespace

bool Generator::Generate(const pb::FileDescriptor* file, const std::string&,
                         pb::compiler::GeneratorContext* context, std::string* error) const {
  *error = faults_of(file);
  if (!error->empty()) {
    error->pop_back();  // the last newline
    return false;
  }
  write_file(context, base_path(file) + ".h", header_text(file));
  write_file(context, base_path(file) + ".cc", source_text(file));
  return true;
}

uint64_t Generator::GetSupportedFeatures() const { return FEATURE_PROTO3_OPTIONAL; }

}  // namespace gen
