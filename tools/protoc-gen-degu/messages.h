// Messages: enums and messages of a file as enum classes and plain structs.
#pragma once

#include <google/protobuf/descriptor.h>

#include <vector>

#include "text.h"

namespace gen {

/// Every message of the file, nested ones too (map entries not), each after those it holds by value.
std::vector<const google::protobuf::Descriptor*> messages_in_order(
    const google::protobuf::FileDescriptor* file);
/// Every enum of the file, nested ones too.
std::vector<const google::protobuf::EnumDescriptor*> all_enums(const google::protobuf::FileDescriptor* file);

void write_message_declarations(const google::protobuf::FileDescriptor* file, Text& out);
void write_message_definitions(const google::protobuf::FileDescriptor* file, Text& out);

/// The comment above something in the .proto file as /// lines.
template <class Descriptor>
void write_comment(const Descriptor* descriptor, Text& out);
void write_comment_text(const std::string& comment, Text& out);

template <class Descriptor>
void write_comment(const Descriptor* descriptor, Text& out) {
  google::protobuf::SourceLocation location;
  if (!descriptor->GetSourceLocation(&location)) return;
  write_comment_text(location.leading_comments, out);
  write_comment_text(location.trailing_comments, out);
}

}  // namespace gen
