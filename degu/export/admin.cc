#include <degu/base/error.h>
#include <degu/export/admin.h>
#include <degu/export/pprof.h>
#include <degu/http/exchange.h>
#include <degu/http/router.h>
#include <degu/rt/dump.h>
#include <degu/rt/flight.h>
#include <degu/rt/profile.h>
#include <degu/rt/run.h>
#include <degu/rt/symbolize.h>
#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <cstdio>
#include <string>

namespace degu::exporter {
namespace {

constexpr int kMaxSeconds = 600;

// The query's seconds; `otherwise` when it has none.
std::chrono::seconds seconds_of(const http::Exchange& c, int otherwise) {
  const auto text = c.find_query("seconds");
  if (!text) return std::chrono::seconds(otherwise);
  int value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc{} || end != text->data() + text->size() || value < 1 || value > kMaxSeconds) {
    throw Error(Code::kInvalidArgument, fmt::format("seconds has to be a number from 1 to {}", kMaxSeconds),
                {{"seconds", "out of range"}});
  }
  return std::chrono::seconds(value);
}

void answer_text(http::Exchange& c, std::string text) {
  c.raw(200, "text/plain; charset=utf-8", std::move(text));
  c.set_header("cache-control", "no-store");
}

void answer_profile(http::Exchange& c, std::string_view name, const rt::Profile& profile) {
  c.raw(200, "application/octet-stream", encode_pprof(profile));
  c.set_header("content-disposition", fmt::format("attachment; filename=\"{}\"", name));
  c.set_header("x-content-type-options", "nosniff");
  c.set_header("cache-control", "no-store");
}

void dump(http::Exchange& c, rt::DumpStyle style) {
  std::string text;
  rt::dump_goroutines(text, style);
  answer_text(c, std::move(text));
}

void goroutine(http::Exchange& c) {
  const std::string_view debug = c.query("debug");
  if (debug == "1") return dump(c, rt::DumpStyle::kGrouped);
  if (debug == "2") return dump(c, rt::DumpStyle::kFull);
  answer_profile(c, "goroutine", rt::goroutine_profile());
}

// Restores what was set, however the wait ends.
template <class Value>
class Setting {
 public:
  Setting(Value before, Value wanted, void (*set)(Value) noexcept) : before_(before), set_(set) {
    if (before == Value{}) set(wanted);
  }
  ~Setting() { set_(before_); }
  Setting(const Setting&) = delete;
  Setting& operator=(const Setting&) = delete;

