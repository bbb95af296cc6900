#include "scenario.h"

#include <degu/app/flags.h>
#include <degu/base/error.h>
#include <degu/http/json_codec.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace degu::bench {
namespace {

constexpr std::size_t kMaxRequests = 64;
constexpr uint32_t kMaxWeight = 1'000'000;

// Any JSON value, as text: a body is sent as it stands in the file, without its spaces.
struct Raw {
  std::string text;
  bool is_string = false;
};

void write_value(json::Writer& writer, json::Value value) {
  if (value.type() == json::Type::kObject) {
    writer.begin_object();
    value.each_member([&](std::string_view key, json::Value member) {
      writer.key(key);
      write_value(writer, member);
    });
    writer.end_object();
  } else if (value.type() == json::Type::kArray) {
    writer.begin_array();
    value.each_element([&](json::Value element) { write_value(writer, element); });
    writer.end_array();
  } else if (const auto text = value.string()) {
    writer.value(*text);
  } else if (const auto whole = value.int64()) {
    writer.value(*whole);
  } else if (const auto large = value.uint64()) {
    writer.value(*large);
  } else if (const auto number = value.number()) {
    writer.value(*number);
  } else if (const auto flag = value.boolean()) {
    writer.value(*flag);
  } else {
    writer.value(nullptr);
  }
}

void read_json(json::Value value, Raw& out, json::FieldErrors&) {
  if (const auto text = value.string()) {
    out = {std::string(*text), true};
  } else {
    out = {};
    json::Writer writer(out.text);
    write_value(writer, value);
  }
}

struct RequestEntry {
  json::Required<std::string> name;
  uint32_t weight = 1;
  std::string method = "GET";
  json::Required<std::string> path;
  std::map<std::string, std::string> headers;
  std::optional<Raw> body;
  std::string think = "0s";
};
BOOST_DESCRIBE_STRUCT(RequestEntry, (), (name, weight, method, path, headers, body, think))

struct VariableEntry {
  std::optional<std::vector<Raw>> list;
  std::optional<std::vector<int64_t>> range;
  std::optional<uint32_t> random_hex;
  std::optional<std::string> from;
  std::string pointer;
  std::string order = "random";
};
BOOST_DESCRIBE_STRUCT(VariableEntry, (), (list, range, random_hex, from, pointer, order))

struct ScenarioFile {
  std::map<std::string, std::string> headers;
  std::map<std::string, VariableEntry> variables;
  json::Required<std::vector<RequestEntry>> requests;
};
BOOST_DESCRIBE_STRUCT(ScenarioFile, (), (headers, variables, requests))

bool same_name(std::string_view a, std::string_view b) noexcept {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return lower(x) == lower(y); });
}

uint64_t below(Random& random, uint64_t bound) noexcept {
  return bound == 0 ? random.next() : random.next() % bound;
}

}  // namespace

// From the file's structs to the scenario; collects every fault.
class ScenarioReader {
 public:
  ScenarioReader(const ScenarioFile& file, const Target& target, json::FieldErrors& errors)
      : file_(file), target_(target), errors_(errors) {}

  Scenario read() {
    for (const auto& [name, entry] : file_.variables) names_.push_back(name);
    read_requests();
    for (std::size_t i = 0; i < names_.size(); ++i) {
      json::FieldErrors::Scope all(errors_, "variables");
      json::FieldErrors::Scope one(errors_, names_[i]);
      read_variable(file_.variables.at(names_[i]), i);
    }
    check_origins();
    scenario_.next_ = std::make_unique<std::atomic<uint64_t>[]>(names_.size());
    return std::move(scenario_);
  }

 private:
  void read_requests() {
    json::FieldErrors::Scope all(errors_, "requests");
    const auto& entries = *file_.requests;
    if (entries.empty() || entries.size() > kMaxRequests) {
      errors_.add("", fmt::format("takes 1 to {} requests", kMaxRequests));
    }
    for (std::size_t i = 0; i < entries.size(); ++i) {
      json::FieldErrors::Scope one(errors_, i);
      read_request(entries[i]);
    }
    if (scenario_.total_weight_ == 0 && errors_.empty()) errors_.add("", "have no weight at all");
  }

