// libdw (elfutils) reads DWARF 5, inlined calls and compressed sections, and needs only what -g1 leaves in a
// program. It is opened by dlopen, so that a program starts without it and pays nothing until it is asked.
// Rejected: libbacktrace (not in Debian), libunwind and boost.stacktrace (no lines without addr2line), running
// addr2line (a process for each dump, and binutils on each server).
#include <cxxabi.h>
#include <degu/rt/run.h>
#include <degu/rt/symbolize.h>
#include <dlfcn.h>
#include <dwarf.h>
#include <elfutils/libdwfl.h>
#include <fmt/format.h>
#include <link.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <mutex>
#include <string_view>

namespace degu::rt {
namespace {

constexpr std::size_t kReaderStackBytes = 1000 * 1024;
constexpr std::size_t kMaxCached = 20'000;

struct Cache {
  std::mutex lock;
  SymbolTable table;
};

Cache& cache() noexcept {
  static auto* c = new Cache;  // never destroyed: reports may come until the very end
  return *c;
}

struct LibDw {
  decltype(&::dwfl_begin) begin;
  decltype(&::dwfl_end) end;
  decltype(&::dwfl_linux_proc_report) report;
  decltype(&::dwfl_report_end) report_end;
  decltype(&::dwfl_addrmodule) module_of;
  decltype(&::dwfl_module_addrinfo) symbol_of;
  decltype(&::dwfl_module_addrdie) unit_of;
  decltype(&::dwfl_module_getsrc) line_of;
  decltype(&::dwfl_lineinfo) line_info;
  decltype(&::dwarf_getscopes) scopes;
  decltype(&::dwarf_tag) tag;
  decltype(&::dwarf_diename) name;
  decltype(&::dwarf_attr) attribute;
  decltype(&::dwarf_attr_integrate) inherited;
  decltype(&::dwarf_formstring) string;
  decltype(&::dwarf_formudata) number;
  decltype(&::dwarf_getsrcfiles) files;
  decltype(&::dwarf_filesrc) file;
  Dwfl_Callbacks callbacks;
};

template <class F>
bool find(void* library, const char* name, F& out) noexcept {
  out = reinterpret_cast<F>(::dlsym(library, name));
  return out != nullptr;
}

bool load(LibDw& dw) noexcept {
  void* lib = ::dlopen("libdw.so.1", RTLD_NOW | RTLD_LOCAL);
  if (lib == nullptr) return false;
  dw.callbacks = {};
  return find(lib, "dwfl_begin", dw.begin) && find(lib, "dwfl_end", dw.end) &&
         find(lib, "dwfl_linux_proc_report", dw.report) && find(lib, "dwfl_report_end", dw.report_end) &&
         find(lib, "dwfl_addrmodule", dw.module_of) && find(lib, "dwfl_module_addrinfo", dw.symbol_of) &&
         find(lib, "dwfl_module_addrdie", dw.unit_of) && find(lib, "dwfl_module_getsrc", dw.line_of) &&
         find(lib, "dwfl_lineinfo", dw.line_info) && find(lib, "dwarf_getscopes", dw.scopes) &&
         find(lib, "dwarf_tag", dw.tag) && find(lib, "dwarf_diename", dw.name) &&
         find(lib, "dwarf_attr", dw.attribute) && find(lib, "dwarf_attr_integrate", dw.inherited) &&
         find(lib, "dwarf_formstring", dw.string) && find(lib, "dwarf_formudata", dw.number) &&
         find(lib, "dwarf_getsrcfiles", dw.files) && find(lib, "dwarf_filesrc", dw.file) &&
         find(lib, "dwfl_linux_proc_find_elf", dw.callbacks.find_elf) &&
         // By build id only: dwfl_standard_find_debuginfo may ask servers for it.
         find(lib, "dwfl_build_id_find_debuginfo", dw.callbacks.find_debuginfo);
}

const LibDw* lib_dw() noexcept {
  static LibDw dw;
  static const bool loaded = load(dw);
  return loaded ? &dw : nullptr;
}

void use_dynamic_symbol(uintptr_t pc, SourceFrame& frame) {
  Dl_info info{};
  link_map* module = nullptr;
  if (::dladdr1(reinterpret_cast<void*>(pc), &info, reinterpret_cast<void**>(&module), RTLD_DL_LINKMAP) ==
      0) {
    frame.function = fmt::format("{:#x}", pc);
  } else if (info.dli_sname != nullptr) {
    frame.function = demangle(info.dli_sname);
    frame.start = reinterpret_cast<uintptr_t>(info.dli_saddr);
  } else {
    std::string_view program = info.dli_fname;
    program.remove_prefix(program.rfind('/') + 1);
    frame.function = fmt::format("{}+{:#x}", program, pc - module->l_addr);
  }
}

// Builds write paths relative to the build folder.
std::string shown_path(std::string_view path) {
  while (path.starts_with("../")) path.remove_prefix(3);
  return std::string(path);
}

class Reader {
 public:
  explicit Reader(const LibDw& dw) : dw_(dw), dwfl_(dw.begin(&dw.callbacks)) {
    if (dwfl_ != nullptr) dw_.report(dwfl_, ::getpid());
    if (dwfl_ != nullptr) dw_.report_end(dwfl_, nullptr, nullptr);
  }
  ~Reader() {
    if (dwfl_ != nullptr) dw_.end(dwfl_);
  }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  void resolve(uintptr_t pc, std::vector<SourceFrame>& out) const {
    SourceFrame function;
    Dwfl_Module* module = dwfl_ != nullptr ? dw_.module_of(dwfl_, pc) : nullptr;
    GElf_Off offset = 0;
    GElf_Sym symbol{};
    const char* name =
        module == nullptr ? nullptr : dw_.symbol_of(module, pc, &offset, &symbol, nullptr, nullptr, nullptr);
    if (name != nullptr) {
      function.function = demangle(name);
      function.start = pc - offset;
    } else {
      use_dynamic_symbol(pc, function);
    }
    if (module != nullptr) {
      find_line(module, pc, function);
      expand_inlined(module, pc, function, out);
    }
    out.push_back(std::move(function));
  }

