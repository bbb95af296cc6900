#include <degu/base/random.h>
#include <degu/http/internal/content_answer.h>
#include <degu/http/internal/date.h>
#include <degu/http/internal/exchange_access.h>
#include <degu/http/internal/response_fields.h>
#include <fmt/format.h>

namespace degu::http::internal {
namespace {

// What 200, 206 and 304 say (section 15.4.5).
void set_metadata(Exchange& c, const Representation& of) {
  if (!of.cache_control.empty()) c.set_header("Cache-Control", of.cache_control);
  if (of.varies_by_coding) add_vary(ExchangeAccess::state(c).fields, "Accept-Encoding");
  const Validators& validators = of.validators;
  if (!validators.etag.empty()) c.set_header("ETag", validators.etag);
  if (!validators.last_modified) return;
  char date[29];
  format_http_date(*validators.last_modified, date);
  c.set_header("Last-Modified", {date, sizeof date});
}

std::string content_range(const ByteRange& range, uint64_t size) {
  return fmt::format("bytes {}-{}/{}", range.first, range.last, size);
}

// Section 14.6. A boundary that nobody can guess cannot be in the content.
void make_multipart(ContentAnswer& answer, const std::vector<ByteRange>& ranges, const Representation& of) {
  const std::string boundary = fmt::format("{:016x}{:016x}", random_u64(), random_u64());
  answer.content_type = "multipart/byteranges; boundary=" + boundary;
  for (const ByteRange& range : ranges) {
    std::string before = fmt::format("{}--{}\r\n", answer.parts.empty() ? "" : "\r\n", boundary);
    if (!of.content_type.empty()) before += fmt::format("Content-Type: {}\r\n", of.content_type);
    before += fmt::format("Content-Range: {}\r\n\r\n", content_range(range, of.size));
    answer.length += before.size() + range.size();
    answer.parts.push_back({std::move(before), range});
  }
  answer.after = fmt::format("\r\n--{}--\r\n", boundary);
  answer.length += answer.after.size();
}

}  // namespace

ContentAnswer answer_content(Exchange& c, const Representation& of) {
  const RequestHead& head = *ExchangeAccess::state(c).head;
  if (!of.validators.etag.empty() && !is_entity_tag(of.validators.etag)) {
    throw Error(Code::kInternal, fmt::format("{} is no entity tag", of.validators.etag));
  }
  switch (check_conditions(head, of.validators)) {
    case Verdict::kFailed:
      throw HttpError(412, Code::kFailedPrecondition, "the content is not the version that was asked for");
    case Verdict::kNotModified:
      set_metadata(c, of);
      c.empty(304);
      return {};
    case Verdict::kPerform:
      break;
  }
  RangeSet set;
  // Section 14.2: only GET knows ranges.
  if (head.method_id() == MethodId::kGet && head.has_header("range") && range_applies(head, of.validators)) {
    set = parse_ranges(head.header("range"), of.size);
  }
  if (set.unsatisfiable) {
    c.problem(HttpError(416, Code::kOutOfRange, fmt::format("the content has {} bytes", of.size)));
    c.set_header("Content-Range", fmt::format("bytes */{}", of.size));
    return {};
  }
  set_metadata(c, of);
  c.set_header("Accept-Ranges", "bytes");
  if (!of.content_encoding.empty()) c.set_header("Content-Encoding", of.content_encoding);
  ContentAnswer answer;
  answer.status = set.ranges.empty() ? 200 : 206;
  if (set.ranges.size() > 1) {
    make_multipart(answer, set.ranges, of);
    return answer;
  }
  answer.content_type = of.content_type;
  if (answer.status == 206) {
    c.set_header("Content-Range", content_range(set.ranges[0], of.size));
    answer.parts.push_back({{}, set.ranges[0]});
  } else if (of.size > 0) {
    answer.parts.push_back({{}, {0, of.size - 1}});
  }
  if (!answer.parts.empty()) answer.length = answer.parts[0].range.size();
  return answer;
}

}  // namespace degu::http::internal