 private:
  Value before_;
  void (*set_)(Value) noexcept;
};

rt::Profile growth(rt::Profile (*profile)(), std::chrono::seconds time) {
  const rt::Profile before = profile();
  sleep(time);
  return rt::difference(profile(), before);
}

void block(http::Exchange& c) {
  if (!c.find_query("seconds")) return answer_profile(c, "block", rt::block_profile());
  using Rate = std::chrono::nanoseconds;
  const Setting<Rate> on(rt::block_profile_rate(), std::chrono::microseconds(10),
                         &rt::set_block_profile_rate);
  answer_profile(c, "block", growth(&rt::block_profile, seconds_of(c, 1)));
}

void mutex(http::Exchange& c) {
  if (!c.find_query("seconds")) return answer_profile(c, "mutex", rt::mutex_profile());
  const Setting<uint32_t> on(rt::mutex_profile_fraction(), 1, &rt::set_mutex_profile_fraction);
  answer_profile(c, "mutex", growth(&rt::mutex_profile, seconds_of(c, 1)));
}

void heap(http::Exchange& c) {
  if (!rt::has_heap_profile()) {
    throw Error(Code::kUnimplemented,
                "this program is not linked with degu::heap_profiler: add it to target_link_libraries and "
                "build again");
  }
  if (!c.find_query("seconds")) return answer_profile(c, "heap", rt::heap_profile());
  answer_profile(c, "heap", growth(&rt::heap_profile, seconds_of(c, 1)));
}

void trace(http::Exchange& c) {
  if (c.find_query("seconds")) sleep(seconds_of(c, 1));
  c.raw(200, "application/json", rt::flight_trace());
  c.set_header("content-disposition", "attachment; filename=\"trace.json\"");
  c.set_header("cache-control", "no-store");
}

// Arguments end with a zero byte each, as in Go.
void cmdline(http::Exchange& c) {
  std::string text;
  std::FILE* file = std::fopen("/proc/self/cmdline", "re");
  if (file == nullptr) throw Error(Code::kUnavailable, "/proc/self/cmdline cannot be read");
  char buffer[4096];
  while (const std::size_t n = std::fread(buffer, 1, sizeof buffer, file)) text.append(buffer, n);
  std::fclose(file);
  if (!text.empty()) text.pop_back();
  answer_text(c, std::move(text));
}

// pprof asks by POST "0x1234+0x5678" and gets a line each; by GET it asks whether there are symbols.
void symbol(http::Exchange& c) {
  std::string_view asked = c.method() == "POST" ? c.body() : c.target();
  if (c.method() != "POST") asked.remove_prefix(std::min(asked.find('?'), asked.size() - 1) + 1);
  std::string text = "num_symbols: 1\n";
  std::vector<uintptr_t> pcs;
  while (!asked.empty() && pcs.size() < 10'000) {
    std::string_view one = asked.substr(0, asked.find('+'));
    asked.remove_prefix(std::min(one.size() + 1, asked.size()));
    if (one.starts_with("0x") || one.starts_with("0X")) one.remove_prefix(2);
    uintptr_t pc = 0;
    if (std::from_chars(one.data(), one.data() + one.size(), pc, 16).ec == std::errc{} && pc != 0)
      pcs.push_back(pc);
  }
  const rt::SymbolTable symbols = rt::symbolize(pcs);
  for (const uintptr_t pc : pcs) {
    fmt::format_to(std::back_inserter(text), "{:#x} {}\n", pc, symbols.at(pc).back().function);
  }
  answer_text(c, std::move(text));
}

void index(http::Exchange& c) {
  std::string page =
      "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>/debug/pprof/</title>\n"
      "<style>body{font:16px system-ui;margin:2em;max-width:50em}td{padding:.2em 1em .2em 0}</style>\n"
      "<h1>Inside this program</h1><table>\n";
  constexpr std::pair<std::string_view, std::string_view> kRows[] = {
      {"goroutine?debug=2", "every goroutine: state, wait, creator, stack"},
      {"goroutine?debug=1", "goroutines, equal stacks together"},
      {"goroutine", "the same for pprof"},
      {"profile?seconds=10", "where CPU time goes"},
      {"heap", "what is allocated (programs linked with degu::heap_profiler)"},
      {"block?seconds=10", "where goroutines wait"},
      {"mutex?seconds=10", "who keeps others waiting for a mutex"},
      {"trace", "what the scheduler did of late: open it in ui.perfetto.dev"},
      {"cmdline", "the command line"},
  };
  for (const auto& [path, what] : kRows) {
    fmt::format_to(std::back_inserter(page), "<tr><td><a href=\"/debug/pprof/{0}\">{0}</a><td>{1}\n", path,
                   what);
  }
  page +=
      "</table>\n<p>Read profiles with <code>go tool pprof "
      "http://ADDRESS/debug/pprof/profile</code>.</p></html>\n";
  c.raw(200, "text/html; charset=utf-8", std::move(page));
}

}  // namespace

void mount_debug(http::RouterGroup& routes) {
  routes.get("/debug/goroutines", [](http::Exchange& c) { dump(c, rt::DumpStyle::kFull); });
  routes.get("/debug/pprof", &index);
  routes.get("/debug/pprof/", &index);
  routes.get("/debug/pprof/goroutine", &goroutine);
  routes.get("/debug/pprof/profile",
             [](http::Exchange& c) { answer_profile(c, "profile", rt::cpu_profile(seconds_of(c, 30))); });
  routes.get("/debug/pprof/heap", &heap);
  routes.get("/debug/pprof/block", &block);
  routes.get("/debug/pprof/mutex", &mutex);
  routes.get("/debug/pprof/trace", &trace);
  routes.get("/debug/pprof/cmdline", &cmdline);
  routes.get("/debug/pprof/symbol", &symbol);
  routes.post("/debug/pprof/symbol", &symbol);
}

}  // namespace degu::exporter
