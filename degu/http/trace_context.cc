#include <degu/context/cancel_scope.h>
#include <degu/http/internal/exchange_access.h>
#include <degu/http/internal/fields.h>
#include <degu/http/trace_context.h>
#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace degu::http {
namespace {

constexpr std::size_t kParentBytes = 55;  // of version 00
constexpr std::size_t kMaxMembers = 32;
constexpr uint8_t kSampled = 1;

bool is_lower_hex(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_zero(std::string_view id) noexcept { return id.find_first_not_of('0') == std::string_view::npos; }

uint8_t hex_value(char c) noexcept { return static_cast<uint8_t>(c <= '9' ? c - '0' : c - 'a' + 10); }

// Section 3.3.1.3.1, "vendor" or "tenant@vendor". Whether a part begins with a digit is left to its maker.
bool is_key(std::string_view key) noexcept {
  return !key.empty() && key.size() <= 256 && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           std::string_view("_-*/@").find(c) != std::string_view::npos;
  });
}

bool is_value(std::string_view value) noexcept {
  return !value.empty() && value.size() <= 256 && value.back() != ' ' &&
         std::all_of(value.begin(), value.end(),
                     [](char c) { return c >= 0x20 && c < 0x7F && c != ',' && c != '='; });
}

// "" if it is not one that may be passed on.
std::string joined_state(std::span<const std::string_view> values) {
  std::string joined;
  std::vector<std::string_view> keys;
  bool sound = true;
  for (const std::string_view value : values) {
    internal::each_list_element(value, [&](std::string_view member) {
      const std::size_t equals = member.find('=');
      const std::string_view key = member.substr(0, equals);
      sound = sound && equals != std::string_view::npos && keys.size() < kMaxMembers && is_key(key) &&
              is_value(member.substr(equals + 1)) && std::find(keys.begin(), keys.end(), key) == keys.end();
      if (!sound) return;
      keys.push_back(key);
      if (!joined.empty()) joined += ',';
      joined += member;
    });
  }
  return sound ? joined : std::string();
}

}  // namespace

std::optional<TraceContext> parse_trace_context(std::string_view traceparent,
                                                std::span<const std::string_view> tracestate) {
  if (traceparent.size() < kParentBytes) return std::nullopt;
  const std::string_view version = traceparent.substr(0, 2);
  const std::string_view trace_id = traceparent.substr(3, 32);
  const std::string_view parent_id = traceparent.substr(36, 16);
  const std::string_view flags = traceparent.substr(53, 2);
  if (traceparent[2] != '-' || traceparent[35] != '-' || traceparent[52] != '-') return std::nullopt;
  for (const std::string_view part : {version, trace_id, parent_id, flags}) {
    if (!is_lower_hex(part)) return std::nullopt;
  }
  if (version == "ff" || is_zero(trace_id) || is_zero(parent_id)) return std::nullopt;
  // Section 3.2.4: what a later version adds is set off by a dash.
  if (traceparent.size() > kParentBytes && (version == "00" || traceparent[kParentBytes] != '-'))
    return std::nullopt;
  return TraceContext{std::string(trace_id), std::string(parent_id),
                      static_cast<uint8_t>(hex_value(flags[0]) << 4 | hex_value(flags[1])),
                      joined_state(tracestate)};
}

std::string traceparent(const TraceContext& trace, uint64_t span_id) {
  return fmt::format("00-{}-{:016x}-{:02x}", trace.trace_id, span_id, trace.flags & kSampled);
}

Handler trace_context() {
  return [](Exchange& c) {
    const internal::CountedField parent = internal::counted_field(c, "traceparent");
    std::optional<TraceContext> trace;
    if (parent.count == 1) trace = parse_trace_context(parent.value, c.header_values("tracestate"));
    if (!trace) return c.next();
    const ContextScope scope(with_value(current_context(), kTraceContext, std::move(*trace)));
    c.next();
  };
}

}  // namespace degu::http
