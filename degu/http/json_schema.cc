#include <degu/http/json_schema.h>

#include <algorithm>
#include <utility>

namespace degu::json {
namespace {

// "ns::Page<other::User>" -> "Page_User": what a name of an OpenAPI component may consist of.
std::string short_name(std::string_view type_name) {
  std::string text(type_name);
  for (const std::string_view anonymous : {"{anonymous}::", "(anonymous namespace)::"}) {
    for (std::size_t at = text.find(anonymous); at != std::string::npos; at = text.find(anonymous)) {
      text.erase(at, anonymous.size());
    }
  }
  std::string name;
  std::string word;
  const auto end_word = [&] {
    if (!word.empty() && !name.empty()) name += '_';
    name += std::exchange(word, {});
  };
  for (const char c : text) {
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_') {
      word += c;
    } else if (c == ':') {
      word.clear();
    } else {
      end_word();
    }
  }
  end_word();
  return name;
}

}  // namespace

namespace internal {

void write_type(Writer& writer, std::string_view type) {
  writer.begin_object();
  writer.key("type");
  writer.value(type);
  writer.end_object();
}

void write_integer(Writer& writer, int64_t min, uint64_t max) {
  writer.begin_object();
  writer.key("type");
  writer.value("integer");
  if (min == std::numeric_limits<int32_t>::min()) {
    writer.key("format");
    writer.value("int32");
  } else if (min == std::numeric_limits<int64_t>::min()) {
    writer.key("format");
    writer.value("int64");
  }
  writer.key("minimum");
  writer.value(min);
  writer.key("maximum");
  writer.value(max);
  writer.end_object();
}

}  // namespace internal

SchemaSet::SchemaSet(std::string prefix, std::vector<std::string> reserved)
    : prefix_(std::move(prefix)), taken_(std::move(reserved)) {}

void SchemaSet::write_reference(Writer& writer, SchemaUse use, const void* tag, std::string_view type_name,
                                Describe write_text) {
  const auto slot = static_cast<std::size_t>(use);
  auto found =
      std::find_if(known_.begin(), known_.end(), [&](const Known& known) { return known.tag == tag; });
  if (found == known_.end()) {
    Known known;
    known.tag = tag;
    known.short_name = short_name(type_name);
    found = known_.insert(known_.end(), std::move(known));
  }
  const auto index = static_cast<std::size_t>(found - known_.begin());
  found->used[slot] = true;
  writer.begin_object();
  writer.key("$ref");
  writer.value(prefix_ + found->names[slot]);
  writer.end_object();
  if (!found->texts[slot].empty()) return;
  found->texts[slot] = "{}";  // so that a type within itself ends here
  std::string text;
  Writer inner(text);
  write_text(*this, inner, use);
  known_[index].texts[slot] = std::move(text);
}

std::string SchemaSet::free_name(const std::string& wanted) {
  std::string name = wanted;
  for (int number = 2; std::find(taken_.begin(), taken_.end(), name) != taken_.end(); ++number) {
    name = wanted + "_" + std::to_string(number);
  }
  taken_.push_back(name);
  return name;
}

void SchemaSet::settle() {
  constexpr auto kRead = static_cast<std::size_t>(SchemaUse::kRead);
  constexpr auto kWrite = static_cast<std::size_t>(SchemaUse::kWrite);
  for (Known& known : known_) {
    if (known.used[kWrite]) known.names[kWrite] = free_name(known.short_name);
    if (known.used[kRead]) {
      known.names[kRead] = free_name(known.short_name + (known.used[kWrite] ? "Input" : ""));
    }
    for (std::string& text : known.texts) text.clear();
  }
}

std::map<std::string, std::string> SchemaSet::components() const {
  std::map<std::string, std::string> components;
  for (const Known& known : known_) {
    for (std::size_t slot = 0; slot < 2; ++slot) {
      if (known.used[slot]) components.emplace(known.names[slot], known.texts[slot]);
    }
  }
  return components;
}

}  // namespace degu::json
