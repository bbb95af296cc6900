#include <degu/app/flags.h>
#include <degu/app/internal/cli.h>

#include <charconv>
#include <limits>

namespace degu::app {
namespace {

struct Unit {
  std::string_view name;
  int64_t nanos;
};
constexpr Unit kUnits[] = {{"h", 3'600'000'000'000}, {"m", 60'000'000'000}, {"s", 1'000'000'000},
                           {"ms", 1'000'000},        {"us", 1'000},         {"ns", 1}};

template <class T>
void add_plain(CLI::App* cli, std::string_view name, T& target, std::string_view help) {
  cli->add_option(std::string(name), target, std::string(help))->capture_default_str();
}

}  // namespace

Flags& Flags::add(std::string_view name, std::string& target, std::string_view help) {
  add_plain(impl_->cli, name, target, help);
  return *this;
}
Flags& Flags::add(std::string_view name, int& target, std::string_view help) {
  add_plain(impl_->cli, name, target, help);
  return *this;
}
Flags& Flags::add(std::string_view name, int64_t& target, std::string_view help) {
  add_plain(impl_->cli, name, target, help);
  return *this;
}
Flags& Flags::add(std::string_view name, uint16_t& target, std::string_view help) {
  add_plain(impl_->cli, name, target, help);
  return *this;
}
Flags& Flags::add(std::string_view name, double& target, std::string_view help) {
  add_plain(impl_->cli, name, target, help);
  return *this;
}

Flags& Flags::add(std::string_view name, bool& target, std::string_view help) {
  const auto set = [&target, name = std::string(name)](const std::string& text) {
    if (text != "on" && text != "off")
      throw CLI::ValidationError(name, "takes on or off, not \"" + text + "\"");
    target = text == "on";
  };
  impl_->cli->add_option_function<std::string>(std::string(name), set, std::string(help))
      ->type_name("on|off")
      ->default_str(target ? "on" : "off");
  return *this;
}

Flags& Flags::add(std::string_view name, std::chrono::nanoseconds& target, std::string_view help) {
  const auto set = [&target, name = std::string(name)](const std::string& text) {
    if (!parse_duration(text, target)) {
      throw CLI::ValidationError(name, "takes a duration such as 250ms or 10s, not \"" + text + "\"");
    }
  };
  impl_->cli->add_option_function<std::string>(std::string(name), set, std::string(help))
      ->type_name("DURATION")
      ->default_str(to_string(target));
  return *this;
}

bool parse_duration(std::string_view text, std::chrono::nanoseconds& out) noexcept {
  int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc{} || count < 0) return false;
  const std::string_view unit(end, static_cast<size_t>(text.data() + text.size() - end));
  for (const Unit& known : kUnits) {
    if (unit != known.name) continue;
    if (count > std::numeric_limits<int64_t>::max() / known.nanos) return false;
    out = std::chrono::nanoseconds(count * known.nanos);
    return true;
  }
  return false;
}

std::string to_string(std::chrono::nanoseconds duration) {
  if (duration.count() == 0) return "0s";
  for (const Unit& unit : kUnits) {
    if (duration.count() % unit.nanos == 0)
      return std::to_string(duration.count() / unit.nanos) + std::string(unit.name);
  }
  return {};
}

}  // namespace degu::app
