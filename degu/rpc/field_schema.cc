#include <degu/rpc/field_schema.h>

#include <string>

namespace degu::rpc {
namespace {

// Adds members to the text of an object. JSON Schema 2020-12 allows them beside a $ref.
void add_members(std::string& object, std::string_view members) {
  if (members.empty()) return;
  object.pop_back();
  if (object.back() != '{') object += ',';
  object += members;
  object += '}';
}

std::string about_member(std::string_view about) {
  if (about.empty()) return {};
  std::string text = "\"description\":";
  json::Writer(text).value(about);
  return text;
}

}  // namespace

void write_field_schema(json::SchemaSet& schemas, json::Writer& writer, json::SchemaUse use,
                        const FieldSchema& field) {
  const bool rules_hold = use == json::SchemaUse::kRead;
  std::string text;
  json::Writer value(text);
  if (field.message != nullptr) {
    field.message(schemas, value, use);
  } else {
    value.raw(field.value);
  }
  if (rules_hold) add_members(text, field.item_rules);
  if (field.shape == FieldSchema::Shape::kList) text = R"({"type":"array","items":)" + text + "}";
  if (field.shape == FieldSchema::Shape::kMap) {
    text = R"({"type":"object","additionalProperties":)" + text + "}";
  }
  if (rules_hold) add_members(text, field.rules);
  add_members(text, about_member(field.about));
  writer.raw(text);
}

void write_fields_schema(json::SchemaSet& schemas, json::Writer& writer, json::SchemaUse use,
                         std::span<const FieldSchema> fields) {
  const bool read = use == json::SchemaUse::kRead;
  const auto is_required = [read](const FieldSchema& field) {
    return read ? field.required : !field.optional;
  };
  bool any_required = false;
  writer.begin_object();
  writer.key("type");
  writer.value("object");
  writer.key("properties");
  writer.begin_object();
  for (const FieldSchema& field : fields) {
    writer.key(field.name);
    write_field_schema(schemas, writer, use, field);
    any_required = any_required || is_required(field);
  }
  writer.end_object();
  if (any_required) {
    writer.key("required");
    writer.begin_array();
    for (const FieldSchema& field : fields) {
      if (is_required(field)) writer.value(field.name);
    }
    writer.end_array();
  }
  if (read) {
    writer.key("additionalProperties");
    writer.value(false);
  }
  writer.end_object();
}

}  // namespace degu::rpc
