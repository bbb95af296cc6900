#include <degu/app/proxy_environment.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

namespace degu::app {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(ProxyEnvironment, IsReadAsOthersDo) {
  for (const char* name : {"http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"})
    unsetenv(name);
  EXPECT_EQ(proxy_from_environment().http, "");
  EXPECT_THAT(proxy_from_environment().no_proxy, IsEmpty());
  setenv("HTTP_PROXY", "http://request.header", 1);
  setenv("HTTPS_PROXY", "http://upper:1", 1);
  setenv("NO_PROXY", "a, .b ,", 1);
  EXPECT_EQ(proxy_from_environment().http, "");
  EXPECT_EQ(proxy_from_environment().https, "http://upper:1");
  EXPECT_THAT(proxy_from_environment().no_proxy, ElementsAre("a", ".b"));
  setenv("http_proxy", "bare:3128", 1);
  setenv("https_proxy", "http://lower:2", 1);
  setenv("no_proxy", "*", 1);
  EXPECT_EQ(proxy_from_environment().http, "http://bare:3128");
  EXPECT_EQ(proxy_from_environment().https, "http://lower:2");
  EXPECT_THAT(proxy_from_environment().no_proxy, ElementsAre("*"));
}

}  // namespace
}  // namespace degu::app
