// FieldSchema: what generated code knows of a field for the JSON Schema of its message. Not for use by hand.
#pragma once

#include <degu/http/json_schema.h>

#include <cstdint>
#include <span>
#include <string_view>

namespace degu::rpc {

/// A field as the codec writes and reads it. Texts are literals of the generated code.
struct FieldSchema {
  enum class Shape : uint8_t { kOne, kList, kMap };
  using Reference = void (*)(json::SchemaSet&, json::Writer&, json::SchemaUse);

  std::string_view name;  ///< in JSON
  Shape shape = Shape::kOne;
  bool required = false;             ///< a request without it breaks a rule
  bool optional = false;             ///< left out of what is written when absent
  std::string_view value = {};       ///< the schema of one value, unless `message` gives it
  Reference message = nullptr;       ///< write_message_schema<T>
  std::string_view rules = {};       ///< of the field in requests, as members of a schema: R"("maxItems":3)"
  std::string_view item_rules = {};  ///< of each entry of a list in requests
  std::string_view about = {};       ///< the comment
};

/// The schema of one field. Rules hold for what is read; what is written is not checked against them.
void write_field_schema(json::SchemaSet& schemas, json::Writer& writer, json::SchemaUse use,
                        const FieldSchema& field);

/// The schema of an object with these fields. What is read has no others (ProtoJSON's second spelling of a name,
/// which is read as well, goes unmentioned).
void write_fields_schema(json::SchemaSet& schemas, json::Writer& writer, json::SchemaUse use,
                         std::span<const FieldSchema> fields);

/// A reference to the schema of a message.
template <class Message>
void write_message_schema(json::SchemaSet& schemas, json::Writer& writer, json::SchemaUse use) {
  schemas.write<Message>(writer, use);
}

}  // namespace degu::rpc
