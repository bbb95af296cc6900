// The idioms of docs/from-go.md about select, time and contexts.
#include <degu/degu.h>
#include <fmt/core.h>

#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

using namespace std::chrono_literals;

namespace {

void select() {
  auto jobs = degu::make_chan<int>(1);
  auto results = degu::make_chan<std::string>(1);
  auto quit = degu::make_chan<char>();
  jobs.send(7);
  const std::string result = "ready";
  std::string chosen;
  // [select]
  degu::select(degu::recv(jobs, [&](int job) { chosen = fmt::format("job {}", job); }),
               degu::send(results, result, [&] { chosen = "sent"; }),
               degu::recv(quit, [&](std::optional<char> value) { chosen = value ? "told" : "closed"; }));
  // [/select]
  fmt::print("select: {}\n", chosen == "job 7" || chosen == "sent");
}

void without_waiting() {
  auto events = degu::make_chan<int>(1);
  bool idle = false;
  bool dropped = false;
  // [default]
  degu::select(degu::recv(events), degu::otherwise([&] { idle = true; }));
  if (!events.try_send(1)) dropped = true;  // one channel: no select needed
  // [/default]
  fmt::print("default: {} {}\n", idle, dropped);
}

void time_limit() {
  auto answers = degu::make_chan<int>();
  std::string outcome;
  // [time-limit]
  degu::select(degu::recv(answers, [&](int answer) { outcome = fmt::format("{}", answer); }),
               degu::after(10ms, [&] { outcome = "too late"; }));
  // [/time-limit]
  fmt::print("time limit: {}\n", outcome);
}

// Any wait ends with the context, so this takes none.
int slow_query() {
  degu::sleep(60s);
  return 1;
}

void deadline() {
  std::string outcome;
  // [deadline]
  try {
    const degu::CancelScope scope(10ms);  // for this block and what it starts
    slow_query();
  } catch (const degu::DeadlineExceeded&) {
    outcome = "deadline exceeded";
  }
  // [/deadline]
  fmt::print("deadline: {}\n", outcome);
}

void cancel() {
  degu::WaitGroup wg;
  // [cancel]
  auto [context, cancel] = degu::with_cancel(degu::current_context());
  wg.go([&, context = context] {
    const degu::ContextScope scope(context);  // what the goroutine waits for ends with it
    try {
      slow_query();
    } catch (const degu::Cancelled&) {
      fmt::print("cancel: cancelled\n");
    }
  });
  cancel();
  // [/cancel]
  wg.wait();
}

void done() {
  auto work = degu::make_chan<int>();
  auto [context, cancel] = degu::with_cancel(degu::current_context());
  cancel();
  bool stopped = false;
  // [done]
  while (!stopped) {
    degu::select(degu::recv(work, [](int item) { fmt::print("{}\n", item); }),
                 degu::done(context, [&] { stopped = true; }));
  }
  // [/done]
  fmt::print("done: {}\n", to_string(context.err()));
}

// [value]
inline constexpr degu::ContextKey<std::string> kUser{"user"};

std::string_view user() {
  const degu::Context context = degu::current_context();
  const std::string* name = context.value(kUser);
  return name != nullptr ? "known" : "anonymous";
}
// [/value]

void values() {
  const auto before = user();
  // [with-value]
  const degu::ContextScope scope(degu::with_value(degu::current_context(), kUser, "ada"));
  // [/with-value]
  fmt::print("value: {}, then {}\n", before, user());
}

void group() {
  std::string error;
  // [errgroup]
  try {
    degu::TaskGroup group;
    group.set_limit(8);
    group.go([] { throw std::runtime_error("no such user"); });
    group.go([] { slow_query(); });  // cancelled by the failure
    group.wait();                    // rethrows the first
  } catch (const std::exception& e) {
    error = e.what();
  }
  // [/errgroup]
  fmt::print("errgroup: {}\n", error);
}

void ticker() {
  int ticks = 0;
  // [ticker]
  degu::Ticker ticker(1ms);
  degu::Timer end(50ms);
  for (bool ended = false; !ended && ticks < 3;) {
    degu::select(degu::recv(ticker.chan(), [&](degu::TimePoint) { ++ticks; }),
                 degu::recv(end.chan(), [&](degu::TimePoint) { ended = true; }));
  }
  // [/ticker]
  fmt::print("ticker: {}\n", ticks > 0);
}

void after_func() {
  auto ran = degu::make_chan<char>();
  bool stopped = false;
  // [after-func]
  degu::after_func(1ms, [ran] { ran.close(); });
  const degu::FuncTimer later = degu::after_func(1h, [] { fmt::print("never\n"); });
  stopped = later.stop();
  // [/after-func]
  ran.recv();
  fmt::print("after_func: {}\n", stopped);
}

void context_after_func() {
  auto released = degu::make_chan<char>();
  auto [context, cancel] = degu::with_cancel(degu::current_context());
  // [context-after-func]
  const auto stop = degu::after_func(context, [released] { released.close(); });
  // [/context-after-func]
  cancel();
  released.recv();
  fmt::print("context.AfterFunc: {}\n", !stop.stop());
}

}  // namespace

int main() {
  return degu::run([] {
    select();
    without_waiting();
    time_limit();
    deadline();
    cancel();
    done();
    values();
    group();
    ticker();
    after_func();
    context_after_func();
  });
}
