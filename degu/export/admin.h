// mount_debug: a look inside the running program over HTTP.
#pragma once

namespace degu::http {
class RouterGroup;
}

namespace degu::exporter {

/// Adds GET routes, for a port that only the operator reaches: they show stacks and the command line, and cost time.
///
///   /debug/goroutines               every goroutine: state, wait, creator, stack
///   /debug/pprof/                   what there is, as a page
///   /debug/pprof/goroutine          pprof; ?debug=1 text, equal stacks together; ?debug=2 as /debug/goroutines
///   /debug/pprof/profile?seconds=30 CPU
///   /debug/pprof/heap               of programs linked with degu::heap_profiler
///   /debug/pprof/block, .../mutex   since the start; empty unless turned on (rt/profile.h)
///                                   ?seconds=: of that time alone, turned on for it if it was off
///   /debug/pprof/trace              the last scheduling events as Chrome trace JSON (ui.perfetto.dev); ?seconds=: later
///   /debug/pprof/cmdline, .../symbol
///
/// So `go tool pprof http://127.0.0.1:9090/debug/pprof/profile` works. `seconds` is 1 to 600.
void mount_debug(http::RouterGroup& routes);

}  // namespace degu::exporter
