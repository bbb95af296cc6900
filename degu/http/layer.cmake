# simdjson reads JSON (only json_reader.cc sees its header); Boost.Describe, header only, describes structs; OpenSSL
# for digests and signatures.
find_package(simdjson REQUIRED)
find_package(Boost 1.81 REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
# libnghttp2 has no CMake package; only internal/http2_session.cc sees its header.
find_library(NGHTTP2_LIBRARY nghttp2 REQUIRED)
target_link_libraries(degu_http PRIVATE simdjson::simdjson OpenSSL::Crypto ${NGHTTP2_LIBRARY} PUBLIC Boost::headers)
if(TARGET degu_http_test)
  target_link_libraries(degu_http_test PRIVATE OpenSSL::Crypto ${NGHTTP2_LIBRARY})  # they make certificates, and unpack HPACK
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
