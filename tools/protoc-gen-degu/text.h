// Text: C++ source under construction, indented by its braces.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

namespace gen {

/// Collects lines. A line that ends in "{" or "(" indents what follows, one that begins with "}" or ")"
/// closes it, and labels (ending in ":") stand half a step out, so that writers need not count spaces.
class Text {
 public:
  /// Appends one line made of the parts. An empty line is never indented.
  template <class... Parts>
  void line(const Parts&... parts) {
    add({std::string_view(parts)...});
  }

  const std::string& str() const { return out_; }

 private:
  void add(std::initializer_list<std::string_view> parts);

  std::string out_;
  int depth_ = 0;
};

}  // namespace gen
