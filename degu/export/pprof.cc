// The message is small and written once, so it is put together here: libprotobuf would be the only reason for
// programs to link it. Field numbers are profile.proto's.
#include <degu/base/error.h>
#include <degu/export/internal/proto_writer.h>
#include <degu/export/pprof.h>
#include <degu/rt/profile.h>
#include <degu/rt/symbolize.h>
#include <zlib.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace degu::exporter {
namespace {

struct Mapping {
  uint64_t start = 0;
  uint64_t limit = 0;
  uint64_t offset = 0;
  std::string file;
};

// The executable segments of the process. The file is small and the kernel's: reading it does not block for long.
std::vector<Mapping> read_mappings() {
  std::vector<Mapping> mappings;
  std::FILE* maps = std::fopen("/proc/self/maps", "re");
  if (maps == nullptr) return mappings;
  char line[4608];
  while (std::fgets(line, sizeof line, maps) != nullptr) {
    unsigned long start = 0;
    unsigned long limit = 0;
    unsigned long offset = 0;
    char rights[8] = {};
    char file[4096] = {};
    if (std::sscanf(line, "%lx-%lx %7s %lx %*s %*s %4095[^\n]", &start, &limit, rights, &offset, file) < 4)
      continue;
    if (rights[2] == 'x') mappings.push_back({start, limit, offset, file});
  }
  std::fclose(maps);
  return mappings;
}

class Encoder {
 public:
  explicit Encoder(const rt::Profile& profile) : profile_(profile), mappings_(read_mappings()) {
    string_id("");
  }

  std::string encode() {
    std::vector<uintptr_t> pcs;
    for (const rt::ProfileSample& sample : profile_.samples) {
      pcs.insert(pcs.end(), sample.stack.begin(), sample.stack.end());
    }
    std::sort(pcs.begin(), pcs.end());
    pcs.erase(std::unique(pcs.begin(), pcs.end()), pcs.end());
    symbols_ = rt::symbolize(pcs);
    for (const rt::ProfileValue& type : profile_.types) out_.message(1, value_type(type));
    for (const rt::ProfileSample& sample : profile_.samples) put_sample(sample);
    put_mappings();
    for (const uintptr_t pc : pcs) put_location(pc);
    put_functions();
    put_times();
    for (const std::string_view text : strings_) out_.bytes(6, text);  // last: all are known now
    return out_.take();
  }

 private:
  uint64_t string_id(std::string_view text) {
    const auto [it, fresh] = string_ids_.try_emplace(std::string(text), strings_.size());
    if (fresh) strings_.push_back(it->first);
    return it->second;
  }

  ProtoWriter value_type(const rt::ProfileValue& type) {
    ProtoWriter value;
    value.number(1, string_id(type.type));
    value.number(2, string_id(type.unit));
    return value;
  }

  // A location's id is its address.
  void put_sample(const rt::ProfileSample& sample) {
    ProtoWriter message;
    message.packed(1, sample.stack);
    message.packed(2, sample.values);
    if (!sample.goroutine.empty()) {
      ProtoWriter label;
      label.number(1, string_id("goroutine"));
      label.number(2, string_id(sample.goroutine));
      message.message(3, label);
    }
    out_.message(2, message);
  }

  void put_mappings() {
    for (std::size_t i = 0; i < mappings_.size(); ++i) {
      ProtoWriter message;
      message.number(1, i + 1);
      message.number(2, mappings_[i].start);
      message.number(3, mappings_[i].limit);
      message.number(4, mappings_[i].offset);
      message.number(5, string_id(mappings_[i].file));
      for (const unsigned has : {7U, 8U, 9U, 10U})
        message.number(has, 1);  // functions, files, lines, inlined
      out_.message(3, message);
    }
  }

  void put_location(uintptr_t pc) {
    ProtoWriter message;
    message.number(1, pc);
    const auto mapping = std::find_if(mappings_.begin(), mappings_.end(),
                                      [&](const Mapping& m) { return pc >= m.start && pc < m.limit; });
    if (mapping != mappings_.end()) message.number(2, static_cast<uint64_t>(mapping - mappings_.begin()) + 1);
    message.number(3, pc);
    for (const rt::SourceFrame& frame : symbols_.at(pc)) {
      ProtoWriter line;
      line.number(1, function_id(frame));
      line.number(2, static_cast<uint64_t>(frame.line));
      message.message(4, line);
    }
    out_.message(4, message);
  }

  uint64_t function_id(const rt::SourceFrame& frame) {
    const auto key = std::make_pair(string_id(frame.function), string_id(frame.file));
    return function_ids_.try_emplace(key, function_ids_.size() + 1).first->second;
  }

  void put_functions() {
    for (const auto& [key, id] : function_ids_) {
      ProtoWriter message;
      message.number(1, id);
      message.number(2, key.first);
      message.number(3, key.first);
      message.number(4, key.second);
      out_.message(5, message);
    }
  }

  void put_times() {
    const auto since_epoch =
        std::chrono::duration_cast<std::chrono::nanoseconds>(profile_.time.time_since_epoch());
    out_.number(9, static_cast<uint64_t>(since_epoch.count()));
    out_.number(10, static_cast<uint64_t>(profile_.duration.count()));
    out_.message(11, value_type(profile_.period_type));
    out_.number(12, static_cast<uint64_t>(profile_.period));
  }

  const rt::Profile& profile_;
  ProtoWriter out_;
  std::vector<Mapping> mappings_;
  rt::SymbolTable symbols_;
  std::unordered_map<std::string, uint64_t> string_ids_;
  std::vector<std::string_view> strings_;
  std::map<std::pair<uint64_t, uint64_t>, uint64_t> function_ids_;  // by name and file
};

std::string gzip(const std::string& text) {
  z_stream stream{};
  constexpr int kGzip = 15 + 16;  // window of 32 KiB, gzip instead of zlib framing
  if (::deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, kGzip, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
    throw Error(Code::kInternal, "a profile could not be compressed: no memory");
  }
  std::string out(::deflateBound(&stream, static_cast<uLong>(text.size())), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int result = ::deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  ::deflateEnd(&stream);
  if (result != Z_STREAM_END) throw Error(Code::kInternal, "a profile could not be compressed");
  return out;
}

}  // namespace

std::string encode_pprof(const rt::Profile& profile) { return gzip(Encoder(profile).encode()); }

}  // namespace degu::exporter
