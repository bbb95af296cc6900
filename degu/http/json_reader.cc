// A Value is a simdjson DOM element taken apart into its two words, so that simdjson.h (1.6 s to compile)
// stays in here.
#include <degu/base/assert.h>
#include <degu/http/internal/json_locate.h>
#include <degu/http/json_codec.h>
#include <degu/http/json_reader.h>
#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <bit>
#include <type_traits>

namespace degu::json {

namespace {

namespace dom = simdjson::dom;

struct Words {
  const void* document;
  std::size_t index;
};
static_assert(sizeof(dom::element) == sizeof(Words) && std::is_trivially_copyable_v<dom::element>);

dom::element to_element(Words words) noexcept { return std::bit_cast<dom::element>(words); }
Words to_words(dom::element element) noexcept { return std::bit_cast<Words>(element); }

[[noreturn]] void throw_invalid(std::string message) {
  throw Error(Code::kInvalidArgument, std::move(message));
}

std::string locate(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, offset);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const std::size_t line_start = before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
  return fmt::format("line {} column {}", line, offset - line_start + 1);
}

[[noreturn]] void throw_parse_error(std::string_view text, simdjson::error_code error) {
  if (error == simdjson::UTF8_ERROR) throw_invalid("the JSON text is not valid UTF-8");
  const internal::Fault fault = internal::locate_fault(text);
  if (!fault.what.empty()) {
    throw_invalid(fmt::format("the JSON text {} at {}", fault.what, locate(text, fault.offset)));
  }
  switch (error) {
    case simdjson::DEPTH_ERROR:
      throw_invalid("the JSON text is nested too deeply");
    case simdjson::NUMBER_ERROR:
      throw_invalid("the JSON text has a number out of range");
    case simdjson::STRING_ERROR:
      throw_invalid("the JSON text has a string with an unpaired surrogate escape");
    case simdjson::MEMALLOC:
      throw Error(Code::kResourceExhausted, "no memory for the JSON text");
    default:
      throw_invalid("the JSON text is malformed");
  }
}

// Small objects are compared pairwise; large ones are sorted, which no choice of keys can make slow, as
// hashing could.
bool has_duplicate(std::vector<std::string_view>& keys) {
  constexpr std::size_t kSmall = 8;
  if (keys.size() > kSmall) {
    std::sort(keys.begin(), keys.end());
    return std::adjacent_find(keys.begin(), keys.end()) != keys.end();
  }
  for (std::size_t i = 1; i < keys.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (keys[i] == keys[j]) return true;
    }
  }
  return false;
}

// What simdjson lets through. Its own limit of depth bounds the recursion, but does not count an empty
// innermost array.
void check(dom::element element, std::size_t depth, std::vector<std::string_view>& keys) {
  if (!element.is_array() && !element.is_object()) return;
  if (depth == kMaxDepth) throw_invalid("the JSON text is nested too deeply");
  if (element.is_array()) {
    for (const dom::element item : dom::array(element)) check(item, depth + 1, keys);
  } else {
    keys.clear();
    for (const auto member : dom::object(element)) keys.push_back(member.key);
    if (has_duplicate(keys)) throw_invalid("the JSON text has an object with a repeated member name");
    for (const auto member : dom::object(element)) check(member.value, depth + 1, keys);
  }
}

}  // namespace

std::string_view to_string(Type type) noexcept {
  switch (type) {
    case Type::kNull:
      return "null";
    case Type::kBool:
      return "boolean";
    case Type::kNumber:
      return "number";
    case Type::kString:
      return "string";
    case Type::kArray:
      return "array";
    case Type::kObject:
      return "object";
  }
  return "unknown";
}

struct Document::Impl {
  dom::parser parser;
  dom::element root;
};

