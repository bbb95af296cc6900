// protoc-gen-degu: the protoc plug-in that makes C++ structs, JSON codecs, service classes and REST routes.
#include <google/protobuf/compiler/plugin.h>

#include "generator.h"

int main(int argc, char** argv) {
  const gen::Generator generator;
  return google::protobuf::compiler::PluginMain(argc, argv, &generator);
}
