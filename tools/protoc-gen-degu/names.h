// Names: from the identifiers of a .proto file to those of the C++ generated from it.
#pragma once

#include <google/protobuf/descriptor.h>

#include <string>
#include <string_view>
#include <vector>

namespace gen {

namespace pb = google::protobuf;

/// "shop.order.v1" as {"shop", "order", "v1"}, keywords escaped.
std::vector<std::string> namespace_parts(const pb::FileDescriptor* file);
/// "shop::order::v1", empty without a package.
std::string namespace_of(const pb::FileDescriptor* file);

/// The name inside its namespace: nested types are joined by "_", as in "Order_Item".
std::string local_name(const pb::Descriptor* message);
std::string local_name(const pb::EnumDescriptor* type);
/// The name from anywhere: "::shop::order::v1::Order". Well-known types give the C++ type that stands for
/// them.
std::string full_name(const pb::Descriptor* message);
std::string full_name(const pb::EnumDescriptor* type);
std::string full_name(const pb::ServiceDescriptor* service);

/// The member of a field, with "_" appended to C++ keywords.
std::string member_name(const pb::FieldDescriptor* field);
/// "PlaceOrder" as "place_order", with "_" appended to C++ keywords.
std::string method_name(const pb::MethodDescriptor* method);
/// "ORDER_STATE_PENDING" and "PENDING" of enum OrderState as "kPending".
std::string enumerator_name(const pb::EnumValueDescriptor* value);

/// The C++ type of the member, with optional, vector, map or Box around it.
std::string member_type(const pb::FieldDescriptor* field);
/// The C++ type of one value of the field.
std::string value_type(const pb::FieldDescriptor* field);

enum class WellKnown { kNone, kTimestamp, kDuration, kEmpty };
WellKnown well_known(const pb::Descriptor* message);

/// "shop/proto/order.proto" as "shop/proto/order.degu" (".h" and ".cc" follow).
std::string base_path(const pb::FileDescriptor* file);

/// A C++ string literal with quotes.
std::string quoted(std::string_view text);

/// True when the message contains itself by value through singular fields, so that one link has to be a Box.
bool in_cycle(const pb::FieldDescriptor* field);
/// True when any path of fields, lists and maps included, leads from the message back to it.
bool is_recursive(const pb::Descriptor* message);

/// Whether the member is a std::optional (or Box): messages, `optional` scalars and members of a oneof.
bool has_presence(const pb::FieldDescriptor* field);

}  // namespace gen
