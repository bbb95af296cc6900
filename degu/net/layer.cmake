# OpenSSL, for TLS; only tls.cc and internal/tls_*.cc and ticket_keys.cc see its headers, and the tests, which make
# certificates.
find_package(OpenSSL REQUIRED)
target_link_libraries(degu_net PRIVATE OpenSSL::SSL OpenSSL::Crypto)
if(TARGET degu_net_test)
  target_link_libraries(degu_net_test PRIVATE OpenSSL::Crypto)
endif()
if(TARGET degu_net_race_test)
  target_link_libraries(degu_net_race_test PRIVATE OpenSSL::SSL OpenSSL::Crypto)
endif()
