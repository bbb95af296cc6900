#include "messages.h"

#include <google/protobuf/descriptor.pb.h>

#include <set>
#include <string>

#include "names.h"

namespace gen {
namespace {

void collect(const pb::Descriptor* message, std::vector<const pb::Descriptor*>* out) {
  if (message->options().map_entry()) return;
  out->push_back(message);
  for (int i = 0; i < message->nested_type_count(); ++i) collect(message->nested_type(i), out);
}

std::vector<const pb::Descriptor*> all_messages(const pb::FileDescriptor* file) {
  std::vector<const pb::Descriptor*> out;
  for (int i = 0; i < file->message_type_count(); ++i) collect(file->message_type(i), &out);
  return out;
}

bool reaches(const pb::Descriptor* from, const pb::Descriptor* target,
             std::set<const pb::Descriptor*>& seen) {
  if (from == target) return true;
  if (!seen.insert(from).second) return false;
  for (int i = 0; i < from->field_count(); ++i) {
    const pb::Descriptor* next = from->field(i)->message_type();
    if (next != nullptr && reaches(next, target, seen)) return true;
  }
  return false;
}

// Emits what `message` needs complete before itself: by-value members outside a cycle, and element types of
// lists and maps that do not lead back (those of a cycle may stay incomplete until the end of the header).
void visit(const pb::Descriptor* message, std::set<const pb::Descriptor*>& done,
           std::vector<const pb::Descriptor*>* out) {
  if (!done.insert(message).second) return;
  for (int i = 0; i < message->field_count(); ++i) {
    const pb::FieldDescriptor* field = message->field(i);
    const pb::Descriptor* type =
        field->is_map() ? field->message_type()->map_value()->message_type() : field->message_type();
    if (type == nullptr || type->file() != message->file()) continue;
    std::set<const pb::Descriptor*> seen;
    if (field->is_repeated() ? !reaches(type, message, seen) : !in_cycle(field)) visit(type, done, out);
  }
  out->push_back(message);
}

void write_enum(const pb::EnumDescriptor* type, Text& out) {
  write_comment(type, out);
  out.line("enum class ", local_name(type), " : int32_t {");
  for (int i = 0; i < type->value_count(); ++i) {
    write_comment(type->value(i), out);
    out.line(enumerator_name(type->value(i)), " = ", std::to_string(type->value(i)->number()), ",");
  }
  out.line("};");
  out.line("/// The name in the .proto file, \"\" for other values.");
  out.line("std::string_view to_string(", local_name(type), " value) noexcept;");
  out.line("/// Sets `out` and returns true for a name or a number of the enum.");
  out.line("bool from_string(std::string_view name, ", local_name(type), "& out) noexcept;");
  out.line();
}

void write_nested_aliases(const pb::Descriptor* message, Text& out) {
  for (int i = 0; i < message->enum_type_count(); ++i) {
    out.line("using ", message->enum_type(i)->name(), " = ", local_name(message->enum_type(i)), ";");
  }
  for (int i = 0; i < message->nested_type_count(); ++i) {
    if (message->nested_type(i)->options().map_entry()) continue;
    out.line("using ", message->nested_type(i)->name(), " = ", local_name(message->nested_type(i)), ";");
  }
}

std::string initializer(const pb::FieldDescriptor* field) {
  if (field->is_repeated() || has_presence(field)) return "";
  switch (field->cpp_type()) {
    case pb::FieldDescriptor::CPPTYPE_STRING:
      return "";
    case pb::FieldDescriptor::CPPTYPE_BOOL:
      return " = false";
    case pb::FieldDescriptor::CPPTYPE_ENUM:
      return "{}";
    default:
      return " = 0";
  }
}

void write_struct(const pb::Descriptor* message, Text& out) {
  const std::string name = local_name(message);
  write_comment(message, out);
  out.line("struct ", name, " {");
  write_nested_aliases(message, out);
  for (int i = 0; i < message->field_count(); ++i) {
    const pb::FieldDescriptor* field = message->field(i);
    write_comment(field, out);
    if (field->real_containing_oneof() != nullptr) {
      out.line("/// At most one member of \"", field->real_containing_oneof()->name(), "\" is set.");
    }
    out.line(member_type(field), " ", member_name(field), initializer(field), ";");
  }
  if (message->field_count() > 0) out.line();
  if (is_recursive(message)) {
    out.line("friend bool operator==(const ", name, "& a, const ", name, "& b);");
  } else {
    out.line("friend bool operator==(const ", name, "&, const ", name, "&) = default;");
  }
  out.line("};");
  out.line();
}

void write_equality(const pb::Descriptor* message, Text& out) {
  const std::string name = local_name(message);
  out.line("bool operator==(const ", name, "& a, const ", name, "& b) {");
  std::string expression;
  for (int i = 0; i < message->field_count(); ++i) {
    const std::string member = member_name(message->field(i));
    expression += (i == 0 ? "" : " && ") + ("a." + member) + " == b." + member;
  }
  out.line("return ", expression, ";");
  out.line("}");
  out.line();
}

void write_enum_functions(const pb::EnumDescriptor* type, Text& out) {
  const std::string name = local_name(type);
  out.line("std::string_view to_string(", name, " value) noexcept {");
  out.line("switch (value) {");
  std::set<int> numbers;
  for (int i = 0; i < type->value_count(); ++i) {
    const pb::EnumValueDescriptor* value = type->value(i);
    if (!numbers.insert(value->number()).second) continue;  // an alias
    out.line("case ", name, "::", enumerator_name(value), ": return ", quoted(value->name()), ";");
  }
  out.line("}");
  out.line("return {};");
  out.line("}");
  out.line();
  out.line("bool from_string(std::string_view name, ", name, "& out) noexcept {");
  for (int i = 0; i < type->value_count(); ++i) {
    const pb::EnumValueDescriptor* value = type->value(i);
    const std::string number = quoted(std::to_string(value->number()));
    out.line("if (name == ", quoted(value->name()), " || name == ", number, ") return out = ", name,
             "::", enumerator_name(value), ", true;");
  }
  out.line("return false;");
  out.line("}");
  out.line();
}

}  // namespace

std::vector<const pb::Descriptor*> messages_in_order(const pb::FileDescriptor* file) {
  std::vector<const pb::Descriptor*> out;
  std::set<const pb::Descriptor*> done;
  for (const pb::Descriptor* message : all_messages(file)) visit(message, done, &out);
  return out;
}

std::vector<const pb::EnumDescriptor*> all_enums(const pb::FileDescriptor* file) {
  std::vector<const pb::EnumDescriptor*> out;
  for (int i = 0; i < file->enum_type_count(); ++i) out.push_back(file->enum_type(i));
  for (const pb::Descriptor* message : all_messages(file)) {
    for (int i = 0; i < message->enum_type_count(); ++i) out.push_back(message->enum_type(i));
  }
  return out;
}

void write_comment_text(const std::string& comment, Text& out) {
  for (size_t begin = 0; begin < comment.size();) {
    size_t end = comment.find('\n', begin);
    if (end == std::string::npos) end = comment.size();
    std::string line = comment.substr(begin, end - begin);
    while (!line.empty() && (line.back() == '\\' || line.back() == ' ')) line.pop_back();
    // A full stop keeps a comment that ends in a brace from steering the indentation.
    if (!line.empty() && (line.back() == '{' || line.back() == '(')) line += '.';
    out.line("///", line);
    begin = end + 1;
  }
}

void write_message_declarations(const pb::FileDescriptor* file, Text& out) {
  const std::vector<const pb::Descriptor*> messages = messages_in_order(file);
  for (const pb::Descriptor* message : messages) out.line("struct ", local_name(message), ";");
  if (!messages.empty()) out.line();
  for (const pb::EnumDescriptor* type : all_enums(file)) write_enum(type, out);
  for (const pb::Descriptor* message : messages) write_struct(message, out);
}

void write_message_definitions(const pb::FileDescriptor* file, Text& out) {
  for (const pb::EnumDescriptor* type : all_enums(file)) write_enum_functions(type, out);
  for (const pb::Descriptor* message : messages_in_order(file)) {
    if (is_recursive(message)) write_equality(message, out);
  }
}

}  // namespace gen
