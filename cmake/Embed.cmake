# degu_embed(target NAMESPACE ns HEADER path FUNCTION name ROOT dir FILES file ...)
#
# Adds to `target` the files, taken into the object file by the assembler, and a function
# `std::span<const ns::EmbeddedFile> ns::<name>()` that lists them by their path below ROOT. HEADER is where EmbeddedFile
# {std::string_view path, content} is found.
include_guard(GLOBAL)

function(degu_embed target)
  cmake_parse_arguments(ARG "" "NAMESPACE;HEADER;FUNCTION;ROOT" "FILES" ${ARGN})
  set(data ".section .rodata\n")
  set(externs "")
  set(rows "")
  set(count 0)
  foreach(file ${ARG_FILES})
    file(RELATIVE_PATH path ${ARG_ROOT} ${file})
    set(symbol ${ARG_FUNCTION}_${count})
    string(APPEND data ".global ${symbol}\n.global ${symbol}_end\n${symbol}:\n.incbin \"${file}\"\n${symbol}_end:\n.byte 0\n")
    string(APPEND externs "extern \"C\" const char ${symbol}[];\nextern \"C\" const char ${symbol}_end[];\n")
    string(APPEND rows "      {\"${path}\", between(${symbol}, ${symbol}_end)},\n")
    math(EXPR count "${count} + 1")
  endforeach()
  string(APPEND data ".section .note.GNU-stack,\"\",%progbits\n")
  set(source "#include <${ARG_HEADER}>\n\n#include <cstddef>\n#include <span>\n\n${externs}\nnamespace ${ARG_NAMESPACE} {\n
std::span<const EmbeddedFile> ${ARG_FUNCTION}();\n
std::span<const EmbeddedFile> ${ARG_FUNCTION}() {
  const auto between = [](const char* begin, const char* end) {
    return std::string_view(begin, static_cast<std::size_t>(end - begin));
  };
  static const EmbeddedFile files[] = {\n${rows}  };
  return files;
}\n\n}  // namespace ${ARG_NAMESPACE}\n")
  set(base ${CMAKE_CURRENT_BINARY_DIR}/${ARG_FUNCTION})
  file(CONFIGURE OUTPUT ${base}.S CONTENT "${data}" @ONLY)
  file(CONFIGURE OUTPUT ${base}.cc CONTENT "${source}" @ONLY)
  set_source_files_properties(${base}.S PROPERTIES OBJECT_DEPENDS "${ARG_FILES}")
  target_sources(${target} PRIVATE ${base}.S ${base}.cc)
endfunction()