 private:
  void find_line(Dwfl_Module* module, uintptr_t pc, SourceFrame& frame) const {
    Dwfl_Line* line = dw_.line_of(module, pc);
    if (line == nullptr) return;
    const char* file = dw_.line_info(line, nullptr, &frame.line, nullptr, nullptr, nullptr);
    if (file != nullptr) frame.file = shown_path(file);
  }

  // Puts the calls inlined at pc before the function, whose line becomes that of the outermost such call.
  void expand_inlined(Dwfl_Module* module, uintptr_t pc, SourceFrame& function,
                      std::vector<SourceFrame>& out) const {
    Dwarf_Addr bias = 0;
    Dwarf_Die* unit = dw_.unit_of(module, pc, &bias);
    if (unit == nullptr) return;
    Dwarf_Die* scopes = nullptr;
    const int count = dw_.scopes(unit, pc - bias, &scopes);
    const std::unique_ptr<Dwarf_Die, decltype(&std::free)> owned(scopes, &std::free);
    for (int i = 0; i < count; ++i) {
      if (dw_.tag(&scopes[i]) != DW_TAG_inlined_subroutine) continue;
      out.push_back({name_of(scopes[i]), function.file, function.line, function.start});
      function.line = static_cast<int>(number_of(scopes[i], DW_AT_call_line));
      function.file = file_of(*unit, number_of(scopes[i], DW_AT_call_file));
    }
  }

  std::string name_of(Dwarf_Die& die) const {
    Dwarf_Attribute attribute;
    for (const unsigned which : {DW_AT_linkage_name, DW_AT_MIPS_linkage_name}) {
      if (dw_.inherited(&die, which, &attribute) == nullptr) continue;
      if (const char* name = dw_.string(&attribute); name != nullptr) return demangle(name);
    }
    const char* name = dw_.name(&die);
    return name != nullptr ? name : "(inlined)";
  }

  uint64_t number_of(Dwarf_Die& die, unsigned which) const {
    Dwarf_Attribute attribute;
    Dwarf_Word value = 0;
    if (dw_.attribute(&die, which, &attribute) != nullptr) dw_.number(&attribute, &value);
    return value;
  }

  std::string file_of(Dwarf_Die& unit, uint64_t index) const {
    Dwarf_Files* files = nullptr;
    std::size_t count = 0;
    if (dw_.files(&unit, &files, &count) != 0 || index >= count) return {};
    const char* name = dw_.file(files, index, nullptr, nullptr);
    return name != nullptr ? shown_path(name) : std::string();
  }

  const LibDw& dw_;
  Dwfl* dwfl_;
};

void resolve_all(std::span<const uintptr_t> pcs, SymbolTable& table) {
  const LibDw* dw = lib_dw();
  const std::unique_ptr<Reader> reader = dw != nullptr ? std::make_unique<Reader>(*dw) : nullptr;
  for (const uintptr_t pc : pcs) {
    std::vector<SourceFrame>& frames = table[pc];
    if (!frames.empty()) continue;
    if (reader != nullptr) {
      reader->resolve(pc, frames);
    } else {
      use_dynamic_symbol(pc, frames.emplace_back());
    }
  }
}

}  // namespace

std::string demangle(const char* name) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> text(abi::__cxa_demangle(name, nullptr, nullptr, &status),
                                                         &std::free);
  return status == 0 && text != nullptr ? text.get() : name;
}

SymbolTable symbolize(std::span<const uintptr_t> pcs) {
  SymbolTable table;
  std::vector<uintptr_t> unknown;
  Cache& known = cache();
  {
    const std::lock_guard guard(known.lock);
    for (const uintptr_t pc : pcs) {
      if (const auto it = known.table.find(pc); it != known.table.end()) {
        table.insert(*it);
      } else {
        unknown.push_back(pc);
      }
    }
  }
  if (unknown.empty()) return table;
  with_stack(kReaderStackBytes, [&] { blocking([&] { resolve_all(unknown, table); }); });
  const std::lock_guard guard(known.lock);
  if (known.table.size() > kMaxCached) known.table.clear();
  for (const uintptr_t pc : unknown) known.table.insert_or_assign(pc, table.at(pc));
  return table;
}

}  // namespace degu::rt
