#include "text.h"

namespace gen {

void Text::add(std::initializer_list<std::string_view> parts) {
  std::string text;
  for (const std::string_view part : parts) text += part;
  if (text.empty()) {
    out_ += '\n';
    return;
  }
  const bool is_namespace = text.starts_with("namespace ") || text.starts_with("}  // namespace");
  if (!is_namespace && (text.front() == '}' || text.front() == ')')) --depth_;
  const bool is_label = text == "public:" || text == "private:";
  if (text.front() != '#') out_.append(static_cast<size_t>(depth_ * 2 - (is_label ? 1 : 0)), ' ');
  out_ += text;
  out_ += '\n';
  if (!is_namespace && (text.back() == '{' || text.back() == '(')) ++depth_;
}

}  // namespace gen
