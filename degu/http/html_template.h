// HtmlTemplates: HTML pages from templates that escape by default.
#pragma once

#include <degu/http/json_codec.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace degu::http {

struct HtmlSource {
  std::string name;  ///< "order.html", "parts/head.html"
  std::string text;
};

/// A set of templates, compiled once. Tags are those of Mustache (mustache(5)):
///
///   {{name}} {{a.b}} {{.}}    a value, escaped; "." is the current item
///   {{&name}}                 HTML that is trusted, as it is; between tags only
///   {{#name}} ... {{/name}}   for each item of a list; once for anything else, unless it is empty
///   {{^name}} ... {{/name}}   once if it is empty
///   {{>part.html}}            another template of the set, with the same values; between tags only
///   {{! words }}              nothing
///
/// Empty are: what is absent, null, false, "" and []. Values are those of the JSON form of what is rendered, so
/// described structs, maps, vectors ... serve; a name is looked up in the current item, then in what surrounds it, and
/// one that is nowhere is written as nothing.
///
/// A value is escaped for the place where it stands: text, or an attribute in quotes. At the start of a URL (href,
/// src, action ...) one with a scheme other than http, https, mailto, tel, sms and ftp becomes "#". Where escaping cannot
/// make a value harmless, a template that puts one there is refused: scripts, styles, comments, names of tags and
/// attributes, attributes without quotes, and onclick, style, srcdoc and their like. Within a tag a section surrounds
/// whole attributes: <option {{#chosen}}selected{{/chosen}}>. Sections and partials end where they began in the
/// document, so what a value is escaped for never depends on values.
///
/// Rendering is bounded by the templates and the values: partials must not include each other in a circle. Immutable
/// once made: any number of goroutines may render at once.
///
///   struct Page { std::string title; std::vector<std::string> items; };
///   const auto pages = HtmlTemplates::load("pages");
///   router.get("/", [&](Exchange& c) { c.html(200, pages.render("index.html", Page{"Shop", {"tea", "salt"}})); });
class HtmlTemplates {
 public:
  /// Throws Error(kInvalidArgument), "order.html:3:14: no section {{#items}} is open", for the first fault: of syntax, of
  /// place, a partial that is not in the set, a circle, sections nested deeper than 32, partials deeper than 16, two
  /// templates of one name.
  static HtmlTemplates compile(const std::vector<HtmlSource>& sources);
  /// From the files "*.html" of a directory and those below it, named by their path in it. Symbolic links and names that
  /// start with '.' are left out. Blocks the calling thread while it reads; throws Error(kNotFound) when `dir` is none,
  /// and as above.
  static HtmlTemplates load(const std::string& dir);

  HtmlTemplates(HtmlTemplates&&) noexcept;
  HtmlTemplates& operator=(HtmlTemplates&&) noexcept;
  ~HtmlTemplates();

  /// Throws Error(kInternal) when there is no such template, or, with its place, when a tag for a value names a list or
  /// an object; also when the values, as JSON, are deeper than json::kMaxDepth or longer than 16 MiB.
  template <class T>
  std::string render(std::string_view name, const T& values) const {
    return render_json(name, json::to_string(values));
  }
  /// Appends.
  void render(std::string_view name, json::Value values, std::string& out) const;

 private:
  std::string render_json(std::string_view name, std::string_view values) const;

  struct Impl;
  explicit HtmlTemplates(std::unique_ptr<const Impl> impl) noexcept;
  std::unique_ptr<const Impl> impl_;
};

/// The text for the content of an element or a quoted attribute: & < > " ' as references.
std::string escape_html(std::string_view text);

}  // namespace degu::http
