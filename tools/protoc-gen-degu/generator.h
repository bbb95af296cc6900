// Generator: one .proto file in, <name>.degu.h and <name>.degu.cc out.
#pragma once

#include <google/protobuf/compiler/code_generator.h>

#include <string>

namespace gen {

/// The protoc plug-in. Each part of the output has a writer of its own (messages, json, rules, service,
/// rest); a wire codec would be one more.
class Generator : public google::protobuf::compiler::CodeGenerator {
 public:
  bool Generate(const google::protobuf::FileDescriptor* file, const std::string& parameter,
                google::protobuf::compiler::GeneratorContext* context, std::string* error) const override;
  uint64_t GetSupportedFeatures() const override;
};

}  // namespace gen
