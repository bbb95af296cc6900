// Flags: what a command line may say.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace degu::app {

/// The flags of a program or of one of its commands. Each writes to a variable, whose value before parsing is
/// the default and is shown by --help; the variable has to outlive the parsing. `name` is given as
/// "--products". Not thread-safe.
class Flags {
 public:
  struct Impl;
  explicit Flags(std::shared_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}

  Flags& add(std::string_view name, std::string& target, std::string_view help);
  Flags& add(std::string_view name, int& target, std::string_view help);
  Flags& add(std::string_view name, int64_t& target, std::string_view help);
  Flags& add(std::string_view name, uint16_t& target, std::string_view help);
  Flags& add(std::string_view name, double& target, std::string_view help);
  /// "on" or "off".
  Flags& add(std::string_view name, bool& target, std::string_view help);
  /// A number with a unit: "250ms", "10s", "2m", "1h".
  Flags& add(std::string_view name, std::chrono::nanoseconds& target, std::string_view help);

  const std::shared_ptr<Impl>& impl() const noexcept { return impl_; }

 private:
  std::shared_ptr<Impl> impl_;
};

/// Reads "250ms", "10s", "2m", "1h"; false for anything else, negative and overlong ones too.
bool parse_duration(std::string_view text, std::chrono::nanoseconds& out) noexcept;
/// The shortest such text.
std::string to_string(std::chrono::nanoseconds duration);

}  // namespace degu::app
