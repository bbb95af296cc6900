#include "operation.h"

#include <google/protobuf/descriptor.pb.h>

#include <algorithm>
#include <cctype>
#include <utility>
#include <vector>

#include "names.h"
#include "schema.h"

namespace gen {
namespace {

constexpr std::string_view kCodes[] = {
    "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",   "NOT_FOUND",
    "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED",
    "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",         "DATA_LOSS",
    "UNAUTHENTICATED"};

struct Parameter {
  std::string place;   // "kQuery"
  std::string schema;  // initializer of its FieldSchema
  std::string name;
  bool required;
};

struct Parts {
  std::vector<Parameter> parameters;
  std::vector<std::string> body_fields;  // of body "*"
  bool whole_body = true;                // body "*" takes the whole message
  bool body_required = false;
};

// "ALREADY_EXISTS" as "kAlreadyExists".
std::string code_enumerator(std::string_view code) {
  std::string out = "k";
  bool starts_word = true;
  for (const char c : code) {
    if (c != '_') out += starts_word ? c : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    starts_word = c == '_';
  }
  return out;
}

// "GetHTTPStatus" as "Get http status".
std::string spoken(const pb::MethodDescriptor* method) {
  std::string out = method_name(method);
  if (out.ends_with('_')) out.pop_back();
  std::replace(out.begin(), out.end(), '_', ' ');
  out[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(out[0])));
  return out;
}

std::vector<std::string> sentences_of(const std::string& text) {
  std::vector<std::string> out;
  for (size_t begin = 0; begin < text.size();) {
    size_t end = text.find(". ", begin);
    end = end == std::string::npos ? text.size() : end + 1;
    out.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return out;
}

bool is_bound(const Route& route, const std::string& path) {
  return std::any_of(route.bindings.begin(), route.bindings.end(),
                     [&](const Route::Binding& binding) { return binding.field == path; });
}

// Fields that a query can set, those of messages within as "a.b"; a message within itself is not entered again.
void add_query(const Route& route, const pb::Descriptor* message, const std::string& path,
               const std::string& name, std::vector<const pb::Descriptor*>& within, Parts& parts) {
  within.push_back(message);
  for (int i = 0; i < message->field_count(); ++i) {
    const pb::FieldDescriptor* field = message->field(i);
    const std::string field_path = path + field->name();
    const std::string field_name = name + field->json_name();
    const pb::Descriptor* type = field->message_type();
    const WellKnown kind = type == nullptr ? WellKnown::kNone : well_known(type);
    if (is_bound(route, field_path) || (path.empty() && field->name() == route.body)) continue;
    if (path.empty() && !rules_of(field).header.empty()) continue;
    if (type == nullptr || kind == WellKnown::kTimestamp || kind == WellKnown::kDuration) {
      const bool required = path.empty() && has_to_be_given(field);
      parts.parameters.push_back(
          {"kQuery", field_schema(field, field_name, !path.empty()), field_name, required});
    } else if (!field->is_repeated() && kind == WellKnown::kNone &&
               std::find(within.begin(), within.end(), type) == within.end()) {
      add_query(route, type, field_path + ".", field_name + ".", within, parts);
    }
  }
  within.pop_back();
}

void add_body_fields(const Route& route, const pb::Descriptor* input, Parts& parts) {
  for (int i = 0; i < input->field_count(); ++i) {
    const pb::FieldDescriptor* field = input->field(i);
    if (is_bound(route, field->name()) || !rules_of(field).header.empty()) {
      parts.whole_body = false;
      continue;
    }
    parts.body_fields.push_back(field_schema(field, field->json_name()));
    parts.body_required = parts.body_required || has_to_be_given(field);
  }
}

Parts parts_of(const pb::MethodDescriptor* method, const Route& route) {
  const pb::Descriptor* input = method->input_type();
  Parts parts;
  for (const Route::Binding& binding : route.bindings) {
    parts.parameters.push_back(
        {"kPath", field_schema(find_field(input, binding.field), binding.param), binding.param, true});
  }
  if (route.body == "*") {
    add_body_fields(route, input, parts);
  } else {
    std::vector<const pb::Descriptor*> within;
    add_query(route, input, "", "", within, parts);
    const pb::FieldDescriptor* body = route.body.empty() ? nullptr : input->FindFieldByName(route.body);
    if (body != nullptr) parts.body_fields.push_back(field_schema(body, body->json_name()));
    parts.body_required = body != nullptr && has_to_be_given(body);
  }
  for (int i = 0; i < input->field_count(); ++i) {
    const std::string header = rules_of(input->field(i)).header;
    if (header.empty()) continue;
    parts.parameters.push_back(
        {"kHeader", field_schema(input->field(i), header), header, has_to_be_given(input->field(i))});
  }
  return parts;
}

void write_table(const std::string& name, const std::vector<std::string>& fields, Text& out) {
  if (fields.empty()) return;
  out.line("static constexpr ::degu::rpc::FieldSchema ", name, "[] = {");
  for (const std::string& field : fields) out.line(field, ",");
  out.line("};");
}

// A schema function whose one statement is `statement`.
std::string schema_function(const std::string& statement) {
  return "[](json::SchemaSet& schemas, json::Writer& writer) { " + statement + " }";
}

std::string message_function(const pb::Descriptor* message, const std::string& use) {
  if (well_known(message) == WellKnown::kEmpty)
    return R"x([](json::SchemaSet&, json::Writer& writer) { writer.raw("{\"type\":\"object\"}"); })x";
  return schema_function("schemas.write<" + full_name(message) + ">(writer, json::SchemaUse::" + use + ");");
}

