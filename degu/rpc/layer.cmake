# The tests' own services, generated as any user's are.
if(TARGET degu_rpc_test)
  include(DeguProto)
  degu_proto(degu_rpc_testdata PROTOS degu/rpc/testdata/shared.proto degu/rpc/testdata/kitchen.proto)
  target_link_libraries(degu_rpc_test PRIVATE degu_rpc_testdata)
endif()
