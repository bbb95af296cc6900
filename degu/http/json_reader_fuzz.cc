// Properties: what parses, prints to a text that parses to the same; what does not parse is refused with
// kInvalidArgument and nothing else.
#include <degu/base/assert.h>
#include <degu/http/json_reader.h>
#include <degu/http/json_writer.h>

#include <cstdint>
#include <string>

namespace {

using degu::json::Document;
using degu::json::Type;
using degu::json::Value;
using degu::json::Writer;

void print(Writer& writer, Value value) {
  switch (value.type()) {
    case Type::kNull:
      return writer.value(nullptr);
    case Type::kBool:
      return writer.value(*value.boolean());
    case Type::kString:
      return writer.value(*value.string());
    case Type::kNumber:
      if (const auto number = value.int64()) return writer.value(*number);
      if (const auto number = value.uint64()) return writer.value(*number);
      return writer.value(*value.number());
    case Type::kArray:
      writer.begin_array();
      value.each_element([&](Value element) { print(writer, element); });
      return writer.end_array();
    case Type::kObject:
      writer.begin_object();
      value.each_member([&](std::string_view key, Value member) {
        writer.key(key);
        print(writer, member);
      });
      return writer.end_object();
  }
}

std::string print(std::string_view text) {
  const Document document = Document::parse(text);
  std::string out;
  Writer writer(out);
  print(writer, document.root());
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::string once;
  try {
    once = print(text);
  } catch (const degu::Error& error) {
    DEGU_CHECK(error.code() == degu::Code::kInvalidArgument, "{}", error.what());
    return 0;
  }
  const std::string twice = print(once);
  DEGU_CHECK(once == twice, "{} {}", once, twice);
  return 0;
}
