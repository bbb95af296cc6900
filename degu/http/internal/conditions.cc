#include <degu/base/time.h>
#include <degu/http/internal/conditions.h>
#include <degu/http/internal/date.h>
#include <degu/http/internal/fields.h>
#include <degu/http/internal/joined_fields.h>

#include <string>

namespace degu::http::internal {
namespace {

std::time_t wall_seconds() noexcept { return std::chrono::system_clock::to_time_t(wall_now()); }

// Length of the entity tag at the start of `text`; 0 when there is none. Tags may hold commas, so a list of them cannot
// be split at commas.
std::size_t tag_size(std::string_view text) noexcept {
  std::size_t at = text.starts_with("W/") ? 2 : 0;
  if (at >= text.size() || text[at] != '"') return 0;
  for (++at; at < text.size(); ++at) {
    const auto c = static_cast<unsigned char>(text[at]);
    if (c == '"') return at + 1;
    if (c <= 0x20 || c == 0x7F) return 0;
  }
  return 0;
}

std::string_view opaque(std::string_view tag) noexcept { return tag.starts_with("W/") ? tag.substr(2) : tag; }

bool equal_strongly(std::string_view a, std::string_view b) noexcept { return a == b && a.starts_with('"'); }
bool equal_weakly(std::string_view a, std::string_view b) noexcept {
  return !b.empty() && opaque(a) == opaque(b);
}

// "*", which any representation matches, or a list of tags.
template <class Equal>
bool matches(std::string_view list, std::string_view etag, Equal equal) noexcept {
  if (list == "*") return true;
  while (!list.empty()) {
    if (list.front() == ',' || list.front() == ' ' || list.front() == '\t') {
      list.remove_prefix(1);
      continue;
    }
    const std::size_t size = tag_size(list);
    if (size == 0) return false;
    if (equal(list.substr(0, size), etag)) return true;
    list.remove_prefix(size);
    if (!list.empty() && list.front() != ',' && list.front() != ' ' && list.front() != '\t') return false;
  }
  return false;
}

std::optional<std::time_t> date_of(const RequestHead& head, std::string_view name) {
  return parse_http_date(head.header(name), wall_seconds());
}

}  // namespace

bool is_entity_tag(std::string_view text) noexcept { return !text.empty() && tag_size(text) == text.size(); }

Verdict check_conditions(const RequestHead& head, const Validators& now) {
  std::string storage;
  if (head.has_header("if-match")) {
    if (!matches(joined_fields(head, "if-match", storage), now.etag, equal_strongly)) return Verdict::kFailed;
  } else if (const auto date = date_of(head, "if-unmodified-since"); date && now.last_modified) {
    if (*now.last_modified > *date) return Verdict::kFailed;
  }
  const bool reads = head.method_id() == MethodId::kGet || head.method_id() == MethodId::kHead;
  if (head.has_header("if-none-match")) {
    storage.clear();
    if (!matches(joined_fields(head, "if-none-match", storage), now.etag, equal_weakly))
      return Verdict::kPerform;
    return reads ? Verdict::kNotModified : Verdict::kFailed;
  }
  if (!reads || !now.last_modified) return Verdict::kPerform;
  const auto date = date_of(head, "if-modified-since");
  return date && *now.last_modified <= *date ? Verdict::kNotModified : Verdict::kPerform;
}

bool range_applies(const RequestHead& head, const Validators& now) {
  if (!head.has_header("if-range")) return true;
  const std::string_view value = head.header("if-range");
  if (is_entity_tag(value)) return equal_strongly(value, now.etag);
  const auto date = date_of(head, "if-range");
  // Within the second of the date the content may have changed once more (section 8.8.2.2).
  return date && now.last_modified && *date == *now.last_modified && *date < wall_seconds();
}

}  // namespace degu::http::internal
