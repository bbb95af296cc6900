// One radix tree a method. A node is a run of literal bytes; behind it come literal children (by first byte),
// at most one parameter child, which matches a segment, and at most one rest route.
//
// A node can be reached by a path in one way only: literals match exact bytes and a parameter exactly one
// segment. So backtracking visits each node at most once, and no choice of routes and path makes a match
// slower than the tree is large.
#include <degu/base/assert.h>
#include <degu/base/error.h>
#include <degu/http/internal/fields.h>
#include <degu/http/internal/route_table.h>
#include <fmt/format.h>

#include <algorithm>

namespace degu::http::internal {

struct RouteTable::Node {
  std::string literal;
  std::string first_bytes;  // of children, in their order
  std::vector<std::unique_ptr<Node>> children;
  std::unique_ptr<Node> param;  // continues behind a segment; its literal is empty
  std::vector<std::pair<std::string, std::unique_ptr<Node>>>
      verbs;  // of a param node: ":cancel" at the segment's end
  const Route* route = nullptr;
  const Route* rest = nullptr;

  Node& descend(std::string_view text);
  const Route* match(std::string_view path, MatchParams& params) const noexcept;
  const Route* match_here(std::string_view path, MatchParams& params) const noexcept;
  const Route* match_param(std::string_view path, MatchParams& params) const noexcept;
};

namespace {

[[noreturn]] void bad_pattern(std::string_view pattern, std::string_view why) {
  throw Error(Code::kInvalidArgument, fmt::format("route pattern \"{}\": {}", pattern, why));
}

bool is_name(std::string_view name) noexcept {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
  });
}

constexpr std::string_view kStandardMethods[] = {"GET",   "HEAD",   "POST",    "PUT",
                                                 "PATCH", "DELETE", "OPTIONS", "TRACE"};

}  // namespace

// Follows or makes the nodes for literal text, splitting where it parts from what is there.
RouteTable::Node& RouteTable::Node::descend(std::string_view text) {
  if (text.empty()) return *this;
  const std::size_t index = first_bytes.find(text.front());
  if (index == std::string::npos) {
    auto child = std::make_unique<Node>();
    child->literal = text;
    first_bytes.push_back(text.front());
    children.push_back(std::move(child));
    return *children.back();
  }
  std::unique_ptr<Node>& slot = children[index];
  const auto limit = std::min(slot->literal.size(), text.size());
  std::size_t common = 0;
  while (common < limit && slot->literal[common] == text[common]) ++common;
  if (common < slot->literal.size()) {
    auto upper = std::make_unique<Node>();
    upper->literal = slot->literal.substr(0, common);
    upper->first_bytes.push_back(slot->literal[common]);
    slot->literal.erase(0, common);
    upper->children.push_back(std::move(slot));
    slot = std::move(upper);
  }
  return slot->descend(text.substr(common));
}

const Route* RouteTable::Node::match(std::string_view path, MatchParams& params) const noexcept {
  if (!path.starts_with(literal)) return nullptr;
  return match_here(path.substr(literal.size()), params);
}

// `path` is what is left behind this node's literal.
const Route* RouteTable::Node::match_here(std::string_view path, MatchParams& params) const noexcept {
  if (path.empty()) {
    if (route != nullptr) return route;
  } else {
    const std::size_t index = first_bytes.find(path.front());
    if (index != std::string::npos) {
      if (const Route* found = children[index]->match(path, params)) return found;
    }
    if (param != nullptr) {
      if (const Route* found = match_param(path, params)) return found;
    }
  }
  if (rest == nullptr) return nullptr;
  params.values[params.count++] = path;
  return rest;
}

const Route* RouteTable::Node::match_param(std::string_view path, MatchParams& params) const noexcept {
  const std::string_view segment = path.substr(0, path.find('/'));
  if (segment.empty()) return nullptr;
  const std::size_t slot = params.count++;
  for (const auto& [verb, node] : param->verbs) {
    if (segment.size() <= verb.size() || !segment.ends_with(verb)) continue;
    params.values[slot] = segment.substr(0, segment.size() - verb.size());
    if (const Route* found = node->match_here(path.substr(segment.size()), params)) return found;
  }
  params.values[slot] = segment;
  if (const Route* found = param->match_here(path.substr(segment.size()), params)) return found;
  params.count = slot;
  return nullptr;
}

RouteTable::RouteTable() = default;
RouteTable::~RouteTable() = default;

const Handler* RouteTable::keep(Handler handler) {
  DEGU_CHECK(static_cast<bool>(handler), "an empty handler was registered");
  handlers_.push_back(std::move(handler));
  return &handlers_.back();
}

RouteTable::Node& RouteTable::tree_for(std::string_view method) {
  for (Tree& tree : trees_) {
    if (tree.method == method) return *tree.root;
  }
  trees_.push_back({std::string(method), std::make_unique<Node>()});
  return *trees_.back().root;
}