Document::Document(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
Document::Document(Document&&) noexcept = default;
Document& Document::operator=(Document&&) noexcept = default;
Document::~Document() = default;

Document Document::parse(std::string_view text, ReadLimits limits) {
  if (text.size() > limits.max_bytes) {
    throw_invalid(fmt::format("the JSON text is longer than {} bytes", limits.max_bytes));
  }
  auto impl = std::make_unique<Impl>();
  // simdjson counts the document itself as a level, so that kMaxDepth nested arrays need one more.
  if (impl->parser.allocate(std::max<std::size_t>(text.size(), 32), kMaxDepth + 1) != simdjson::SUCCESS) {
    throw_parse_error(text, simdjson::MEMALLOC);
  }
  const auto error = impl->parser.parse(text.data(), text.size()).get(impl->root);
  if (error != simdjson::SUCCESS) throw_parse_error(text, error);
  std::vector<std::string_view> keys;
  check(impl->root, 0, keys);
  return Document(std::move(impl));
}

Value Document::root() const noexcept {
  const Words words = to_words(impl_->root);
  return Value(words.document, words.index);
}

struct ValueAccess {
  static dom::element element(const Value& value) noexcept {
    return to_element({value.document_, value.index_});
  }
  static Value value(dom::element element) noexcept {
    const Words words = to_words(element);
    return Value(words.document, words.index);
  }
};

Type Value::type() const noexcept {
  if (document_ == nullptr) return Type::kNull;
  switch (ValueAccess::element(*this).type()) {
    case dom::element_type::ARRAY:
      return Type::kArray;
    case dom::element_type::OBJECT:
      return Type::kObject;
    case dom::element_type::INT64:
    case dom::element_type::UINT64:
    case dom::element_type::DOUBLE:
      return Type::kNumber;
    case dom::element_type::STRING:
      return Type::kString;
    case dom::element_type::BOOL:
      return Type::kBool;
    case dom::element_type::NULL_VALUE:
      return Type::kNull;
  }
  return Type::kNull;
}

namespace {

template <class T>
std::optional<T> get(bool present, dom::element element) noexcept {
  T result{};
  if (!present || element.get(result) != simdjson::SUCCESS) return std::nullopt;
  return result;
}

}  // namespace

std::optional<std::string_view> Value::string() const noexcept {
  return get<std::string_view>(document_ != nullptr, ValueAccess::element(*this));
}
std::optional<int64_t> Value::int64() const noexcept {
  return get<int64_t>(document_ != nullptr, ValueAccess::element(*this));
}
std::optional<uint64_t> Value::uint64() const noexcept {
  return get<uint64_t>(document_ != nullptr, ValueAccess::element(*this));
}
std::optional<double> Value::number() const noexcept {
  return get<double>(document_ != nullptr, ValueAccess::element(*this));
}
std::optional<bool> Value::boolean() const noexcept {
  return get<bool>(document_ != nullptr, ValueAccess::element(*this));
}

void Value::members(void* context, void (*visit)(void*, std::string_view, Value)) const {
  if (type() != Type::kObject) return;
  for (const auto member : dom::object(ValueAccess::element(*this))) {
    visit(context, member.key, ValueAccess::value(member.value));
  }
}

void Value::elements(void* context, void (*visit)(void*, Value)) const {
  if (type() != Type::kArray) return;
  for (const dom::element element : dom::array(ValueAccess::element(*this))) {
    visit(context, ValueAccess::value(element));
  }
}

std::optional<Value> Value::find(std::string_view key) const noexcept {
  if (type() != Type::kObject) return std::nullopt;
  dom::element found;
  if (dom::object(ValueAccess::element(*this)).at_key(key).get(found) != simdjson::SUCCESS)
    return std::nullopt;
  return ValueAccess::value(found);
}

std::size_t Value::size() const noexcept {
  // Counted: the tape's own count saturates at 2^24 - 1.
  std::size_t count = 0;
  each_member([&](std::string_view, Value) { ++count; });
  each_element([&](Value) { ++count; });
  return count;
}

}  // namespace degu::json
