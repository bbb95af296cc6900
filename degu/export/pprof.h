// encode_pprof: a profile in the format that `go tool pprof`, Grafana, Parca and speedscope read.
#pragma once

#include <string>

namespace degu::rt {
struct Profile;
}

namespace degu::exporter {

/// profile.proto (github.com/google/pprof, proto/profile.proto), gzipped, with functions, files and lines, so that
/// its reader needs neither the program nor its sources. Looks symbols up (rt/symbolize.h). Throws Error(kInternal)
/// when there is no memory for it.
std::string encode_pprof(const rt::Profile& profile);

}  // namespace degu::exporter
