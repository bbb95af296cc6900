#include <degu/base/error.h>
#include <degu/http/html_template.h>
#include <degu/http/internal/html_context.h>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>

namespace degu::http {
namespace {

using internal::Escape;
using internal::HtmlContext;
using json::Value;

constexpr std::size_t kMaxSections = 32;
constexpr std::size_t kMaxPartials = 16;

struct Node {
  enum class Kind : uint8_t { kLiteral, kValue, kTrusted, kSection, kInverted, kPartial };
  Kind kind;
  std::string text;               // literal; name of a value or partial, for messages
  std::vector<std::string> path;  // of names; empty is "."
  Escape escape = Escape::kText;
  std::string place;  // "order.html:3:14"
  std::vector<Node> children{};
};

std::string_view trim(std::string_view text) noexcept {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

// Text to nodes, with the context in which each tag stands.
class Compiler {
 public:
  explicit Compiler(const HtmlSource& source) : source_(source) {}

  std::vector<Node> compile() {
    std::vector<Node> nodes = read_block({}, 0, 0);
    if (!context_.is_between_tags())
      fail(source_.text.size(), "the template ends within a tag, comment or script");
    return nodes;
  }

 private:
  [[noreturn]] void fail(std::size_t at, std::string_view why) const {
    throw Error(Code::kInvalidArgument, fmt::format("{}: {}", place(at), why));
  }

  void check(std::size_t at, std::string_view error) const {
    if (!error.empty()) fail(at, error);
  }

  std::string place(std::size_t at) const {
    const std::string_view before = std::string_view(source_.text).substr(0, at);
    const auto lines = std::count(before.begin(), before.end(), '\n');
    const std::size_t line_start = before.rfind('\n') + 1;  // npos + 1 is 0
    return fmt::format("{}:{}:{}", source_.name, lines + 1, at - line_start + 1);
  }

  // Up to the end tag of the section `open`, or of the text.
  std::vector<Node> read_block(std::string_view open, std::size_t opened_at, std::size_t depth) {
    std::vector<Node> nodes;
    while (true) {
      const std::size_t begin = std::min(source_.text.find("{{", at_), source_.text.size());
      read_literal(begin, nodes);
      if (begin == source_.text.size()) {
        if (!open.empty()) fail(opened_at, fmt::format("the section {{{{#{}}}}} is not closed", open));
        return nodes;
      }
      const std::size_t end = source_.text.find("}}", begin);
      if (end == std::string::npos) fail(begin, "\"{{\" without \"}}\"");
      const std::string_view tag = trim(std::string_view(source_.text).substr(begin + 2, end - begin - 2));
      at_ = end + 2;
      if (tag.starts_with('/')) {
        if (open.empty() || trim(tag.substr(1)) != open) {
          fail(begin, fmt::format("no section {{{{#{}}}}} is open here", trim(tag.substr(1))));
        }
        return nodes;
      }
      read_tag(begin, tag, depth, nodes);
    }
  }

  void read_literal(std::size_t end, std::vector<Node>& nodes) {
    const std::string_view text = std::string_view(source_.text).substr(at_, end - at_);
    if (text.empty()) return;
    std::size_t read = 0;
    const std::string_view error = context_.feed(text, read);
    check(at_ + read, error);
    nodes.push_back({Node::Kind::kLiteral, std::string(text), {}, Escape::kText, {}});
    at_ = end;
  }

  void read_tag(std::size_t begin, std::string_view tag, std::size_t depth, std::vector<Node>& nodes) {
    if (tag.starts_with('!')) return;
    constexpr std::string_view kSigils = "&#^>";
    const char sigil =
        !tag.empty() && kSigils.find(tag.front()) != std::string_view::npos ? tag.front() : ' ';
    Node node{Node::Kind::kValue,
              std::string(sigil == ' ' ? tag : trim(tag.substr(1))),
              {},
              Escape::kText,
              place(begin)};
    if (sigil == '>') {
      node.kind = Node::Kind::kPartial;
      if (node.text.empty()) fail(begin, "a partial needs a name");
    } else {
      node.path = read_path(begin, node.text);
    }
    if (sigil == ' ') {
      check(begin, context_.take_value(node.escape));
    } else if (sigil == '&') {
      node.kind = Node::Kind::kTrusted;
    } else if (sigil == '#' || sigil == '^') {
      node.kind = sigil == '#' ? Node::Kind::kSection : Node::Kind::kInverted;
      if (depth == kMaxSections) fail(begin, "sections are nested too deeply");
      check(begin, context_.begin_section());
      const HtmlContext start = context_;
      node.children = read_block(node.text, begin, depth + 1);
      check(at_, context_.end_section(start));
    }
    if ((sigil == '&' || sigil == '>') && !context_.is_between_tags()) {
      fail(begin, "trusted HTML and partials may stand between tags only");
    }
    nodes.push_back(std::move(node));
  }

  // "a.b" -> a, b; "." -> nothing.
  std::vector<std::string> read_path(std::size_t begin, std::string_view name) const {
    std::vector<std::string> path;
    if (name == ".") return path;
    while (true) {
      const std::size_t dot = name.find('.');
      const std::string_view step = name.substr(0, dot);
      const bool fit = !step.empty() && std::all_of(step.begin(), step.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
               c == '-';
      });
      if (!fit) fail(begin, "a name consists of letters, digits, '_' and '-', with dots between");
      path.emplace_back(step);
      if (dot == std::string_view::npos) return path;
      name.remove_prefix(dot + 1);
    }
  }

  const HtmlSource& source_;
  HtmlContext context_;
  std::size_t at_ = 0;
};

void append_escaped(std::string& out, std::string_view text) {
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
}

// As browsers read it (WHATWG URL section 4.4): controls and spaces in front, and tabs and line ends anywhere, are
// passed over.
bool is_harmless_url(std::string_view url) {
  std::string scheme;
  for (const char c : url) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\t' || c == '\n' || c == '\r' || (scheme.empty() && byte <= 0x20)) continue;
    if (c == '/' || c == '?' || c == '#') return true;
    if (c == ':') return internal::is_harmless_scheme(scheme);
    scheme += c;
  }
  return true;
}

bool is_empty(Value value) noexcept {
  switch (value.type()) {
    case json::Type::kNull:
      return true;
    case json::Type::kBool:
      return !*value.boolean();
    case json::Type::kString:
      return value.string()->empty();
    case json::Type::kArray:
      return value.size() == 0;
    case json::Type::kNumber:
    case json::Type::kObject:
      break;
  }
  return false;
}

using Programs = std::map<std::string, std::vector<Node>, std::less<>>;

class Renderer {
 public:
  Renderer(const Programs& programs, std::string& out) : programs_(programs), out_(out) {}

