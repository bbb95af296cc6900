#include <degu/http/internal/accept_encoding.h>
#include <degu/http/internal/fields.h>

#include <algorithm>

namespace degu::http::internal {

std::optional<int> parse_weight(std::string_view parameters) noexcept {
  constexpr int kOne = 1000;
  if (parameters.empty()) return kOne;
  parameters = trim(parameters.substr(1));
  if (parameters.size() < 3 || to_lower(parameters[0]) != 'q' || parameters[1] != '=') return std::nullopt;
  const std::string_view value = parameters.substr(2);
  if (value.size() > 5 || (value[0] != '0' && value[0] != '1')) return std::nullopt;
  if (value.size() > 1 && value[1] != '.') return std::nullopt;
  int weight = (value[0] - '0') * kOne;
  int place = kOne;
  for (const char c : value.substr(std::min<std::size_t>(2, value.size()))) {
    if (c < '0' || c > '9') return std::nullopt;
    place /= 10;
    weight += (c - '0') * place;
  }
  return weight <= kOne ? std::optional<int>(weight) : std::nullopt;
}

AcceptEncoding::AcceptEncoding(std::string_view field) noexcept {
  each_list_element(field, [this](std::string_view element) {
    const std::size_t semicolon = std::min(element.find(';'), element.size());
    const std::string_view name = trim(element.substr(0, semicolon));
    const std::optional<int> weight = parse_weight(element.substr(semicolon));
    if (!weight) return;
    if (name == "*") {
      if (!any_) any_ = weight;
    } else if (const auto coding = coding_of(name)) {
      auto& slot = weights_[static_cast<std::size_t>(*coding)];
      if (!slot) slot = weight;
    }
  });
}

int AcceptEncoding::weight(Coding coding) const noexcept {
  const std::optional<int>& own = weights_[static_cast<std::size_t>(coding)];
  if (own) return *own;
  return any_.value_or(coding == Coding::kIdentity ? 1 : 0);
}

Coding AcceptEncoding::choose(std::span<const Coding> preference) const noexcept {
  Coding best = Coding::kIdentity;
  int best_weight = 0;
  for (const Coding coding : preference) {
    if (const int own = weight(coding); coding != Coding::kIdentity && own > best_weight) {
      best = coding;
      best_weight = own;
    }
  }
  return best_weight >= weight(Coding::kIdentity) ? best : Coding::kIdentity;
}

}  // namespace degu::http::internal