  void read_request(const RequestEntry& entry) {
    ScenarioRequest request;
    request.name = *entry.name;
    request.weight = entry.weight;
    for (const ScenarioRequest& other : scenario_.requests_) {
      if (other.name == request.name) errors_.add("name", "is the name of another request too");
    }
    if (request.weight > kMaxWeight) errors_.add("weight", fmt::format("may be {} at most", kMaxWeight));
    if (!app::parse_duration(entry.think, request.think))
      errors_.add("think", "takes a duration such as 250ms or 10s");
    RequestText text{entry.method,
                     *entry.path,
                     {},
                     entry.body ? entry.body->text : "",
                     entry.body && !entry.body->is_string};
    for (const auto& field : file_.headers) {
      const bool replaced = std::any_of(entry.headers.begin(), entry.headers.end(),
                                        [&](const auto& own) { return same_name(own.first, field.first); });
      if (!replaced) text.headers.push_back(field);
    }
    for (const auto& field : entry.headers) text.headers.push_back(field);
    try {
      request.request = RequestTemplate(text, target_, names_);
    } catch (const Error& error) {
      errors_.add("", error.message());
    }
    scenario_.total_weight_ += std::min(request.weight, kMaxWeight);
    scenario_.requests_.push_back(std::move(request));
  }

  void read_variable(const VariableEntry& entry, std::size_t position) {
    Variable variable;
    variable.in_order = entry.order == "sequential";
    variable.pointer = entry.pointer;
    if (entry.order != "sequential" && entry.order != "random")
      errors_.add("order", "is \"random\" or \"sequential\"");
    if (int(entry.list.has_value()) + entry.range.has_value() + entry.random_hex.has_value() +
            entry.from.has_value() !=
        1) {
      errors_.add("", "takes one of list, range, random_hex and from");
    } else if (entry.list) {
      for (const Raw& value : *entry.list) variable.list.push_back(value.text);
      if (variable.list.empty()) errors_.add("list", "is empty");
    } else if (entry.range) {
      variable.source = Variable::Source::kRange;
      if (entry.range->size() != 2 || (*entry.range)[0] > (*entry.range)[1]) {
        errors_.add("range", "takes the first and the last number");
      } else {
        variable.first = (*entry.range)[0];
        variable.last = (*entry.range)[1];
      }
    } else if (entry.random_hex) {
      variable.source = Variable::Source::kHex;
      variable.digits = *entry.random_hex;
      if (variable.digits == 0 || variable.digits > 1024) errors_.add("random_hex", "takes 1 to 1024 digits");
    } else {
      from_response(*entry.from, position, variable);
    }
    scenario_.variables_.push_back(std::move(variable));
  }

  void from_response(const std::string& name, std::size_t position, Variable& variable) {
    variable.source = Variable::Source::kResponse;
    auto& requests = scenario_.requests_;
    const auto giver =
        std::find_if(requests.begin(), requests.end(), [&](const auto& r) { return r.name == name; });
    if (giver == requests.end()) return errors_.add("from", fmt::format("there is no request \"{}\"", name));
    if (!variable.pointer.empty() && variable.pointer[0] != '/')
      errors_.add("pointer", "has to start with /");
    variable.request = static_cast<std::size_t>(giver - requests.begin());
    giver->gives.push_back(position);
  }

  // A request whose values come from answers waits for those: they must not need each other in a circle.
  void check_origins() {
    if (!errors_.empty()) return;
    for (std::size_t i = 0; i < scenario_.requests_.size(); ++i) {
      std::vector<bool> seen(scenario_.requests_.size());
      if (!reaches(i, i, seen)) continue;
      errors_.add(fmt::format("requests[{}]", i),
                  "needs a value of its own answer, directly or through others");
      return;
    }
  }