  void render(const std::vector<Node>& nodes) {
    for (const Node& node : nodes) render(node);
  }
  void render_in(Value value, const std::vector<Node>& nodes) {
    scopes_.push_back(value);
    render(nodes);
    scopes_.pop_back();
  }

 private:
  void render(const Node& node) {
    switch (node.kind) {
      case Node::Kind::kLiteral:
        out_ += node.text;
        return;
      case Node::Kind::kPartial:
        return render(programs_.find(node.text)->second);
      case Node::Kind::kInverted:
        if (is_empty(find(node.path))) render(node.children);
        return;
      case Node::Kind::kSection: {
        const Value value = find(node.path);
        if (value.type() == json::Type::kArray) {
          value.each_element([&](Value item) { render_in(item, node.children); });
        } else if (!is_empty(value)) {
          render_in(value, node.children);
        }
        return;
      }
      case Node::Kind::kValue:
      case Node::Kind::kTrusted:
        return write_value(node);
    }
  }

  // The first name where it is nearest, the others within that.
  Value find(const std::vector<std::string>& path) const {
    if (path.empty()) return scopes_.back();
    for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
      auto value = scope->find(path.front());
      if (!value) continue;
      for (std::size_t i = 1; value && i < path.size(); ++i) value = value->find(path[i]);
      return value.value_or(Value());
    }
    return {};
  }

  void write_value(const Node& node) {
    const Value value = find(node.path);
    switch (value.type()) {
      case json::Type::kNull:
        return;
      case json::Type::kString:
        return write_text(node, *value.string());
      case json::Type::kBool:
        out_ += *value.boolean() ? "true" : "false";
        return;
      case json::Type::kNumber:
        return write_number(value);
      case json::Type::kArray:
      case json::Type::kObject:
        throw Error(Code::kInternal, fmt::format("{}: {} is an {}, not a value", node.place, node.text,
                                                 json::to_string(value.type())));
    }
  }

