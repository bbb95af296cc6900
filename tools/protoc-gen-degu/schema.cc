#include "schema.h"

#include <cstdio>

#include "messages.h"
#include "names.h"
#include "options.h"

namespace gen {
namespace {

std::string json_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(c));
      out += escape;
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string number_text(double number) {
  char text[64];
  std::snprintf(text, sizeof text, "%.17g", number);
  return text;
}

void add(std::string& members, const std::string& name, const std::string& value) {
  members += (members.empty() ? "" : ",") + json_text(name) + ":" + value;
}

bool is_string(const pb::FieldDescriptor* field) { return field->type() == pb::FieldDescriptor::TYPE_STRING; }

std::string enum_schema(const pb::EnumDescriptor* type) {
  std::string names;
  for (int i = 0; i < type->value_count(); ++i)
    names += (i == 0 ? "" : ",") + json_text(type->value(i)->name());
  return R"({"type":"string","enum":[)" + names + "]}";
}

std::string real_schema(const std::string& format) {
  return R"({"anyOf":[{"type":"number","format":)" + json_text(format) +
         R"(},{"type":"string","enum":["NaN","Infinity","-Infinity"]}]})";
}

// One value as the codec writes it; "" for a message, which has a schema of its own.
std::string value_schema(const pb::FieldDescriptor* field) {
  switch (field->cpp_type()) {
    case pb::FieldDescriptor::CPPTYPE_BOOL:
      return R"({"type":"boolean"})";
    case pb::FieldDescriptor::CPPTYPE_INT32:
      return R"({"type":"integer","format":"int32"})";
    case pb::FieldDescriptor::CPPTYPE_UINT32:
      return R"({"type":"integer","format":"uint32"})";
    case pb::FieldDescriptor::CPPTYPE_INT64:
      return R"({"type":"string","format":"int64","pattern":"^-?[0-9]+$"})";
    case pb::FieldDescriptor::CPPTYPE_UINT64:
      return R"({"type":"string","format":"uint64","pattern":"^[0-9]+$"})";
    case pb::FieldDescriptor::CPPTYPE_FLOAT:
      return real_schema("float");
    case pb::FieldDescriptor::CPPTYPE_DOUBLE:
      return real_schema("double");
    case pb::FieldDescriptor::CPPTYPE_ENUM:
      return enum_schema(field->enum_type());
    case pb::FieldDescriptor::CPPTYPE_STRING:
      return is_string(field) ? R"({"type":"string"})" : R"({"type":"string","contentEncoding":"base64"})";
    case pb::FieldDescriptor::CPPTYPE_MESSAGE:
      break;
  }
  switch (well_known(field->message_type())) {
    case WellKnown::kTimestamp:
      return R"({"type":"string","format":"date-time"})";
    case WellKnown::kDuration:
      return R"({"type":"string","pattern":"^-?[0-9]+(\\.[0-9]{1,9})?s$"})";
    case WellKnown::kEmpty:
      return R"({"type":"object"})";
    case WellKnown::kNone:
      break;
  }
  return "";
}

// Bounds of a number. 64-bit integers are texts in JSON, where JSON Schema has no ranges: the comment says them.
void add_range(const pb::FieldDescriptor* field, const FieldRules& rules, std::string& members,
               std::string& about) {
  const bool is_text = field->cpp_type() == pb::FieldDescriptor::CPPTYPE_INT64 ||
                       field->cpp_type() == pb::FieldDescriptor::CPPTYPE_UINT64;
  if (!is_text) {
    if (rules.min) add(members, "minimum", number_text(*rules.min));
    if (rules.max) add(members, "maximum", number_text(*rules.max));
    return;
  }
  if (rules.min) about += (about.empty() ? "At least " : "; at least ") + number_text(*rules.min);
  if (rules.max) about += (about.empty() ? "At most " : "; at most ") + number_text(*rules.max);
}

void add_lengths(const pb::FieldDescriptor* field, const FieldRules& rules, std::string& members) {
  const bool bytes = !field->is_repeated() && field->type() == pb::FieldDescriptor::TYPE_BYTES;
  uint64_t min = rules.min_len.value_or(0);
  uint64_t max = rules.max_len.value_or(0);
  if (rules.required && min == 0 && !has_presence(field)) min = 1;
  if (bytes) {  // of the base64 text, with padding or without
    min = (min * 4 + 2) / 3;
    max = (max + 2) / 3 * 4;
  }
  const std::string what = field->is_map() ? "Properties" : field->is_repeated() ? "Items" : "Length";
  if (min > 0) add(members, "min" + what, std::to_string(min));
  if (rules.max_len) add(members, "max" + what, std::to_string(max));
}

// Empty text passes any pattern (validation.h).
void add_pattern(const FieldRules& rules, std::string& members) {
  if (!rules.pattern.empty()) add(members, "pattern", json_text("^(?:" + rules.pattern + ")?$"));
}

const pb::FieldDescriptor* value_field(const pb::FieldDescriptor* field) {
  return field->is_map() ? field->message_type()->map_value() : field;
}

}  // namespace

