#include <degu/http/internal/fields.h>
#include <degu/http/internal/form_data.h>
#include <degu/http/internal/media_type.h>
#include <degu/http/internal/percent.h>
#include <degu/http/internal/utf8.h>
#include <fmt/format.h>

namespace degu::http::internal {
namespace {

bool is_text(std::string_view text) noexcept {
  return text.find('\0') == std::string_view::npos && is_utf8(text);
}

// Text in another encoding would be taken for UTF-8.
bool is_utf8_charset(std::string_view parameters) {
  const auto parsed = parse_parameters(parameters);
  if (!parsed) return false;
  const std::string* charset = find_parameter(*parsed, "charset");
  return charset == nullptr || equals_ignoring_case(*charset, "utf-8");
}

void parse_parts(std::string_view boundary, std::string_view body, FormData& form) {
  // The length of the body is limited already; these bound what there is a record for.
  MultipartParser parser(
      boundary, {.max_parts = kMaxFields, .max_part_bytes = body.size(), .max_content_bytes = body.size()});
  std::string_view left = body;
  while (true) {
    switch (parser.next(left)) {
      case MultipartParser::Event::kPart:
        form.parts.push_back({parser.head(), left.substr(0, 0)});
        break;
      case MultipartParser::Event::kContent: {
        // The pieces of a part lie in the body one behind the other.
        FormPart& part = form.parts.back();
        part.content = {part.content.data(), part.content.size() + parser.content().size()};
        break;
      }
      case MultipartParser::Event::kPartEnd:
        break;
      case MultipartParser::Event::kError:
        throw HttpError(parser.error_status(), Code::kInvalidArgument, std::string(parser.error_reason()));
      case MultipartParser::Event::kNeedInput:
        if (!parser.complete()) throw Error(Code::kInvalidArgument, "the multipart body is cut short");
        return;
    }
  }
}

// Texts here, files there. Views are taken only now that no part moves any more.
void sort_parts(FormData& form) {
  for (const FormPart& part : form.parts) {
    if (part.head.filename) {
      // A browser sends a file field in which nothing was chosen without a name and content.
      if (part.head.filename->empty() && part.content.empty()) continue;
      form.files.push_back({part.head.name, *part.head.filename, part.head.content_type, part.content});
    } else if (is_text(part.content)) {
      form.fields.push_back({part.head.name, part.content});
    } else {
      throw Error(Code::kInvalidArgument, "a field of the form is not UTF-8 text");
    }
  }
}

}  // namespace

void parse_urlencoded(std::string_view text, std::string_view what, std::string& memory,
                      std::vector<Param>& fields) {
  // Decoding never lengthens, so the views into `memory` stay valid.
  memory.reserve(text.size());
  const auto decode = [&](std::string_view raw) {
    const std::size_t begin = memory.size();
    if (!decode_query(raw, memory)) {
      throw Error(Code::kInvalidArgument, fmt::format("{} is not valid percent-encoded UTF-8", what));
    }
    return std::string_view(memory).substr(begin);
  };
  while (!text.empty()) {
    const std::size_t end = text.find('&');
    const std::string_view pair = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (pair.empty()) continue;
    if (fields.size() == kMaxFields) {
      throw Error(Code::kInvalidArgument, fmt::format("{} has too many parameters", what));
    }
    const std::size_t equals = pair.find('=');
    const std::string_view name = decode(pair.substr(0, equals));
    const std::string_view value =
        equals == std::string_view::npos ? std::string_view() : decode(pair.substr(equals + 1));
    fields.push_back({name, value});
  }
}

void parse_form(std::string_view content_type, std::string_view body, FormData& form) {
  const auto type = parse_media_type(content_type);
  if (type && equals_ignoring_case(type->essence, "multipart/form-data")) {
    const auto boundary = multipart_boundary(content_type);
    if (!boundary) throw Error(Code::kInvalidArgument, "multipart/form-data without a valid boundary");
    parse_parts(*boundary, body, form);
    sort_parts(form);
  } else if (type && equals_ignoring_case(type->essence, "application/x-www-form-urlencoded") &&
             is_utf8_charset(type->parameters)) {
    parse_urlencoded(body, "the form", form.memory, form.fields);
  } else {
    throw HttpError(415, Code::kInvalidArgument,
                    "the body must be application/x-www-form-urlencoded or multipart/form-data, in UTF-8");
  }
}

}  // namespace degu::http::internal