  bool reaches(std::size_t from, std::size_t wanted, std::vector<bool>& seen) const {
    if (seen[from]) return false;
    seen[from] = true;
    const auto& needs = scenario_.requests_[from].request.needs();
    return std::any_of(needs.begin(), needs.end(), [&](std::size_t need) {
      const Variable& variable = scenario_.variables_[need];
      if (variable.source != Variable::Source::kResponse) return false;
      return variable.request == wanted || reaches(variable.request, wanted, seen);
    });
  }

  const ScenarioFile& file_;
  const Target& target_;
  json::FieldErrors& errors_;
  std::vector<std::string> names_;
  Scenario scenario_;
};

Scenario Scenario::single(const RequestText& text, const Target& target) {
  Scenario scenario;
  scenario.requests_.emplace_back();
  scenario.requests_[0].name = fmt::format("{} {}", text.method, text.path);
  scenario.requests_[0].request = RequestTemplate(text, target, {});
  scenario.total_weight_ = 1;
  return scenario;
}

Scenario Scenario::parse(std::string_view text, const Target& target) {
  const json::Document document = json::Document::parse(text);
  json::FieldErrors errors;
  ScenarioFile file;
  json::read(document.root(), file, errors);
  errors.throw_if_any("the scenario has faults");
  Scenario scenario = ScenarioReader(file, target, errors).read();
  errors.throw_if_any("the scenario has faults");
  return scenario;
}

bool Scenario::thinks() const noexcept {
  return std::any_of(requests_.begin(), requests_.end(), [](const auto& r) { return r.think.count() > 0; });
}

std::size_t Scenario::pick(Random& random) const noexcept {
  if (requests_.size() == 1) return 0;
  uint32_t left = random.below(total_weight_);
  std::size_t i = 0;
  while (left >= requests_[i].weight) left -= requests_[i++].weight;
  return i;
}

void Scenario::draw(std::size_t position, Random& random, std::string& out) const {
  const Variable& variable = variables_[position];
  const auto choose = [&](uint64_t bound) {
    if (!variable.in_order) return below(random, bound);
    const uint64_t next = next_[position].fetch_add(1, std::memory_order_relaxed);
    return bound == 0 ? next : next % bound;
  };
  if (variable.source == Variable::Source::kList) {
    out = variable.list[choose(variable.list.size())];
  } else if (variable.source == Variable::Source::kRange) {
    const uint64_t numbers = static_cast<uint64_t>(variable.last) - static_cast<uint64_t>(variable.first) + 1;
    out = std::to_string(static_cast<int64_t>(static_cast<uint64_t>(variable.first) + choose(numbers)));
  } else {
    out.clear();
    while (out.size() < variable.digits) out += fmt::format("{:016x}", random.next());
    out.resize(variable.digits);
  }
}

bool find_by_pointer(std::string_view text, std::string_view pointer, std::string& out) try {
  const json::Document document = json::Document::parse(text);
  std::optional<json::Value> at = document.root();
  while (at && !pointer.empty()) {
    pointer.remove_prefix(1);
    const std::size_t length = std::min(pointer.find('/'), pointer.size());
    std::string key(pointer.substr(0, length));
    pointer.remove_prefix(length);
    for (std::size_t i = 0; (i = key.find('~', i)) != std::string::npos; ++i) {
      key.replace(i, 2, key.compare(i, 2, "~1") == 0 ? "/" : "~");
    }
    if (at->type() != json::Type::kArray) {
      at = at->find(key);
      continue;
    }
    std::size_t index = 0;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), index);
    const bool good = error == std::errc{} && end == key.data() + key.size() && !key.empty();
    std::optional<json::Value> element;
    at->each_element([&, i = std::size_t{0}](json::Value value) mutable {
      if (good && i++ == index) element = value;
    });
    at = element;
  }
  if (!at || at->type() == json::Type::kObject || at->type() == json::Type::kArray) return false;
  if (const auto string = at->string()) {
    out = *string;
  } else {
    out.clear();
    json::Writer writer(out);
    write_value(writer, *at);
  }
  return true;
} catch (const Error&) {
  return false;
}

}  // namespace degu::bench
