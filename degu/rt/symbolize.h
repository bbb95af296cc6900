// symbolize: functions, files and lines of program counters.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace degu::rt {

/// A place in the source. Where nothing is known `function` is "program+0x1234" (an offset that addr2line
/// takes) and `line` is 0.
struct SourceFrame {
  std::string function;  ///< demangled
  std::string file;
  int line = 0;
  uintptr_t start = 0;  ///< of the function's code; 0: unknown
};

/// A program counter's frames, innermost first: the calls inlined there come before the function itself. Never
/// empty after symbolize().
using SymbolTable = std::unordered_map<uintptr_t, std::vector<SourceFrame>>;

/// Looks up each counter (a return address less one, or a leaf). For those not asked for before it reads the debug
/// information of the program and its libraries: some milliseconds; on a goroutine inside blocking() and on a stack of
/// its own. It is done by libdw, which is loaded when first needed: without it, or in a stripped program, functions
/// come from the dynamic symbol table, and where that says nothing there are offsets. Separate debug files are
/// found by build id. Thread-safe; not async-signal-safe.
SymbolTable symbolize(std::span<const uintptr_t> pcs);

/// "a::b(int)" of a mangled name, or the name itself.
std::string demangle(const char* name);

}  // namespace degu::rt
