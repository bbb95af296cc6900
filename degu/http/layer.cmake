# simdjson reads JSON (only json_reader.cc sees its header); Boost.Describe, header only, describes structs; OpenSSL
# for digests and signatures.
find_package(simdjson REQUIRED)
find_package(Boost 1.81 REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
# libnghttp2 has no CMake package; only internal/http2_session.cc and internal/client_http2.cc see its header, and tests.
find_library(NGHTTP2_LIBRARY nghttp2 REQUIRED)
target_link_libraries(degu_http PRIVATE simdjson::simdjson OpenSSL::Crypto ${NGHTTP2_LIBRARY} PUBLIC Boost::headers)
if(TARGET degu_http_test)
  target_link_libraries(degu_http_test PRIVATE OpenSSL::Crypto ${NGHTTP2_LIBRARY})  # they make certificates, and unpack HPACK
endif()

# degu::http_protobuf: protobuf.h, for who has messages.
find_package(Protobuf REQUIRED)
add_library(degu_http_protobuf STATIC ${dir}/protobuf.cc)
add_library(degu::http_protobuf ALIAS degu_http_protobuf)
target_link_libraries(degu_http_protobuf PUBLIC degu_http PRIVATE protobuf::libprotobuf)
if(DEGU_TESTS)
  find_program(DEGU_PROTOC protoc REQUIRED)
  set(messages_dir ${CMAKE_BINARY_DIR}/proto/degu_http_protobuf_test)
  file(MAKE_DIRECTORY ${messages_dir})
  set(messages)
  foreach(name order needed lite)
    set(proto degu/http/testdata/${name})
    add_custom_command(
      OUTPUT ${messages_dir}/${proto}.pb.cc ${messages_dir}/${proto}.pb.h
      COMMAND ${DEGU_PROTOC} -I${CMAKE_SOURCE_DIR} --cpp_out=${messages_dir} ${proto}.proto
      DEPENDS ${CMAKE_SOURCE_DIR}/${proto}.proto
      VERBATIM)
    list(APPEND messages ${messages_dir}/${proto}.pb.cc)
  endforeach()
  set_source_files_properties(${messages} PROPERTIES COMPILE_OPTIONS -w)
  degu_test(degu_http_protobuf_test SOURCES ${dir}/protobuf_test.cc ${messages} LIBS degu_http_protobuf)
  target_include_directories(degu_http_protobuf_test SYSTEM PRIVATE ${messages_dir})
  target_link_libraries(degu_http_protobuf_test PRIVATE protobuf::libprotobuf)
endif()

# The page of serve_openapi, within the library.
include(Embed)
set(viewer ${dir}/viewer)
degu_embed(degu_http NAMESPACE degu::http::internal HEADER degu/http/internal/embedded_file.h FUNCTION viewer_files
  ROOT ${viewer} FILES ${viewer}/index.html ${viewer}/viewer.css ${viewer}/viewer.js)
# Content codings; only internal/gzip_coder.cc and internal/brotli_coder.cc see their headers.
find_package(ZLIB REQUIRED)
find_library(BROTLI_ENC brotlienc REQUIRED)
find_library(BROTLI_DEC brotlidec REQUIRED)
target_link_libraries(degu_http PRIVATE ZLIB::ZLIB ${BROTLI_ENC} ${BROTLI_DEC})
