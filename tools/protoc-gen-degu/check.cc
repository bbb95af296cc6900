#include "check.h"

#include <degu/rpc/internal/pattern.h>

#include <set>

#include "messages.h"
#include "names.h"
#include "options.h"
#include "rest.h"
#include "rules.h"

namespace gen {
namespace {

class Checker {
 public:
  explicit Checker(const pb::FileDescriptor* file) : file_(file) {}

  std::string run() {
    if (file_->syntax() != pb::FileDescriptor::SYNTAX_PROTO3)
      faults_ += file_->name() + ": only proto3 is supported\n";
    for (const pb::EnumDescriptor* type : all_enums(file_)) check_enum(type);
    for (const pb::Descriptor* message : messages_in_order(file_)) check_message(message);
    for (int i = 0; i < file_->service_count(); ++i) check_service(file_->service(i));
    return faults_;
  }

 private:
  template <class Descriptor>
  void fault(const Descriptor* at, const std::string& what) {
    pb::SourceLocation location;
    faults_ += file_->name() + ":";
    if (at->GetSourceLocation(&location)) faults_ += std::to_string(location.start_line + 1) + ":";
    faults_ += " " + at->full_name() + ": " + what + "\n";
  }

  void check_enum(const pb::EnumDescriptor* type) {
    std::set<std::string> names;
    for (int i = 0; i < type->value_count(); ++i) {
      const std::string name = enumerator_name(type->value(i));
      if (!names.insert(name).second) fault(type->value(i), "two values would be called " + name + " in C++");
    }
  }

  void check_message(const pb::Descriptor* message) {
    std::set<std::string> names;
    std::set<std::string> keys;
    for (int i = 0; i < message->field_count(); ++i) {
      const pb::FieldDescriptor* field = message->field(i);
      if (!names.insert(member_name(field)).second)
        fault(field, "two fields would be called " + member_name(field));
      if (!keys.insert(field->json_name()).second) fault(field, "two fields would have this name in JSON");
      check_field(field);
    }
  }

  void check_field(const pb::FieldDescriptor* field) {
    const pb::Descriptor* type =
        field->is_map() ? field->message_type()->map_value()->message_type() : field->message_type();
    if (type != nullptr && well_known(type) == WellKnown::kNone &&
        type->full_name().starts_with("google.protobuf.")) {
      fault(field, type->full_name() +
                       " is not supported; of the well-known types only Timestamp, Duration and Empty are");
    }
    const std::string rule = rule_fault(field);
    if (!rule.empty()) fault(field, rule);
    const std::string pattern = rules_of(field).pattern;
    const std::string pattern_fault = pattern.empty() ? "" : degu::rpc::validation::pattern_fault(pattern);
    if (!pattern_fault.empty()) fault(field, "(degu.pattern): " + pattern_fault);
  }

  void check_service(const pb::ServiceDescriptor* service) {
    std::set<std::string> names;
    for (int i = 0; i < service->method_count(); ++i) {
      const pb::MethodDescriptor* method = service->method(i);
      if (!names.insert(method_name(method)).second)
        fault(method, "two methods would be called " + method_name(method));
      if (method->client_streaming() || method->server_streaming())
        fault(method, "streaming is not supported yet");
      for (const pb::Descriptor* type : {method->input_type(), method->output_type()}) {
        const WellKnown kind = well_known(type);
        if (kind == WellKnown::kTimestamp || kind == WellKnown::kDuration) {
          fault(method, type->full_name() + " cannot be a request or response: put it into a message");
        }
      }
      const std::string route = route_fault(method);
      if (!route.empty()) fault(method, route);
    }
  }

  const pb::FileDescriptor* file_;
  std::string faults_;
};

}  // namespace

std::string faults_of(const pb::FileDescriptor* file) { return Checker(file).run(); }

}  // namespace gen
