#include "names.h"

#include <cctype>
#include <set>

namespace gen {
namespace {

bool is_keyword(std::string_view name) {
  static const std::set<std::string_view> keywords = {
      "alignas",     "alignof",   "and",        "and_eq",    "asm",      "auto",         "bitand",
      "bitor",       "bool",      "break",      "case",      "catch",    "char",         "char8_t",
      "char16_t",    "char32_t",  "class",      "compl",     "concept",  "const",        "consteval",
      "constexpr",   "constinit", "const_cast", "continue",  "co_await", "co_return",    "co_yield",
      "decltype",    "default",   "delete",     "do",        "double",   "dynamic_cast", "else",
      "enum",        "explicit",  "export",     "extern",    "false",    "float",        "for",
      "friend",      "goto",      "if",         "inline",    "int",      "long",         "mutable",
      "namespace",   "new",       "noexcept",   "not",       "not_eq",   "nullptr",      "operator",
      "or",          "or_eq",     "private",    "protected", "public",   "register",     "reinterpret_cast",
      "requires",    "return",    "short",      "signed",    "sizeof",   "static",       "static_assert",
      "static_cast", "struct",    "switch",     "template",  "this",     "thread_local", "throw",
      "true",        "try",       "typedef",    "typeid",    "typename", "union",        "unsigned",
      "using",       "virtual",   "void",       "volatile",  "wchar_t",  "while",        "xor",
      "xor_eq",      "errno",     "unix",       "linux",     "stdin",    "stdout",       "stderr",
      "NULL",        "EOF"};
  return keywords.contains(name);
}

char upper(char c) { return static_cast<char>(std::toupper(static_cast<unsigned char>(c))); }
char lower(char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }
bool is_upper(char c) { return std::isupper(static_cast<unsigned char>(c)) != 0; }

// "OrderState" as "order_state", "GetHTTPStatus" as "get_http_status".
std::string snake(std::string_view name) {
  std::string out;
  for (size_t i = 0; i < name.size(); ++i) {
    const bool starts_word =
        is_upper(name[i]) && i > 0 && name[i - 1] != '_' &&
        (!is_upper(name[i - 1]) || (i + 1 < name.size() && std::islower(name[i + 1]) != 0));
    if (starts_word) out += '_';
    out += lower(name[i]);
  }
  return out;
}

std::string escaped(std::string name) {
  if (is_keyword(name)) name += '_';
  return name;
}

std::string scalar_type(pb::FieldDescriptor::CppType type) {
  switch (type) {
    case pb::FieldDescriptor::CPPTYPE_INT32:
      return "int32_t";
    case pb::FieldDescriptor::CPPTYPE_INT64:
      return "int64_t";
    case pb::FieldDescriptor::CPPTYPE_UINT32:
      return "uint32_t";
    case pb::FieldDescriptor::CPPTYPE_UINT64:
      return "uint64_t";
    case pb::FieldDescriptor::CPPTYPE_DOUBLE:
      return "double";
    case pb::FieldDescriptor::CPPTYPE_FLOAT:
      return "float";
    case pb::FieldDescriptor::CPPTYPE_BOOL:
      return "bool";
    default:
      return "std::string";
  }
}

bool reaches(const pb::Descriptor* from, const pb::Descriptor* target, bool by_value_only,
             std::set<const pb::Descriptor*>& seen) {
  if (!seen.insert(from).second) return false;
  for (int i = 0; i < from->field_count(); ++i) {
    const pb::FieldDescriptor* field = from->field(i);
    const pb::Descriptor* next = field->message_type();
    if (next == nullptr || (by_value_only && field->is_repeated())) continue;
    if (next == target || reaches(next, target, by_value_only, seen)) return true;
  }
  return false;
}

}  // namespace

std::vector<std::string> namespace_parts(const pb::FileDescriptor* file) {
  std::vector<std::string> parts;
  const std::string& package = file->package();
  for (size_t begin = 0; begin < package.size();) {
    size_t end = package.find('.', begin);
    if (end == std::string::npos) end = package.size();
    parts.push_back(escaped(package.substr(begin, end - begin)));
    begin = end + 1;
  }
  return parts;
}

std::string namespace_of(const pb::FileDescriptor* file) {
  std::string out;
  for (const std::string& part : namespace_parts(file)) out += (out.empty() ? "" : "::") + part;
  return out;
}

std::string local_name(const pb::Descriptor* message) {
  if (message->containing_type() != nullptr)
    return local_name(message->containing_type()) + "_" + message->name();
  return escaped(message->name());
}

std::string local_name(const pb::EnumDescriptor* type) {
  if (type->containing_type() != nullptr) return local_name(type->containing_type()) + "_" + type->name();
  return escaped(type->name());
}

namespace {

std::string rooted(const pb::FileDescriptor* file, const std::string& name) {
  const std::string scope = namespace_of(file);
  return "::" + (scope.empty() ? name : scope + "::" + name);
}

}  // namespace

std::string full_name(const pb::Descriptor* message) {
  switch (well_known(message)) {
    case WellKnown::kTimestamp:
      return "::degu::rpc::Timestamp";
    case WellKnown::kDuration:
      return "::degu::rpc::Duration";
    case WellKnown::kEmpty:
      return "::degu::rpc::Empty";
    case WellKnown::kNone:
      break;
  }
  return rooted(message->file(), local_name(message));
}

std::string full_name(const pb::EnumDescriptor* type) { return rooted(type->file(), local_name(type)); }
std::string full_name(const pb::ServiceDescriptor* service) {
  return rooted(service->file(), service->name());
}

std::string member_name(const pb::FieldDescriptor* field) { return escaped(snake(field->name())); }
std::string method_name(const pb::MethodDescriptor* method) { return escaped(snake(method->name())); }

std::string enumerator_name(const pb::EnumValueDescriptor* value) {
  std::string prefix;
  for (const char c : snake(value->type()->name())) prefix += upper(c);
  prefix += '_';
  std::string_view name = value->name();
  if (name.starts_with(prefix) && name.size() > prefix.size()) name.remove_prefix(prefix.size());
  std::string out = "k";
  bool starts_word = true;
  for (const char c : name) {
    if (c != '_') out += starts_word ? upper(c) : lower(c);
    starts_word = c == '_';
  }
  return out;
}

std::string value_type(const pb::FieldDescriptor* field) {
  if (field->message_type() != nullptr) return full_name(field->message_type());
  if (field->enum_type() != nullptr) return full_name(field->enum_type());
  return scalar_type(field->cpp_type());
}

std::string member_type(const pb::FieldDescriptor* field) {
  if (field->is_map()) {
    const pb::Descriptor* entry = field->message_type();
    return "std::map<" + value_type(entry->map_key()) + ", " + value_type(entry->map_value()) + ">";
  }
  if (field->is_repeated()) return "std::vector<" + value_type(field) + ">";
  if (in_cycle(field)) return "::degu::rpc::Box<" + value_type(field) + ">";
  if (has_presence(field)) return "std::optional<" + value_type(field) + ">";
  return value_type(field);
}

WellKnown well_known(const pb::Descriptor* message) {
  if (message->full_name() == "google.protobuf.Timestamp") return WellKnown::kTimestamp;
  if (message->full_name() == "google.protobuf.Duration") return WellKnown::kDuration;
  if (message->full_name() == "google.protobuf.Empty") return WellKnown::kEmpty;
  return WellKnown::kNone;
}

std::string base_path(const pb::FileDescriptor* file) {
  std::string path = file->name();
  if (path.ends_with(".proto")) path.resize(path.size() - 6);
  return path + ".degu";
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte >= 0x20 && byte < 0x7f) {
      out += c;
    } else {  // three octal digits: what follows cannot be taken for a part of the escape
      out += '\\';
      for (int shift = 6; shift >= 0; shift -= 3) out += static_cast<char>('0' + ((byte >> shift) & 7));
    }
  }
  return out + "\"";
}

bool in_cycle(const pb::FieldDescriptor* field) {
  const pb::Descriptor* type = field->message_type();
  if (type == nullptr || field->is_repeated()) return false;
  if (type == field->containing_type()) return true;
  std::set<const pb::Descriptor*> seen;
  return reaches(type, field->containing_type(), true, seen);
}

bool is_recursive(const pb::Descriptor* message) {
  std::set<const pb::Descriptor*> seen;
  return reaches(message, message, false, seen);
}

bool has_presence(const pb::FieldDescriptor* field) {
  return !field->is_repeated() && (field->message_type() != nullptr || field->has_optional_keyword() ||
                                   field->containing_oneof() != nullptr);
}

}  // namespace gen
