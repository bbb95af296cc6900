// One radix tree a method. A node is a run of literal bytes; behind it come literal children (by first byte),
// at most one parameter child, which matches a segment, and at most one rest route. Routes are added to linked nodes, and
// matched in a copy without pointers that fits into a cache: nodes of 40 bytes in one array, the children of a node side by
// side, all literals in one text.
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
#include <cstring>

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
};

struct RouteTable::Flat {
  struct FlatNode {
    uint32_t literal = 0;  // in `text`
    uint32_t literal_size = 0;
    uint32_t children =
        0;  // the first one in `nodes`; their first bytes are in `first_bytes`, at the same places
    uint32_t child_count = 0;
    uint32_t param = 0;  // 0: none
    uint16_t verbs = 0;  // the first one in `verb_list`
    uint16_t verb_count = 0;
    const Route* route = nullptr;
    const Route* rest = nullptr;
  };
  struct Verb {
    std::string text;
    uint32_t node = 0;
  };

  explicit Flat(const Node& root) {
    place(1);
    fill(0, root);
  }

  const Route* match(std::string_view path, MatchParams& params) const noexcept;

 private:
  uint32_t place(std::size_t count) {
    const auto at = static_cast<uint32_t>(nodes.size());
    nodes.resize(nodes.size() + count);
    first_bytes.resize(nodes.size());
    return at;
  }
  void fill(uint32_t at, const Node& from);
  class Matcher;

  std::vector<FlatNode> nodes;
  std::string first_bytes;
  std::string text;
  std::vector<Verb> verb_list;
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

void RouteTable::Flat::fill(uint32_t at, const Node& from) {
  FlatNode node;
  node.literal = static_cast<uint32_t>(text.size());
  node.literal_size = static_cast<uint32_t>(from.literal.size());
  text += from.literal;
  node.route = from.route;
  node.rest = from.rest;
  node.child_count = static_cast<uint32_t>(from.children.size());
  node.children = place(from.children.size());
  if (from.param != nullptr) node.param = place(1);
  node.verbs = static_cast<uint16_t>(verb_list.size());
  node.verb_count = static_cast<uint16_t>(from.verbs.size());
  for (const auto& [verb, target] : from.verbs) verb_list.push_back({verb, place(1)});
  nodes[at] = node;
  for (uint32_t i = 0; i < node.child_count; ++i) {
    first_bytes[node.children + i] = from.first_bytes[i];
    fill(node.children + i, *from.children[i]);
  }
  if (from.param != nullptr) fill(node.param, *from.param);
  for (std::size_t i = 0; i < from.verbs.size(); ++i)
    fill(verb_list[node.verbs + i].node, *from.verbs[i].second);
}

// One match. Where it goes next is decided by branches, which are foreseen for the routes that are asked for often, and not by
// what it has computed, such as the place of the first byte that differs: that makes each step wait for the one before
// (measured: a third slower).
class RouteTable::Flat::Matcher {
 public:
  Matcher(const Flat& flat, std::string_view path, MatchParams& params) noexcept
      : flat_(flat), path_(path.data()), end_(path.data() + path.size()), params_(params) {}

  const Route* run() noexcept {
    const FlatNode& root = flat_.nodes[0];
    return fits(root, path_) ? match(&root, path_ + root.literal_size) : nullptr;
  }

 private:
  static std::string_view text(const char* begin, const char* end) noexcept {
    return {begin, static_cast<std::size_t>(end - begin)};
  }

  bool fits(const FlatNode& node, const char* at) const noexcept {
    const char* literal = flat_.text.data() + node.literal;
    std::size_t left = node.literal_size;
    if (static_cast<std::size_t>(end_ - at) < left) return false;
    for (; left >= 8; left -= 8, at += 8, literal += 8) {
      if (std::memcmp(at, literal, 8) != 0) return false;
    }
    if ((left & 4) != 0) {
      if (std::memcmp(at, literal, 4) != 0) return false;
      at += 4;
      literal += 4;
    }
    if ((left & 2) != 0) {
      if (std::memcmp(at, literal, 2) != 0) return false;
      at += 2;
      literal += 2;
    }
    return (left & 1) == 0 || *at == *literal;
  }

  const FlatNode* child(const FlatNode& node, char first) const noexcept {
    const char* const bytes = flat_.first_bytes.data() + node.children;
    for (uint32_t i = 0; i < node.child_count; ++i) {
      if (bytes[i] == first) return &flat_.nodes[node.children + i];
    }
    return nullptr;
  }

