// Schema: write_object_schema of each message, which describes its JSON for OpenAPI documents.
#pragma once

#include <google/protobuf/descriptor.h>

#include <string>

#include "text.h"

namespace gen {

void write_schema_declarations(const google::protobuf::FileDescriptor* file, Text& out);
void write_schema_definitions(const google::protobuf::FileDescriptor* file, Text& out);

/// The initializer of a degu::rpc::FieldSchema, under the name that the field has where it is used. A
/// message field within another one (`nested`) asks for nothing: its parent may be absent.
std::string field_schema(const google::protobuf::FieldDescriptor* field, const std::string& name,
                         bool nested = false);

/// Whether the rules fail a request that says nothing of the field.
bool has_to_be_given(const google::protobuf::FieldDescriptor* field);

/// The comment above, or else behind, an element as one paragraph.
template <class Descriptor>
std::string comment_of(const Descriptor* descriptor);
/// Lines of a comment joined by single spaces.
std::string joined_lines(const std::string& text);

template <class Descriptor>
std::string comment_of(const Descriptor* descriptor) {
  google::protobuf::SourceLocation location;
  if (!descriptor->GetSourceLocation(&location)) return "";
  return joined_lines(location.leading_comments.empty() ? location.trailing_comments
                                                        : location.leading_comments);
}

}  // namespace gen
