# zlib, for pprof's gzip; only pprof.cc sees its header.
find_package(ZLIB REQUIRED)
target_link_libraries(degu_export PRIVATE ZLIB::ZLIB)
if(TARGET degu_export_test)
  target_link_libraries(degu_export_test PRIVATE degu_heap_profiler)
endif()
