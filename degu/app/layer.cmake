# CLI11, header only, reads the command line; only internal/cli.h sees it.
find_package(CLI11 REQUIRED)
target_link_libraries(degu_app PRIVATE CLI11::CLI11)
if(TARGET degu_app_test)
  include(DeguProto)
  degu_proto(degu_app_testdata PROTOS degu/app/testdata/three.proto)
  target_link_libraries(degu_app_test PRIVATE degu_app_testdata)
endif()