  // What is left behind the node's literal. Calls itself only where there is something else to try afterwards.
  const Route* match(const FlatNode* node, const char* at) noexcept {
    while (true) {
      const std::size_t taken = params_.count;
      if (at == end_) {
        if (node->route != nullptr) return node->route;
        return match_rest(*node, at);
      }
      const FlatNode* const next = child(*node, *at);
      if (next != nullptr && fits(*next, at)) {
        const char* const behind = at + next->literal_size;
        if (node->param == 0 && node->rest == nullptr) {
          node = next;
          at = behind;
          continue;
        }
        if (const Route* found = match(next, behind)) return found;
        params_.count = taken;
      }
      const char* end = at;
      if (node->param != 0) {
        while (end != end_ && *end != '/') ++end;
      }
      if (end == at) return match_rest(*node, at);
      const FlatNode& param = flat_.nodes[node->param];
      params_.count = taken + 1;
      if (param.verb_count != 0) {
        if (const Route* found = match_verb(param, at, end)) return found;
        params_.count = taken + 1;
      }
      params_.values[taken] = text(at, end);
      if (node->rest == nullptr) {
        node = &param;
        at = end;
        continue;
      }
      if (const Route* found = match(&param, end)) return found;
      params_.count = taken;
      return match_rest(*node, at);
    }
  }

  const Route* match_verb(const FlatNode& param, const char* at, const char* end) noexcept {
    const std::size_t slot = params_.count - 1;
    const std::string_view segment = text(at, end);
    for (uint32_t i = 0; i < param.verb_count; ++i) {
      const Verb& verb = flat_.verb_list[param.verbs + i];
      if (segment.size() <= verb.text.size() || !segment.ends_with(verb.text)) continue;
      params_.values[slot] = segment.substr(0, segment.size() - verb.text.size());
      if (const Route* found = match(&flat_.nodes[verb.node], end)) return found;
      params_.count = slot + 1;
    }
    return nullptr;
  }

  const Route* match_rest(const FlatNode& node, const char* at) noexcept {
    if (node.rest != nullptr) params_.values[params_.count++] = text(at, end_);
    return node.rest;
  }

  const Flat& flat_;
  const char* const path_;
  const char* const end_;
  MatchParams& params_;
};

const Route* RouteTable::Flat::match(std::string_view path, MatchParams& params) const noexcept {
  return Matcher(*this, path, params).run();
}

RouteTable::RouteTable() = default;
RouteTable::~RouteTable() = default;

const Handler* RouteTable::keep(Handler handler) {
  DEGU_CHECK(static_cast<bool>(handler), "an empty handler was registered");
  handlers_.push_back(std::move(handler));
  return &handlers_.back();
}

RouteTable::Tree& RouteTable::tree_for(std::string_view method) {
  for (Tree& tree : trees_) {
    if (tree.method == method) return tree;
  }
  trees_.push_back({std::string(method), std::make_unique<Node>(), nullptr});
  if (const MethodId id = method_id(method); id != MethodId::kOther)
    by_id_[static_cast<std::size_t>(id)] = &trees_.back();
  return trees_.back();
}

const RouteTable::Tree* RouteTable::find_tree(std::string_view method) const noexcept {
  for (const Tree& tree : trees_) {
    if (tree.method == method) return &tree;
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
  if (options.long_lived && options.timeout.count() > 0) {
    bad_pattern(pattern, "a long_lived route has no timeout");
  }
  auto route = std::make_unique<Route>();
  route->method = method;
  route->pattern = pattern;
  route->options = options;
  route->chain = chain;
  route->chain.push_back(handler);
  Tree& tree = tree_for(method);
  Node& node = insert(*tree.root, pattern, route->param_names);
  const bool is_rest = pattern.find("/*") != std::string_view::npos;
  const Route*& slot = is_rest ? node.rest : node.route;
  if (slot != nullptr) {
    throw Error(Code::kAlreadyExists, fmt::format("routes {} {} and {} {} match the same paths", slot->method,
                                                  slot->pattern, method, pattern));
  }
  slot = route.get();
  routes_.push_back(std::move(route));
  tree.flat = std::make_unique<Flat>(*tree.root);
}

const Route* RouteTable::match(std::string_view method, std::string_view path,
                               MatchParams& params) const noexcept {
  return match(MethodId::kOther, method, path, params);
}

const Route* RouteTable::match(MethodId id, std::string_view method, std::string_view path,
                               MatchParams& params) const noexcept {
  params.count = 0;
  const Tree* tree = id != MethodId::kOther ? by_id_[static_cast<std::size_t>(id)] : find_tree(method);
  return tree == nullptr || tree->flat == nullptr ? nullptr : tree->flat->match(path, params);
}

std::string RouteTable::allowed(std::string_view path) const {
  std::vector<std::string_view> methods;
  MatchParams params;
  for (const Tree& tree : trees_) {
    params.count = 0;
    if (path == "*" || (tree.flat != nullptr && tree.flat->match(path, params) != nullptr))
      methods.push_back(tree.method);
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
