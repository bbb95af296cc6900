#include <degu/http/internal/content_answer.h>
#include <degu/http/internal/exchange_access.h>
#include <degu/http/serve_content.h>

namespace degu::http {
namespace {

std::string_view slice(std::string_view bytes, const internal::ByteRange& range) noexcept {
  return bytes.substr(static_cast<std::size_t>(range.first), static_cast<std::size_t>(range.size()));
}

}  // namespace

void serve_content(Exchange& c, const ContentView& content) {
  const std::string_view bytes =
      content.shared != nullptr ? std::string_view(*content.shared) : content.bytes;
  internal::Representation representation{
      bytes.size(),          content.content_type,     {content.etag, std::nullopt},
      content.cache_control, content.content_encoding, content.varies_by_coding};
  if (content.last_modified) {
    representation.validators.last_modified = std::chrono::system_clock::to_time_t(*content.last_modified);
  }
  const internal::ContentAnswer answer = internal::answer_content(c, representation);
  if (answer.status == 0) return;
  if (answer.parts.size() > 1) {
    ResponseStream& stream = c.stream(answer.status, answer.content_type, answer.length);
    for (const internal::ContentAnswer::Part& part : answer.parts) {
      stream.write(part.before);
      stream.write(slice(bytes, part.range));
    }
    return stream.write(answer.after);
  }
  const std::string_view body =
      answer.parts.empty() ? std::string_view() : slice(bytes, answer.parts[0].range);
  if (content.shared == nullptr) return c.raw(answer.status, answer.content_type, std::string(body));
  c.raw(answer.status, answer.content_type, content.shared);
  internal::ExchangeAccess::state(c).shared_part = body;
}

}  // namespace degu::http