std::string field_function(const std::string& field, const std::string& use) {
  return schema_function("::degu::rpc::write_field_schema(schemas, writer, json::SchemaUse::" + use + ", " +
                         field + ");");
}

void write_body(const pb::MethodDescriptor* method, const Route& route, const Parts& parts, Text& out) {
  if (route.body.empty() || parts.body_fields.empty()) return;
  if (route.body != "*") {
    out.line("parts.body = ", field_function("kBody[0]", "kRead"), ";");
  } else if (parts.whole_body) {
    out.line("parts.body = ", message_function(method->input_type(), "kRead"), ";");
  } else {
    out.line(
        "parts.body = ",
        schema_function("::degu::rpc::write_fields_schema(schemas, writer, json::SchemaUse::kRead, kBody);"),
        ";");
  }
  out.line("parts.body_required = ", parts.body_required ? "true" : "false", ";");
}

// Summary and description are the comment's first sentence and the rest; an error is a code that a sentence names.
void write_result(const pb::MethodDescriptor* method, const Route& route, int number, Text& out) {
  const std::string comment = comment_of(method);
  const std::vector<std::string> sentences = sentences_of(comment);
  std::string summary = sentences.empty() ? spoken(method) : sentences.front();
  if (summary.ends_with('.')) summary.pop_back();
  out.line("auto result = ::degu::http::operation(", quoted(summary), ", parts);");
  if (sentences.size() > 1)
    out.line("result.description(", quoted(comment.substr(sentences.front().size() + 1)), ");");
  std::string id = method->service()->name() + "_" + method->name();
  if (number > 0) id += "_" + std::to_string(number + 1);
  out.line("result.id(", quoted(id), ").tag(", quoted(method->service()->name()), ").status(",
           std::to_string(route.status), ");");
  for (const std::string& sentence : sentences) {
    for (const std::string_view code : kCodes) {
      const size_t at = sentence.find(code);
      if (at == std::string::npos || (at > 0 && std::isupper(static_cast<unsigned char>(sentence[at - 1]))))
        continue;
      out.line("result.error(::degu::http_status(::degu::Code::", code_enumerator(code), "), ",
               quoted(sentence), ");");
    }
  }
  if (method->options().deprecated()) out.line("result.deprecated();");
}

}  // namespace

const pb::FieldDescriptor* find_field(const pb::Descriptor* message, const std::string& path) {
  const size_t dot = path.find('.');
  const pb::FieldDescriptor* field = message->FindFieldByName(path.substr(0, dot));
  if (field == nullptr || dot == std::string::npos) return field;
  if (field->message_type() == nullptr || field->is_repeated()) return nullptr;
  return find_field(field->message_type(), path.substr(dot + 1));
}

void write_operation(const pb::MethodDescriptor* method, const Route& route, int number,
                     const std::string& name, Text& out) {
  const Parts parts = parts_of(method, route);
  out.line("::degu::http::Operation ", name, "() {");
  std::vector<std::string> fields;
  for (const Parameter& parameter : parts.parameters) fields.push_back(parameter.schema);
  write_table("kFields", fields, out);
  if (!parts.whole_body || (!route.body.empty() && route.body != "*"))
    write_table("kBody", parts.body_fields, out);
  if (!fields.empty()) {
    out.line("static constexpr ::degu::http::OperationSchemas::Parameter kParameters[] = {");
    for (size_t i = 0; i < parts.parameters.size(); ++i) {
      const Parameter& parameter = parts.parameters[i];
      out.line("{", quoted(parameter.name), ", ::degu::http::OperationSchemas::Place::", parameter.place,
               ", ", parameter.required ? "true" : "false", ", ",
               field_function("kFields[" + std::to_string(i) + "]", "kRead"), "},");
    }
    out.line("};");
  }
  const pb::FieldDescriptor* part =
      route.response_body.empty() ? nullptr : method->output_type()->FindFieldByName(route.response_body);
  if (part != nullptr) write_table("kResponse", {field_schema(part, part->json_name())}, out);
  out.line("::degu::http::OperationSchemas parts;");
  if (!fields.empty()) out.line("parts.parameters = kParameters;");
  write_body(method, route, parts, out);
  out.line("parts.response = ",
           part != nullptr ? field_function("kResponse[0]", "kWrite")
                           : message_function(method->output_type(), "kWrite"),
           ";");
  write_result(method, route, number, out);
  out.line("return result;");
  out.line("}");
  out.line();
}

}  // namespace gen
