// HtmlContext: where in an HTML document a template stands, so that a value is escaped for that place.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace degu::http::internal {

/// How a value has to be written.
enum class Escape : uint8_t {
  kText,  ///< between tags, or in the quoted value of an attribute: the same five characters are escaped for both
  kUrl,  ///< at the start of an attribute that holds a URL: as kText, and the scheme must be a harmless one
};

/// A URL of that scheme runs nothing: http, https, mailto, tel, sms, ftp.
bool is_harmless_scheme(std::string_view scheme) noexcept;

/// Follows the literal parts of a template through the states of the HTML standard's tokenizer that matter here
/// (WHATWG HTML section 13.2.5). Copyable: a section must end in the context in which it began.
class HtmlContext {
 public:
  /// Goes on by a piece of literal text. "" or what is wrong with it; `at` is then how far it was read.
  std::string_view feed(std::string_view text, std::size_t& at);

  /// What a value needs here, which is then part of the document; "" or why it must not stand here.
  std::string_view take_value(Escape& escape);
  /// Whether HTML that is trusted, or a partial, may stand here.
  bool is_between_tags() const noexcept { return mode_ == Mode::kText; }
  /// "" or why a section must not begin here.
  std::string_view begin_section();
  /// After a section's body, or both of its outcomes: "" or why it must not end here, `start` being its beginning.
  std::string_view end_section(const HtmlContext& start);

 private:
  enum class Mode : uint8_t {
    kText,
    kTagOpen,  // behind '<'
    kMarkup,   // behind "<!": a comment or a declaration
    kComment,
    kDeclaration,
    kTagName,
    kInTag,  // between attributes
    kAttributeName,
    kBeforeValue,  // behind '='
    kDouble,
    kSingle,
    kUnquoted,
    kRaw,        // script, style ...: ends at its end tag only
    kEscapable,  // title, textarea: the same, but with character references
  };
  // How much of a URL the literal part of an attribute has settled.
  enum class Url : uint8_t {
    kEmpty,
    kOpen,     // a scheme may still come
    kSettled,  // its scheme is harmless, or it has none
    kForeign,  // another scheme, or one that cannot be told
  };

  std::string_view step(char c);
  std::string_view step_in_tag(char c);
  std::string_view step_in_value(char c, char end);
  std::string_view step_in_raw(char c);
  void step_in_url(char c);
  void end_tag();

  Mode mode_ = Mode::kText;
  Url url_ = Url::kEmpty;
  bool glued_ = false;     // a section within a tag may have just ended with an attribute
  bool closing_ = false;   // "</name"
  std::string tag_;        // lower case
  std::string attribute_;  // lower case
  std::string recent_;     // the last characters, where an end is looked for; of a URL the first ones
};

}  // namespace degu::http::internal
