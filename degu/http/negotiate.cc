#include <degu/http/exchange.h>
#include <degu/http/internal/fields.h>
#include <degu/http/internal/media_type.h>
#include <degu/http/negotiate.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace degu::http {
namespace {

using internal::Parameter;

constexpr std::size_t kMaxRanges = 64;

struct Range {
  std::string_view type;
  std::string_view subtype;
  std::vector<Parameter> parameters;
  int quality = 1000;  // thousandths
};

// qvalue of RFC 9110 section 12.4.2, in thousandths.
std::optional<int> parse_quality(std::string_view text) noexcept {
  if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1')) return std::nullopt;
  if (text.size() > 1 && text[1] != '.') return std::nullopt;
  int quality = (text[0] - '0') * 1000;
  int weight = 100;
  for (const char c : text.substr(std::min<std::size_t>(2, text.size()))) {
    if (c < '0' || c > '9') return std::nullopt;
    quality += (c - '0') * weight;
    weight /= 10;
  }
  return quality <= 1000 ? std::optional<int>(quality) : std::nullopt;
}

std::optional<Range> parse_range(std::string_view text) {
  const auto media = internal::parse_media_type(text);
  if (!media) return std::nullopt;
  auto parameters = internal::parse_parameters(media->parameters);
  if (!parameters) return std::nullopt;
  Range range;
  const std::size_t slash = media->essence.find('/');
  range.type = media->essence.substr(0, slash);
  range.subtype = media->essence.substr(slash + 1);
  if (range.type == "*" && range.subtype != "*") return std::nullopt;
  for (Parameter& parameter : *parameters) {
    // Behind q stood extensions, which are no more (RFC 9110 section 12.5.1).
    if (internal::equals_ignoring_case(parameter.name, "q")) {
      const auto quality = parse_quality(parameter.value);
      if (!quality) return std::nullopt;
      range.quality = *quality;
      break;
    }
    range.parameters.push_back(std::move(parameter));
  }
  return range;
}

// Splits at the commas outside of quoted strings.
std::vector<Range> parse_accept(std::string_view accept) {
  std::vector<Range> ranges;
  std::size_t begin = 0;
  bool quoted = false;
  for (std::size_t i = 0; i <= accept.size() && ranges.size() < kMaxRanges; ++i) {
    if (i < accept.size()) {
      if (accept[i] == '"') quoted = !quoted;
      if (quoted && accept[i] == '\\') ++i;
      if (quoted || i >= accept.size() || accept[i] != ',') continue;
    }
    if (auto range = parse_range(accept.substr(begin, i - begin))) ranges.push_back(std::move(*range));
    begin = i + 1;
  }
  return ranges;
}

// How closely the range describes the offer; 0: not at all.
std::size_t specificity(const Range& range, const Range& offer) noexcept {
  if (range.type == "*") return 1;
  if (!internal::equals_ignoring_case(range.type, offer.type)) return 0;
  if (range.subtype == "*") return 2;
  if (!internal::equals_ignoring_case(range.subtype, offer.subtype)) return 0;
  for (const Parameter& parameter : range.parameters) {
    const std::string* value = internal::find_parameter(offer.parameters, parameter.name);
    if (value == nullptr || !internal::equals_ignoring_case(*value, parameter.value)) return 0;
  }
  return 3 + range.parameters.size();
}

int quality_of(const std::vector<Range>& ranges, const Range& offer) noexcept {
  std::size_t closest = 0;
  int quality = 0;
  for (const Range& range : ranges) {
    const std::size_t close = specificity(range, offer);
    if (close > closest) {
      closest = close;
      quality = range.quality;
    }
  }
  return quality;
}

}  // namespace

std::optional<std::string_view> preferred_type(std::string_view accept,
                                               std::initializer_list<std::string_view> offers) {
  const std::vector<Range> ranges = parse_accept(accept);
  std::optional<std::string_view> best;
  int best_quality = 0;
  for (const std::string_view text : offers) {
    const auto offer = parse_range(text);
    if (!offer) throw Error(Code::kInternal, "an offered media type is malformed");
    const int quality = ranges.empty() ? 1000 : quality_of(ranges, *offer);
    if (quality <= best_quality) continue;
    best = text;
    best_quality = quality;
  }
  return best;
}

std::string_view negotiate(Exchange& c, std::initializer_list<std::string_view> offers) {
  std::string accept;
  for (const std::string_view value : c.header_values("accept"))
    accept.append(accept.empty() ? "" : ",").append(value);
  c.add_header("Vary", "Accept");
  const auto best = preferred_type(accept, offers);
  if (best) return *best;
  std::string names;
  for (const std::string_view offer : offers) names.append(names.empty() ? "" : ", ").append(offer);
  throw HttpError(406, Code::kInvalidArgument, "none of these is acceptable to the client: " + names);
}

}  // namespace degu::http