const RouteTable::Node* RouteTable::find_tree(std::string_view method) const noexcept {
  for (const Tree& tree : trees_) {
    if (tree.method == method) return tree.root.get();
  }
  return nullptr;
}

// The node where the pattern ends; for a rest parameter the node that it hangs on.
RouteTable::Node& RouteTable::insert(Node& root, std::string_view pattern, std::vector<std::string>& names) {
  const auto add_name = [&](std::string_view name) {
    if (!is_name(name)) bad_pattern(pattern, "a parameter needs a name of letters, digits, '_' or '.'");
    if (std::find(names.begin(), names.end(), name) != names.end())
      bad_pattern(pattern, "a parameter name repeats");
    if (names.size() == kMaxParams) bad_pattern(pattern, "too many parameters");
    names.emplace_back(name);
  };
  if (pattern.empty() || pattern.front() != '/') bad_pattern(pattern, "must start with '/'");
  Node* node = &root;
  std::string_view left = pattern;
  while (!left.empty()) {
    // Literal text up to and with the slash before the next parameter.
    std::size_t end = 0;
    while (end < left.size() && !(end > 0 && left[end - 1] == '/' && (left[end] == ':' || left[end] == '*')))
      ++end;
    node = &node->descend(left.substr(0, end));
    left.remove_prefix(end);
    if (left.empty()) break;
    const std::string_view segment = left.substr(0, left.find('/'));
    left.remove_prefix(segment.size());
    if (segment.front() == '*') {
      if (!left.empty()) bad_pattern(pattern, "a rest parameter must come last");
      add_name(segment.substr(1));
      return *node;
    }
    const std::size_t colon = segment.find(':', 1);
    add_name(segment.substr(1, colon == std::string_view::npos ? colon : colon - 1));
    if (node->param == nullptr) node->param = std::make_unique<Node>();
    node = node->param.get();
    if (colon == std::string_view::npos) continue;
    const std::string_view verb = segment.substr(colon);
    if (verb.size() < 2) bad_pattern(pattern, "a verb needs a name");
    auto found =
        std::find_if(node->verbs.begin(), node->verbs.end(), [&](auto& v) { return v.first == verb; });
    if (found == node->verbs.end()) {
      // Longer verbs first: ":a:b" is a better match than ":b".
      found = std::find_if(node->verbs.begin(), node->verbs.end(),
                           [&](auto& v) { return v.first.size() < verb.size(); });
      found = node->verbs.emplace(found, std::string(verb), std::make_unique<Node>());
    }
    node = found->second.get();
  }
  return *node;
}

void RouteTable::add(std::string_view method, std::string_view pattern,
                     const std::vector<const Handler*>& chain, const Handler* handler,
                     const RouteOptions& options) {
  if (!is_token(method)) bad_pattern(pattern, fmt::format("\"{}\" is no method", method));
  auto route = std::make_unique<Route>();
  route->method = method;
  route->pattern = pattern;
  route->options = options;
  route->chain = chain;
  route->chain.push_back(handler);
  Node& node = insert(tree_for(method), pattern, route->param_names);
  const bool is_rest = pattern.find("/*") != std::string_view::npos;
  const Route*& slot = is_rest ? node.rest : node.route;
  if (slot != nullptr) {
    throw Error(Code::kAlreadyExists, fmt::format("routes {} {} and {} {} match the same paths", slot->method,
                                                  slot->pattern, method, pattern));
  }
  slot = route.get();
  routes_.push_back(std::move(route));
}

const Route* RouteTable::match(std::string_view method, std::string_view path,
                               MatchParams& params) const noexcept {
  params.count = 0;
  const Node* root = find_tree(method);
  return root == nullptr ? nullptr : root->match(path, params);
}

std::string RouteTable::allowed(std::string_view path) const {
  std::vector<std::string_view> methods;
  MatchParams params;
  for (const Tree& tree : trees_) {
    params.count = 0;
    if (path == "*" || tree.root->match(path, params) != nullptr) methods.push_back(tree.method);
  }
  if (methods.empty()) return {};
  const auto has = [&](std::string_view method) {
    return std::find(methods.begin(), methods.end(), method) != methods.end();
  };
  if (has("GET") && !has("HEAD")) methods.push_back("HEAD");
  if (!has("OPTIONS")) methods.push_back("OPTIONS");
  std::sort(methods.begin(), methods.end());
  return fmt::format("{}", fmt::join(methods, ", "));
}

bool RouteTable::knows_method(std::string_view method) const noexcept {
  return find_tree(method) != nullptr || std::find(std::begin(kStandardMethods), std::end(kStandardMethods),
                                                   method) != std::end(kStandardMethods);
}

}  // namespace degu::http::internal
