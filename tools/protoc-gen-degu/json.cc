#include "json.h"

#include <map>
#include <string>
#include <vector>

#include "messages.h"
#include "names.h"

namespace gen {
namespace {

bool is_bytes(const pb::FieldDescriptor* field) {
  if (field->is_map()) return is_bytes(field->message_type()->map_value());
  return field->type() == pb::FieldDescriptor::TYPE_BYTES;
}

// The codec's functions take the one thing the C++ type does not tell: whether a std::string is text or
// bytes.
std::string codec(const std::string& function, const pb::FieldDescriptor* field) {
  return "codec::" + function + (is_bytes(field) ? "<codec::Form::kBytes>" : "");
}

void write_name_table(const pb::Descriptor* message, Text& out) {
  if (message->field_count() == 0) return;
  std::string names;
  for (int i = 0; i < message->field_count(); ++i)
    names += (i == 0 ? "" : ", ") + quoted(message->field(i)->json_name());
  out.line("constexpr std::string_view k", local_name(message), "Names[] = {", names, "};");
  out.line();
}

// One comparison decides: the length picks the candidates, memcmp the field. Both spellings are accepted.
void write_field_lookup(const pb::Descriptor* message, Text& out) {
  if (message->field_count() == 0) return;
  std::map<size_t, std::vector<std::pair<std::string, int>>> by_length;
  for (int i = 0; i < message->field_count(); ++i) {
    const pb::FieldDescriptor* field = message->field(i);
    by_length[field->json_name().size()].push_back({field->json_name(), i});
    if (field->name() != field->json_name()) by_length[field->name().size()].push_back({field->name(), i});
  }
  out.line("int find_", local_name(message), "(std::string_view key) noexcept {");
  out.line("switch (key.size()) {");
  for (const auto& [length, candidates] : by_length) {
    out.line("case ", std::to_string(length), ":");
    for (const auto& [name, index] : candidates) {
      out.line("  if (key == ", quoted(name), ") return ", std::to_string(index), ";");
    }
    out.line("  break;");
  }
  out.line("}");
  out.line("return -1;");
  out.line("}");
  out.line();
}

void write_writer(const pb::Descriptor* message, Text& out) {
  const bool empty = message->field_count() == 0;
  out.line("void write_json(json::Writer& writer, const ", local_name(message), "&", empty ? "" : " message",
           ") {");
  out.line("writer.begin_object();");
  for (int i = 0; i < message->field_count(); ++i) {
    const pb::FieldDescriptor* field = message->field(i);
    out.line(codec("write_member", field), "(writer, ", quoted(quoted(field->json_name()) + ":"),
             ", message.", member_name(field), ");");
  }
  out.line("writer.end_object();");
  out.line("}");
  out.line();
}

void write_oneof_checks(const pb::Descriptor* message, Text& out) {
  for (int i = 0; i < message->real_oneof_decl_count(); ++i) {
    const pb::OneofDescriptor* oneof = message->oneof_decl(i);
    std::string count;
    std::string names;
    for (int j = 0; j < oneof->field_count(); ++j) {
      count += (j == 0 ? "" : " + ") + ("(message." + member_name(oneof->field(j))) + ".has_value() ? 1 : 0)";
      names += (j == 0 ? "" : ", ") + oneof->field(j)->json_name();
    }
    out.line("if (", count, " > 1) errors.add({}, ", quoted("only one of " + names + " may be given"), ");");
  }
}

void write_reader(const pb::Descriptor* message, Text& out) {
  const std::string name = local_name(message);
  if (message->field_count() == 0) {
    out.line("void read_json(json::Value value, ", name, "&, json::FieldErrors& errors) {");
    out.line("codec::read_empty_object(value, errors);");
    out.line("}");
    out.line();
    return;
  }
  out.line("void read_json(json::Value value, ", name, "& message, json::FieldErrors& errors) {");
  out.line("codec::read_object(value, errors, k", name, "Names, find_", name,
           ", [&](int field, json::Value member) {");
  out.line("switch (field) {");
  for (int i = 0; i < message->field_count(); ++i) {
    const pb::FieldDescriptor* field = message->field(i);
    out.line("case ", std::to_string(i), ": return ", codec("read_member", field), "(member, ",
             quoted(field->json_name()), ", message.", member_name(field), ", errors);");
  }
  out.line("default: break;");
  out.line("}");
  out.line("});");
  write_oneof_checks(message, out);
  out.line("}");
  out.line();
}

std::string text_case(const pb::FieldDescriptor* field) {
  const bool nested = field->message_type() != nullptr && !field->is_repeated() &&
                      well_known(field->message_type()) == WellKnown::kNone;
  const std::string member = "message." + member_name(field);
  const std::string rest = "(name, " + quoted(field->json_name()) + ", " + member + ", text, errors)";
  return (nested ? "codec::read_nested_text" : codec("read_text_field", field)) + rest;
}

void write_text_reader(const pb::Descriptor* message, Text& out) {
  const std::string name = local_name(message);
  const std::string prefix = "codec::Text read_text(";
  if (message->field_count() == 0) {
    out.line(prefix, name, "&, std::string_view, std::string_view, json::FieldErrors&) {");
    out.line("return codec::Text::kUnknown;");
    out.line("}");
    out.line();
    return;
  }
  out.line(prefix, name,
           "& message, std::string_view name, std::string_view text, json::FieldErrors& errors) {");
  out.line("switch (find_", name, "(codec::first_part(name))) {");
  for (int i = 0; i < message->field_count(); ++i) {
    out.line("case ", std::to_string(i), ": return ", text_case(message->field(i)), ";");
  }
  out.line("default: return codec::Text::kUnknown;");
  out.line("}");
  out.line("}");
  out.line();
}

}  // namespace

void write_json_declarations(const pb::FileDescriptor* file, Text& out) {
  const auto messages = messages_in_order(file);
  if (messages.empty()) return;
  out.line(
      "// ProtoJSON. read_json reports every fault of the value; read_text sets one field, named as in a "
      "query, from text.");
  for (const pb::Descriptor* message : messages) {
    const std::string name = local_name(message);
    out.line("void write_json(::degu::json::Writer& writer, const ", name, "& message);");
    out.line("void read_json(::degu::json::Value value, ", name,
             "& message, ::degu::json::FieldErrors& errors);");
    out.line("::degu::rpc::codec::Text read_text(", name,
             "& message, std::string_view name, std::string_view text, ::degu::json::FieldErrors& errors);");
  }
  out.line();
}

void write_json_definitions(const pb::FileDescriptor* file, Text& out) {
  const auto messages = messages_in_order(file);
  if (messages.empty()) return;
  out.line("namespace {");
  out.line();
  for (const pb::Descriptor* message : messages) {
    write_name_table(message, out);
    write_field_lookup(message, out);
  }
  out.line("}  // namespace");
  out.line();
  for (const pb::Descriptor* message : messages) {
    write_writer(message, out);
    write_reader(message, out);
    write_text_reader(message, out);
  }
}

}  // namespace gen
