// Properties: nothing is read outside the input; however the input is cut, the outcome is the same; a head
// that was parsed, printed and parsed again is the same head; chunked bodies decode the same whatever the
// cuts.
#include <degu/base/assert.h>
#include <degu/http/internal/chunked.h>
#include <degu/http/internal/percent.h>
#include <degu/http/request_parser.h>

#include <algorithm>
#include <memory>
#include <string>

namespace degu::http {
namespace {

std::string outcome(const RequestParser& parser, ParseState state) {
  if (state == ParseState::kIncomplete) return "incomplete";
  if (state == ParseState::kError) return std::to_string(parser.error_status());
  const RequestHead& head = parser.head();
  std::string text;
  text.append(head.method()).append(" ").append(head.target()).append("\n");
  text.append(head.path()).append(" ").append(head.query()).append(" ").append(head.host()).append("\n");
  text.append(std::to_string(head.minor_version())).append(head.keep_alive() ? "k" : "c");
  text.append(head.chunked() ? "chunked" : "").append(std::to_string(head.content_length())).append("\n");
  for (std::size_t i = 0; i < head.field_count(); ++i) {
    text.append(head.field_name(i)).append(": ").append(head.field_value(i)).append("\n");
  }
  return text;
}

ParseState parse_exact(RequestParser& parser, const char* data, std::size_t size,
                       std::unique_ptr<char[]>& memory) {
  memory = std::make_unique<char[]>(size);
  std::copy_n(data, size, memory.get());
  return parser.parse({memory.get(), size});
}

std::string print(const RequestHead& head) {
  std::string text;
  text.append(head.method()).append(" ").append(head.target());
  text.append(head.minor_version() == 0 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n");
  for (std::size_t i = 0; i < head.field_count(); ++i) {
    text.append(head.field_name(i)).append(": ").append(head.field_value(i)).append("\r\n");
  }
  return text.append("\r\n");
}

void check_head(const char* data, std::size_t size, std::size_t step) {
  std::unique_ptr<char[]> memory;
  RequestParser whole;
  const ParseState state = parse_exact(whole, data, size, memory);
  const std::string expected = outcome(whole, state);

  std::unique_ptr<char[]> piece;
  RequestParser cut;
  ParseState cut_state = ParseState::kIncomplete;
  for (std::size_t end = 0; end < size && cut_state == ParseState::kIncomplete;) {
    end = std::min(size, end + step);
    cut_state = parse_exact(cut, data, end, piece);
  }
  DEGU_CHECK(outcome(cut, cut_state) == expected, "cut: {}", expected);
  if (state != ParseState::kDone) return;

  DEGU_CHECK(whole.consumed() <= size);
  const std::string printed = print(whole.head());
  if (printed.size() > ParseLimits{}.max_header_bytes) return;
  RequestParser again;
  DEGU_CHECK(again.parse(printed) == ParseState::kDone, "printed: {}", printed);
  DEGU_CHECK(outcome(again, ParseState::kDone) == expected, "printed: {}", printed);
  std::string decoded;
  if (internal::decode_path(whole.head().path(), decoded)) {
    DEGU_CHECK(decoded.find('\0') == std::string::npos && decoded.find("/../") == std::string::npos);
  }
}

std::string decode(const char* data, std::size_t size, std::size_t step) {
  internal::ChunkedDecoder decoder(10'000);
  std::string buffer(data, size);
  std::size_t in = 0;
  std::size_t out = 0;
  ParseState state = ParseState::kIncomplete;
  while (state == ParseState::kIncomplete && in < size) {
    state = decoder.decode(buffer.data() + in, std::min(step, size - in), buffer.data() + out);
    in += decoder.consumed();
    out += decoder.produced();
  }
  DEGU_CHECK(out <= 10'000 && out <= in);
  if (state == ParseState::kError) return std::to_string(decoder.error_status());
  return buffer.substr(0, out) + (state == ParseState::kDone ? "!" : "?") + std::to_string(in);
}

}  // namespace
}  // namespace degu::http

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const auto* text = reinterpret_cast<const char*>(data) + 1;
  const std::size_t step = 1 + data[0] % 32;
  degu::http::check_head(text, size - 1, step);
  const std::string whole = degu::http::decode(text, size - 1, size);
  const std::string cut = degu::http::decode(text, size - 1, step);
  DEGU_CHECK(whole == cut, "chunked: {} {}", whole, cut);
  return 0;
}
