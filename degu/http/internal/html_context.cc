#include <degu/http/internal/fields.h>
#include <degu/http/internal/html_context.h>

#include <algorithm>

namespace degu::http::internal {
namespace {

bool is_space(char c) noexcept { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f'; }
bool is_letter(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

template <std::size_t N>
bool is_one_of(std::string_view text, const std::string_view (&list)[N]) noexcept {
  return std::find(std::begin(list), std::end(list), text) != std::end(list);
}

constexpr std::string_view kRawElements[] = {"script",  "style",    "iframe",   "xmp",
                                             "noembed", "noframes", "plaintext"};
constexpr std::string_view kEscapableElements[] = {"title", "textarea"};
constexpr std::string_view kUrlAttributes[] = {"href",       "src",      "action",    "formaction",
                                               "poster",     "cite",     "data",      "ping",
                                               "background", "manifest", "xlink:href"};

constexpr std::size_t kLongestScheme = 6;
constexpr std::string_view kHarmlessSchemes[] = {"http", "https", "mailto", "tel", "sms", "ftp"};

// What a browser runs or parses anew: escaping a value as text does not make it harmless there.
bool is_code(std::string_view attribute) noexcept {
  return attribute.starts_with("on") || attribute == "style" || attribute == "srcdoc";
}

}  // namespace

bool is_harmless_scheme(std::string_view scheme) noexcept {
  return std::any_of(std::begin(kHarmlessSchemes), std::end(kHarmlessSchemes),
                     [&](std::string_view harmless) { return equals_ignoring_case(scheme, harmless); });
}

std::string_view HtmlContext::feed(std::string_view text, std::size_t& at) {
  for (at = 0; at < text.size(); ++at) {
    const std::string_view error = step(text[at]);
    if (!error.empty()) return error;
  }
  return {};
}

std::string_view HtmlContext::step(char c) {
  switch (mode_) {
    case Mode::kText:
      if (c == '<') mode_ = Mode::kTagOpen;
      return {};
    case Mode::kTagOpen:
      tag_.clear();
      closing_ = c == '/';
      if (c == '!') {
        recent_.clear();
        mode_ = Mode::kMarkup;
      } else if (is_letter(c) || c == '/') {
        mode_ = Mode::kTagName;
        if (c != '/') tag_ += to_lower(c);
      } else if (c == '?') {
        mode_ = Mode::kDeclaration;
      } else if (c != '<') {
        mode_ = Mode::kText;
      }
      return {};
    case Mode::kMarkup:
      recent_ += c;
      if (recent_ == "--") {
        recent_.clear();
        mode_ = Mode::kComment;
      } else if (recent_ != "-") {
        mode_ = c == '>' ? Mode::kText : Mode::kDeclaration;
      }
      return {};
    case Mode::kComment:
      recent_ += c;
      if (recent_.size() > 3) recent_.erase(0, 1);
      if (recent_ == "-->") mode_ = Mode::kText;
      return {};
    case Mode::kDeclaration:
      if (c == '>') mode_ = Mode::kText;
      return {};
    case Mode::kRaw:
    case Mode::kEscapable:
      return step_in_raw(c);
    case Mode::kDouble:
      return step_in_value(c, '"');
    case Mode::kSingle:
      return step_in_value(c, '\'');
    default:
      return step_in_tag(c);
  }
}

std::string_view HtmlContext::step_in_tag(char c) {
  if (glued_ && !is_space(c) && c != '>' && c != '/') return "put a space behind a section within a tag";
  glued_ = false;
  if (mode_ == Mode::kTagName && tag_.empty() && !is_letter(c)) return "an end tag needs a name";
  if (c == '>' && mode_ != Mode::kBeforeValue) {
    end_tag();
    return {};
  }
  switch (mode_) {
    case Mode::kTagName:
      if (is_space(c) || c == '/') {
        mode_ = Mode::kInTag;
      } else {
        tag_ += to_lower(c);
      }
      return {};
    case Mode::kInTag:
      if (is_space(c) || c == '/') return {};
      if (c == '=' && !attribute_.empty()) {
        mode_ = Mode::kBeforeValue;
        return {};
      }
      if (c == '"' || c == '\'' || c == '<') return "a quote or '<' stands where an attribute's name belongs";
      attribute_ = to_lower(c);
      mode_ = Mode::kAttributeName;
      return {};
    case Mode::kAttributeName:
      if (c == '=') {
        mode_ = Mode::kBeforeValue;
      } else if (is_space(c) || c == '/') {
        mode_ = Mode::kInTag;
      } else if (c == '"' || c == '\'' || c == '<') {
        return "a quote or '<' stands in an attribute's name";
      } else {
        attribute_ += to_lower(c);
      }
      return {};
    case Mode::kBeforeValue:
      if (is_space(c)) return {};
      if (c == '>') return "an attribute has '=' but no value";
      url_ = Url::kEmpty;
      mode_ = c == '"' ? Mode::kDouble : c == '\'' ? Mode::kSingle : Mode::kUnquoted;
      return {};
    default:
      if (is_space(c)) {
        mode_ = Mode::kInTag;
        attribute_.clear();
      }
      return {};
  }
}

std::string_view HtmlContext::step_in_value(char c, char end) {
  if (c == end) {
    mode_ = Mode::kInTag;
    attribute_.clear();
    recent_.clear();
    url_ = Url::kEmpty;
  } else if (is_one_of(attribute_, kUrlAttributes)) {
    step_in_url(c);
  }
  return {};
}

// A character reference could spell a colon, so nothing is settled behind '&'.
void HtmlContext::step_in_url(char c) {
  if (url_ == Url::kSettled || url_ == Url::kForeign || is_space(c)) return;
  if (c == '/' || c == '?' || c == '#') {
    url_ = Url::kSettled;
  } else if (c == ':' || c == '&') {
    url_ = c == ':' && is_harmless_scheme(recent_) ? Url::kSettled : Url::kForeign;
  } else {
    url_ = Url::kOpen;
    if (recent_.size() < kLongestScheme + 1) recent_ += c;
  }
}

// Looks for "</name" followed by what ends a name.
std::string_view HtmlContext::step_in_raw(char c) {
  const std::string wanted = "</" + tag_;
  if (equals_ignoring_case(recent_, wanted) && (is_space(c) || c == '>' || c == '/')) {
    recent_.clear();
    closing_ = true;
    attribute_.clear();
    mode_ = Mode::kInTag;
    if (c == '>') end_tag();
    return {};
  }
  if (mode_ == Mode::kEscapable && recent_.ends_with('<') && is_letter(c)) {
    return "write &lt; for a '<' in a title or textarea";
  }
  recent_ += c;
  if (recent_.size() > wanted.size()) recent_.erase(0, 1);
  // Behind it a script may go on beyond its end tag (WHATWG HTML, "script data double escaped state").
  if (mode_ == Mode::kRaw && recent_.ends_with("<!--")) return "\"<!--\" must not stand in a script or style";
  return {};
}

void HtmlContext::end_tag() {
  mode_ = Mode::kText;
  if (!closing_ && is_one_of(tag_, kRawElements)) mode_ = Mode::kRaw;
  if (!closing_ && is_one_of(tag_, kEscapableElements)) mode_ = Mode::kEscapable;
  if (mode_ == Mode::kText) tag_.clear();
  attribute_.clear();
  recent_.clear();
  url_ = Url::kEmpty;
  closing_ = false;
}

std::string_view HtmlContext::take_value(Escape& escape) {
  escape = Escape::kText;
  switch (mode_) {
    case Mode::kText:
      return {};
    case Mode::kEscapable:
      recent_.clear();
      return {};
    case Mode::kRaw:
      return "no value may stand in a script, style or frame: put it into a data- attribute";
    case Mode::kDouble:
    case Mode::kSingle:
      break;
    case Mode::kUnquoted:
    case Mode::kBeforeValue:
      return "put the attribute's value in quotes";
    case Mode::kComment:
    case Mode::kMarkup:
    case Mode::kDeclaration:
      return "no value may stand in a comment or declaration";
    default:
      return "no value may stand for a tag or for an attribute's name";
  }
  if (is_code(attribute_)) return "no value may stand in an attribute that holds code, a style or a document";
  if (!is_one_of(attribute_, kUrlAttributes) || url_ == Url::kSettled) return {};
  if (url_ != Url::kEmpty) return "a URL must start with the value, or with text up to a '/', '?' or '#'";
  escape = Escape::kUrl;
  url_ = Url::kOpen;
  recent_.assign(1, '?');  // whatever it is, no literal text behind it makes a scheme of it
  return {};
}

std::string_view HtmlContext::begin_section() {
  switch (mode_) {
    case Mode::kRaw:
    case Mode::kEscapable:
    case Mode::kComment:
      recent_.clear();
      return {};
    case Mode::kText:
    case Mode::kDouble:
    case Mode::kSingle:
      return {};
    case Mode::kInTag:
      return glued_ ? "put a space between sections within a tag" : std::string_view();
    default:
      return "a section within a tag must surround whole attributes, behind a space";
  }
}

std::string_view HtmlContext::end_section(const HtmlContext& start) {
  const bool in_tag = start.mode_ == Mode::kInTag && (mode_ == Mode::kAttributeName || mode_ == Mode::kInTag);
  if (in_tag && tag_ == start.tag_ && closing_ == start.closing_) {
    mode_ = Mode::kInTag;
    attribute_.clear();
    glued_ = true;
    return {};
  }
  if (mode_ == Mode::kRaw || mode_ == Mode::kEscapable || mode_ == Mode::kComment) recent_.clear();
  if (mode_ == start.mode_ && url_ == start.url_ && closing_ == start.closing_ && tag_ == start.tag_ &&
      attribute_ == start.attribute_ && recent_ == start.recent_) {
    return {};
  }
  return "a section must end in the place of the document where it began";
}

}  // namespace degu::http::internal
