#include "load.h"

#include <degu/context/cancel_scope.h>
#include <degu/context/context.h>
#include <degu/rt/run.h>
#include <degu/sync/chan.h>
#include <degu/sync/select.h>
#include <degu/sync/wait_group.h>

#include <algorithm>
#include <optional>

#include "http2_users.h"
#include "user.h"

namespace degu::bench {
namespace {

using std::chrono::nanoseconds;

constexpr nanoseconds kShortestTick = std::chrono::milliseconds(100);
constexpr nanoseconds kLongestTick = std::chrono::seconds(1);
constexpr std::size_t kIntervalsBeforeSlower = 600;

// Cuts the measured time into intervals and tells of them, as long as the users run.
class Observer {
 public:
  Observer(const Recorder& recorder, TimePoint begin, TimePoint measure_from,
           UniqueFunction<void(const Progress&)>& show)
      : recorder_(recorder), begin_(begin), cut_(measure_from), measure_from_(measure_from), show_(show) {}

  void look() {
    Progress progress;
    const TimePoint moment = now();
    progress.elapsed = moment - begin_;
    progress.warming_up = moment < measure_from_;
    if (!progress.warming_up && moment > cut_) cut(moment);
    if (!timeline_.empty()) progress.latest = timeline_.back();
    progress.requests = before_.all_requests();
    progress.errors = before_.all_errors();
    if (show_) show_(progress);
  }

  std::vector<Interval> finish(TimePoint end) {
    if (end > cut_) cut(end);
    return std::move(timeline_);
  }

 private:
  void cut(TimePoint moment) {
    Totals totals = recorder_.totals();
    const Histogram since = totals.latency.since(before_.latency);
    timeline_.push_back({.begin = cut_ - measure_from_,
                         .length = moment - cut_,
                         .requests = totals.all_requests() - before_.all_requests(),
                         .errors = totals.all_errors() - before_.all_errors(),
                         .p50 = since.percentile(50),
                         .p99 = since.percentile(99),
                         .max = since.max()});
    before_ = std::move(totals);
    cut_ = moment;
  }

  const Recorder& recorder_;
  const TimePoint begin_;
  TimePoint cut_;
  const TimePoint measure_from_;
  UniqueFunction<void(const Progress&)>& show_;
  Totals before_;
  std::vector<Interval> timeline_;
};

// Longer ones later in a run without end, so that its timeline stays small.
nanoseconds tick(const LoadOptions& options, std::size_t intervals) {
  const nanoseconds fitting = options.duration.count() > 0 ? options.duration / 60 : kShortestTick * 5 / 2;
  const nanoseconds first = std::clamp(fitting, kShortestTick, kLongestTick);
  return first * (int64_t{1} << std::min<std::size_t>(intervals / kIntervalsBeforeSlower, 12));
}

}  // namespace

LoadResult run_load(const LoadOptions& options, const Scenario& scenario,
                    UniqueFunction<void(const Progress&)> show) {
  std::optional<net::TlsClient> tls;
  if (options.target.tls) tls.emplace(options.tls);
  const TimePoint begin = now();
  const TimePoint measure_from = after_delay(begin, options.warmup);
  const TimePoint end = options.duration.count() > 0 ? after_delay(measure_from, options.duration) : kNever;
  Recorder recorder(scenario.requests().size(), options.rate > 0);
  Arrivals arrivals({options.rate, options.poisson, options.requests, end, options.seed}, begin);
  Shared shared{options, scenario, tls ? &*tls : nullptr, arrivals, recorder, measure_from};
  const Context outer = current_context();
  LoadResult result;

  {
    const auto [context, cancel] = with_deadline(outer, end);
    WaitGroup users;
    auto all_done = make_chan<bool>();
    degu::go([&users, &shared, &options, all_done, context = context] {
      {
        ContextScope scope(context);
        for (int i = 0; i < options.connections; ++i) {
          users.go([&shared, seed = options.seed * 1'000'003 + static_cast<uint64_t>(i * options.streams)] {
            if (shared.options.target.http2) {
              Http2Users(shared, seed).run();
            } else {
              User(shared, seed).run();
            }
          });
        }
      }
      ContextScope scope(Context::background());
      users.wait();
      all_done.close();
    });
    ContextScope scope(Context::background());  // the users end with the context; they are waited for
    Observer observer(recorder, begin, measure_from, show);
    std::size_t looks = 0;
    bool running = true;
    while (running) {
      select(recv(all_done, [&](std::optional<bool>) { running = false; }),
             after(tick(options, looks++), [&] { observer.look(); }));
    }
    cancel();
    // The plan of an open loop has its last start before the end; the time up to the end belongs to the run all the same.
    const bool by_time = options.duration.count() > 0 && options.requests == 0 && !outer.done();
    const TimePoint stopped = by_time ? end : std::min(now(), end);
    result.timeline = observer.finish(stopped);
    result.measured = std::max(nanoseconds(0), stopped - measure_from);
    result.never_started = arrivals.overdue(stopped);
  }
  result.totals = recorder.totals();
  for (std::size_t i = 0; i < kErrorKinds; ++i) {
    result.first_errors.push_back(recorder.first_error(static_cast<ErrorKind>(i)));
  }
  result.interrupted = outer.done();
  return result;
}

}  // namespace degu::bench
