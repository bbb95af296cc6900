#include "rules.h"

#include <cmath>
#include <limits>
#include <string>

#include "messages.h"
#include "names.h"
#include "options.h"

namespace gen {
namespace {

bool is_number(const pb::FieldDescriptor* field) {
  switch (field->cpp_type()) {
    case pb::FieldDescriptor::CPPTYPE_INT32:
    case pb::FieldDescriptor::CPPTYPE_INT64:
    case pb::FieldDescriptor::CPPTYPE_UINT32:
    case pb::FieldDescriptor::CPPTYPE_UINT64:
    case pb::FieldDescriptor::CPPTYPE_DOUBLE:
    case pb::FieldDescriptor::CPPTYPE_FLOAT:
      return true;
    default:
      return false;
  }
}

bool is_real(const pb::FieldDescriptor* field) {
  return field->cpp_type() == pb::FieldDescriptor::CPPTYPE_DOUBLE ||
         field->cpp_type() == pb::FieldDescriptor::CPPTYPE_FLOAT;
}

bool is_string(const pb::FieldDescriptor* field) { return field->type() == pb::FieldDescriptor::TYPE_STRING; }

// A message has to be looked into when a rule stands anywhere below it; every message has a validate(), so
// one from another file is looked into always.
bool holds_messages(const pb::FieldDescriptor* field) {
  const pb::Descriptor* type =
      field->is_map() ? field->message_type()->map_value()->message_type() : field->message_type();
  return type != nullptr && well_known(type) == WellKnown::kNone;
}

std::string literal(const pb::FieldDescriptor* field, double bound) {
  if (is_real(field)) {
    char text[64];
    std::snprintf(text, sizeof text, "%.17g", bound);
    const std::string number = text;
    return number.find_first_of(".en") == std::string::npos ? number + ".0" : number;
  }
  return std::to_string(static_cast<int64_t>(bound));
}

std::string range_text(const pb::FieldDescriptor* field, const FieldRules& rules) {
  const auto shown = [&](double bound) {
    if (!is_real(field)) return literal(field, bound);
    char text[64];
    std::snprintf(text, sizeof text, "%g", bound);
    return std::string(text);
  };
  if (rules.min && rules.max) return "must be between " + shown(*rules.min) + " and " + shown(*rules.max);
  return rules.min ? "must be at least " + shown(*rules.min) : "must be at most " + shown(*rules.max);
}

void write_range(const pb::FieldDescriptor* field, const FieldRules& rules, const std::string& value,
                 const std::string& path, Text& out) {
  // Written so that NaN is outside of every range.
  std::string inside;
  const bool is_unsigned = field->cpp_type() == pb::FieldDescriptor::CPPTYPE_UINT32 ||
                           field->cpp_type() == pb::FieldDescriptor::CPPTYPE_UINT64;
  const std::string suffix = is_unsigned ? "U" : "";
  if (rules.min && !(is_unsigned && *rules.min <= 0))
    inside += value + " >= " + literal(field, *rules.min) + suffix;
  if (rules.max)
    inside += (inside.empty() ? "" : " && ") + value + " <= " + literal(field, *rules.max) + suffix;
  if (!inside.empty())
    out.line("if (!(", inside, ")) validation::report(errors, ", path, ", ", quoted(range_text(field, rules)),
             ");");
}

std::string bound(const std::optional<uint32_t>& value, const std::string& otherwise) {
  return value ? std::to_string(*value) : otherwise;
}

void write_lengths(const pb::FieldDescriptor* field, const FieldRules& rules, const std::string& value,
                   const std::string& path, Text& out) {
  if (!rules.min_len && !rules.max_len) return;
  const std::string check = field->is_repeated() ? "check_entries"
                            : is_string(field)   ? "check_characters"
                                                 : "check_bytes";
  out.line("validation::", check, "(", value, ", ", bound(rules.min_len, "0"), "U, ",
           bound(rules.max_len, "validation::kUnlimited"), ", ", path, ", errors);");
}

// Rules of the one value `value` (what a std::optional holds, or an entry of a list).
void write_value_rules(const pb::FieldDescriptor* field, const FieldRules& rules, const std::string& value,
                       const std::string& path, Text& out) {
  if (is_number(field)) write_range(field, rules, value, path, out);
  if (!field->is_repeated()) write_lengths(field, rules, value, path, out);
  if (!rules.pattern.empty()) {
    const std::string hint = rules.pattern_hint.empty() ? "must match " + rules.pattern : rules.pattern_hint;
    out.line("static const validation::Pattern pattern(", quoted(rules.pattern), ");");
    out.line("validation::check_pattern(", value, ", pattern, ", path, ", ", quoted(hint), ", errors);");
  }
}

void write_required(const pb::FieldDescriptor* field, const FieldRules& rules, const std::string& member,
                    const std::string& path, Text& out) {
  if (!rules.required) return;
  const bool by_presence = has_presence(field);
  const std::string reason =
      rules.header.empty() ? "is required" : "is required (header " + rules.header + ")";
  out.line("if (", by_presence ? "!" + member + ".has_value()" : member + ".empty()",
           ") validation::report(errors, ", path, ", ", quoted(reason), ");");
}

bool has_value_rules(const FieldRules& rules) {
  return rules.min || rules.max || rules.min_len || rules.max_len || !rules.pattern.empty();
}

void write_field(const pb::FieldDescriptor* field, Text& out) {
  const FieldRules rules = rules_of(field);
  const std::string member = "message." + member_name(field);
  const std::string path = quoted(field->json_name());
  write_required(field, rules, member, path, out);
  if (field->is_repeated()) {
    write_lengths(field, rules, member, path, out);
    if (!field->is_map() && (rules.min || rules.max || !rules.pattern.empty())) {
      out.line("validation::each_entry(", member, ", ", path, ", errors, [&](const auto& entry) {");
      write_value_rules(field, rules, "entry", "{}", out);
      out.line("});");
    }
  } else if (has_value_rules(rules)) {
    // What is required and missing has been reported; it is not too short as well.
    const bool skip_empty = rules.required && !has_presence(field);
    const std::string condition = has_presence(field) ? member + ".has_value()" : "!" + member + ".empty()";
    const bool braces = has_presence(field) || skip_empty || !rules.pattern.empty();
    if (braces) out.line(has_presence(field) || skip_empty ? "if (" + condition + ") {" : "{");
    write_value_rules(field, rules, (has_presence(field) ? "*" : "") + member, path, out);
    if (braces) out.line("}");
  }
  if (holds_messages(field)) out.line("validation::check_messages(", member, ", ", path, ", errors);");
}

bool checks_anything(const pb::Descriptor* message) {
  for (int i = 0; i < message->field_count(); ++i) {
    if (rules_of(message->field(i)).checks_anything() || holds_messages(message->field(i))) return true;
  }
  return false;
}

bool fits(const pb::FieldDescriptor* field, double bound) {
  if (is_real(field)) return true;
  if (std::floor(bound) != bound || std::fabs(bound) > 9007199254740992.0) return false;
  switch (field->cpp_type()) {
    case pb::FieldDescriptor::CPPTYPE_INT32:
      return bound >= -2147483648.0 && bound <= 2147483647.0;
    case pb::FieldDescriptor::CPPTYPE_UINT32:
      return bound >= 0 && bound <= 4294967295.0;
    case pb::FieldDescriptor::CPPTYPE_UINT64:
      return bound >= 0;
    default:
      return true;
  }
}

}  // namespace

void write_rule_declarations(const pb::FileDescriptor* file, Text& out) {
  const auto messages = messages_in_order(file);
  if (messages.empty()) return;
  out.line("// The field rules of the .proto file: every violation is added to `errors`.");
  for (const pb::Descriptor* message : messages) {
    out.line("void validate(const ", local_name(message), "& message, ::degu::json::FieldErrors& errors);");
  }
  out.line();
}

void write_rule_definitions(const pb::FileDescriptor* file, Text& out) {
  for (const pb::Descriptor* message : messages_in_order(file)) {
    if (!checks_anything(message)) {
      out.line("void validate(const ", local_name(message), "&, json::FieldErrors&) {}");
      out.line();
      continue;
    }
    out.line("void validate(const ", local_name(message), "& message, json::FieldErrors& errors) {");
    for (int i = 0; i < message->field_count(); ++i) write_field(message->field(i), out);
    out.line("}");
    out.line();
  }
}

std::string rule_fault(const pb::FieldDescriptor* field) {
  const FieldRules rules = rules_of(field);
  const bool sized = field->is_repeated() || field->cpp_type() == pb::FieldDescriptor::CPPTYPE_STRING;
  if (rules.required && !sized && !has_presence(field)) {
    return "(degu.required) needs a field whose absence shows: make it `optional` or use (degu.min)";
  }
  if ((rules.min_len || rules.max_len) && !sized)
    return "(degu.min_len) and (degu.max_len) need a string, bytes or a list";
  if ((rules.min || rules.max) && (!is_number(field) || field->is_map()))
    return "(degu.min) and (degu.max) need a number";
  if ((rules.min && !fits(field, *rules.min)) || (rules.max && !fits(field, *rules.max))) {
    return "(degu.min) and (degu.max) of an integer need whole numbers of its type, up to 2^53";
  }
  if (!rules.pattern.empty() && (!is_string(field) || field->is_map()))
    return "(degu.pattern) needs a string";
  const bool plain_string = is_string(field) && !field->is_repeated() && !has_presence(field);
  if (!rules.header.empty() && !plain_string) return "(degu.header) needs a single string without `optional`";
  return "";
}

}  // namespace gen
