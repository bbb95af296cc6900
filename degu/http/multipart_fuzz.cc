// Properties: however the input is cut, the parts are the same and so is the refusal; contents lie in the input and
// are no longer than it; no filename leads out of a folder; parts that were parsed, printed and parsed again are the
// same parts; Content-Type and Cookie fields never make the parsers read outside.
#include <degu/base/assert.h>
#include <degu/http/cookie.h>
#include <degu/http/internal/media_type.h>
#include <degu/http/multipart.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

namespace degu::http {
namespace {

struct Part {
  PartHead head;
  std::string content;
  bool ended = false;
};

struct Outcome {
  std::vector<Part> parts;
  int error_status = 0;
  bool complete = false;
};

constexpr MultipartLimits kLimits{
    .max_parts = 8, .max_header_bytes = 300, .max_part_bytes = 500, .max_content_bytes = 900};

Outcome parse(std::string_view text, std::size_t step, MultipartLimits limits) {
  Outcome outcome;
  MultipartParser parser("b", limits);
  while (!text.empty() && outcome.error_status == 0) {
    // A block of its own for each piece, so that reading beyond it is seen.
    const std::size_t size = std::min(step, text.size());
    const auto memory = std::make_unique<char[]>(size);
    std::copy_n(text.data(), size, memory.get());
    text.remove_prefix(size);
    std::string_view input(memory.get(), size);
    for (auto event = parser.next(input); event != MultipartParser::Event::kNeedInput;
         event = parser.next(input)) {
      if (event == MultipartParser::Event::kPart) outcome.parts.push_back({parser.head(), "", false});
      if (event == MultipartParser::Event::kContent) outcome.parts.back().content += parser.content();
      if (event == MultipartParser::Event::kPartEnd) outcome.parts.back().ended = true;
      if (event != MultipartParser::Event::kError) continue;
      outcome.error_status = parser.error_status();
      break;
    }
  }
  outcome.complete = parser.complete();
  return outcome;
}

// Pieces of a content that ends in a refusal for its size differ by where the input was cut.
std::string print(const Outcome& outcome) {
  std::string text;
  for (const Part& part : outcome.parts) {
    text += part.head.name + "|" + part.head.filename.value_or("-") + "|" + part.head.content_type + "|";
    if (part.ended) text += part.content;
    text += part.ended ? "!\n" : "?\n";
  }
  return text + std::to_string(outcome.error_status) + (outcome.complete ? "!" : "?");
}

std::string quote(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

void check_again(const Outcome& outcome) {
  std::string text;
  for (const Part& part : outcome.parts) {
    // These say something else when they are unescaped once more.
    if (part.head.name.find("%22") != std::string::npos) return;
    if (part.head.filename && part.head.filename->find("%22") != std::string::npos) return;
    text += "--b\r\nContent-Disposition: form-data; name=" + quote(part.head.name);
    if (part.head.filename) text += "; filename=" + quote(*part.head.filename);
    text += "\r\nContent-Type: " + part.head.content_type + "\r\n\r\n" + part.content + "\r\n";
  }
  const Outcome again = parse(text + "--b--", text.size() + 5, {});
  DEGU_CHECK(print(again) == print(outcome), "{}\n{}", print(again), print(outcome));
}

void check(std::string_view text, std::size_t step) {
  const Outcome whole = parse(text, text.size(), kLimits);
  const Outcome cut = parse(text, step, kLimits);
  DEGU_CHECK(print(whole) == print(cut), "{}\n{}", print(whole), print(cut));
  DEGU_CHECK(whole.parts.size() <= kLimits.max_parts);
  std::size_t total = 0;
  for (const Part& part : whole.parts) {
    total += part.content.size();
    DEGU_CHECK(part.content.size() <= kLimits.max_part_bytes);
    if (!part.head.filename) continue;
    const std::string& name = *part.head.filename;
    DEGU_CHECK(name != "." && name != ".." && name.find_first_of("/\\") == std::string::npos, "{}", name);
  }
  DEGU_CHECK(total <= kLimits.max_content_bytes && total <= text.size());
  if (whole.complete && whole.error_status == 0) check_again(whole);
}

void check_fields(std::string_view text) {
  if (const auto boundary = multipart_boundary(text))
    DEGU_CHECK(!boundary->empty() && boundary->size() <= 70);
  if (const auto parameters = internal::parse_parameters(text)) DEGU_CHECK(parameters->size() <= 16);
  if (const auto value = internal::find_cookie(text, "a")) {
    DEGU_CHECK(value->find_first_of("\r\n;\" ") == std::string_view::npos);
  }
}

}  // namespace
}  // namespace degu::http

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  degu::http::check(text, 1 + data[0] % 32);
  degu::http::check_fields(text);
  return 0;
}
