#include <degu/http/internal/fields.h>
#include <degu/http/internal/media_type.h>
#include <degu/http/negotiate.h>
#include <degu/http/protobuf.h>
#include <fmt/format.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/message.h>
#include <google/protobuf/stubs/logging.h>
#include <google/protobuf/util/json_util.h>

#include <climits>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace degu::http {
namespace {

using google::protobuf::Message;
using google::protobuf::MessageLite;

constexpr int kMaxDepth = 64;  // as for JSON
constexpr std::string_view kBinaryType = "application/x-protobuf";
constexpr std::string_view kRegisteredType = "application/protobuf";
constexpr std::string_view kJsonType = "application/json";
constexpr std::string_view kOfMessage[] = {kBinaryType, kRegisteredType, kJsonType};

enum class Format : uint8_t { kBinary, kJson, kOther };

// A type is wanted: browsers send bodies without one to other sites and ask nobody.
Format format_of(const Exchange& c) {
  const std::string_view type = c.header("content-type");
  if (internal::is_json_type(type)) return Format::kJson;
  const auto media = internal::parse_media_type(type);
  if (!media) return Format::kOther;
  const bool binary = internal::equals_ignoring_case(media->essence, kBinaryType) ||
                      internal::equals_ignoring_case(media->essence, kRegisteredType);
  return binary ? Format::kBinary : Format::kOther;
}

// A message of which no field is set has no bytes.
bool is_absent(const Exchange& c) { return c.body().empty() && format_of(c) != Format::kBinary; }

[[noreturn]] void refuse(const MessageLite& message, std::string_view why, std::vector<ErrorDetail> details) {
  throw Error(Code::kInvalidArgument, fmt::format("the body is not a {}{}", message.GetTypeName(), why),
              std::move(details));
}

// Partial: the whole ones complain on stderr about required fields.
void read_binary(std::string_view body, MessageLite& message) {
  if (body.size() > INT_MAX) throw HttpError(413, Code::kOutOfRange, "the body is longer than 2 GiB");
  google::protobuf::io::CodedInputStream input(reinterpret_cast<const uint8_t*>(body.data()),
                                               static_cast<int>(body.size()));
  input.SetRecursionLimit(kMaxDepth);
  // Each string that is not UTF-8 would be a line on stderr, as many as a client likes. For as long as this takes the library
  // says nothing to others either.
  const google::protobuf::LogSilencer silence;
  if (!message.ParsePartialFromCodedStream(&input) || !input.ConsumedEntireMessage())
    refuse(message, " in protobuf's format", {});
}

// "(items[0].quantity): invalid value ...", "(points[0]): missing field y" and ": missing field name" tell where.
std::optional<ErrorDetail> detail_of(std::string_view text) {
  constexpr std::string_view kMissing = "missing field ";
  std::string field;
  const std::size_t end = text.find("): ");
  if (text.starts_with('(') && end != std::string_view::npos) {
    field = text.substr(1, end - 1);
    text.remove_prefix(end + 3);
  } else if (text.starts_with(": ")) {
    text.remove_prefix(2);
  }
  if (text.starts_with(kMissing)) {
    field.append(field.empty() ? "" : ".").append(text.substr(kMissing.size()));
    text = "is required";
  }
  if (field.empty()) return std::nullopt;
  return ErrorDetail{std::move(field), std::string(text)};
}

void read_json(const Exchange& c, Message& message) {
  static_cast<void>(
      c.json_body());  // held to the rules of all JSON first: depth, encoding, no repeated names
  const std::string_view body = c.body();
  const auto status = google::protobuf::util::JsonStringToMessage({body.data(), body.size()}, &message);
  if (status.ok()) return;
  const std::string text(status.message().data(), status.message().size());
  std::optional<ErrorDetail> detail = detail_of(text);
  if (!detail) refuse(message, " in JSON: " + text, {});
  refuse(message, " in JSON", {std::move(*detail)});
}

void check_required(const MessageLite& message, std::vector<std::string> missing) {
  if (message.IsInitialized()) return;
  std::vector<ErrorDetail> details;
  for (std::string& field : missing) details.push_back({std::move(field), "is required"});
  refuse(message, ": required fields are missing", std::move(details));
}

std::vector<std::string> missing_fields(const Message& message) {
  std::vector<std::string> missing;
  if (!message.IsInitialized()) message.FindInitializationErrors(&missing);
  return missing;
}

void check_sendable(const MessageLite& message) {
  if (!message.IsInitialized())
    throw Error(Code::kInternal, fmt::format("a {} lacks required fields", message.GetTypeName()));
  if (message.ByteSizeLong() > INT_MAX)
    throw Error(Code::kInternal, fmt::format("a {} has more than 2 GiB", message.GetTypeName()));
}

}  // namespace

bool read_whole_body(const Exchange& c, MessageLite& message) {
  if (is_absent(c)) {
    check_required(message, {});
    return false;
  }
  if (format_of(c) != Format::kBinary)
    throw HttpError(415, Code::kInvalidArgument, "the body must be application/x-protobuf");
  read_binary(c.body(), message);
  check_required(message, {});
  return true;
}

bool read_whole_body(const Exchange& c, Message& message) {
  if (is_absent(c)) {
    check_required(message, missing_fields(message));
    return false;
  }
  switch (format_of(c)) {
    case Format::kBinary:
      read_binary(c.body(), message);
      break;
    case Format::kJson:
      read_json(c, message);
      break;
    case Format::kOther:
      throw HttpError(415, Code::kInvalidArgument,
                      "the body must be application/x-protobuf or application/json");
  }
  check_required(message, missing_fields(message));
  return true;
}

void write_protobuf(Exchange& c, int status, const MessageLite& message) {
  check_sendable(message);
  const std::string_view type = negotiate(c, {kBinaryType, kRegisteredType});
  if (!message.AppendPartialToString(&c.begin_body(status, type)))
    throw Error(Code::kInternal, fmt::format("a {} cannot be written", message.GetTypeName()));
}

void write_protobuf(Exchange& c, int status, const Message& message) {
  check_sendable(message);
  const std::string_view type = negotiate(c, {kBinaryType, kRegisteredType, kJsonType});
  std::string& body = c.begin_body(status, type);
  if (type != kJsonType) {
    if (message.AppendPartialToString(&body)) return;
    throw Error(Code::kInternal, fmt::format("a {} cannot be written", message.GetTypeName()));
  }
  const auto written = google::protobuf::util::MessageToJsonString(message, &body);
  if (written.ok()) return;
  throw Error(Code::kInternal,
              fmt::format("a {} cannot be told in JSON: {}", message.GetTypeName(),
                          std::string_view(written.message().data(), written.message().size())));
}

namespace internal {

MediaTypes body_media_types(BodyOf, const MessageLite*) noexcept { return MediaTypes(kOfMessage).first(2); }

MediaTypes body_media_types(BodyOf, const Message*) noexcept { return kOfMessage; }

void write_message_schema(json::Writer& writer, std::string_view type_name) {
  writer.begin_object();
  writer.key("type");
  writer.value("object");
  writer.key("title");
  writer.value(type_name);
  writer.end_object();
}

}  // namespace internal
}  // namespace degu::http
