// RouteTable: the radix tree behind Router.
#pragma once

#include <degu/http/request_parser.h>
#include <degu/http/router.h>

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace degu::http::internal {

inline constexpr std::size_t kMaxParams = 16;

struct Route {
  std::string method;
  std::string pattern;
  RouteOptions options;
  std::vector<const Handler*> chain;     // middleware, then the handler
  std::vector<std::string> param_names;  // by position in the pattern
};

/// Values of a match by position; views into the path.
struct MatchParams {
  std::array<std::string_view, kMaxParams> values;
  std::size_t count = 0;
};

/// All routes of a router. Changed only while routes are registered; matching is const, allocates nothing and
/// may be done from many threads.
class RouteTable {
 public:
  RouteTable();
  ~RouteTable();

  /// Takes ownership of a handler or middleware; its address stays.
  const Handler* keep(Handler handler);
  void add(std::string_view method, std::string_view pattern, const std::vector<const Handler*>& chain,
           const Handler* handler, const RouteOptions& options);

  /// The route of that method for a path (decoded, encoded slashes as kEncodedSlash).
  const Route* match(std::string_view method, std::string_view path, MatchParams& params) const noexcept;
  /// The same, for a method of RequestHead.
  const Route* match(MethodId id, std::string_view method, std::string_view path,
                     MatchParams& params) const noexcept;
  /// "GET, HEAD, OPTIONS": what the path can be asked for; "" when no method knows it. "*" asks for all
  /// methods.
  std::string allowed(std::string_view path) const;
  /// A method that routes or RFC 9110 know; others are answered 501.
  bool knows_method(std::string_view method) const noexcept;

  const std::vector<std::unique_ptr<Route>>& routes() const noexcept { return routes_; }
  /// The middleware of the root group, for answers that no route gives.
  std::vector<const Handler*>& root_chain() noexcept { return root_chain_; }
  const std::vector<const Handler*>& root_chain() const noexcept { return root_chain_; }

 private:
  struct Node;
  struct Flat;
  struct Tree {
    std::string method;
    std::unique_ptr<Node> root;
    std::unique_ptr<Flat> flat;  // the same, for matching
  };

  Tree& tree_for(std::string_view method);
  const Tree* find_tree(std::string_view method) const noexcept;
  Node& insert(Node& root, std::string_view pattern, std::vector<std::string>& names);

  std::deque<Handler> handlers_;
  std::vector<std::unique_ptr<Route>> routes_;
  std::deque<Tree> trees_;
  std::array<const Tree*, static_cast<std::size_t>(MethodId::kOther)> by_id_{};
  std::vector<const Handler*> root_chain_;
};

}  // namespace degu::http::internal
