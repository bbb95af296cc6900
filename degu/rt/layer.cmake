# degu::heap_profiler: link it to a program to have operator new sampled for heap_profile(). Objects, not a library:
# nothing refers to them.
add_library(degu_heap_profiler OBJECT ${dir}/heap_profiler_object.cc)
add_library(degu::heap_profiler ALIAS degu_heap_profiler)
target_link_libraries(degu_heap_profiler PUBLIC degu_rt)

# Code of shared libraries keeps addresses of thread-locals where a program's does not.
if(DEGU_TESTS)
  degu_test(degu_rt_pic_test SOURCES ${CMAKE_SOURCE_DIR}/degu/rt/thread_local_test.cc LIBS degu_rt)
  target_compile_options(degu_rt_pic_test PRIVATE -fPIC -ftls-model=global-dynamic)
endif()