std::string joined_lines(const std::string& text) {
  std::string out;
  bool gap = false;
  for (const char c : text) {
    const bool space = c == ' ' || c == '\n' || c == '\t' || c == '\r';
    if (!space && gap && !out.empty()) out += ' ';
    if (!space) out += c;
    gap = space;
  }
  return out;
}

bool has_to_be_given(const pb::FieldDescriptor* field) {
  const FieldRules rules = rules_of(field);
  if (rules.required) return true;
  if (has_presence(field)) return false;
  if (rules.min_len.value_or(0) > 0) return true;
  return !field->is_repeated() && (rules.min.value_or(0) > 0 || rules.max.value_or(0) < 0);
}

std::string field_schema(const pb::FieldDescriptor* field, const std::string& name, bool nested) {
  const FieldRules rules = rules_of(field);
  std::string about = comment_of(field);
  if (about.empty()) about = rules.pattern_hint;
  std::string members;
  std::string of_items;
  add_lengths(field, rules, members);
  std::string& of_values = field->is_repeated() ? of_items : members;
  add_range(field, rules, of_values, about);
  add_pattern(rules, of_values);
  if (const pb::OneofDescriptor* oneof = field->real_containing_oneof()) {
    about += (about.empty() ? "" : "; ") + ("at most one of \"" + oneof->name() + "\" is given");
  }
  std::string out = "{.name = " + quoted(name);
  if (field->is_repeated())
    out += std::string(", .shape = ::degu::rpc::FieldSchema::Shape::") + (field->is_map() ? "kMap" : "kList");
  if (!nested && has_to_be_given(field)) out += ", .required = true";
  if (has_presence(field)) out += ", .optional = true";
  const pb::FieldDescriptor* one = value_field(field);
  const std::string value = value_schema(one);
  out += value.empty()
             ? ", .message = &::degu::rpc::write_message_schema<" + full_name(one->message_type()) + ">"
             : ", .value = " + quoted(value);
  if (!members.empty()) out += ", .rules = " + quoted(members);
  if (!of_items.empty()) out += ", .item_rules = " + quoted(of_items);
  if (!about.empty()) out += ", .about = " + quoted(about);
  return out + "}";
}

void write_schema_declarations(const pb::FileDescriptor* file, Text& out) {
  const auto messages = messages_in_order(file);
  if (messages.empty()) return;
  out.line("// JSON Schema, for OpenAPI documents.");
  for (const pb::Descriptor* message : messages) {
    out.line("void write_object_schema(::degu::json::SchemaSet& schemas, ::degu::json::Writer& writer, ",
             "::degu::json::SchemaUse use, const ", local_name(message), "*);");
  }
  out.line();
}

void write_schema_definitions(const pb::FileDescriptor* file, Text& out) {
  for (const pb::Descriptor* message : messages_in_order(file)) {
    out.line("void write_object_schema(json::SchemaSet& schemas, json::Writer& writer, json::SchemaUse use, ",
             "const ", local_name(message), "*) {");
    if (message->field_count() == 0) {
      out.line("::degu::rpc::write_fields_schema(schemas, writer, use, {});");
    } else {
      out.line("static constexpr ::degu::rpc::FieldSchema kFields[] = {");
      for (int i = 0; i < message->field_count(); ++i)
        out.line(field_schema(message->field(i), message->field(i)->json_name()), ",");
      out.line("};");
      out.line("::degu::rpc::write_fields_schema(schemas, writer, use, kFields);");
    }
    out.line("}");
    out.line();
  }
}

}  // namespace gen