  void write_text(const Node& node, std::string_view text) {
    if (node.kind == Node::Kind::kTrusted) {
      out_ += text;
    } else if (node.escape == Escape::kUrl && !is_harmless_url(text)) {
      out_ += '#';
    } else {
      append_escaped(out_, text);
    }
  }

  void write_number(Value value) {
    if (const auto whole = value.int64()) {
      out_ += std::to_string(*whole);
    } else if (const auto large = value.uint64()) {
      out_ += std::to_string(*large);
    } else {
      std::string text;  // the writer separates values from what stands before them
      json::Writer(text).value(*value.number());
      out_ += text;
    }
  }

  const Programs& programs_;
  std::string& out_;
  std::vector<Value> scopes_;
};

// Every partial exists and none leads back to where it came from. `depth` is bounded, so a circle ends there too.
void check_partials(const Programs& programs, const std::vector<Node>& nodes, std::size_t depth) {
  for (const Node& node : nodes) {
    if (node.kind == Node::Kind::kPartial) {
      const auto found = programs.find(node.text);
      if (found == programs.end()) {
        throw Error(Code::kInvalidArgument,
                    fmt::format("{}: there is no template {}", node.place, node.text));
      }
      if (depth == kMaxPartials) {
        throw Error(Code::kInvalidArgument,
                    fmt::format("{}: partials are nested too deeply, or in a circle", node.place));
      }
      check_partials(programs, found->second, depth + 1);
    }
    check_partials(programs, node.children, depth);
  }
}

}  // namespace

struct HtmlTemplates::Impl {
  Programs programs;
};

HtmlTemplates::HtmlTemplates(std::unique_ptr<const Impl> impl) noexcept : impl_(std::move(impl)) {}

HtmlTemplates HtmlTemplates::compile(const std::vector<HtmlSource>& sources) {
  auto impl = std::make_unique<Impl>();
  for (const HtmlSource& source : sources) {
    if (!impl->programs.emplace(source.name, Compiler(source).compile()).second) {
      throw Error(Code::kInvalidArgument, fmt::format("two templates are called {}", source.name));
    }
  }
  for (const auto& [name, nodes] : impl->programs) check_partials(impl->programs, nodes, 0);
  return HtmlTemplates(std::move(impl));
}

HtmlTemplates HtmlTemplates::load(const std::string& dir) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (!fs::is_directory(dir, error)) throw Error(Code::kNotFound, fmt::format("{} is not a directory", dir));
  std::vector<HtmlSource> sources;
  for (auto at = fs::recursive_directory_iterator(dir); at != fs::recursive_directory_iterator(); ++at) {
    if (at->path().filename().string().starts_with('.') || at->is_symlink()) {
      at.disable_recursion_pending();
    } else if (at->is_regular_file() && at->path().extension() == ".html") {
      std::ifstream in(at->path(), std::ios::binary);
      std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
      if (in.bad()) throw Error(Code::kUnavailable, fmt::format("cannot read {}", at->path().string()));
      sources.push_back({fs::relative(at->path(), dir).generic_string(), std::move(text)});
    }
  }
  // By name, so that the first fault is the same on every machine.
  std::sort(sources.begin(), sources.end(),
            [](const HtmlSource& a, const HtmlSource& b) { return a.name < b.name; });
  return compile(sources);
}

HtmlTemplates::HtmlTemplates(HtmlTemplates&&) noexcept = default;
HtmlTemplates& HtmlTemplates::operator=(HtmlTemplates&&) noexcept = default;
HtmlTemplates::~HtmlTemplates() = default;

std::string HtmlTemplates::render_json(std::string_view name, std::string_view values) const {
  const json::Document document = [&] {
    try {
      return json::Document::parse(values);
    } catch (const Error& error) {
      // The client has not sent these.
      throw Error(Code::kInternal,
                  fmt::format("the values for {} cannot be rendered: {}", name, error.message()))
          .with_cause(std::current_exception());
    }
  }();
  std::string out;
  render(name, document.root(), out);
  return out;
}

void HtmlTemplates::render(std::string_view name, json::Value values, std::string& out) const {
  const auto found = impl_->programs.find(name);
  if (found == impl_->programs.end())
    throw Error(Code::kInternal, fmt::format("there is no template {}", name));
  Renderer(impl_->programs, out).render_in(values, found->second);
}

std::string escape_html(std::string_view text) {
  std::string out;
  append_escaped(out, text);
  return out;
}

}  // namespace degu::http
